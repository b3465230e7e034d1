"""Events, their keys, and the group commit: batches, poison rows, outages, back-pressure, stopping."""

import asyncio
import contextlib
import threading
from collections.abc import Sequence

import pytest

from bot.inbox import DEFAULT_LANE, WELCOME_LANE, GroupCommit, InboxEvent, RowRefused, event_of
from crm_core.errors import StoreUnavailable


def xml(inner: str) -> bytes:
    return f"<xml><ToUserName><![CDATA[ww1]]></ToUserName><CreateTime>1735700123</CreateTime>{inner}</xml>".encode()


def test_a_message_is_known_by_its_id() -> None:
    assert (
        event_of("ww1", "sales", xml("<MsgId>7298123450011223344</MsgId>")).dedupe_key
        == "ww1|sales|m7298123450011223344"
    )


def test_an_event_is_known_by_its_whole_text() -> None:
    one, two = (event_of("ww1", "sales", xml(f"<UserID>{name}</UserID>")) for name in "ab")
    again = event_of("ww1", "sales", xml("<UserID>a</UserID>"))
    assert one.dedupe_key != two.dedupe_key
    assert one.dedupe_key == again.dedupe_key
    assert one.dedupe_key.startswith("ww1|sales|1735700123|")
    assert event_of("ww1", "care", one.body).dedupe_key != one.dedupe_key


@pytest.mark.parametrize(
    "inner",
    [
        "<Content><![CDATA[<MsgId>7</MsgId>]]></Content>",
        "<Content><![CDATA[<![CDATA[ <MsgId>7</MsgId>]]></Content>",
        "<Content><![CDATA[a]]></Content><MsgId>0</MsgId>",
        "<MsgId></MsgId>",
        "<MsgId>seven</MsgId>",
        "<Content><![CDATA[<MsgId>7</MsgId>",
    ],
)
def test_text_cannot_pose_as_a_message_id(inner: str) -> None:
    assert "|m" not in event_of("ww1", "sales", xml(inner)).dedupe_key


def test_the_true_message_id_wins_over_one_in_the_text() -> None:
    body = xml("<Content><![CDATA[<MsgId>7</MsgId>]]></Content><MsgId>8</MsgId>")
    assert event_of("ww1", "sales", body).dedupe_key == "ww1|sales|m8"


@pytest.mark.parametrize(
    ("inner", "lane"),
    [
        ("<WelcomeCode><![CDATA[wc_1]]></WelcomeCode>", WELCOME_LANE),
        ("<WelcomeCode>wc_1</WelcomeCode>", WELCOME_LANE),
        ("<WelcomeCode><![CDATA[]]></WelcomeCode>", DEFAULT_LANE),
        ("<WelcomeCode></WelcomeCode>", DEFAULT_LANE),
        ("<Content><![CDATA[<WelcomeCode>x</WelcomeCode>]]></Content>", DEFAULT_LANE),
        ("", DEFAULT_LANE),
    ],
)
def test_a_welcome_code_takes_the_fast_lane(inner: str, lane: str) -> None:
    event = event_of("ww1", "sales", xml(inner))
    assert event.lane == lane
    assert (event.priority, event.lifetime_ms) == ((0, 20_000) if lane == WELCOME_LANE else (100, None))


