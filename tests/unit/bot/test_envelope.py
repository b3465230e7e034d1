"""The outer envelope: what is read, what is refused, and that refusing is quick."""

import time

import pytest

from bot.wecom.envelope import read_encrypt
from crm_core.errors import CallbackRejected

GOOD = [
    b"<xml><ToUserName><![CDATA[ww1]]></ToUserName><AgentID><![CDATA[1]]></AgentID><Encrypt><![CDATA[YWJj]]></Encrypt></xml>",
    b"<xml><Encrypt>YWJj</Encrypt></xml>",
    b"<xml><Encrypt><![CDATA[YWJj]]></Encrypt><AgentID/></xml>".replace(b"<AgentID/>", b"<AgentID></AgentID>"),
    (
        b'<?xml version="1.0" encoding="UTF-8"?>\n<xml>\n  <ToUserName>ww1</ToUserName>\r\n'
        b"  <Encrypt>\n<![CDATA[ YWJj ]]>\n</Encrypt>\n</xml>\n"
    ),
    "<xml><Encrypt>YWJj</Encrypt><Remark><![CDATA[备注 & 空格]]></Remark></xml>".encode(),
    b'{"tousername":"ww1","encrypt":"YWJj","agentid":"1"}',
    b' {"encrypt":"YWJj"}\n',
]
X = b"<Encrypt>YWJj</Encrypt>"
BAD = {
    "empty": b"",
    "blank": b"  \n",
    "text": b"hello",
    "html": b"<html><body>YWJj</body></html>",
    "cut": b"<xml><Encrypt><![CDATA[YWJj",
    "no encrypt": b"<xml><ToUserName>ww1</ToUserName></xml>",
    "empty encrypt": b"<xml><Encrypt></Encrypt></xml>",
    "two encrypts": b"<xml>" + X + X + b"</xml>",
    "trailing": b"<xml>" + X + b"</xml>x",
    "two roots": (b"<xml>" + X + b"</xml>") * 2,
    "nested": b"<xml><a>" + X + b"</a></xml>",
    "wrong end tag": b"<xml><a>1</b>" + X + b"</xml>",
    "attribute": b'<xml><Encrypt a="1">YWJj</Encrypt></xml>',
    "comment": b"<xml><!-- -->" + X + b"</xml>",
    "processing instruction": b"<xml><?php x?>" + X + b"</xml>",
    "doctype": b"<!DOCTYPE xml><xml>" + X + b"</xml>",
    "entity bomb": b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><xml><Encrypt>&b;</Encrypt></xml>',
    "external entity": b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><xml><Encrypt>&a;</Encrypt></xml>',
    "entity in a neighbour": b"<xml><a>&lt;</a>" + X + b"</xml>",
    "nul": b"<xml><a>\0</a>" + X + b"</xml>",
    "not utf-8": b"<xml><a>\xff\xfe</a>" + X + b"</xml>",
    "utf-16": ("<xml>" + X.decode() + "</xml>").encode("utf-16"),
    "base64 letters": b"<xml><Encrypt>YW Jj</Encrypt></xml>",
    "url-safe base64": b"<xml><Encrypt>YW-_</Encrypt></xml>",
    "json list": b'["encrypt"]',
    "json cut": b'{"encrypt":"YW',
    "json number": b'{"encrypt":1}',
    "json null": b'{"encrypt":null}',
    "json nothing": b"{}",
    "json not ascii": '{"encrypt":"密"}'.encode(),
    "json not utf-8": b'{"encrypt":"\xff"}',
    "json deep": b'{"a":' * 100_000,
    "json long number": b'{"a":' + b"9" * 10_000 + b"}",
}


@pytest.mark.parametrize("body", GOOD)
def test_envelopes_are_read(body: bytes) -> None:
    assert read_encrypt(body) == b"YWJj"


@pytest.mark.parametrize("body", BAD.values(), ids=BAD.keys())
def test_everything_else_is_refused(body: bytes) -> None:
    with pytest.raises(CallbackRejected) as caught:
        read_encrypt(body)
    assert caught.value.reason == "envelope"


@pytest.mark.parametrize(
    "body",
    [
        b" " * 1_000_000,
        b"<xml>" * 200_000,
        b"<xml>" + b"<a></a>" * 140_000,
        b"<xml>" + b"<a></a> " * 130_000 + b"<",
        b"<xml><a>" + b"x" * 1_000_000,
        b"<xml><Encrypt>" + b"A" * 1_000_000,
        b"<xml><Encrypt><![CDATA[" + b" " * 1_000_000,
        b"<?xml " + b" " * 1_000_000,
    ],
)
def test_a_hostile_megabyte_is_refused_at_once(body: bytes) -> None:
    started = time.perf_counter()
    with pytest.raises(CallbackRejected):
        read_encrypt(body)
    assert time.perf_counter() - started < 10
