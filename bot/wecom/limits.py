"""What WeCom would refuse is refused here, before it costs a call. Pure.

Bytes are UTF-8 bytes (a Chinese character is 3), chars are characters; which one counts differs by field.
Source: WeCom docs 92137 (welcome), 92115 (remark), 92228 (contact way); protocol notes 4.1 (app messages),
customer contact 13.3 (attachments).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot.wecom.loose import as_dict, as_list, as_text
from crm_core.errors import InputInvalid
from crm_core.ports import Attachment, ContactWayRequest, OutboundMessage

BYTES, CHARS = "字节", "字"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The numbers; all of them may change without notice, so they are given, not baked in."""

    message_text_bytes: int = 4000
    attachments: int = 9
    remark_chars: int = 20
    description_chars: int = 150
    contact_way_state_chars: int = 30
    contact_way_memo_chars: int = 30
    contact_way_people: int = 100
    app_message_people: int = 1000
    batch_staff: int = 100


ATTACHMENT_RULES: Mapping[str, tuple[tuple[str, int, str], ...]] = {
    "image": (),
    "link": (("title", 128, BYTES), ("picurl", 2048, BYTES), ("desc", 512, BYTES), ("url", 2048, BYTES)),
    "miniprogram": (("title", 64, BYTES),),
    "video": (),
    "file": (),
}
ATTACHMENT_NEEDS: Mapping[str, tuple[tuple[str, ...], ...]] = {  # each group: at least one of them
    "image": (("media_id", "pic_url"),),
    "link": (("title",), ("url",)),
    "miniprogram": (("title",), ("pic_media_id",), ("appid",), ("page",)),
    "video": (("media_id",),),
    "file": (("media_id",),),
}
ARTICLE_RULES = (("title", 128, BYTES), ("description", 512, BYTES), ("url", 2048, BYTES))
APP_MESSAGE_RULES: Mapping[str, tuple[tuple[str, int, str], ...]] = {
    "text": (("content", 2048, BYTES),),
    "markdown": (("content", 2048, BYTES),),
    "textcard": (("title", 128, BYTES), ("description", 512, BYTES), ("url", 2048, BYTES), ("btntxt", 4, CHARS)),
    "image": (),
    "voice": (),
    "file": (),
    "video": (("title", 128, BYTES), ("description", 512, BYTES)),
    "news": (),
    "mpnews": (),
    "miniprogram_notice": (),
    "template_card": (("task_id", 128, BYTES),),
}
ARTICLES_MOST = 8
TASK_ID = re.compile(r"[0-9A-Za-z_\-@]*")
REMARK_FIELDS = frozenset({"remark", "description", "remark_company", "remark_mobiles", "remark_pic_mediaid"})


def check_size(value: str, most: int, unit: str, field: str) -> None:
    """Raises: InputInvalid naming ``field`` when ``value`` is longer than ``most`` bytes or chars."""
    size = len(value.encode("utf-8", "replace")) if unit == BYTES else len(value)
    if size > most:
        raise InputInvalid(f"{field} 最多 {most} {unit}，现在是 {size}", field=field)


def check_message(message: OutboundMessage, limits: Limits) -> None:
    """A welcome or mass message. Raises: InputInvalid."""
    if not message.text and not message.attachments:
        raise InputInvalid("文字与附件不能都为空", field="text")
    check_size(message.text, limits.message_text_bytes, BYTES, "text")
    if len(message.attachments) > limits.attachments:
        raise InputInvalid(f"附件最多 {limits.attachments} 个", field="attachments")
    for attachment in message.attachments:
        check_attachment(attachment)


def check_attachment(attachment: Attachment) -> None:
    """One attachment. Raises: InputInvalid."""
    kind = attachment.msgtype
    if kind not in ATTACHMENT_RULES:
        raise InputInvalid(f"不支持的附件类型 {kind}", field="attachments")
    for group in ATTACHMENT_NEEDS[kind]:
        if not any(as_text(attachment.body.get(name)) for name in group):
            raise InputInvalid(f"附件 {kind} 缺少 {' 或 '.join(group)}", field="attachments")
    for name, most, unit in ATTACHMENT_RULES[kind]:
        check_size(as_text(attachment.body.get(name)), most, unit, f"{kind}.{name}")


def check_remark(fields: Mapping[str, Any], limits: Limits) -> None:
    """The optional fields of remark. Raises: InputInvalid."""
    unknown = sorted(set(fields) - REMARK_FIELDS)
    if unknown or not fields:
        raise InputInvalid(f"不认识的备注字段 {unknown}" if unknown else "没有要写的备注字段", field="fields")
    for name, most in (
        ("remark", limits.remark_chars),
        ("description", limits.description_chars),
        ("remark_company", limits.remark_chars),
    ):
        check_size(as_text(fields.get(name)), most, CHARS, name)


def check_contact_way(request: ContactWayRequest, limits: Limits) -> None:
    """Departments count as one here: only WeCom knows how many people are in them. Raises: InputInvalid."""
    people = len(request.staff) + len(request.departments)
    if not 0 < people <= limits.contact_way_people:
        raise InputInvalid(f"使用成员须为 1 到 {limits.contact_way_people} 人", field="staff")
    check_size(request.state, limits.contact_way_state_chars, CHARS, "state")
    check_size(request.memo, limits.contact_way_memo_chars, CHARS, "memo")


def check_app_message(staff: Sequence[str], body: Mapping[str, Any], limits: Limits) -> None:
    """Receivers and body of message/send. Raises: InputInvalid."""
    if not 0 < len(staff) <= limits.app_message_people:
        raise InputInvalid(f"接收成员须为 1 到 {limits.app_message_people} 人", field="staff")
    if any("|" in one or one in {"", "@all"} for one in staff):
        raise InputInvalid("接收成员中有不合法的 userid", field="staff")
    kind = as_text(body.get("msgtype"))
    content = as_dict(body.get(kind))
    if kind not in APP_MESSAGE_RULES or not content:
        raise InputInvalid(f"不支持或不完整的应用消息类型 {kind}", field="body")
    for name, most, unit in APP_MESSAGE_RULES[kind]:
        check_size(as_text(content.get(name)), most, unit, f"{kind}.{name}")
    if not TASK_ID.fullmatch(as_text(content.get("task_id"))):
        raise InputInvalid("task_id 只能含字母、数字和 _-@", field="template_card.task_id")
    if kind in {"news", "mpnews"}:
        _check_articles(kind, as_list(content.get("articles")))


def _check_articles(kind: str, articles: Sequence[Any]) -> None:
    if not 0 < len(articles) <= ARTICLES_MOST:
        raise InputInvalid(f"{kind} 须有 1 到 {ARTICLES_MOST} 篇", field=f"{kind}.articles")
    for article in articles:
        for name, most, unit in ARTICLE_RULES:
            check_size(as_text(as_dict(article).get(name)), most, unit, f"{kind}.{name}")
