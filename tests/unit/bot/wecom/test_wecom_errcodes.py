"""The table of errcodes and what becomes of each."""

import re

import pytest

from bot.wecom.errcode_table import KNOWN, Kind
from bot.wecom.errcodes import BY_CODE, CLASSES, error_for, same_again, sentence
from crm_core.errors import (
    DeadlineMissed,
    Retry,
    WeComError,
    WeComNotAllowed,
    WeComRefused,
    WeComThrottled,
    WeComTokenInvalid,
    WeComUnavailable,
)

# Every code of the protocol notes 3.2 and customer contact 14.1 (0 is success; 90505 and 90506 have no wording there).
TOLD = """
-1 6000 40001 40003 40004 40005 40006 40007 40008 40009 40011 40013 40014 40031 40032 40033 40035 40050 40056 40058
40063 40066 40068 40071 40072 40088 40089 40091 40096 40097 40098 40099 40100 40123 40126 40128 40129 40130 40131 40143
40201 40204 40205 40206 41001 41002 41004 41035 41037 41038 41039 41040 41041 41042 41043 41044 41045 41046 41047 41048
41049 41050 41051 41053 41054 41055 41058 41059 41060 41061 41062 41063 41064 41065 41067 41068 41069 41070 41071 41072
41073 41074 41075 41076 41077 41078 41079 41080 41081 41082 41083 41084 41085 41086 41087 41088 41089 41090 41091 41093
41094 41095 41096 42001 43004 44001 44004 45001 45002 45009 45029 45033 46004 48001 48002 48005 48006 48009 49008 50001
50002 50003 50006 50100 60003 60011 60020 60021 60030 60031 60111 60123 701008 81013 81017 82001 84061 84069 84074 84084
90206 90207 90208 90500 90501 90502 90503 90504 90507 90508 90509 92000 301002
"""


@pytest.mark.parametrize("code", [int(code) for code in TOLD.split()])
def test_every_code_of_the_notes_is_known_with_wording_and_remedy(code: int) -> None:
    row = BY_CODE[code]
    assert re.search(r"[\u4e00-\u9fff]", row.wording + row.remedy)
    assert row.remedy
    assert row.doc.isdigit()
    assert str(code) in sentence(code)


def test_no_code_twice() -> None:
    assert len(BY_CODE) == len(KNOWN)


def test_every_kind_but_deadline_has_a_class() -> None:
    assert set(Kind) - set(CLASSES) == {Kind.DEADLINE}


@pytest.mark.parametrize(
    ("code", "call", "kind"),
    [
        (40014, "externalcontact/get", WeComTokenInvalid),
        (42001, "externalcontact/get", WeComTokenInvalid),
        (40001, "externalcontact/get", WeComTokenInvalid),
        (40001, "gettoken", WeComNotAllowed),
        (45009, "user/list", WeComThrottled),
        (45033, "user/list", WeComThrottled),
        (-1, "user/list", WeComUnavailable),
        (41096, "externalcontact/send_welcome_msg", WeComUnavailable),
        (48002, "externalcontact/get", WeComNotAllowed),
        (60020, "externalcontact/get", WeComNotAllowed),
        (41051, "externalcontact/send_welcome_msg", WeComRefused),
        (50100, "externalcontact/groupchat/list", WeComRefused),
        (84061, "externalcontact/get", WeComRefused),
        (123456789, "externalcontact/get", WeComRefused),
    ],
)
def test_class_of_a_code(code: int, call: str, kind: type[WeComError]) -> None:
    error = error_for(code, "whatever, hint: [1]", call)
    assert type(error) is kind
    assert isinstance(error, WeComError)
    assert (error.errcode, error.call, error.sent) == (code, call, True)


def test_expired_welcome_code_is_a_missed_deadline() -> None:
    error = error_for(41050, "invalid welcome code", "externalcontact/send_welcome_msg")
    assert type(error) is DeadlineMissed
    assert "20 秒" in error.message


@pytest.mark.parametrize("errmsg", ["", "ok", "access_token expired", "api freq out of limit"])
def test_errmsg_changes_nothing(errmsg: str) -> None:
    assert type(error_for(84061, errmsg, "x")) is WeComRefused


def test_waits() -> None:
    quota, parallel = error_for(45009, "", "x"), error_for(45033, "", "x")
    assert isinstance(quota, WeComThrottled)
    assert isinstance(parallel, WeComThrottled)
    assert (quota.wait_seconds, quota.retry) == (60.0, Retry.LATER)
    assert parallel.wait_seconds < quota.wait_seconds


def test_same_again_is_another_object_with_the_same_content() -> None:
    first = error_for(45009, "m", "x")
    assert isinstance(first, WeComThrottled)
    first.wait_seconds = 7.0
    again = same_again(first, sent=False)
    assert again is not first
    assert isinstance(again, WeComThrottled)
    assert (again.errcode, again.errmsg, again.call, again.wait_seconds, again.sent) == (45009, "m", "x", 7.0, False)
    assert again.message == first.message
