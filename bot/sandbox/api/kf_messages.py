"""Customer service messages: reading and sending. Source: WeCom docs 94670, 94677, 95122."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bot.sandbox.api.call import Answer, Call, Endpoint, open_cursor, seal_cursor
from bot.sandbox.api.kf import need_account
from bot.sandbox.api.media import need_media
from bot.sandbox.fields import Fields
from bot.sandbox.kf_book import message, note, session
from bot.sandbox.records import KF_BOT, KF_NEW, KfAccount, KfSession
from bot.sandbox.refusal import Refusal, wrong_field

_MSGID_LETTERS = frozenset("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-")
_MENU_ITEMS = 10
Body = dict[str, Any]


def sync(call: Call) -> Answer:
    """kf/sync_msg: what came since the cursor (three days back without one); goes on while has_more is 1."""
    body = call.body
    account = need_account(call, body.text("open_kfid"))
    limit = body.whole("limit", 1000)
    if not 1 <= limit <= 1000:
        raise wrong_field("limit")
    _check_token(call, account, body.text("token", size=128, code=95007))
    cursor = body.text("cursor", size=64, code=50100)
    after = open_cursor(call, cursor, account.open_kfid)[0] if cursor else 0
    since = call.world.clock.now() - call.world.options.kf_kept_seconds
    waiting = [item for item in account.log if item.seq > after and not item.hidden and item.at >= since]
    page = waiting[:limit]
    last = page[-1].seq if page else after
    return {
        "next_cursor": seal_cursor(call, last, 0, account.open_kfid),
        "has_more": int(len(waiting) > len(page)),
        "msg_list": [item.told for item in page],
    }


def _check_token(call: Call, account: KfAccount, token: str) -> None:
    now = call.world.clock.now()
    if not token:
        limit = call.world.options.kf_syncs_without_token_per_minute
        call.world.pacing.count(f"{call.corp.corp_id} no token", call.path, 60, limit, now)
        return
    known = call.corp.kf_tokens.get(token)
    if known is None or known.open_kfid != account.open_kfid or now > known.expires_at:
        raise Refusal(95007)


def _text(_call: Call, one: Fields) -> Body:
    return {"content": one.need_text("content", size=2048)}


def _stored(kind: str) -> Callable[[Call, Fields], Body]:
    def read(call: Call, one: Fields) -> Body:
        return {"media_id": need_media(call, one.text("media_id"), kind).media_id}

    return read


def _link(call: Call, one: Fields) -> Body:
    cover = need_media(call, one.text("thumb_media_id"), "image")
    return {
        "title": one.need_text("title", size=128),
        "desc": one.text("desc", size=512),
        "url": one.need_text("url", size=2048),
        "thumb_media_id": cover.media_id,
    }


def _miniprogram(call: Call, one: Fields) -> Body:
    cover = need_media(call, one.text("thumb_media_id"), "image")
    return {
        "appid": one.need_text("appid"),
        "title": one.text("title", size=64),
        "pagepath": one.need_text("pagepath"),
        "thumb_media_id": cover.media_id,
    }


def _menu(_call: Call, one: Fields) -> Body:
    items = one.children("list", most=_MENU_ITEMS, code=95008)
    for item in items:
        kind = item.text("type")
        if kind not in {"click", "view", "miniprogram", "text"}:
            raise wrong_field("msgmenu.list.type")
        inner = item.need_child(kind)
        inner.need_text("content", size=128 if kind == "click" else 1024)
        if kind == "click":
            inner.text("id", size=64)
        if kind == "view":
            inner.need_text("url", size=2048)
    head, tail = one.text("head_content", size=1024), one.text("tail_content", size=1024)
    if not (head or items or tail):
        raise wrong_field("msgmenu")
    return {"head_content": head, "list": [dict(i.values) for i in items], "tail_content": tail}


def _location(_call: Call, one: Fields) -> Body:
    if not one.has("latitude") or not one.has("longitude"):
        raise wrong_field("location")
    return {name: one.values[name] for name in ("name", "address", "latitude", "longitude") if one.has(name)}


def _business_card(call: Call, one: Fields) -> Body:
    return {"userid": call.corp.need_member(call.app, one.text("userid")).userid}


def _ca_link(call: Call, one: Fields) -> Body:
    url = one.need_text("link_url", size=2048)
    if url.partition("?")[0].rpartition("/")[2] not in call.corp.links:
        raise wrong_field("ca_link.link_url")
    return {"link_url": url}


_READERS: dict[str, Callable[[Call, Fields], Body]] = {
    "text": _text,
    "image": _stored("image"),
    "voice": _stored("voice"),
    "video": _stored("video"),
    "file": _stored("file"),
    "link": _link,
    "miniprogram": _miniprogram,
    "msgmenu": _menu,
    "location": _location,
    "business_card": _business_card,
    "ca_link": _ca_link,
}


def _content(call: Call, allowed: tuple[str, ...] | None = None) -> tuple[str, Body]:
    kind = call.body.text("msgtype")
    if kind not in _READERS or (allowed is not None and kind not in allowed):
        raise Refusal(40008)
    return kind, _READERS[kind](call, call.body.need_child(kind))


def _msgid(call: Call) -> str:
    wanted = call.body.text("msgid", size=32)
    if not set(wanted) <= _MSGID_LETTERS:
        raise wrong_field("msgid")
    return wanted


def _say(call: Call, account: KfAccount, one: KfSession, kind: str, body: Body, msgid: str) -> Answer:
    """Show a message on the phone; sync_msg never tells what the API sent."""
    told = message(account, one.external_userid, 0, kind, body) | ({"msgid": msgid} if msgid else {})
    item = note(call.world, account, call.corp, one.external_userid, told, hidden=True)
    account.sent_ids.add(item.told["msgid"])
    return {"msgid": item.told["msgid"]}


def send(call: Call) -> Answer:
    """kf/send_msg: in state 0 or 1 (95018), within 48 h of the customer's last message (95002), five of them
    (95001); a msgid used before is answered without sending again.
    """
    account = need_account(call, call.body.text("open_kfid"))
    external, msgid = call.body.need_text("touser", missing=41035), _msgid(call)
    if external not in call.corp.person_of:
        raise Refusal(40096)
    kind, body = _content(call)
    if msgid in account.sent_ids:
        return {"msgid": msgid}
    one = session(call.corp, account.open_kfid, external)
    if one.state not in {KF_NEW, KF_BOT}:
        raise Refusal(95018)
    limits = call.world.options
    if not one.customer_wrote_at or call.world.clock.now() - one.customer_wrote_at > limits.kf_answer_seconds:
        raise Refusal(95002)
    if one.answers_left < 1:
        raise Refusal(95001)
    one.answers_left -= 1
    return _say(call, account, one, kind, body, msgid)


def send_on_event(call: Call) -> Answer:
    """kf/send_msg_on_event: once per code, in time, and only while the session stays as it was (95016)."""
    code = call.corp.kf_codes.get(call.body.need_text("code"))
    if code is None or code.used or call.world.clock.now() > code.expires_at:
        raise wrong_field("code")
    account = need_account(call, code.open_kfid)
    kind, body = _content(call, code.kinds)
    one = session(call.corp, code.open_kfid, code.external_userid)
    if one.state != code.state:
        raise Refusal(95018)
    code.used = True
    one.welcomed_at = call.world.clock.now()
    return _say(call, account, one, kind, body, _msgid(call))


ENDPOINTS = {
    "kf/sync_msg": Endpoint(sync),
    "kf/send_msg": Endpoint(send),
    "kf/send_msg_on_event": Endpoint(send_on_event),
}
