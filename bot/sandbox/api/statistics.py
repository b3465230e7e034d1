"""Figures about members' and groups' work (统计). Source: WeCom docs 92132, 92133.

Whole days of China time; yesterday is the newest day. Counted from the conversations that are kept.
"""

from __future__ import annotations

from collections.abc import Iterable

from bot.sandbox.api.call import Answer, Call, Endpoint
from bot.sandbox.api.groups import group_visible
from bot.sandbox.clock import midnight
from bot.sandbox.corp import Corp
from bot.sandbox.fields import Fields
from bot.sandbox.model import ChatMessage, Group
from bot.sandbox.refusal import Refusal, wrong_field

_DAY = 86_400
_SPAN_DAYS = 30
_LAST_DAYS = 180
_OWNERS = 100
_BY_HAND = {"client", "sidebar"}
_ORDERS = {1: "new_chat_cnt", 2: "chat_total", 3: "new_member_cnt", 4: "member_total"}


def _days(call: Call, first: int, last: int, name: str) -> list[int]:
    """Midnights of a closed span: at most thirty days, the last 180, up to yesterday."""
    begin, end, today = midnight(first), midnight(last), midnight(call.now)
    if first <= 0 or begin > end or end >= today or (end - begin) // _DAY >= _SPAN_DAYS:
        raise wrong_field(name)
    if begin < today - _LAST_DAYS * _DAY:
        raise wrong_field(name)
    return list(range(begin, end + 1, _DAY))


def user_behavior(call: Call) -> Answer:
    """externalcontact/get_user_behavior_data: one summed series over all members named, not one for each."""
    body = call.body
    users, parties = body.texts("userid", most=100), body.numbers("partyid", most=100)
    if not users and not parties:
        raise wrong_field("userid")
    days = _days(call, body.whole("start_time"), body.whole("end_time"), "start_time")
    members = [call.corp.need_member(call.app, userid).userid for userid in users]
    if any(p not in call.corp.visible_departments(call.app) for p in parties):
        raise Refusal(60011)
    people = call.corp.people_in(members, parties)
    return {"behavior_data": [_behavior(call.corp, people, day) for day in days]}


def _behavior(corp: Corp, people: list[str], day: int) -> Answer:
    follows = [f for userid in people for f in corp.by_staff.get(userid, {}).values()]
    fresh = [f for f in follows if day <= f.created < day + _DAY]
    chats = [_of_day(line, day) for (userid, _), line in corp.chats.items() if userid in people]
    written = [[m for m in chat if m.sender == "staff" and m.via in _BY_HAND] for chat in chats]
    asked = [chat for chat in chats if chat and chat[0].sender == "customer"]
    waits = [wait for chat in asked if (wait := _first_answer(chat)) is not None]
    told: Answer = {
        "stat_time": day,
        "new_apply_cnt": sum(f.oper_userid == f.userid for f in fresh),
        "new_contact_cnt": len(fresh),
        "chat_cnt": sum(bool(lines) for lines in written),
        "message_cnt": sum(len(lines) for lines in written),
        "negative_feedback_cnt": sum(userid in people and day <= at < day + _DAY for userid, at in corp.losses),
    }
    if asked:
        told["reply_percentage"] = round(100 * len(waits) / len(asked), 2)
    if waits:
        told["avg_reply_time"] = round(sum(waits) / len(waits) / 60)
    return told


def _of_day(line: Iterable[ChatMessage], day: int) -> list[ChatMessage]:
    return [m for m in line if day <= m.at < day + _DAY and m.sender != "system"]


def _first_answer(chat: list[ChatMessage]) -> float | None:
    """Seconds until the member first wrote back, None when they did not that day."""
    answer = next((m for m in chat if m.sender == "staff" and m.via in _BY_HAND), None)
    return answer.at - chat[0].at if answer else None


def _owned(call: Call) -> dict[str, list[Group]]:
    """Visible groups by owner, narrowed by owner_filter; 81017 without one over a thousand members."""
    chosen: Fields | None = call.body.child("owner_filter")
    named = chosen.texts("userid_list", most=_OWNERS) if chosen else []
    if not named and len(call.corp.visible_staff(call.app)) > 1000:
        raise Refusal(81017)
    owners = {call.corp.need_member(call.app, userid).userid for userid in named}
    found: dict[str, list[Group]] = {}
    for group in call.corp.groups.values():
        if not group.dismissed and group_visible(call, group) and (not owners or group.owner in owners):
            found.setdefault(group.owner, []).append(group)
    return found


def _group_figures(call: Call, groups: list[Group], begin: int, end: int) -> Answer:
    """The span goes from its first second `begin` to `end`, the first one after it."""
    known = [g for g in groups if g.created < end]
    members = [m for g in known for m in g.members.values() if m.kind == 2 and m.joined < end]
    lines = {g.chat_id: _between(call.corp.chats.get(("", g.chat_id), ()), end) for g in known}
    said = [m for line in lines.values() for m in line]
    return {
        "new_chat_cnt": sum(g.created >= begin for g in known),
        "chat_total": len(known),
        "chat_has_msg": sum(bool(line) for line in lines.values()),
        "new_member_cnt": sum(m.joined >= begin for m in members),
        "member_total": len(members),
        "member_has_msg": len({m.author for m in said if m.sender == "customer"}),
        "msg_total": len(said),
    }


def _between(line: Iterable[ChatMessage], end: int) -> list[ChatMessage]:
    return [m for m in line if m.at < end and m.sender != "system"]


def groups_by_owner(call: Call) -> Answer:
    """externalcontact/groupchat/statistic: a row for each owner, sorted and by offset; ends at next_offset = total."""
    body = call.body
    first = body.whole("day_begin_time")
    days = _days(call, first, body.whole("day_end_time", first), "day_begin_time")
    offset, limit, order = body.whole("offset"), body.whole("limit", 500), body.whole("order_by", 1)
    if not 1 <= limit <= 1000 or order not in _ORDERS or offset < 0:
        raise wrong_field("limit")
    begin, end = days[0], days[-1] + _DAY
    rows: list[Answer] = [
        {"owner": owner, "data": _group_figures(call, found, begin, end)} for owner, found in _owned(call).items()
    ]
    rows.sort(key=lambda row: int(row["data"][_ORDERS[order]]), reverse=body.whole("order_asc") == 0)
    page = rows[offset : offset + limit]
    return {"total": len(rows), "next_offset": offset + len(page), "items": page}


def groups_by_day(call: Call) -> Answer:
    """externalcontact/groupchat/statistic_group_by_day: a row for each day over all owners asked for."""
    first = call.body.whole("day_begin_time")
    days = _days(call, first, call.body.whole("day_end_time", first), "day_begin_time")
    groups = [g for found in _owned(call).values() for g in found]
    return {"items": [{"stat_time": day, "data": _group_figures(call, groups, day, day + _DAY)} for day in days]}


ENDPOINTS = {
    "externalcontact/get_user_behavior_data": Endpoint(user_behavior, "customers"),
    "externalcontact/groupchat/statistic": Endpoint(groups_by_owner, "customers"),
    "externalcontact/groupchat/statistic_group_by_day": Endpoint(groups_by_day, "customers"),
}
