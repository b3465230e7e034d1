"""Mass messages to customers and groups (企业群发). Source: WeCom docs 92135, 93338, 97610, 97611."""

from __future__ import annotations

from bot.sandbox import ids
from bot.sandbox.api.attachments import read_message
from bot.sandbox.api.call import Answer, Call, Endpoint, page_of
from bot.sandbox.corp import Corp
from bot.sandbox.model import Follow
from bot.sandbox.records import MassMessage, MassTarget, MassTask
from bot.sandbox.refusal import Refusal, wrong_field

_CUSTOMERS = 10_000
_GROUPS = 2000
_DAY = 86_400
_MONTH = 31 * _DAY


def add_message(call: Call) -> Answer:
    """externalcontact/add_msg_template: makes a task for every sender; nothing is sent until they confirm.

    fail_list names customers nobody can write to; 41048 when no one is left.
    """
    body = call.body
    chat_type = body.text("chat_type", "single") or "single"
    if chat_type not in {"single", "group"}:
        raise wrong_field("chat_type")
    told = {name: body.values[name] for name in ("text", "attachments") if body.has(name)}
    lines = read_message(call)
    failed: list[str] = []
    targets = _groups(call) if chat_type == "group" else _customers(call, failed)
    if not targets:
        raise Refusal(41048)
    made = MassMessage(
        ids.opaque("msg", 30),
        next(call.corp.seq),
        call.world.clock.now(),
        chat_type,
        lines,
        told,
        {userid: MassTask(userid, {one: MassTarget(one) for one in named}) for userid, named in targets.items()},
        agentid=call.app.agentid,
        allow_select=body.flag("allow_select"),
    )
    call.corp.mass_messages[made.msgid] = made
    call.world.touch()
    return {"fail_list": failed, "msgid": made.msgid}


def _customers(call: Call, failed: list[str]) -> dict[str, list[str]]:
    """Receivers by sender: all of the sender's, those named, or whoever the tag filter finds."""
    body = call.body
    sender = body.text("sender")
    named = body.texts("external_userid", most=_CUSTOMERS, code=40032)
    if not sender and not named and not body.child("tag_filter"):
        raise wrong_field("sender")
    member = call.corp.need_member(call.app, sender) if sender else None
    if named:
        return _named(call, named, member.userid if member else "", failed)
    people = [member] if member else call.corp.visible_staff(call.app)
    lists = _tag_lists(call)
    found = {
        one.userid: [
            f.external_userid
            for f in call.corp.by_staff.get(one.userid, {}).values()
            if f.stage == "full" and all(set(f.tags) & set(any_of) for any_of in lists)
        ]
        for one in people
    }
    return {userid: customers for userid, customers in found.items() if customers}


def _tag_lists(call: Call) -> list[list[str]]:
    """Inside one list any tag will do, every list must be met."""
    chosen = call.body.child("tag_filter")
    lists = [one.texts("tag_list", most=100) for one in chosen.children("group_list")] if chosen else []
    if any(tag not in call.corp.tag_home for one in lists for tag in one):
        raise Refusal(40068)
    return [one for one in lists if one]


def _named(call: Call, named: list[str], sender: str, failed: list[str]) -> dict[str, list[str]]:
    """Each customer goes to the sender, or to whoever of their members last talked with them."""
    found: dict[str, list[str]] = {}
    for external in dict.fromkeys(named):
        links = [
            f
            for f in call.corp.by_customer.get(external, {}).values()
            if f.stage == "full" and sender in {"", f.userid} and _visible(call, f.userid)
        ]
        if not links:
            failed.append(external)
            continue
        found.setdefault(max(links, key=lambda f: _talked(call.corp, f)).userid, []).append(external)
    return found


def _visible(call: Call, userid: str) -> bool:
    member = call.corp.member(userid)
    return member is not None and call.corp.sees(call.app, member)


def _talked(corp: Corp, follow: Follow) -> float:
    line = corp.chats.get((follow.userid, follow.external_userid))
    return line[-1].at if line else float(follow.created)


def _groups(call: Call) -> dict[str, list[str]]:
    sender = call.body.need_text("sender")
    member = call.corp.need_member(call.app, sender)
    wanted = call.body.texts("chat_id_list", most=_GROUPS, code=40032)
    own = {g.chat_id: g for g in call.corp.owned_groups(member.userid)}
    if any(chat_id not in own for chat_id in wanted):
        raise Refusal(40050)
    chosen = wanted or list(own)
    return {member.userid: chosen} if chosen else {}


