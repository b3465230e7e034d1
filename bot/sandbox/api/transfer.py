"""Giving customers and groups to another member (在职继承, 离职继承).

Source: WeCom docs 92125, 94081, 94082, 92124, 92127, 95703.
"""

from __future__ import annotations

from bot.sandbox.acts_groups import change_owner
from bot.sandbox.api.call import Answer, Call, Endpoint, page_of
from bot.sandbox.inheritance import settle_transfers
from bot.sandbox.model import STATUS_ACTIVE, Follow, Group, Staff
from bot.sandbox.records import TRANSFER_WAITING, Orphan, Transfer
from bot.sandbox.refusal import Refusal, wrong_field

_CUSTOMERS = 100
_GROUPS = 100
_DAY = 86_400
_YEAR = 365 * _DAY
_RESULTS = 1000


def _taker(call: Call) -> Staff:
    """The member who is to take over; 40003, 60111, 60011, 41054, 40098, 84074."""
    member = call.corp.need_member(call.app, call.body.need_text("takeover_userid", missing=40003))
    if member.status != STATUS_ACTIVE:
        raise Refusal(41054)
    if not member.verified:
        raise Refusal(40098)
    if not member.contact_permission:
        raise Refusal(84074)
    return member


def _wanted(call: Call) -> list[str]:
    found = call.body.texts("external_userid", most=_CUSTOMERS, code=40032)
    if not found:
        raise Refusal(41035)
    return list(dict.fromkeys(found))


def transfer_customers(call: Call) -> Answer:
    """externalcontact/transfer_customer: an active member's customers; errcode 0 only means it has begun."""
    giver = call.corp.need_member(call.app, call.body.need_text("handover_userid", missing=40003))
    taker, words = _taker(call), call.body.text("transfer_success_msg", chars=200)
    if giver.userid == taker.userid:
        raise Refusal(40130)
    settle_transfers(call.world, call.corp)
    rows = []
    for external in _wanted(call):
        code = _refused_on_job(call, giver.userid, external)
        if not code:
            follow = call.corp.by_staff[giver.userid][external]
            follow.transfers.append(call.world.clock.now())
            _begin(call, external, giver.userid, taker.userid, words=words, resigned=False)
        rows.append({"external_userid": external, "errcode": code})
    call.world.touch()
    return {"customer": rows}


def _refused_on_job(call: Call, giver: str, external: str) -> int:
    link = call.corp.follow(giver, external)
    if link is None or link.stage != "full":
        return 40096 if external not in call.corp.person_of else 40131
    if _in_transfer(call, external):
        return 40129
    since = call.world.clock.now() - 90 * _DAY
    if sum(at > since for f in _links(call, external) for at in f.transfers) >= call.world.options.transfers_in_90_days:
        return 40128
    return 0


def _links(call: Call, external: str) -> list[Follow]:
    return list(call.corp.by_customer.get(external, {}).values())


def _in_transfer(call: Call, external: str) -> bool:
    return any(t.external_userid == external and t.status == TRANSFER_WAITING for t in call.corp.transfers)


def _begin(call: Call, external: str, giver: str, taker: str, *, words: str = "", resigned: bool) -> None:
    now = call.world.clock.now()
    call.corp.transfers.append(
        Transfer(
            next(call.corp.seq),
            external,
            giver,
            taker,
            now,
            int(now + call.world.options.transfer_wait_seconds),
            resigned,
            words=words,
        )
    )


def transfer_resigned(call: Call) -> Answer:
    """externalcontact/resigned/transfer_customer: customers of somebody who left less than a year ago."""
    giver, taker = call.body.need_text("handover_userid", missing=40003), _taker(call)
    if call.corp.member(giver) is not None:
        raise Refusal(40097)
    settle_transfers(call.world, call.corp)
    rows = []
    for external in _wanted(call):
        orphan = next((o for o in call.corp.orphans if o.handover == giver and o.external_userid == external), None)
        code = 0
        if orphan is None:
            code = 40096
        elif _in_transfer(call, external):
            code = 40129
        elif call.now - orphan.left_at > _YEAR:
            code = 40205
        else:
            _begin(call, external, giver, taker.userid, resigned=True)
        rows.append({"external_userid": external, "errcode": code})
    call.world.touch()
    return {"customer": rows}


