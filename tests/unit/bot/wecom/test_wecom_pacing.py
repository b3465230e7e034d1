"""Pacing: so many at once, so many a minute, none while blocked."""

import random
from contextlib import ExitStack

import pytest

from bot.wecom.pacing import PaceLimits, Pacer
from crm_core.errors import Retry, WeComThrottled
from crm_core.ids import CorpId
from tests.unit.bot.wecom.wecom_stand_ins import DownState, MemoryState, Time

CORP, OTHER = CorpId("ww1"), CorpId("ww2")
API, MARK = "externalcontact/get", "externalcontact/mark_tag"


def pacer(time: Time, shared: object = None, **limits: int) -> Pacer:
    return Pacer(
        PaceLimits(**limits),
        shared=shared,
        monotonic=time.monotonic,
        sleep=time.sleep,
        chance=random.Random(7),
    )


def call(pace: Pacer, corp: CorpId = CORP, api: str = API, wait: float = 0.0) -> None:
    with pace.enter(corp, api, wait_at_most_seconds=wait):
        pass


def test_so_many_at_once_per_corp_and_api() -> None:
    time = Time()
    pace = pacer(time)
    with ExitStack() as stack:
        for _ in range(5):
            stack.enter_context(pace.enter(CORP, MARK))
        with pytest.raises(WeComThrottled) as told:
            call(pace, api=MARK)
        assert (told.value.sent, told.value.errcode, told.value.retry) == (False, None, Retry.LATER)
        assert 0 < told.value.wait_seconds < 1
        call(pace, api=API)
        call(pace, OTHER, MARK)
    call(pace, api=MARK)


def test_a_failed_call_gives_its_place_back() -> None:
    pace = pacer(Time(), parallel_calls=1)
    for _ in range(3):
        with pytest.raises(ValueError, match="boom"), pace.enter(CORP, API):
            raise ValueError("boom")


def test_so_many_a_minute() -> None:
    time = Time()
    pace = pacer(time, calls_per_minute=100)
    for _ in range(100):
        call(pace)
        time.pass_by(0.1)
    with pytest.raises(WeComThrottled) as told:
        call(pace)
    assert 45 < told.value.wait_seconds <= 61
    call(pace, OTHER)
    time.pass_by(told.value.wait_seconds)
    call(pace)


def test_never_more_than_the_limit_in_any_minute() -> None:
    time, chance = Time(), random.Random(3)
    pace = pacer(time, calls_per_minute=50)
    made: list[float] = []
    for _ in range(4000):
        time.pass_by(chance.random())
        try:
            call(pace)
        except WeComThrottled:
            continue
        made.append(time.monotonic())
        assert sum(1 for moment in made[-60:] if moment > made[-1] - 60) <= 50
    assert len(made) > 1000


def test_waits_as_long_as_it_may() -> None:
    time = Time()
    pace = pacer(time, calls_per_minute=1)
    call(pace)
    call(pace, wait=120)
    assert 59 <= sum(time.slept) <= 61


def test_45009_blocks_for_the_window_and_doubles_to_an_hour() -> None:
    time = Time()
    pace = pacer(time)
    paused = []
    for _ in range(9):
        paused.append(pace.note_quota(CORP, API))
        with pytest.raises(WeComThrottled) as told:
            call(pace)
        assert told.value.wait_seconds == pytest.approx(paused[-1])
        call(pace, OTHER)
        call(pace, api=MARK)
        time.pass_by(paused[-1])
        call(pace)
    assert paused == [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]
    pace.note_success(CORP, API)
    assert pace.note_quota(CORP, API) == 60


def test_calls_that_were_under_way_do_not_lengthen_the_block() -> None:
    time = Time()
    pace = pacer(time)
    pace.note_quota(CORP, API)
    time.pass_by(10)
    assert pace.note_quota(CORP, API) == pytest.approx(50)
    time.pass_by(51)
    call(pace)


def test_45033_pauses_shortly_with_jitter() -> None:
    time = Time()
    pace = pacer(time)
    pauses = []
    for _ in range(8):
        pauses.append(pace.note_parallel(CORP, API))
        time.pass_by(pauses[-1])
    assert 0.2 <= pauses[0] <= 0.5
    assert max(pauses) <= 15
    assert len(set(pauses)) == 8
    call(pace)


def test_workers_share_places_and_pauses() -> None:
    time = Time()
    shared = MemoryState(time)
    here, there = pacer(time, shared, parallel_calls=2), pacer(time, shared, parallel_calls=2)
    with here.enter(CORP, API), there.enter(CORP, API):
        for pace in (here, there):
            with pytest.raises(WeComThrottled):
                call(pace)
    here.note_quota(CORP, API)
    with pytest.raises(WeComThrottled) as told:
        call(there)
    assert told.value.wait_seconds == pytest.approx(60)
    time.pass_by(61)
    call(there)


def test_places_refused_by_the_others_are_not_counted_here() -> None:
    time = Time()
    shared = MemoryState(time)
    here = pacer(time, shared, calls_per_minute=3)
    shared.pause(f"{CORP}:{API}", 5)
    for _ in range(10):
        with pytest.raises(WeComThrottled):
            call(here)
    time.pass_by(6)
    for _ in range(3):
        call(here)


def test_without_redis_it_goes_on_alone() -> None:
    time = Time()
    pace = pacer(time, DownState(), parallel_calls=1)
    with pace.enter(CORP, API), pytest.raises(WeComThrottled):
        call(pace)
    pace.note_quota(CORP, API)
    with pytest.raises(WeComThrottled):
        call(pace)
