"""The client against a real socket: every class of error, every way a line can break, and what is never repeated."""

import json
import logging
import socket
import threading
import traceback
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from bot.wecom.client import WeComClient
from bot.wecom.gateway import HttpWeComGateway
from bot.wecom.gateways import GatewaySet
from bot.wecom.wire import Wire
from crm_core.clock import SystemClock
from crm_core.errors import (
    DeadlineMissed,
    WeComError,
    WeComNotAllowed,
    WeComRefused,
    WeComThrottled,
    WeComTokenInvalid,
    WeComUnavailable,
)
from tests.contract.conftest import SECRET, settings_for
from tests.contract.scripted_wecom import Drop, Hang, Raw, Reply, ScriptedWeCom, ok, refuse
from tests.unit.bot.wecom.wecom_stand_ins import Time

READ, WRITE = "externalcontact/get", "externalcontact/add_contact_way"


@pytest.fixture
def client(gateway: HttpWeComGateway) -> WeComClient:
    return gateway.client


def read(client: WeComClient) -> dict[str, Any]:
    return client.get(READ, {"external_userid": "wm1"})


def write(client: WeComClient) -> dict[str, Any]:
    return client.post(WRITE, {"remark": "渠道 😀", "type": 1}, repeatable=False)


def test_request_shape(wecom: ScriptedWeCom, client: WeComClient) -> None:
    write(client)
    asked = wecom.last(WRITE)
    assert asked.query == {"access_token": "tok1"}
    assert asked.headers["content-type"] == "application/json; charset=utf-8"
    assert "渠道 😀".encode() in asked.raw
    assert b"\\u" not in asked.raw
    assert wecom.last("gettoken").query == {"corpid": "ww9f8e7d6c5b4a3210", "corpsecret": SECRET}


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (48002, WeComNotAllowed),
        (60020, WeComNotAllowed),
        (40096, WeComRefused),
        (84061, WeComRefused),
        (50100, WeComRefused),
        (999999, WeComRefused),
        (45009, WeComThrottled),
        (-1, WeComUnavailable),
        (41050, DeadlineMissed),
    ],
)
def test_errcodes_become_classes(wecom: ScriptedWeCom, client: WeComClient, code: int, kind: type[Exception]) -> None:
    wecom.answers(WRITE, refuse(code))
    with pytest.raises(kind) as told:
        write(client)
    assert wecom.count(WRITE) == 1
    if isinstance(told.value, WeComError):
        assert (told.value.errcode, told.value.call, told.value.sent) == (code, WRITE, True)
        assert "from ip" in told.value.errmsg


def test_errcode_as_a_string_is_read(wecom: ScriptedWeCom, client: WeComClient) -> None:
    wecom.answers(READ, {"errcode": "84061", "errmsg": "not external contact"})
    with pytest.raises(WeComRefused) as told:
        read(client)
    assert told.value.errcode == 84061
    wecom.answers(READ, {"errcode": "0", "errmsg": "ok", "x": 1})
    assert read(client)["x"] == 1


# --- tokens ---------------------------------------------------------------------------------------


def test_thirty_two_threads_one_token(wecom: ScriptedWeCom, client: WeComClient) -> None:
    ready, may_answer = threading.Barrier(33), threading.Event()

    def slow(_asked: object) -> Reply:
        assert may_answer.wait(10)
        wecom.tokens = 1
        return ok(access_token="tok1", expires_in=7200)

    wecom.paths["gettoken"] = slow
    tokens: list[str] = []

    def run() -> None:
        ready.wait(10)
        tokens.append(client.token())

    threads = [threading.Thread(target=run) for _ in range(32)]
    for thread in threads:
        thread.start()
    ready.wait(10)
    may_answer.set()
    for thread in threads:
        thread.join(10)
    assert tokens == ["tok1"] * 32
    assert wecom.count("gettoken") == 1


@pytest.mark.parametrize("code", [40014, 42001, 40001])
@pytest.mark.parametrize("act", [read, write])
def test_a_revoked_token_is_refreshed_once_and_the_call_repeated_once(
    wecom: ScriptedWeCom, client: WeComClient, code: int, act: Any
) -> None:
    call = READ if act is read else WRITE
    act(client)
    wecom.check_token = False
    wecom.answers(call, refuse(code), ok(done=1))
    assert act(client)["done"] == 1
    assert [asked.query["access_token"] for asked in wecom.asked[call]] == ["tok1", "tok1", "tok2"]
    assert wecom.count("gettoken") == 2


def test_a_token_that_is_never_accepted_does_not_loop(wecom: ScriptedWeCom, client: WeComClient) -> None:
    wecom.answers(READ, refuse(40014))
    wecom.check_token = False
    with pytest.raises(WeComTokenInvalid):
        read(client)
    assert (wecom.count(READ), wecom.count("gettoken")) == (2, 2)


