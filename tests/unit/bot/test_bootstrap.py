"""What every process does first: log lines without secrets of the frame, and the defaults a corp never had."""

import json
import threading

import pytest
import structlog
from sqlmodel import select

from bot import bootstrap
from sop.tables import SopRow
from tests.support.bench import Bench


def test_a_log_line_is_json_with_level_time_and_the_trace_but_no_locals(
    capsys: pytest.CaptureFixture[str], product_logs: None
) -> None:
    bootstrap.configure_logs()
    secret = "locals-are-never-logged"
    try:
        raise ValueError(len(secret))
    except ValueError:
        structlog.get_logger().exception("it_failed", inbox_id=7)
    structlog.get_logger().debug("not_shown")
    (line,) = capsys.readouterr().err.splitlines()
    entry = json.loads(line)
    assert (entry["event"], entry["level"], entry["inbox_id"]) == ("it_failed", "error", 7)
    assert entry["timestamp"].endswith("Z")
    assert "ValueError: 23" in entry["exception"]
    assert secret not in line


@pytest.mark.parametrize(("level", "shown"), [("debug", 3), ("INFO", 2), ("error", 0), ("nonsense", 2)])
def test_the_level_comes_from_the_environment(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    product_logs: None,
    level: str,
    shown: int,
) -> None:
    monkeypatch.setenv("SCRM_LOG_LEVEL", level)
    bootstrap.configure_logs()
    log = structlog.get_logger()
    log.debug("a")
    log.info("b")
    log.warning("c")
    assert len(capsys.readouterr().err.splitlines()) == shown


def plans(bench: Bench) -> list[tuple[str, int]]:
    with bench.house.db.reading() as session:
        return sorted((row.key, row.version) for row in session.exec(select(SopRow)))


def test_defaults_are_installed_once_however_many_processes_start(bench: Bench) -> None:
    threads = [threading.Thread(target=bootstrap.install_defaults, args=(bench.house,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    installed = plans(bench)
    assert installed
    assert len(installed) == len(set(installed))
    bootstrap.install_defaults(bench.house)
    assert plans(bench) == installed


def test_what_a_corp_changed_is_not_overwritten(bench: Bench) -> None:
    bootstrap.install_defaults(bench.house)
    with bench.unit() as uow:
        for row in uow.session.exec(select(SopRow)):
            row.name = "我们自己的名字"
            uow.session.add(row)
        uow.commit()
    bootstrap.install_defaults(bench.house)
    with bench.house.db.reading() as session:
        assert {row.name for row in session.exec(select(SopRow))} == {"我们自己的名字"}