def _results(call: Call, *, resigned: bool) -> Answer:
    giver = call.body.need_text("handover_userid", missing=40003)
    taker = call.body.need_text("takeover_userid", missing=40003)
    settle_transfers(call.world, call.corp)
    found = [t for t in call.corp.transfers if (t.handover, t.takeover, t.resigned) == (giver, taker, resigned)]
    page, cursor = page_of(call, found, lambda t: t.seq, _RESULTS, [giver, taker])
    rows = [{"external_userid": t.external_userid, "status": t.status, "takeover_time": t.takeover_at} for t in page]
    return {"customer": rows, "next_cursor": cursor}


def transfer_result(call: Call) -> Answer:
    """externalcontact/transfer_result: 1 done, 2 waiting (takeover_time lies ahead), 3 refused, 4 cap."""
    return _results(call, resigned=False)


def resigned_result(call: Call) -> Answer:
    """externalcontact/resigned/transfer_result: as transfer_result."""
    return _results(call, resigned=True)


def list_unassigned(call: Call) -> Answer:
    """externalcontact/get_unassigned_list: by page_id from 0, or by cursor."""
    size = call.body.whole("page_size", 1000)
    if not 1 <= size <= 1000:
        raise wrong_field("page_size")
    found = call.corp.orphans
    if call.body.has("page_id"):
        number = call.body.whole("page_id")
        page: list[Orphan] = found[number * size : (number + 1) * size]
        return {"info": [_orphan_json(o) for o in page], "is_last": (number + 1) * size >= len(found)}
    page, cursor = page_of(call, found, lambda o: o.seq, size, "orphans")
    return {"info": [_orphan_json(o) for o in page], "is_last": not cursor, "next_cursor": cursor}


def _orphan_json(orphan: Orphan) -> Answer:
    return {
        "handover_userid": orphan.handover,
        "external_userid": orphan.external_userid,
        "dimission_time": orphan.left_at,
    }


def _move_groups(call: Call, *, resigned: bool) -> Answer:
    chat_ids = call.body.texts("chat_id_list", most=_GROUPS, code=40032)
    if not chat_ids:
        raise wrong_field("chat_id_list")
    owner = call.corp.need_member(call.app, call.body.need_text("new_owner", missing=40003))
    if not owner.serves_customers:
        raise Refusal(84074)
    failed = []
    for chat_id in dict.fromkeys(chat_ids):
        code = _group_code(call, chat_id, owner.userid, resigned=resigned)
        if code:
            failed.append({"chat_id": chat_id, "errcode": code, "errmsg": "group not transferred"})
        else:
            _give_group(call, call.corp.groups[chat_id], owner)
    call.world.touch()
    return {"failed_chat_list": failed}


def _group_code(call: Call, chat_id: str, owner: str, *, resigned: bool) -> int:
    group = call.corp.groups.get(chat_id)
    if group is None:
        return 90501
    if group.dismissed:
        return 49008
    if group.owner == owner:
        return 90504
    left = chat_id in call.corp.orphan_groups
    if left is not resigned:
        return 90500 if resigned else 90502
    today = [m for m in call.corp.group_moves if m[0] > call.now - _DAY and m[2] == group.owner]
    recent = [m for m in call.corp.group_moves if m[0] > call.now - 90 * _DAY and m[1] == chat_id]
    if len(today) >= call.world.options.group_transfers_per_day:
        return 45009
    return 90508 if not resigned and len(recent) >= call.world.options.transfers_in_90_days else 0


def _give_group(call: Call, group: Group, owner: Staff) -> None:
    call.corp.group_moves.append((float(call.now), group.chat_id, group.owner))
    call.corp.orphan_groups.pop(group.chat_id, None)
    group.status = 3
    change_owner(call.world, call.corp, group, owner, by=call.app.agentid)


def move_groups_on_job(call: Call) -> Answer:
    """externalcontact/groupchat/onjob_transfer: groups of a member who is still here."""
    return _move_groups(call, resigned=False)


def move_groups_resigned(call: Call) -> Answer:
    """externalcontact/groupchat/transfer: groups of a member who has left."""
    return _move_groups(call, resigned=True)


ENDPOINTS = {
    "externalcontact/transfer_customer": Endpoint(transfer_customers, "customers"),
    "externalcontact/transfer_result": Endpoint(transfer_result, "customers"),
    "externalcontact/resigned/transfer_customer": Endpoint(transfer_resigned, "customers"),
    "externalcontact/resigned/transfer_result": Endpoint(resigned_result, "customers"),
    "externalcontact/get_unassigned_list": Endpoint(list_unassigned, "customers"),
    "externalcontact/groupchat/onjob_transfer": Endpoint(move_groups_on_job, "customers"),
    "externalcontact/groupchat/transfer": Endpoint(move_groups_resigned, "customers"),
}
