"""Tokens: one fetch for all, early refresh, forgetting, refusals, Redis and its absence."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from bot.wecom.tokens import Credential, Fresh, TokenCache
from crm_core.errors import WeComNotAllowed, WeComThrottled, WeComUnavailable
from crm_core.ids import CorpId
from tests.unit.bot.wecom.wecom_stand_ins import DownState, MemoryState, Time

ME = Credential(CorpId("ww1"), "s3cret-of-main")


class Gettoken:
    """Stands where the wire is: counts, and answers what it is told."""

    api_base = "http://127.0.0.1:1"

    def __init__(self, *, expires_in: Any = 7200) -> None:
        self.calls = 0
        self.expires_in = expires_in
        self.answer: Callable[[int], dict[str, Any]] | None = None

    def exchange(self, call: str, *, params: Any, body: Any = None) -> dict[str, Any]:
        assert (call, params) == ("gettoken", {"corpid": "ww1", "corpsecret": "s3cret-of-main"})
        self.calls += 1
        if self.answer is not None:
            return self.answer(self.calls)
        return {"errcode": 0, "errmsg": "ok", "access_token": f"t{self.calls}", "expires_in": self.expires_in}


def cache(wire: Any, time: Time, shared: Any = None) -> TokenCache:
    return TokenCache(wire, shared=shared, monotonic=time.monotonic, sleep=time.sleep)


def refuse(code: int) -> Callable[[int], dict[str, Any]]:
    return lambda _count: {"errcode": code, "errmsg": f"refused {code}"}


def test_kept_until_shortly_before_its_end() -> None:
    wire, time = Gettoken(), Time()
    tokens = cache(wire, time)
    assert [tokens.token(ME), tokens.token(ME)] == ["t1", "t1"]
    time.pass_by(7200 - 300 * 1.2 - 1)
    assert tokens.token(ME) == "t1"
    time.pass_by(300 * 0.2 + 2)
    assert tokens.token(ME) == "t2"
    assert wire.calls == 2


def test_short_lived_tokens_are_not_refetched_at_once() -> None:
    wire, time = Gettoken(expires_in="10"), Time()
    tokens = cache(wire, time)
    tokens.token(ME)
    time.pass_by(7)
    assert tokens.token(ME) == "t1"
    time.pass_by(2)
    assert tokens.token(ME) == "t2"


def test_threads_share_one_fetch() -> None:
    time, may_answer, entered = Time(), threading.Event(), threading.Event()
    wire = Gettoken()

    def answer(count: int) -> dict[str, Any]:
        entered.set()
        assert may_answer.wait(10)
        return {"errcode": 0, "access_token": f"t{count}", "expires_in": 7200}

    wire.answer = answer
    tokens = cache(wire, time)
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(tokens.token(ME))) for _ in range(32)]
    for thread in threads:
        thread.start()
    assert entered.wait(10)
    may_answer.set()
    for thread in threads:
        thread.join(10)
    assert found == ["t1"] * 32
    assert wire.calls == 1


def test_while_one_refreshes_early_the_others_go_on_with_the_old_one() -> None:
    time, may_answer, entered = Time(), threading.Event(), threading.Event()
    wire = Gettoken()
    tokens = cache(wire, time)
    tokens.token(ME)
    time.pass_by(7200 - 100)

    def answer(count: int) -> dict[str, Any]:
        entered.set()
        assert may_answer.wait(10)
        return {"errcode": 0, "access_token": f"t{count}", "expires_in": 7200}

    wire.answer = answer
    leader = threading.Thread(target=lambda: tokens.token(ME))
    leader.start()
    assert entered.wait(10)
    assert tokens.token(ME) == "t1"
    may_answer.set()
    leader.join(10)
    assert tokens.token(ME) == "t2"


def test_a_failed_early_refresh_leaves_the_old_token_in_use() -> None:
    wire, time = Gettoken(), Time()
    tokens = cache(wire, time)
    tokens.token(ME)
    time.pass_by(7200 - 100)
    wire.answer = refuse(-1)
    assert tokens.token(ME) == "t1"
    time.pass_by(101)
    with pytest.raises(WeComUnavailable):
        tokens.token(ME)


def test_invalidate_only_what_is_still_the_same() -> None:
    wire, time = Gettoken(), Time()
    tokens = cache(wire, time)
    old = tokens.token(ME)
    tokens.invalidate(ME, old)
    assert tokens.token(ME) == "t2"
    tokens.invalidate(ME, old)
    assert tokens.token(ME) == "t2"
    assert wire.calls == 2


def test_a_wrong_secret_does_not_hammer_gettoken() -> None:
    wire, time = Gettoken(), Time()
    wire.answer = refuse(40001)
    tokens = cache(wire, time)
    for _ in range(50):
        with pytest.raises(WeComNotAllowed) as told:
            tokens.token(ME)
        assert told.value.sent is False
        assert "SCRM_" in told.value.message
    assert wire.calls == 1
    calls = []
    for wait in (5, 10, 20, 40, 80, 160, 300, 300):
        time.pass_by(wait - 0.5)
        for _ in range(3):
            with pytest.raises(WeComNotAllowed):
                tokens.token(ME)
        calls.append(wire.calls)
        time.pass_by(0.6)
        with pytest.raises(WeComNotAllowed):
            tokens.token(ME)
    assert calls == [1, 2, 3, 4, 5, 6, 7, 8]
    wire.answer = None
    time.pass_by(301)
    assert tokens.token(ME) == "t10"


def test_a_throttled_gettoken_waits_as_told() -> None:
    wire, time = Gettoken(), Time()
    wire.answer = refuse(45009)
    tokens = cache(wire, time)
    for _ in range(3):
        with pytest.raises(WeComThrottled) as told:
            tokens.token(ME)
        assert told.value.sent is False
    assert wire.calls == 1
    time.pass_by(61)
    with pytest.raises(WeComThrottled):
        tokens.token(ME)
    time.pass_by(100)
    with pytest.raises(WeComThrottled):
        tokens.token(ME)
    assert wire.calls == 2
    time.pass_by(21)
    wire.answer = None
    assert tokens.token(ME) == "t3"


def test_a_busy_gettoken_is_asked_again_at_once() -> None:
    wire, time = Gettoken(), Time()
    wire.answer = refuse(-1)
    tokens = cache(wire, time)
    with pytest.raises(WeComUnavailable) as told:
        tokens.token(ME)
    assert told.value.sent is False
    wire.answer = None
    assert tokens.token(ME) == "t2"


@pytest.mark.parametrize("answer", [{}, {"errcode": 0}, {"errcode": 0, "access_token": ""}, {"access_token": "t"}])
def test_an_answer_without_a_token_is_no_token(answer: dict[str, Any]) -> None:
    wire, time = Gettoken(), Time()
    wire.answer = lambda _count: answer
    with pytest.raises(WeComUnavailable):
        cache(wire, time).token(ME)


def test_a_fault_of_ours_frees_the_waiting_threads() -> None:
    wire, time = Gettoken(), Time()

    def broken(_count: int) -> dict[str, Any]:
        raise RuntimeError("bug")

    wire.answer = broken
    tokens = cache(wire, time)
    with pytest.raises(RuntimeError):
        tokens.token(ME)
    wire.answer = None
    assert tokens.token(ME) == "t2"


def test_the_secret_is_nowhere_to_be_read() -> None:
    assert "s3cret" not in repr(ME)
    assert "s3cret" not in ME.fingerprint("http://x")
    assert ME.fingerprint("http://x") != ME.fingerprint("http://y")


def test_tickets_are_kept_per_corp_and_per_app() -> None:
    time, asked = Time(), []
    tokens = cache(Gettoken(), time)

    def fetch(name: str) -> Callable[[], Fresh]:
        def ask() -> Fresh:
            asked.append(name)
            return Fresh(name, 7200)

        return ask

    other = Credential(CorpId("ww1"), "another secret")
    assert tokens.ticket(ME, None, fetch("corp")) == "corp"
    assert tokens.ticket(other, None, fetch("corp again")) == "corp"
    assert tokens.ticket(ME, 1, fetch("one")) == "one"
    assert tokens.ticket(ME, 2, fetch("two")) == "two"
    assert tokens.ticket(ME, 1, fetch("one again")) == "one"
    assert asked == ["corp", "one", "two"]


def test_workers_share_a_token() -> None:
    time = Time()
    shared, wire = MemoryState(time), Gettoken()
    first, second = cache(wire, time, shared), cache(wire, time, shared)
    assert (first.token(ME), second.token(ME)) == ("t1", "t1")
    assert wire.calls == 1
    assert all("s3cret" not in key + value for key, value, _ttl in shared.writes)
    first.invalidate(ME, "t1")
    assert first.token(ME) == "t2"
    second.invalidate(ME, "t1")
    assert second.token(ME) == "t2"
    assert wire.calls == 2


def test_a_worker_waits_for_the_one_that_holds_the_lock() -> None:
    time = Time()
    shared, wire = MemoryState(time), Gettoken()
    tokens = cache(wire, time, shared)
    name = f"token:{ME.fingerprint(wire.api_base)}"
    shared.lock(f"lock:{name}", 15)
    real_sleep = time.sleep

    def sleep(seconds: float) -> None:
        real_sleep(seconds)
        if len(time.slept) == 3:
            shared.write(name, "theirs", 5000)

    tokens._sleep = sleep
    assert tokens.token(ME) == "theirs"
    assert wire.calls == 0


def test_a_dead_lock_holder_is_not_waited_for_long() -> None:
    time = Time()
    shared, wire = MemoryState(time), Gettoken()
    shared.lock(f"lock:token:{ME.fingerprint(wire.api_base)}", 1000)
    assert cache(wire, time, shared).token(ME) == "t1"
    assert sum(time.slept) < 5


def test_without_redis_it_goes_on_alone() -> None:
    wire, time = Gettoken(), Time()
    tokens = cache(wire, time, DownState())
    assert [tokens.token(ME), tokens.token(ME)] == ["t1", "t1"]
    tokens.invalidate(ME, "t1")
    assert tokens.token(ME) == "t2"
