"""How the bodies of acts are read: which corp, which customer, which pair, which message."""

from __future__ import annotations

from typing import Any

from bot.sandbox import acts, ids
from bot.sandbox.corp import Corp
from bot.sandbox.fields import Fields
from bot.sandbox.model import KIND_WECHAT, Person
from bot.sandbox.world import World


def corp_asked(world: World, body: Fields) -> Corp:
    """The corp named by `corp`, the first when none is."""
    return acts.corp_of(world, body.text("corp"))


def person_asked(world: World, body: Fields) -> Person:
    """The named customer, or a new one with a unionid of their own unless `unionid` is given ("": none)."""
    kind = body.whole("kind", 1)
    unionid = body.text("unionid", ids.opaque("o", 27) if kind == KIND_WECHAT else "")
    return acts.person_for(world, body.text("customer"), body.text("name"), kind=kind, unionid=unionid)


def known_person(world: World, body: Fields) -> Person:
    """The named customer, who must exist."""
    return acts.person_for(world, body.need_text("customer"), "")


def pair_asked(body: Fields) -> tuple[str, str]:
    """Member and customer."""
    return body.need_text("userid"), body.need_text("external_userid")


def message_asked(body: Fields) -> tuple[str, dict[str, Any]]:
    """Message type and body: {msgtype, <msgtype>: {…}}, or just {content} for a text."""
    kind = body.text("msgtype", "text")
    content = body.values.get(kind) or {"content": body.text("content")}
    if not isinstance(content, dict) or (kind == "text" and not str(content.get("content", "")).strip()):
        raise acts.ActRefused("消息是空的")
    return kind, dict(content)


def lines_asked(body: Fields) -> list[tuple[str, dict[str, Any]]]:
    """Several messages at once: {lines: [{msgtype, <msgtype>: {…}}]}."""
    return [message_asked(one) for one in body.children("lines", most=10)]
