"""What is refused before it costs a call."""

from typing import Any

import pytest

from bot.wecom.limits import Limits, check_app_message, check_contact_way, check_message, check_remark
from crm_core.errors import InputInvalid
from crm_core.ids import StaffUserId
from crm_core.ports import Attachment, ContactWayRequest, OutboundMessage

LIMITS = Limits()
IMAGE = Attachment(msgtype="image", body={"media_id": "m"})


@pytest.mark.parametrize(
    "message",
    [
        OutboundMessage(text="好" * 1333),
        OutboundMessage(attachments=(IMAGE,) * 9),
        OutboundMessage(text="x" * 4000, attachments=(Attachment(msgtype="link", body={"title": "t", "url": "u"}),)),
    ],
)
def test_messages_within_limits(message: OutboundMessage) -> None:
    check_message(message, LIMITS)


@pytest.mark.parametrize(
    ("message", "field"),
    [
        (OutboundMessage(), "text"),
        (OutboundMessage(text="好" * 1334), "text"),
        (OutboundMessage(attachments=(IMAGE,) * 10), "attachments"),
        (OutboundMessage(attachments=(Attachment(msgtype="voice", body={"media_id": "m"}),)), "attachments"),
        (OutboundMessage(attachments=(Attachment(msgtype="image", body={}),)), "attachments"),
        (
            OutboundMessage(attachments=(Attachment(msgtype="link", body={"title": "好" * 43, "url": "u"}),)),
            "link.title",
        ),
    ],
)
def test_messages_beyond_limits(message: OutboundMessage, field: str) -> None:
    with pytest.raises(InputInvalid) as told:
        check_message(message, LIMITS)
    assert told.value.field == field


@pytest.mark.parametrize(
    ("fields", "ok"),
    [
        ({"remark": "好" * 20, "description": "好" * 150}, True),
        ({"remark_mobiles": ["13800000000"]}, True),
        ({"remark": "好" * 21}, False),
        ({"description": "好" * 151}, False),
        ({}, False),
        ({"nickname": "x"}, False),
        ({"userid": "somebody else"}, False),
    ],
)
def test_remarks(fields: dict[str, Any], *, ok: bool) -> None:
    if ok:
        check_remark(fields, LIMITS)
        return
    with pytest.raises(InputInvalid):
        check_remark(fields, LIMITS)


@pytest.mark.parametrize(
    "request_",
    [
        ContactWayRequest(staff=()),
        ContactWayRequest(staff=tuple(StaffUserId(f"u{n}") for n in range(101))),
        ContactWayRequest(staff=(StaffUserId("LiNa"),), state="x" * 31),
        ContactWayRequest(staff=(StaffUserId("LiNa"),), memo="好" * 31),
    ],
)
def test_contact_ways_beyond_limits(request_: ContactWayRequest) -> None:
    with pytest.raises(InputInvalid):
        check_contact_way(request_, LIMITS)


CARD = {"msgtype": "template_card", "template_card": {"card_type": "text_notice", "task_id": "lead-1@x"}}


@pytest.mark.parametrize(
    ("staff", "body", "ok"),
    [
        (["LiNa"], {"msgtype": "text", "text": {"content": "好" * 682}}, True),
        (["LiNa"], {"msgtype": "text", "text": {"content": "好" * 683}}, False),
        (["LiNa"] * 1001, {"msgtype": "text", "text": {"content": "x"}}, False),
        ([], {"msgtype": "text", "text": {"content": "x"}}, False),
        (["@all"], {"msgtype": "text", "text": {"content": "x"}}, False),
        (["a|b"], {"msgtype": "text", "text": {"content": "x"}}, False),
        (["LiNa"], {"msgtype": "text"}, False),
        (["LiNa"], {"msgtype": "hologram", "hologram": {"a": 1}}, False),
        (["LiNa"], {"msgtype": "textcard", "textcard": {"title": "t", "btntxt": "详情"}}, True),
        (["LiNa"], {"msgtype": "textcard", "textcard": {"title": "t", "btntxt": "查看更多吧"}}, False),
        (["LiNa"], CARD, True),
        (["LiNa"], {"msgtype": "template_card", "template_card": {"task_id": "线索 1"}}, False),
        (["LiNa"], {"msgtype": "news", "news": {"articles": [{"title": "t", "url": "u"}] * 9}}, False),
        (["LiNa"], {"msgtype": "news", "news": {"articles": [{"title": "好" * 43}]}}, False),
    ],
)
def test_app_messages(staff: list[str], body: dict[str, Any], *, ok: bool) -> None:
    if ok:
        check_app_message(staff, body, LIMITS)
        return
    with pytest.raises(InputInvalid):
        check_app_message(staff, body, LIMITS)
