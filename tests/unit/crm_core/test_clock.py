"""The clocks."""

import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from crm_core.clock import FileOffsetClock, SystemClock, from_millis, to_millis


class Ticker:
    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "clock.json"


def turn_to(file: Path, seconds: float) -> None:
    file.write_text(json.dumps({"offset_seconds": seconds}))


def offset_of(clock: FileOffsetClock) -> float:
    return round((clock.now() - datetime.now(UTC)).total_seconds())


def test_the_system_clock_is_aware_utc() -> None:
    now = SystemClock().now()
    assert now.utcoffset() == timedelta()
    assert abs(now - datetime.now(UTC)) < timedelta(seconds=60)


def test_a_file_turns_the_clock(file: Path) -> None:
    turn_to(file, 86_400)
    clock = FileOffsetClock(file)
    assert offset_of(clock) == 86_400
    assert clock.now().utcoffset() == timedelta()


def test_the_file_is_not_looked_at_more_often_than_agreed(file: Path) -> None:
    ticker = Ticker()
    clock = FileOffsetClock(file, look_every_seconds=0.5, monotonic=ticker)
    turn_to(file, 60)
    assert offset_of(clock) == 60
    turn_to(file, 3_600)
    ticker.seconds += 0.4
    assert offset_of(clock) == 60
    ticker.seconds += 0.1
    assert offset_of(clock) == 3_600


@pytest.mark.parametrize(
    "content",
    ["", '{"offset_sec', "{}", "[]", "7", '{"offset_seconds": null}', '{"offset_seconds": "soon"}', "\ufeff{}",
     '{"offset_seconds": NaN}', '{"offset_seconds": Infinity}', '{"offset_seconds": 1e300}',
     '{"offset_seconds": 1e12}'],
)  # fmt: skip
def test_a_half_written_or_senseless_file_keeps_the_last_offset(file: Path, content: str) -> None:
    ticker = Ticker()
    clock = FileOffsetClock(file, monotonic=ticker)
    turn_to(file, -120)
    assert offset_of(clock) == -120
    file.write_text(content)
    ticker.seconds += 1
    assert offset_of(clock) == -120


def test_bytes_that_are_no_text_keep_the_last_offset(file: Path) -> None:
    file.write_bytes(b"\xff\xfe\x00")
    assert offset_of(FileOffsetClock(file)) == 0


def test_without_a_file_the_clock_is_the_machines_and_a_lost_file_keeps_the_offset(file: Path) -> None:
    ticker = Ticker()
    clock = FileOffsetClock(file, monotonic=ticker)
    assert offset_of(clock) == 0
    turn_to(file, 50)
    ticker.seconds += 1
    assert offset_of(clock) == 50
    file.unlink()
    ticker.seconds += 1
    assert offset_of(clock) == 50


def test_milliseconds_there_and_back() -> None:
    moment = datetime(2026, 11, 20, 10, 0, 0, 123_000, timezone(timedelta(hours=8)))
    assert to_millis(moment) == 1_795_140_000_123
    assert from_millis(to_millis(moment)) == moment
    assert from_millis(0) == datetime(1970, 1, 1, tzinfo=UTC)
