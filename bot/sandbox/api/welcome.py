"""Greeting a new customer (发送新客户欢迎语). Source: WeCom doc 92137."""

from __future__ import annotations

import time

from bot.sandbox.api.attachments import read_message
from bot.sandbox.api.call import Answer, Call, Endpoint
from bot.sandbox.archiving import archive_single
from bot.sandbox.model import Welcome
from bot.sandbox.refusal import Refusal


def send_welcome(call: Call) -> Answer:
    """externalcontact/send_welcome_msg: once per code and within 20 s; every attempt is counted.

    Refuses with 41049 missing, 41050 unknown or late, 41051 already greeted or chat begun, 41096 while
    another call is sending.
    """
    with call.world.lock:
        welcome = _need_welcome(call)
        lines = read_message(call)
        welcome.state = "sending"
        welcome.agentid = call.app.agentid
    if call.world.options.welcome_send_real_seconds:
        time.sleep(call.world.options.welcome_send_real_seconds)
    with call.world.lock:
        welcome.state = "sent"
        welcome.deliveries += 1
        welcome.sent_at = call.world.clock.now()
        chat = call.corp.chat(welcome.userid, welcome.external_userid, call.world.options.chat_length)
        for kind, body in lines:
            said = call.world.say(chat, "staff", kind, body, "welcome", welcome.userid)
            archive_single(call.world, call.corp, said, welcome.userid, welcome.external_userid)
    return {}


def _need_welcome(call: Call) -> Welcome:
    code = call.body.need_text("welcome_code", missing=41049)
    welcome = call.corp.welcomes.get(code)
    if welcome is None:
        raise Refusal(41050)
    welcome.attempts += 1
    if welcome.state == "sent":
        call.world.duplicate_welcomes += 1
        raise Refusal(41051)
    if welcome.state == "sending":
        raise Refusal(41096)
    member = call.corp.member(welcome.userid)
    if member is None or not call.corp.sees(call.app, member):
        raise Refusal(41050)
    if call.world.clock.now() - welcome.created > call.world.options.welcome_ttl_seconds:
        raise Refusal(41050)
    chat = call.corp.chats.get((welcome.userid, welcome.external_userid), ())
    if any(m.at >= welcome.created and m.sender != "system" for m in chat):
        raise Refusal(41051)
    return welcome


ENDPOINTS = {"externalcontact/send_welcome_msg": Endpoint(send_welcome, "customers", locked=False)}
