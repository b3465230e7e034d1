"""Chat messages as bubbles: what a person should see of each kind. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from crm_core.chat.model import MediaRef, PartyKind, StoredMessage

KIND_NAMES = {
    "text": "文字",
    "image": "图片",
    "voice": "语音",
    "video": "视频",
    "file": "文件",
    "link": "链接",
    "weapp": "小程序",
    "card": "名片",
    "location": "位置",
    "emotion": "表情",
    "chatrecord": "聊天记录",
    "mixed": "图文",
    "redpacket": "红包",
    "external_redpacket": "红包",
    "transfer": "转账",
    "revoke": "撤回",
    "agree": "同意存档",
    "disagree": "不同意存档",
    "todo": "待办",
    "vote": "投票",
    "collect": "填表",
    "meeting": "会议",
    "calendar": "日程",
    "docmsg": "在线文档",
    "markdown": "Markdown",
    "news": "图文链接",
    "sphfeed": "视频号",
    "voiptext": "音视频通话",
    "meeting_voice_call": "语音会议",
    "voip_doc_share": "共享文档",
    "qydiskfile": "微盘文件",
}
NOTES = frozenset({"revoke", "agree", "disagree", "switch"})  # stand in the middle, said by nobody
NOTE_WORDS = {
    "revoke": "撤回了一条消息",
    "agree": "同意会话存档",
    "disagree": "不同意会话存档",
    "switch": "切换了企业日志",
}
WEB = ("http://", "https://")
MOST_RECORDS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Bubble:
    """One message. side: left (customers) | right (the company) | middle. url: "" or a web address that it carries.

    facts: further lines; records: (who, words) of a forwarded chat.
    """

    position: int
    msgid: str
    at: datetime
    side: str
    sender_kind: str
    sender: str
    kind: str
    kind_name: str
    text: str
    url: str
    facts: tuple[str, ...]
    records: tuple[tuple[str, str], ...]
    media: tuple[MediaRef, ...]
    is_revoked: bool


def bubble(one: StoredMessage, *, is_revoked: bool) -> Bubble:
    """What to draw of a message."""
    message = one.message
    sides = {PartyKind.CUSTOMER: "left", PartyKind.STAFF: "right", PartyKind.ROBOT: "right"}
    side = "middle" if message.kind in NOTES else sides.get(message.sender.kind, "middle")
    url = next((str(message.body[name]) for name in ("link_url", "url") if message.body.get(name)), "")
    return Bubble(
        position=one.position,
        msgid=message.msgid,
        at=message.sent_at,
        side=side,
        sender_kind=message.sender.kind.value,
        sender=message.sender.id,
        kind=message.kind,
        kind_name=KIND_NAMES.get(message.kind, message.kind),
        text=NOTE_WORDS.get(message.kind, message.text),
        url=url if url.startswith(WEB) else "",
        facts=tuple(_facts(message.kind, message.body)),
        records=tuple(_records(message.body)) if message.kind in ("chatrecord", "mixed") else (),
        media=message.media,
        is_revoked=is_revoked,
    )


def _facts(kind: str, body: Mapping[str, Any]) -> list[str]:
    found = []
    seconds = body.get("play_length")
    if kind in ("voice", "video") and isinstance(seconds, int):
        found.append(f"{seconds} 秒")
    if kind in ("redpacket", "external_redpacket") and isinstance(body.get("totalamount"), int):
        found.append(f"¥{body['totalamount'] / 100:,.2f}")
    if kind == "card" and body.get("userid"):
        found.append(f"名片：{body['userid']}")
    if kind == "location" and body.get("latitude") is not None:
        found.append(f"{body.get('latitude')}, {body.get('longitude')}")
    return found


def _records(body: Mapping[str, Any]) -> list[tuple[str, str]]:
    items = body.get("item")
    if not isinstance(items, Sequence) or isinstance(items, str):
        return []
    found = []
    for item in items[:MOST_RECORDS]:
        if isinstance(item, Mapping):
            kind = str(item.get("type", "")).removeprefix("ChatRecord").lower()
            content = item.get("content")
            found.append((KIND_NAMES.get(kind, kind), content if isinstance(content, str) else ""))
    return found
