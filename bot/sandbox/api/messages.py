"""App messages to members (应用消息). Source: WeCom docs 90236, 94888, 94867."""

from __future__ import annotations

import json

from bot.sandbox import ids
from bot.sandbox.api.call import Answer, Call, Endpoint
from bot.sandbox.api.cards import INTERACTIVE, READERS, read_card
from bot.sandbox.model import STATUS_ACTIVE, AppMessage, ResponseCode, Staff
from bot.sandbox.refusal import Refusal, too_long, wrong_field

_USERS = 1000
_PARTIES = 100


def _own_agent(call: Call) -> None:
    if not call.body.has("agentid"):
        raise Refusal(40056)
    if call.body.whole("agentid", -1) != call.app.agentid:
        raise Refusal(301002)
    if call.app.disabled:
        raise Refusal(50003)


def _split(call: Call, name: str, most: int) -> list[str]:
    parts = [part for part in call.body.text(name).split("|") if part]
    if len(parts) > most:
        raise too_long(name, most)
    return parts


def _receivers(call: Call) -> tuple[list[Staff], list[str], list[str], list[str]]:
    """Members to be reached, and the invalid users (lower-cased), parties and tags.

    Refusal 82001 when nobody is named, 81013 when nobody named can be reached.
    """
    users, parties = _split(call, "touser", _USERS), _split(call, "toparty", _PARTIES)
    tags = _split(call, "totag", _PARTIES)
    if not users and not parties and not tags:
        raise Refusal(82001)
    reachable = [s for s in call.corp.visible_staff(call.app) if s.status == STATUS_ACTIVE]
    if "@all" in users:
        return reachable, [], [], []
    by_name = {s.userid.lower(): s for s in reachable}
    found = {u.lower(): by_name[u.lower()] for u in users if u.lower() in by_name}
    bad_users = [u.lower() for u in users if u.lower() not in by_name]
    visible = call.corp.visible_departments(call.app)
    bad_parties = [p for p in parties if not p.isdigit() or int(p) not in visible]
    for party in set(parties) - set(bad_parties):
        inside = call.corp.below(int(party))
        found |= {s.userid.lower(): s for s in reachable if inside.intersection(s.departments)}
    if not found:
        raise Refusal(81013)
    return list(found.values()), bad_users, bad_parties, tags


def _earlier_twin(call: Call, key: str, interval: int) -> AppMessage | None:
    now = call.world.clock.now()
    for message in reversed(call.corp.app_messages.values()):
        if message.agentid == call.app.agentid and now - message.at < interval and _key(message) == key:
            return message
    return None


def _key(message: AppMessage) -> str:
    told = [message.msgtype, message.body, sorted(message.receivers)]
    return json.dumps(told, ensure_ascii=False, sort_keys=True)


def send_message(call: Call) -> Answer:
    """message/send: to members of the app's range; invalid ones are named,
    an identical one may be suppressed.
    """
    body = call.body
    _own_agent(call)
    kind = body.text("msgtype")
    if kind not in READERS:
        raise Refusal(40008)
    members, bad_users, bad_parties, bad_tags = _receivers(call)
    content = READERS[kind](call, body.need_child(kind))
    message = AppMessage(
        ids.opaque("m_", 40),
        call.app.agentid,
        call.world.clock.now(),
        kind,
        content,
        [s.userid for s in members],
    )
    answer: Answer = {
        "invaliduser": "|".join(bad_users),
        "invalidparty": "|".join(bad_parties),
        "invalidtag": "|".join(bad_tags),
        "unlicenseduser": "",
    }
    interval = body.whole("duplicate_check_interval", 1800)
    if body.whole("enable_duplicate_check") == 1:
        if not 0 < interval <= call.world.options.duplicate_check_max_seconds:
            raise wrong_field("duplicate_check_interval")
        twin = _earlier_twin(call, _key(message), interval)
        if twin:
            twin.duplicates += 1
            code = {"response_code": twin.response_code} if twin.response_code else {}
            return answer | {"msgid": twin.msgid} | code
    _claim_task(call, message)
    _count_day(call, len(members))
    _deliver(call, message)
    return answer | _with_code(call, message)


