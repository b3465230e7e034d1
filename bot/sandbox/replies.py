"""Passive replies: what an app answers inside the five seconds of a callback."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import Element

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring

from bot.sandbox import crypto

if TYPE_CHECKING:
    from bot.sandbox.courier import Delivery
    from bot.sandbox.world import World


def apply_reply(world: World, delivery: Delivery, body: bytes) -> None:
    """Show a passive reply to the member it is for; one that cannot be read is noted on the delivery.

    Understood: text (into the app's conversation), update_button and update_template_card (onto the card).
    A bare `success` is no reply. Source: WeCom doc 90241.
    """
    if body.strip() == b"success":
        return
    try:
        inner = _opened(delivery, body)
        member = inner.findtext("ToUserName") or ""
        kind = inner.findtext("MsgType") or ""
        with world.lock:
            corp = world.corps[delivery.corp_id]
            if kind == "text":
                line = corp.app_chat(delivery.app.agentid, member, world.options.chat_length)
                world.say(line, "app", "text", {"content": inner.findtext("Content") or ""}, "passive_reply")
            elif kind in {"update_button", "update_template_card"}:
                _update_card(world, delivery, member, inner)
    except (ValueError, KeyError, ParseError, DefusedXmlException) as fault:
        delivery.attempts[-1]["error"] = f"reply not understood: {type(fault).__name__}"


def _opened(delivery: Delivery, body: bytes) -> Element:
    outer = fromstring(body)
    parts = [outer.findtext(name) or "" for name in ("TimeStamp", "Nonce", "Encrypt")]
    callback = delivery.app.callback
    if not crypto.signature_matches(outer.findtext("MsgSignature") or "", callback.token, *parts):
        raise crypto.CipherTextWrong("signature")
    opened: Element = fromstring(crypto.decrypt(callback.aes_key, parts[2], delivery.corp_id))
    return opened


def _update_card(world: World, delivery: Delivery, member: str, inner: Element) -> None:
    told = fromstring(delivery.xml)
    code = world.corps[delivery.corp_id].response_codes[told.findtext("ResponseCode") or ""]
    if code.used:
        return
    code.used = True
    message = world.corps[delivery.corp_id].app_messages[code.msgid]
    change: dict[str, Any] = {}
    button = inner.find("Button")
    if button is not None:
        change["replace_name"] = button.findtext("ReplaceName") or ""
    card = inner.find("TemplateCard")
    if card is not None:
        change["card"] = {"main_title": {"title": card.findtext("MainTitle/Title") or ""}}
        change["replace_name"] = card.findtext("ReplaceText") or ""
    message.seen_as[member] = change
    world.touch()
