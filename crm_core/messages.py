"""Message contents as we store them: plain dictionaries in WeCom's attachment shape, checked on the way in."""

from collections.abc import Mapping
from typing import Any

from crm_core.errors import InputInvalid
from crm_core.ports import Attachment, OutboundMessage

TEXT_BYTES = 4000  # doc 92137
MOST_ATTACHMENTS = 9  # doc 92137
NICKNAME = "{昵称}"
NICKNAME_FALLBACK = "您"

# Required fields and byte limits of each attachment; wecom-customer-contact §13.3.
_ATTACHMENT_FIELDS: dict[str, dict[str, int]] = {
    "image": {"media_id": 0, "pic_url": 2048},
    "link": {"title": 128, "url": 2048, "desc": 512, "picurl": 2048},
    "miniprogram": {"title": 64, "appid": 64, "page": 1024, "pic_media_id": 0},
    "video": {"media_id": 0},
    "file": {"media_id": 0},
    "material": {"material_id": 19, "kind": 16, "title": 240},  # ours: becomes one of the above when it is sent
}
_REQUIRED: dict[str, tuple[tuple[str, ...], ...]] = {
    "image": (("media_id", "pic_url"),),
    "link": (("title",), ("url",)),
    "miniprogram": (("title",), ("appid",), ("page",), ("pic_media_id",)),
    "video": (("media_id",),),
    "file": (("media_id",),),
    "material": (("material_id",),),
}


def parse_message(raw: Mapping[str, Any] | None, *, field: str = "welcome") -> OutboundMessage | None:
    """A stored or submitted message ``{"text": str, "attachments": [{"msgtype": …, <msgtype>: {…}}]}``.

    Empty gives None. Raises: InputInvalid naming ``field`` when a limit of WeCom is passed.
    """
    if not raw:
        return None
    if not isinstance(raw, Mapping):
        raise InputInvalid("消息应为 text 与 attachments", field=field)
    text = str(raw.get("text") or "")
    if _size(text, field) > TEXT_BYTES:
        raise InputInvalid(f"文字超过 {TEXT_BYTES} 字节（约 1333 个汉字）", field=field)
    items = raw.get("attachments") or []
    if not isinstance(items, list) or len(items) > MOST_ATTACHMENTS:
        raise InputInvalid(f"附件最多 {MOST_ATTACHMENTS} 个", field=field)
    message = OutboundMessage(text=text, attachments=tuple(_parse_attachment(item, field) for item in items))
    return message if message.text or message.attachments else None


def dump_message(message: OutboundMessage) -> dict[str, Any]:
    """The stored form of a message; the reverse of ``parse_message``."""
    return {
        "text": message.text,
        "attachments": [{"msgtype": item.msgtype, item.msgtype: item.body} for item in message.attachments],
    }


def with_nickname(text: str, name: str) -> str:
    """Fill {昵称}; without a name the customer is addressed politely."""
    return text.replace(NICKNAME, name or NICKNAME_FALLBACK)


def _size(text: str, field: str) -> int:
    """Bytes on the wire."""
    try:
        return len(text.encode())
    except UnicodeEncodeError as error:
        raise InputInvalid("文字中有无法发送的字符（半个表情）", field=field) from error


def _parse_attachment(item: object, field: str) -> Attachment:
    msgtype = str(item.get("msgtype")) if isinstance(item, Mapping) else ""
    if not isinstance(item, Mapping) or msgtype not in _ATTACHMENT_FIELDS:
        raise InputInvalid("附件类型只能是图片、链接、小程序、视频、文件、素材", field=field)
    body = item.get(msgtype)
    if not isinstance(body, Mapping):
        raise InputInvalid(f"附件缺少 {msgtype} 内容", field=field)
    limits = _ATTACHMENT_FIELDS[msgtype]
    kept = {name: str(value) for name, value in body.items() if name in limits and value}
    for name, value in kept.items():
        if _size(value, field) > limits[name] > 0:
            raise InputInvalid(f"附件的 {name} 超过 {limits[name]} 字节", field=field)
    for choices in _REQUIRED[msgtype]:
        if not any(kept.get(name) for name in choices):
            raise InputInvalid(f"附件缺少 {' 或 '.join(choices)}", field=field)
    return Attachment(msgtype=msgtype, body=kept)
