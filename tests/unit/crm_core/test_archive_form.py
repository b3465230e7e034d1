"""Decrypted archive records in the normal form: every type of the reference, ids, odd contents."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_core.chat.archive_form import Known, consent_of, doubtful_ids, moment, read_record, to_message
from crm_core.chat.model import ChatMessage, Conversation, PartyKind
from tests.support.archive_lab import samples

NOTHING = Known()
SHARED = Path(__file__).resolve().parents[4] / "shared/data/chat-archive-messages/messages.jsonl"


def made(record: dict[str, Any], known: Known = NOTHING) -> ChatMessage:
    return to_message(record, seq=1, msgid="outer", known=known)


def of_kind(kind: str) -> ChatMessage:
    return made(next(one for one in samples() if one.get("msgtype", "switch") == kind))


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("text", "你好，沙发多少钱？"),
        ("image", ""),
        ("file", "报价单"),
        ("location", "徐汇门店\n上海市徐汇区漕溪北路1号"),
        ("link", "秋季新品\n布艺沙发八折"),
        ("weapp", "商城\n新品\n旗舰店"),
        ("chatrecord", "群聊的聊天记录\n收到\n里面的话"),
        ("mixed", "见图"),
        ("redpacket", "大吉大利"),
        ("external_redpacket", "恭喜发财"),
        ("todo", "待办\n回访张先生"),
        ("vote", "周会时间\n周一\n周二"),
        ("collect", "报名\n姓名"),
        ("meeting", "周会\n三楼"),
        ("meeting_notification", "会议开始"),
        ("docmsg", "客户名单"),
        ("markdown", "**请查看**"),
        ("news", "周报\n十一月"),
        ("calendar", "拜访客户\n徐汇"),
        ("sphfeed", "旗舰店\n新品直播"),
        ("qydiskfile", "目录.pdf"),
        ("meeting_voice_call", "演示.pptx"),
        ("voip_doc_share", "欢迎.pdf"),
        ("solitaire", "接龙\n周一我来"),
        ("brand_new_kind", "以后的新类型\n深处的话"),
        ("switch", ""),
    ],
)
def test_the_words_of_every_kind_can_be_searched(kind: str, text: str) -> None:
    assert of_kind(kind).text == text


def test_files_are_named_wherever_they_are() -> None:
    refs = {ref.sdkfileid: ref for one in samples() for ref in made(one).media}
    assert sorted(refs) == [f"CtYfile{number}" for number in range(1, 10)]
    file = refs["CtYfile4"]
    assert (file.kind, file.filename, file.md5, file.size) == ("file", "报价单.xlsx", "d" * 32, 180100)
    assert [refs[f"CtYfile{number}"].kind for number in (1, 2, 3, 5, 6, 7)] == [
        "image",
        "voice",
        "video",
        "emotion",
        "image",
        "image",
    ]


def test_times_keep_their_milliseconds() -> None:
    assert of_kind("text").sent_at == datetime(2026, 11, 20, 2, 0, 1, 7000, tzinfo=UTC)


def test_where_something_was_said() -> None:
    by_text = {made(one).text: made(one) for one in samples()}
    assert by_text["你好，沙发多少钱？"].conversation == Conversation.single("zhang", "wm_xiao")
    assert by_text["这款 3680 元，送货上门"].conversation == Conversation.single("zhang", "wm_xiao")
    assert by_text["群里好"].conversation == Conversation.group("wr_group")
    assert by_text["内部说一句"].conversation == Conversation.internal("li", "zhang")
    assert by_text["**请查看**"].sender.kind is PartyKind.ROBOT
    record = {"msgid": "m1", "from": "zhang", "tolist": ["li"], "roomid": "wr1", "msgtype": "text"}
    assert made(record).conversation == Conversation.internal(room="wr1")
    assert made(record, Known(groups=frozenset({"wr1"}))).conversation == Conversation.group("wr1")


def test_the_member_table_decides_who_is_staff() -> None:
    record = {"msgid": "m1", "from": "wmei", "tolist": ["wm_xiao"], "msgtype": "text", "text": {"content": "好"}}
    assert doubtful_ids([record]) == ({"wmei", "wm_xiao"}, set())
    assert made(record).sender.kind is PartyKind.CUSTOMER
    known = made(record, Known(staff=frozenset({"wmei"})))
    assert (known.sender.kind, known.conversation) == (PartyKind.STAFF, Conversation.single("wmei", "wm_xiao"))


def test_revokes_and_consents() -> None:
    assert of_kind("revoke").revokes == of_kind("text").msgid
    agreed, refused = consent_of(of_kind("agree")), consent_of(of_kind("disagree"))
    assert agreed is not None
    assert refused is not None
    assert (agreed.external_user, agreed.staff, agreed.agreed) == ("wm_xiao", "zhang", True)
    assert (refused.external_user, refused.staff, refused.agreed) == ("wm_wang", "li", False)
    assert consent_of(of_kind("text")) is None


def test_raw_control_characters_and_foreign_text() -> None:
    record = read_record('{"msgid":"a","msgtype":"text","text":{"content":"一\x01二\n三"}}')
    assert record is not None
    assert made(record).text == "一\x01二\n三"
    assert read_record("not json") is None
    assert read_record("[1]") is None
    assert read_record('{"other":1}') is None


@pytest.mark.parametrize("value", [None, "", "now", -5, True, 1.5, 10**20])
def test_nonsense_for_a_time_is_the_epoch(value: object) -> None:
    assert moment(value).year == 1970


def test_ids_can_be_written_to_any_database() -> None:
    message = made({"msgid": "a\x00b|c\ud800", "from": "zh\x00ang", "tolist": [7, "wm_x"], "msgtype": "te\x00xt"})
    assert (message.msgid, message.sender.id, message.kind) == ("abc", "zhang", "text")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["item", "content", "type", "title", "sdkfileid", "filesize", "pre_msgid", "userid", "x"]),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)
KINDS = sorted({one.get("msgtype", "switch") for one in samples()})


@given(
    kind=st.sampled_from(KINDS) | st.text(max_size=5),
    body=JSON,
    rest=st.dictionaries(st.sampled_from(["from", "tolist", "roomid", "msgtime", "msgid", "action", "info"]), JSON),
)
def test_no_content_is_too_odd(kind: str, body: Any, rest: dict[str, Any]) -> None:
    record = {**rest, "msgtype": kind, kind: body}
    message = made(record)
    assert isinstance(message.text, str)
    assert message.msgid
    assert message.sent_at.tzinfo is UTC
    assert all(0 <= ref.size < 2**63 for ref in message.media)
    consent_of(message)
    json.dumps(dict(message.body))


@pytest.mark.skipif(not SHARED.is_file(), reason="the shared samples are not here")
def test_the_vendors_own_samples_are_understood() -> None:
    for line in SHARED.read_text("utf-8").splitlines():
        record = read_record(line)
        assert record is not None
        message = made(record)
        assert message.msgid == record["msgid"]
        assert message.kind == record.get("msgtype", "switch")
        assert message.body