def _need_message(call: Call) -> MassMessage:
    """One of the corp's mass messages; 41046 missing, 41047 unknown, 41063 while it is being handed out."""
    found = call.corp.mass_messages.get(call.body.need_text("msgid", missing=41046))
    if found is None:
        raise Refusal(41047)
    if call.world.clock.now() - found.created < call.world.options.mass_dispatch_seconds:
        raise Refusal(41063)
    return found


def remind(call: Call) -> Answer:
    """externalcontact/remind_groupmsg_send: at most three times a day (41094); 41093 once cancelled."""
    message, now = _need_message(call), call.world.clock.now()
    if message.cancelled:
        raise Refusal(41093)
    waiting = [t for t in message.tasks.values() if t.status == 0]
    for task in waiting:
        task.reminded = [at for at in task.reminded if at > now - _DAY]
        if len(task.reminded) >= call.world.options.mass_reminders_per_day:
            raise Refusal(41094)
    for task in waiting:
        task.reminded.append(now)
    call.world.touch()
    return {}


def cancel(call: Call) -> Answer:
    """externalcontact/cancel_groupmsg_send: whoever has not sent cannot any more."""
    message = _need_message(call)
    if message.cancelled:
        raise Refusal(41093)
    message.cancelled = True
    call.world.touch()
    return {}


def _limit(call: Call, usual: int, most: int) -> int:
    """The asked page size; anything over the maximum counts as the default, as the vendor has it."""
    asked = call.body.whole("limit", usual)
    if asked < 1:
        raise wrong_field("limit")
    return usual if asked > most else asked


def list_messages(call: Call) -> Answer:
    """externalcontact/get_groupmsg_list_v2: a span of at most a month; 50 a page."""
    body = call.body
    chat_type, start, end = body.need_text("chat_type"), body.whole("start_time"), body.whole("end_time")
    if chat_type not in {"single", "group"}:
        raise wrong_field("chat_type")
    if not 0 < start <= end or end - start > _MONTH:
        raise wrong_field("start_time")
    creator, kind = body.text("creator"), body.whole("filter_type", 2)
    found = [
        m
        for m in call.corp.mass_messages.values()
        if m.chat_type == chat_type
        and start <= m.created <= end
        and creator in {"", m.creator}
        and kind in {2, int(m.personal)}
    ]
    page, cursor = page_of(call, found, lambda m: m.seq, _limit(call, 50, 100), [chat_type, start, end, creator, kind])
    rows = [
        {"msgid": m.msgid, "create_time": str(int(m.created)), "create_type": int(m.personal), **m.told}
        | ({"creator": m.creator} if m.creator else {})
        for m in page
    ]
    return {"group_msg_list": rows, "next_cursor": cursor}


def list_tasks(call: Call) -> Answer:
    """externalcontact/get_groupmsg_task: who has confirmed; status 0 not sent, 2 sent."""
    message = _need_message(call)
    numbered = list(enumerate(message.tasks.values(), 1))
    page, cursor = page_of(call, numbered, lambda one: one[0], _limit(call, 500, 1000), message.msgid)
    rows = [{"userid": t.userid, "status": t.status} | ({"send_time": t.sent_at} if t.sent_at else {}) for _, t in page]
    return {"task_list": rows, "next_cursor": cursor}


def list_results(call: Call) -> Answer:
    """externalcontact/get_groupmsg_send_result: each receiver of one member's task; status 0, 1, 2 or 3."""
    message = _need_message(call)
    member = call.corp.need_member(call.app, call.body.need_text("userid", missing=40003))
    task = message.tasks.get(member.userid)
    if task is None:
        raise Refusal(41047)
    numbered = list(enumerate(task.targets.values(), 1))
    page, cursor = page_of(call, numbered, lambda one: one[0], _limit(call, 500, 1000), [message.msgid, task.userid])
    name = "chat_id" if message.chat_type == "group" else "external_userid"
    rows = [
        {name: t.id, "userid": task.userid, "status": t.status} | ({"send_time": t.sent_at} if t.sent_at else {})
        for _, t in page
    ]
    return {"send_list": rows, "next_cursor": cursor}


ENDPOINTS = {
    "externalcontact/add_msg_template": Endpoint(add_message, "customers"),
    "externalcontact/remind_groupmsg_send": Endpoint(remind, "customers"),
    "externalcontact/cancel_groupmsg_send": Endpoint(cancel, "customers"),
    "externalcontact/get_groupmsg_list_v2": Endpoint(list_messages, "customers"),
    "externalcontact/get_groupmsg_task": Endpoint(list_tasks, "customers"),
    "externalcontact/get_groupmsg_send_result": Endpoint(list_results, "customers"),
}