class MemoryStore:
    """An InboxStore in memory; ``poison`` keys are refused, ``down`` makes it unavailable."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.rows: set[str] = set()
        self.poison: set[str] = set()
        self.down = False
        self.broken = False
        self.turnless = False
        self.closed = False
        self.gate = threading.Event()
        self.gate.set()

    def turn(self) -> contextlib.AbstractContextManager[None]:
        if self.turnless:
            raise PermissionError("no lock file")
        return contextlib.nullcontext()

    def commit(self, events: Sequence[InboxEvent]) -> None:
        self.gate.wait(5)
        keys = [event.dedupe_key for event in events]
        self.batches.append(keys)
        if self.down:
            raise StoreUnavailable("down")
        if self.broken:
            raise ZeroDivisionError
        if self.poison & set(keys):
            raise RowRefused("poison")
        self.rows |= set(keys)

    def close(self) -> None:
        self.closed = True


class Recorder:
    """Waker and watcher in one."""

    def __init__(self) -> None:
        self.woken: list[set[str]] = []
        self.kept = 0
        self.lost = 0

    def wake(self, lanes: set[str]) -> None:
        self.woken.append(lanes)
        raise RuntimeError("a broken waker must not matter")

    def committed(self, rows: int, seconds: float) -> None:
        assert seconds >= 0
        self.kept += rows

    def not_stored(self, rows: int) -> None:
        self.lost += rows


def event(key: str, lane: str = DEFAULT_LANE) -> InboxEvent:
    return InboxEvent("ww1", "sales", key, lane, 100, b"x", None)


async def taken(commit: GroupCommit) -> None:
    """Wait until the thread has taken what waits."""
    while commit._waiting:  # noqa: ASYNC110  # the thread has no reason to tell
        await asyncio.sleep(0.001)


async def outcomes(commit: GroupCommit, store: MemoryStore, keys: Sequence[str]) -> list[bool]:
    """Add one event to keep the thread busy, then all others, so that those share a batch."""
    store.gate.clear()
    commit.start(asyncio.get_running_loop())
    first = commit.add(event("first"))
    await taken(commit)
    futures = [commit.add(event(key, WELCOME_LANE)) for key in keys]
    store.gate.set()
    results = [await first, *[await future for future in futures]]
    await asyncio.to_thread(commit.stop)
    return results[1:]


def run(store: MemoryStore, keys: Sequence[str]) -> tuple[list[bool], Recorder]:
    recorder = Recorder()
    commit = GroupCommit(store, recorder, recorder, max_pending=1000)
    return asyncio.run(outcomes(commit, store, keys)), recorder


def test_events_that_meet_share_a_commit() -> None:
    store = MemoryStore()
    results, recorder = run(store, [str(number) for number in range(300)])
    assert results == [True] * 300
    assert [len(batch) for batch in store.batches] == [1, 256, 44]
    assert recorder.kept == 301
    assert recorder.woken == [{DEFAULT_LANE}, {WELCOME_LANE}, {WELCOME_LANE}]
    assert store.closed


@pytest.mark.filterwarnings("default")
def test_a_poison_row_harms_nobody_else(caplog: pytest.LogCaptureFixture) -> None:
    store = MemoryStore()
    store.poison = {"3"}
    results, recorder = run(store, [str(number) for number in range(8)])
    assert results == [number != 3 for number in range(8)]
    assert store.rows == {"first", "0", "1", "2", "4", "5", "6", "7"}
    assert recorder.lost == 1
    assert "refused" in caplog.text


@pytest.mark.parametrize("fault", ["down", "broken", "turnless"])
def test_an_outage_fails_the_batch_and_the_thread_lives_on(fault: str) -> None:
    store = MemoryStore()
    setattr(store, fault, True)
    results, recorder = run(store, ["1", "2"])
    assert results == [False, False]
    assert recorder.lost == 3
    assert recorder.woken == []


def test_too_many_waiting_are_refused_and_so_are_late_ones() -> None:
    async def body() -> None:
        store = MemoryStore()
        store.gate.clear()
        commit = GroupCommit(store, Recorder(), Recorder(), max_pending=2)
        with pytest.raises(StoreUnavailable):
            commit.add(event("before the start"))
        commit.start(asyncio.get_running_loop())
        first = commit.add(event("0"))
        await taken(commit)
        waiting = [first, commit.add(event("1")), commit.add(event("2"))]
        with pytest.raises(StoreUnavailable):
            commit.add(event("3"))
        stopping = asyncio.create_task(asyncio.to_thread(commit.stop))
        await asyncio.sleep(0.01)
        with pytest.raises(StoreUnavailable):
            commit.add(event("4"))
        store.gate.set()
        assert await asyncio.gather(*waiting) == [True, True, True]
        await stopping
        assert store.rows == {"0", "1", "2"}

    asyncio.run(body())
