"""Tokens and pacing shared through a real Redis, and what happens when it goes away."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from bot.wecom.pacing import PaceLimits, Pacer
from bot.wecom.shared_state import RedisState, SharedStateDown
from bot.wecom.tokens import Credential, TokenCache
from crm_core.errors import WeComThrottled
from crm_core.ids import CorpId
from tests.support import databases

CORP, API = CorpId("ww1"), "externalcontact/mark_tag"
ME = Credential(CORP, "s3cret")

pytestmark = pytest.mark.redis


class Gettoken:
    api_base = "http://127.0.0.1:1"

    def __init__(self) -> None:
        self.calls = 0

    def exchange(self, call: str, *, params: Any, body: Any = None) -> dict[str, Any]:
        self.calls += 1
        return {"errcode": 0, "access_token": f"t{self.calls}", "expires_in": 7200}


@pytest.fixture(params=[True, False], ids=["text", "bytes"])
def redis_client(request: pytest.FixtureRequest) -> Iterator[Any]:
    if not databases.REDIS:
        pytest.skip("SCRM_TEST_REDIS is not set")
    redis = pytest.importorskip("redis")
    client = redis.Redis.from_url(databases.REDIS, decode_responses=request.param)
    client.flushdb()
    yield client
    client.close()


@pytest.fixture
def shared(redis_client: Any) -> RedisState:
    return RedisState(redis_client)


def test_values_locks_and_pauses(shared: RedisState) -> None:
    assert shared.read("a") is None
    shared.write("a", "1", 30)
    value, left = shared.read("a") or ("", 0.0)
    assert (value, 29 < left <= 30) == ("1", True)
    shared.drop_if_same("a", "2")
    assert shared.read("a") is not None
    shared.drop_if_same("a", "1")
    assert shared.read("a") is None
    owner = shared.lock("l", 30)
    assert owner
    assert shared.lock("l", 30) is None
    shared.drop_if_same("l", owner)
    assert shared.lock("l", 30)
    shared.pause("lane", 20)
    shared.pause("lane", 5)
    slot, wait = shared.enter("lane", cap=5, calls_per_minute=10, lease_seconds=60)
    assert (slot, 19 < wait <= 20) == ("", True)


def test_slots_and_calls_a_minute(shared: RedisState) -> None:
    def enter() -> tuple[str, float]:
        return shared.enter("lane", cap=2, calls_per_minute=3, lease_seconds=60)

    first, second = enter()[0], enter()[0]
    assert first
    assert second
    assert enter() == ("", 0.05)
    shared.leave("lane", first)
    third = enter()[0]
    assert third
    shared.leave("lane", second)
    slot, wait = enter()
    assert (slot, 55 < wait <= 60) == ("", True)


def test_a_dead_workers_slot_ends_with_its_lease(shared: RedisState) -> None:
    assert shared.enter("lane", cap=1, calls_per_minute=99, lease_seconds=0.05)[0]
    for _ in range(2000):
        if shared.enter("lane", cap=1, calls_per_minute=99, lease_seconds=60)[0]:
            return
    pytest.fail("the slot was never given back")


def test_two_workers_fetch_one_token(shared: RedisState) -> None:
    wire = Gettoken()
    caches = [TokenCache(wire, shared=shared) for _ in range(2)]
    found: list[str] = []
    threads = [threading.Thread(target=lambda c=cache: found.append(c.token(ME))) for cache in caches for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert (found, wire.calls) == (["t1"] * 16, 1)
    caches[0].invalidate(ME, "t1")
    assert caches[0].token(ME) == "t2"
    caches[1].invalidate(ME, "t1")
    assert (caches[1].token(ME), wire.calls) == ("t2", 2)


def test_two_pacers_share_the_five_places(shared: RedisState) -> None:
    here, there = (Pacer(PaceLimits(), shared=shared) for _ in range(2))
    places = [pacer.enter(CORP, API) for pacer in (here, here, there, there, there)]
    for place in places:
        place.__enter__()
    for pacer in (here, there):
        with pytest.raises(WeComThrottled), pacer.enter(CORP, API):
            pass
    for place in places:
        place.__exit__(None, None, None)
    here.note_quota(CORP, API)
    with pytest.raises(WeComThrottled) as told, there.enter(CORP, API):
        pass
    assert 59 < told.value.wait_seconds <= 60


def test_a_redis_that_is_gone_is_told_apart_and_left_alone() -> None:
    redis = pytest.importorskip("redis")
    client = redis.Redis(host="127.0.0.1", port=1, socket_connect_timeout=1, retry=None)
    shared = RedisState(client, monotonic=lambda: 0.0)
    with pytest.raises(SharedStateDown, match="ConnectionError"):
        shared.read("a")
    with pytest.raises(SharedStateDown, match="left alone"):
        shared.read("a")
    assert TokenCache(Gettoken(), shared=shared).token(ME) == "t1"
    with Pacer(PaceLimits(), shared=shared).enter(CORP, API):
        pass
    client.close()
