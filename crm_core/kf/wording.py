"""What is said in 微信客服: contents of send_msg, and every entry of sync_msg in the house's normal form. Pure."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from crm_core.chat.model import ChatMessage, Conversation, MediaRef, Party, PartyKind
from crm_core.kf.rules import HOURS, PERSON_CLICK, RATE_CLICK, RATINGS, Why
from crm_core.kf_port import KfItem

SOURCE = "kf"
TEXT_BYTES, HEAD_BYTES = 2048, 1024  # doc 94677
MEDIA_KINDS = frozenset({"image", "voice", "video", "file"})
RECALLS = {"user_recall_msg": PartyKind.CUSTOMER, "servicer_recall_msg": PartyKind.STAFF}
FROM_CUSTOMER, FROM_SERVICER = 3, 5
HANDED_OVER = {
    Why.ASKED: "好的，正在为您转接人工客服，请稍候。",
    Why.UNSURE: "这个问题我请人工同事来回答您，正在为您转接，请稍候。",
    Why.UNREADABLE: "收到，我请人工同事来看一下，正在为您转接，请稍候。",
    Why.BOT_OFF: "您好，正在为您接入人工客服，请稍候。",
    Why.USED_UP: "我请人工同事继续为您服务，请稍候。",
    Why.BY_STAFF: "正在为您转接人工客服，请稍候。",
}
THANKS = "感谢您的评价，我们会继续努力！"
SURVEY = "本次服务已结束，请为我们的服务评价："
FAILS = {
    0: "原因未知",
    1: "客服账号已删除",
    2: "应用已关闭",
    4: "超过 48 小时未发送",
    5: "会话已结束",
    6: "超过 5 条",
    7: "未绑定视频号",
    8: "主体未验证",
    9: "未绑定视频号且主体未验证",
    10: "客户拒收",
    11: "企业没有成员登录过企业微信",
    12: "发送的消息类型被客服禁止",
}


def own_msgid(*parts: object) -> str:
    """Our id of a message: the same cause gives the same id, so WeCom sends it once."""
    return "scrm_" + hashlib.sha256("|".join(map(str, parts)).encode()).hexdigest()[:24]


def text_content(text: str) -> dict[str, Any]:
    """A text, cut to what WeCom takes."""
    return {"msgtype": "text", "text": {"content": _cut(text, TEXT_BYTES)}}


def answer_content(text: str) -> dict[str, Any]:
    """An answer with a button to a person below; a long one goes without."""
    if len(text.encode()) > HEAD_BYTES:
        return text_content(text)
    click = {"type": "click", "click": {"id": PERSON_CLICK, "content": "没有解决？转人工"}}
    return {"msgtype": "msgmenu", "msgmenu": {"head_content": text, "list": [click]}}


def survey_content(session_id: int) -> dict[str, Any]:
    """The satisfaction menu."""
    clicks = [
        {"type": "click", "click": {"id": f"{RATE_CLICK}_{session_id}_{score}", "content": word}}
        for score, word in RATINGS.items()
    ]
    return {"msgtype": "msgmenu", "msgmenu": {"head_content": SURVEY, "list": clicks}}


def away_text(wording: str, hours: str) -> str:
    """The answer outside the hours."""
    return wording.replace(HOURS, hours)


def answer_text(texts: Sequence[str], *, name: str, account: str) -> str:
    """The readable messages of a script as one text, with the names filled in."""
    joined = "\n\n".join(text.strip() for text in texts if text.strip())
    return joined.replace("{昵称}", name or "您").replace("{员工}", account)


def normal_form(item: KfItem) -> ChatMessage | None:
    """An entry as a chat message; None for what belongs to no customer."""
    if not item.external_user:
        return None
    event = str(item.body.get("event_type", "")) if item.kind == "event" else ""
    recalled = str(item.body.get("recall_msgid", "")) if event in RECALLS else ""
    return ChatMessage(
        msgid=item.msgid,
        source=SOURCE,
        conversation=Conversation.kf(item.open_kfid, item.external_user),
        sender=_sender(item, event),
        sent_at=item.sent_at,
        kind="revoke" if recalled else item.kind,
        text="" if event else readable(item.kind, item.body),
        body=item.body,
        media=_media(item.kind, item.body),
        revokes=recalled,
    )


def own_message(
    *, open_kfid: str, external_user: str, msgid: str, content: Mapping[str, Any], sent_at: Any
) -> ChatMessage:
    """What we sent ourselves; WeCom does not tell it back."""
    kind = str(content["msgtype"])
    return ChatMessage(
        msgid=msgid,
        source=SOURCE,
        conversation=Conversation.kf(open_kfid, external_user),
        sender=Party(PartyKind.ROBOT, open_kfid),
        sent_at=sent_at,
        kind=kind,
        text=readable(kind, content[kind]),
        body=dict(content[kind]),
    )


def readable(kind: str, body: Mapping[str, Any]) -> str:
    """The words of a message."""
    if kind == "text":
        return str(body.get("content", ""))
    if kind == "msgmenu":
        return str(body.get("head_content", ""))
    names = ("title", "desc", "name", "address", "nickname")
    return " ".join(str(body[name]) for name in names if isinstance(body.get(name), str) and body[name])


def _sender(item: KfItem, event: str) -> Party:
    if item.origin == FROM_CUSTOMER or event == "user_recall_msg":
        return Party(PartyKind.CUSTOMER, item.external_user)
    if item.origin == FROM_SERVICER or event == "servicer_recall_msg":
        return Party(PartyKind.STAFF, item.staff or str(item.body.get("servicer_userid", "")))
    return Party(PartyKind.SYSTEM, "")


def _media(kind: str, body: Mapping[str, Any]) -> tuple[MediaRef, ...]:
    if kind not in MEDIA_KINDS or not body.get("media_id"):
        return ()
    return (MediaRef(sdkfileid=str(body["media_id"]), kind=kind),)


def _cut(text: str, most: int) -> str:
    raw = text.encode()
    return text if len(raw) <= most else raw[: most - 3].decode("utf-8", "ignore") + "…"
