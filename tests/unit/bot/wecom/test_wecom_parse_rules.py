"""The parser's promises, told by hand: what is required, what is forgiven, what is refused."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.wecom.element import MAX_BYTES, read_body
from bot.wecom.parse import MAKERS, parse_callback
from crm_core.errors import CallbackAnomalous, CallbackUnsupported
from crm_core.events import (
    AppMessageReceived,
    CardClicked,
    Event,
    FollowStarted,
    GroupChanged,
    LocationReported,
    SuiteNotified,
)
from crm_core.ids import AppKey, CorpId

CORP = "ww9f8e7d6c5b4a3210"
NAMES = [
    *("UserID", "ExternalUserID", "ChatId", "Id", "TagId", "LinkId", "ChatKey", "MsgId", "FromUserName", "Latitude"),
    *("Longitude", "TaskId", "OpenKfId", "Token", "JobId", "ExpireTime", "JoinScene", "MemChangeList", "SelectedItems"),
    *("ApprovalInfo", "BatchJob"),
]
ADDED = (
    "<Event><![CDATA[change_external_contact]]></Event><ChangeType><![CDATA[add_external_contact]]></ChangeType>"
    "<UserID><![CDATA[LiNa]]></UserID><ExternalUserID><![CDATA[wmQx7hDgAAk3]]></ExternalUserID>"
    "<State><![CDATA[store12_spring]]></State><WelcomeCode><![CDATA[wc_7Hs2kQpV91]]></WelcomeCode>"
)


def body(inner: str, *, msg_type: str = "event", to: str = CORP, created: str = "1735700123") -> bytes:
    return (
        f"<xml><ToUserName><![CDATA[{to}]]></ToUserName><FromUserName>sys</FromUserName>"
        f"<CreateTime>{created}</CreateTime><MsgType>{msg_type}</MsgType>{inner}</xml>"
    ).encode()


def parse(raw: bytes, *, receivers: tuple[str, ...] = (CORP,), received_ms: int = 1_735_700_124_000) -> Event:
    return parse_callback(
        raw,
        corp=CorpId(CORP),
        app=AppKey("main"),
        received_ms=received_ms,
        key="k1",
        expected_tousernames=receivers,
    )


def test_added_customer_in_full() -> None:
    assert parse(body(ADDED)) == FollowStarted(
        corp=CorpId(CORP),
        app=AppKey("main"),
        occurred_at=datetime(2025, 1, 1, 2, 55, 23, tzinfo=UTC),
        key="k1",
        received_ms=1_735_700_124_000,
        staff="LiNa",
        external_user="wmQx7hDgAAk3",
        state="store12_spring",
        welcome_code="wc_7Hs2kQpV91",
        link_id="",
    )


def test_a_json_body_under_the_same_names_reads_the_same() -> None:
    told = {
        "ToUserName": CORP,
        "CreateTime": 1735700123,
        "MsgType": "event",
        "Event": "change_external_contact",
        "ChangeType": "add_external_contact",
        "UserID": "LiNa",
        "ExternalUserID": "wmQx7hDgAAk3",
        "State": "store12_spring",
        "WelcomeCode": "wc_7Hs2kQpV91",
    }
    assert parse(json.dumps(told).encode()) == parse(body(ADDED))


def test_one_changed_member_is_still_a_list() -> None:
    event = parse(
        body(
            "<Event>change_external_chat</Event><ChangeType>update</ChangeType><ChatId>wr1</ChatId>"
            "<UpdateDetail>del_member</UpdateDetail><MemChangeList><Item>wmA</Item></MemChangeList>"
        )
    )
    assert isinstance(event, GroupChanged)
    assert event.member_ids == ("wmA",)
    assert event.join_scene is None


def test_location_event_and_location_message_are_told_apart() -> None:
    reported = parse(body("<Event>LOCATION</Event><Latitude>30.27</Latitude><Longitude>120.15</Longitude>"))
    written = parse(body("<Location_X>30.27</Location_X><MsgId>1</MsgId>", msg_type="location"))
    assert isinstance(reported, LocationReported)
    assert isinstance(written, AppMessageReceived)
    assert (written.kind, written.fields) == ("location", {"Location_X": "30.27"})


def test_message_text_keeps_its_blanks() -> None:
    event = parse(body("<Content><![CDATA[ 查 138 ]]></Content><MsgId>7298123450011223344</MsgId>", msg_type="text"))
    assert isinstance(event, AppMessageReceived)
    assert event.text == " 查 138 "


@pytest.mark.parametrize("outer", ["OptionIds", "OpitonIds"])
@pytest.mark.parametrize("inner", ["OptionId", "OpitonId"])
def test_both_spellings_of_option_ids(outer: str, inner: str) -> None:
    event = parse(
        body(
            "<Event>template_card_event</Event><TaskId>t</TaskId><SelectedItems><SelectedItem>"
            f"<QuestionKey>q</QuestionKey><{outer}><{inner}>a</{inner}><{inner}>b</{inner}></{outer}>"
            "</SelectedItem></SelectedItems>"
        )
    )
    assert isinstance(event, CardClicked)
    assert event.selected == {"q": ("a", "b")}


def test_suite_callback_needs_no_receiver() -> None:
    raw = (
        b"<xml><SuiteId>ww4</SuiteId><InfoType>create_auth</InfoType>"
        b"<TimeStamp>1403610513</TimeStamp><AuthCode>c</AuthCode></xml>"
    )
    event = parse(raw, receivers=())
    assert isinstance(event, SuiteNotified)
    assert (event.info_type, event.suite_id, event.fields) == ("create_auth", "ww4", {"AuthCode": "c"})


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "正文不是合法的 XML"),
        (b"hello", "正文不是合法的 XML"),
        (b"<xml><a></xml>", "正文不是合法的 XML"),
        (b"\xff\xfe<xml/>", "正文不是合法的 XML"),
        (b"<xml></xml>", "没有 MsgType 也没有 InfoType"),
        (b"{}", "没有 MsgType 也没有 InfoType"),
        (b"{", "正文不是合法的 JSON"),
        (b'{"a": "\\u0000"}', "正文含有非法字符"),
        (b'{"\\u0000": 1}', "正文含有非法字符"),
        (b'{"a": "\\ud800"}', "正文含有非法字符"),
        (b'{"a": ' + b"[" * 100_000, "正文不是合法的 JSON"),
        (b'{"a": ' + b"[" * 40 + b"]" * 40 + b"}", "正文嵌套过深或元素过多"),
        (b"<a>" * 40 + b"</a>" * 40, "正文嵌套过深或元素过多"),
        (b"<xml>" + b"<a/>" * 60_000 + b"</xml>", "正文嵌套过深或元素过多"),
        (b"<xml>" + b" " * MAX_BYTES + b"</xml>", "正文过大"),
        (b'<!DOCTYPE x [<!ENTITY a "b">]><xml>&a;</xml>', "正文含有 DTD"),
        (b'<!DOCTYPE xml SYSTEM "file:///etc/passwd"><xml/>', "正文含有 DTD"),
        (b"<xml>&unknown;</xml>", "正文不是合法的 XML"),
        (body(ADDED, to="ww_other"), "ToUserName 不是本应用的企业"),
        (body(ADDED, to=""), "缺少必填字段 ToUserName"),
        (body(ADDED, created="soon"), "字段 CreateTime 不是整数"),
        (body(ADDED, created="0"), "字段 CreateTime 不是合理的时间"),
        (body(ADDED, created="99999999999999"), "字段 CreateTime 不是合理的时间"),
        (body(""), "缺少必填字段 Event"),
        (body(ADDED.replace("wmQx7hDgAAk3", "")), "缺少必填字段 ExternalUserID"),
        (body(ADDED.replace("LiNa", "x" * 2000)), "字段 UserID 过长"),
        (body("<Event>LOCATION</Event><Latitude>inf</Latitude><Longitude>1</Longitude>"), "字段 Latitude 不是数字"),
    ],
)
def test_anomalous(raw: bytes, reason: str) -> None:
    with pytest.raises(CallbackAnomalous) as told:
        parse(raw, received_ms=1_735_700_124_000)
    assert told.value.message == reason


@pytest.mark.parametrize(
    "raw",
    [
        body("<Event>brand_new</Event>"),
        body("<Event>change_contact</Event><ChangeType>brand_new</ChangeType>"),
        body("<Event>change_external_contact</Event>"),
        body("<MsgId>1</MsgId>", msg_type="hologram"),
        b'{"msgtype": "stream", "from": {"userid": "LiNa"}, "stream": {"id": "s"}}',
    ],
)
def test_unsupported(raw: bytes) -> None:
    with pytest.raises(CallbackUnsupported):
        parse(raw)


def test_reasons_never_quote_what_came_in() -> None:
    with pytest.raises(CallbackAnomalous) as told:
        parse(body(ADDED, created="13800138000x"))
    assert "13800138000" not in str(told.value)


def test_an_xml_declaration_cannot_change_the_encoding() -> None:
    raw = b'<?xml version="1.0" encoding="utf-16"?>' + body(ADDED)
    assert isinstance(parse(raw), FollowStarted)


@given(st.binary(max_size=400))
def test_arbitrary_bytes_raise_nothing_else(raw: bytes) -> None:
    only_callback_errors(raw)


@given(st.text(max_size=200))
def test_arbitrary_text_inside_raises_nothing_else(text: str) -> None:
    only_callback_errors(body(text.encode("utf-8", "replace").decode()))


@given(
    st.sampled_from(sorted(MAKERS)),
    st.dictionaries(
        st.sampled_from(NAMES),
        st.one_of(st.text("ab1-.<>&;[]", max_size=8), st.integers().map(str), st.floats().map(str)),
    ),
)
def test_any_fields_of_any_kind_raise_nothing_else(kind: tuple[str, str, str], fields: dict[str, str]) -> None:
    inner = "".join(f"<{name}>{value}</{name}>" for name, value in fields.items())
    told = f"<Event>{kind[1]}</Event><ChangeType>{kind[2]}</ChangeType>{inner}"
    only_callback_errors(body(told, msg_type=kind[0]))


@given(
    st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5), st.lists, max_leaves=9)
)
def test_any_json_value_under_a_known_name_raises_nothing_else(value: object) -> None:
    told = {"msgtype": "event", "from": value, "event": {"eventtype": "template_card_event", "selected_items": value}}
    only_callback_errors(json.dumps(told).encode())


def only_callback_errors(raw: bytes) -> None:
    try:
        event = parse(raw)
    except (CallbackAnomalous, CallbackUnsupported):
        return
    assert isinstance(event, Event)


def test_reading_is_linear_in_size() -> None:
    many = b"<xml>" + b"<a>1</a>" * 40_000 + b"</xml>"
    assert len(read_body(many).each("a")) == 40_000