def test_many_threads_with_a_revoked_token_fetch_one_new_one(wecom: ScriptedWeCom, client: WeComClient) -> None:
    read(client)
    wecom.revoke()
    threads = [threading.Thread(target=lambda: read(client)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert wecom.count("gettoken") <= 3  # one, or a second when a straggler met the revoked one late
    assert wecom.last(READ).query["access_token"] == f"tok{wecom.tokens}"


def test_a_wrong_secret_is_the_operators_business(wecom: ScriptedWeCom, client: WeComClient) -> None:
    wecom.answers("gettoken", refuse(40001, "invalid credential"))
    for _ in range(20):
        with pytest.raises(WeComNotAllowed) as told:
            read(client)
        assert (told.value.call, told.value.sent) == ("gettoken", False)
    assert (wecom.count("gettoken"), wecom.count(READ)) == (1, 0)


@pytest.mark.parametrize("act", [read, write])
def test_a_busy_gettoken_is_repeated_whatever_the_call(wecom: ScriptedWeCom, client: WeComClient, act: Any) -> None:
    wecom.tokens = 1
    wecom.answers("gettoken", refuse(-1), Drop(), ok(access_token="tok1", expires_in=7200))
    act(client)
    assert wecom.count("gettoken") == 3


def test_no_token_means_nothing_was_sent(wecom: ScriptedWeCom, client: WeComClient) -> None:
    wecom.answers("gettoken", Drop())
    with pytest.raises(WeComUnavailable) as told:
        write(client)
    assert (told.value.sent, told.value.call) == (False, "gettoken")
    assert wecom.count(WRITE) == 0


# --- broken lines ---------------------------------------------------------------------------------

BROKEN = [
    pytest.param(Drop(), id="dropped answer"),
    pytest.param(Hang(), id="read time-out"),
    pytest.param(Raw(b"{}", status=502), id="502"),
    pytest.param(Raw(b'{"errcode":0}', status=500), id="500 with json"),
    pytest.param(Raw(b"", status=302, headers={"Location": "/cgi-bin/elsewhere"}), id="redirect"),
    pytest.param(Raw(b"<html>busy</html>"), id="not json"),
    pytest.param(Raw(b"[1]"), id="not an object"),
    pytest.param(Raw(b'{"a":' + b"[" * 200_000), id="deep junk"),
    pytest.param({"errmsg": "ok"}, id="no errcode"),
    pytest.param(Raw(b'{"errcode":0', headers={"X": "y"}), id="cut json"),
]


@pytest.mark.parametrize("reply", BROKEN)
def test_a_send_is_never_repeated_and_known_to_be_ambiguous(
    wecom: ScriptedWeCom, client: WeComClient, reply: Reply
) -> None:
    wecom.answers(WRITE, reply)
    with pytest.raises(WeComUnavailable) as told:
        write(client)
    assert (told.value.sent, told.value.errcode, told.value.call) == (True, None, WRITE)
    assert wecom.count(WRITE) == 1
    assert wecom.count("elsewhere") == 0


@pytest.mark.parametrize("reply", BROKEN)
def test_a_read_is_repeated_twice_at_most(wecom: ScriptedWeCom, client: WeComClient, still: Time, reply: Reply) -> None:
    wecom.answers(READ, reply, reply, ok(name="小林"))
    assert read(client)["name"] == "小林"
    wecom.answers(READ, reply)
    with pytest.raises(WeComUnavailable):
        read(client)
    assert wecom.count(READ) == 6
    assert all(0.1 <= pause <= 0.6 for pause in still.slept)
    assert len(still.slept) == 4


@pytest.mark.parametrize("act", [read, write])
def test_minus_one_is_repeated_for_reads_only(wecom: ScriptedWeCom, client: WeComClient, act: Any) -> None:
    call = READ if act is read else WRITE
    wecom.answers(call, refuse(-1, "system busy"))
    with pytest.raises(WeComUnavailable) as told:
        act(client)
    assert told.value.errcode == -1
    assert wecom.count(call) == (3 if act is read else 1)


def test_no_repeat_starts_after_the_deadline(gateways: GatewaySet, wecom: ScriptedWeCom, still: Time) -> None:
    wecom.answers(READ, refuse(-1))
    first = next(iter(gateways)).client
    slow = WeComClient(
        wire=first.wire,
        tokens=first._tokens,
        pacer=first._pacer,
        credential=first.credential,
        monotonic=still.monotonic,
        sleep=still.sleep,
        repeats_end_seconds=0.05,
    )
    with pytest.raises(WeComUnavailable):
        read(slow)
    assert wecom.count(READ) == 1


def test_nobody_listening_means_nothing_was_sent(still: Time) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        base = f"http://127.0.0.1:{free.getsockname()[1]}"
        gateways = GatewaySet(settings_for(base), clock=SystemClock(), monotonic=still.monotonic, sleep=still.sleep)
        wire = gateways.wire
        with pytest.raises(WeComUnavailable) as told:
            wire.exchange(WRITE, params={}, body={})
        assert told.value.sent is False
        assert "wecom.api_base" in told.value.message
        gateways.close()


def test_a_huge_answer_is_cut_off(wecom: ScriptedWeCom) -> None:
    wecom.check_token = False
    wecom.answers(READ, Raw(b'{"errcode":0,"x":"' + b"x" * 3_000_000 + b'"}'))
    wire = Wire(
        api_base=wecom.base,
        clock=SystemClock(),
        connect_timeout_seconds=2,
        read_timeout_seconds=2,
        max_answer_bytes=1_000_000,
    )
    with pytest.raises(WeComUnavailable) as told:
        wire.exchange(READ, params={})
    assert (told.value.errmsg, told.value.sent) == ("answer too large", True)
    wire.close()


def test_an_answer_that_trickles_for_ever_is_cut_off(wecom: ScriptedWeCom) -> None:
    wecom.check_token = False
    wecom.answers(READ, Raw(b'{"errcode":0,"x":"' + b"x" * 500_000 + b'"}'))
    ticks = iter(range(0, 10_000, 5))
    wire = Wire(
        api_base=wecom.base,
        clock=SystemClock(),
        connect_timeout_seconds=2,
        read_timeout_seconds=2,
        monotonic=lambda: float(next(ticks)),
    )
    with pytest.raises(WeComUnavailable) as told:
        wire.exchange(READ, params={})
    assert told.value.errmsg == "answer too slow"
    wire.close()


# --- limits ---------------------------------------------------------------------------------------


def test_after_45009_the_api_rests_for_the_whole_window(wecom: ScriptedWeCom, client: WeComClient, still: Time) -> None:
    wecom.answers(READ, refuse(45009, "api freq out of limit"))
    with pytest.raises(WeComThrottled) as told:
        read(client)
    assert (told.value.wait_seconds, told.value.sent, told.value.errcode) == (60, True, 45009)
    for _ in range(5):
        with pytest.raises(WeComThrottled) as told:
            read(client)
        assert (told.value.sent, told.value.errcode) == (False, None)
    assert wecom.count(READ) == 1
    write(client)
    still.pass_by(60)
    wecom.answers(READ, ok())
    read(client)


def test_45033_is_repeated_with_jitter_for_reads_only(wecom: ScriptedWeCom, client: WeComClient, still: Time) -> None:
    wecom.answers(READ, refuse(45033), refuse(45033), ok(done=1))
    assert read(client)["done"] == 1
    assert len(still.slept) == 2
    assert len(set(still.slept)) == 2
    wecom.answers(WRITE, refuse(45033))
    with pytest.raises(WeComThrottled) as told:
        write(client)
    assert wecom.count(WRITE) == 1
    assert 0 < told.value.wait_seconds < 1


# --- secrets and logs -----------------------------------------------------------------------------


@pytest.fixture
def logged() -> Iterator[list[Any]]:
    with structlog.testing.capture_logs() as entries:
        yield entries


def test_tokens_and_secrets_reach_no_log_and_no_exception(
    wecom: ScriptedWeCom, client: WeComClient, logged: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    wecom.answers(READ, refuse(60020, "echo of tok1 in the text"))
    with pytest.raises(WeComNotAllowed) as told:
        read(client)
    wecom.answers(WRITE, Drop())
    with pytest.raises(WeComUnavailable) as second:
        write(client)
    spoken = "".join(traceback.format_exception(told.value)) + repr(vars(told.value)) + repr(vars(second.value))
    spoken += "".join(traceback.format_exception(second.value)) + caplog.text + json.dumps(logged, default=str)
    assert "tok1" not in spoken
    assert SECRET not in spoken
    assert "203.0.113.9" in json.dumps(logged)
    assert "access_token=***" in caplog.text
    assert "corpsecret=***" in caplog.text


def test_a_wrong_json_warning_is_logged(wecom: ScriptedWeCom, client: WeComClient, logged: list[Any]) -> None:
    wecom.answers(WRITE, {"errcode": 0, "errmsg": "ok. Warning: wrong json format. "})
    write(client)
    assert [entry["call"] for entry in logged if entry["event"] == "wecom_wrong_json"] == [WRITE]