def _claim_task(call: Call, message: AppMessage) -> None:
    message.task_id = str(message.body.get("task_id") or "") if message.msgtype == "template_card" else ""
    if not message.task_id:
        return
    if (call.app.agentid, message.task_id) in call.corp.task_ids:
        raise wrong_field("task_id")
    call.corp.task_ids[(call.app.agentid, message.task_id)] = message.msgid


def _count_day(call: Call, people: int) -> None:
    allowance = max(len(call.corp.staff), 1) * call.world.options.app_messages_per_day_per_account
    scope, now = f"{call.corp.corp_id} {call.app.agentid} person-times", call.world.clock.now()
    for _ in range(people):
        call.world.pacing.count(scope, call.path, 86_400, allowance, now)


def _deliver(call: Call, message: AppMessage) -> None:
    """Show the message to its receivers; one who had 30 a minute or 1000 an hour silently gets none."""
    limits, now, pacing = call.world.options, call.world.clock.now(), call.world.pacing
    for userid in message.receivers:
        scope = f"{call.corp.corp_id} {call.app.agentid} to {userid}"
        minute = pacing.within(scope, call.path, 60, limits.app_messages_per_member_minute, now)
        hour = pacing.within(scope, call.path, 3600, limits.app_messages_per_member_hour, now)
        if not (minute and hour):
            message.dropped.append(userid)
            continue
        line = call.corp.app_chat(call.app.agentid, userid, limits.chat_length)
        call.world.say(line, "app", message.msgtype, {"msgid": message.msgid}, "message/send")
    call.corp.app_messages[message.msgid] = message
    while len(call.corp.app_messages) > limits.app_message_length:
        oldest = call.corp.app_messages.pop(next(iter(call.corp.app_messages)))
        call.corp.response_codes.pop(oldest.response_code, None)


def _with_code(call: Call, message: AppMessage) -> Answer:
    if message.msgtype != "template_card" or message.body["card_type"] not in INTERACTIVE:
        return {"msgid": message.msgid}
    code = ResponseCode(ids.opaque("RC_", 40), message.msgid, call.world.clock.now())
    message.response_code = code.code
    call.corp.response_codes[code.code] = code
    return {"msgid": message.msgid, "response_code": code.code}


def update_card(call: Call) -> Answer:
    """message/update_template_card: once per response_code and within 72 h, else 60140."""
    body = call.body
    _own_agent(call)
    code = call.corp.response_codes.get(body.text("response_code"))
    message = call.corp.app_messages.get(code.msgid) if code else None
    if code is None or message is None or message.agentid != call.app.agentid or code.used:
        raise Refusal(60140)
    if call.world.clock.now() - code.created > call.world.options.response_code_ttl_seconds:
        raise Refusal(60140)
    named = body.texts("userids", most=_USERS)
    everyone = body.whole("atall") == 1
    wanted = message.receivers if everyone else [u for u in message.receivers if u.lower() in _lowered(named)]
    bad = [] if everyone else [u.lower() for u in named if u.lower() not in _lowered(message.receivers)]
    if not wanted:
        raise Refusal(81013)
    change = _card_change(call)
    code.used = True
    for userid in wanted:
        message.seen_as[userid] = change
    call.world.touch()
    return {"invaliduser": "|".join(bad)}


def _lowered(names: list[str]) -> set[str]:
    return {name.lower() for name in names}


def _card_change(call: Call) -> Answer:
    button = call.body.child("button")
    if button:
        return {"replace_name": button.need_text("replace_name")}
    card = call.body.need_child("template_card")
    return {"card": read_card(call, card), "replace_name": card.text("replace_text")}


def recall_message(call: Call) -> Answer:
    """message/recall: takes a message back within 24 hours; 40058 afterwards or for an unknown msgid."""
    message = call.corp.app_messages.get(call.body.need_text("msgid"))
    if message is None or message.agentid != call.app.agentid:
        raise wrong_field("msgid")
    if call.world.clock.now() - message.at > call.world.options.recall_ttl_seconds:
        raise wrong_field("msgid")
    message.recalled = True
    call.world.touch()
    return {}


ENDPOINTS = {
    "message/send": Endpoint(send_message),
    "message/update_template_card": Endpoint(update_card),
    "message/recall": Endpoint(recall_message),
}
