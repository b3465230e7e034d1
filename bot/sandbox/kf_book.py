"""The book of customer service (微信客服): sessions, entries that sync_msg tells, codes and tokens."""

from __future__ import annotations

from typing import Any

from bot.sandbox import ids
from bot.sandbox.corp import Corp
from bot.sandbox.events import kf_event
from bot.sandbox.records import KF_ENDED, KF_NEW, KfAccount, KfCode, KfItem, KfSession, KfToken
from bot.sandbox.world import World

FROM_CUSTOMER = 3
FROM_SYSTEM = 4
FROM_SERVICER = 5
_CODE_SECONDS = 20
_LONG_CODE_SECONDS = 48 * 3600
_TALK_SECONDS = 48 * 3600
_ENTRIES = 5000


def session(corp: Corp, open_kfid: str, external_userid: str) -> KfSession:
    """The talk of a customer with an account, made on first use."""
    return corp.kf_sessions.setdefault((open_kfid, external_userid), KfSession(open_kfid, external_userid))


def reopen(world: World, one: KfSession) -> None:
    """A new session when the last one ended or was quiet for 48 hours."""
    quiet = one.customer_wrote_at and world.clock.now() - one.customer_wrote_at > _TALK_SECONDS
    if one.state == KF_ENDED or quiet:
        one.state, one.servicer = KF_NEW, ""


def note(
    world: World,
    account: KfAccount,
    corp: Corp,
    external_userid: str,
    told: dict[str, Any],
    *,
    hidden: bool = False,
) -> KfItem:
    """Write an entry; with a msgid unless it has one. hidden: shown on the page, never told by sync_msg."""
    full = {"msgid": ids.letters(24), "send_time": world.clock.stamp(), **told}
    item = KfItem(next(corp.seq), world.clock.now(), external_userid, full, hidden=hidden)
    account.log.append(item)
    del account.log[:-_ENTRIES]
    world.touch()
    return item


def message(
    account: KfAccount, external_userid: str, origin: int, msgtype: str, body: dict[str, Any]
) -> dict[str, Any]:
    """A message as sync_msg tells it."""
    told = {"open_kfid": account.open_kfid, "external_userid": external_userid, "origin": origin}
    return told | {"msgtype": msgtype, msgtype: body}


def event(account: KfAccount, external_userid: str, kind: str, **extra: Any) -> dict[str, Any]:
    """A system event as sync_msg tells it; empty extras are left out."""
    body = {"event_type": kind, "open_kfid": account.open_kfid, "external_userid": external_userid}
    return {"origin": FROM_SYSTEM, "msgtype": "event", "event": body | {k: v for k, v in extra.items() if v != ""}}


def ring(world: World, corp: Corp, account: KfAccount) -> None:
    """Tell the apps that an account has something new."""
    token = KfToken(ids.opaque("ENC", 40), account.open_kfid, world.clock.now() + world.options.kf_token_seconds)
    corp.kf_tokens[token.token] = token
    while len(corp.kf_tokens) > _ENTRIES:
        corp.kf_tokens.pop(next(iter(corp.kf_tokens)))
    world.emit(corp, kf_event(token.token, account.open_kfid))


def new_code(world: World, corp: Corp, one: KfSession, prefix: str, *, long: bool) -> str:
    """The right to one message on an event: long 48 hours and text only, else 20 seconds and menus too."""
    made = KfCode(
        ids.opaque(prefix, 30),
        one.open_kfid,
        one.external_userid,
        world.clock.now() + (_LONG_CODE_SECONDS if long else _CODE_SECONDS),
        one.state,
        ("text",) if long else ("text", "msgmenu"),
    )
    corp.kf_codes[made.code] = made
    while len(corp.kf_codes) > _ENTRIES:
        corp.kf_codes.pop(next(iter(corp.kf_codes)))
    return made.code
