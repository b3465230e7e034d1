"""What becomes of customers on the way from one member to another, as time goes by."""

from __future__ import annotations

from bot.sandbox.corp import Corp
from bot.sandbox.events import contact_event
from bot.sandbox.model import Follow
from bot.sandbox.records import TRANSFER_DONE, TRANSFER_FULL, TRANSFER_REFUSED, TRANSFER_WAITING, Orphan, Transfer
from bot.sandbox.world import World

ADDED_BY_ASSIGNMENT = 202


def settle_transfers(world: World, corp: Corp) -> None:
    """Let every transfer whose 24 hours are over happen."""
    for transfer in corp.transfers:
        if transfer.status == TRANSFER_WAITING and world.clock.now() >= transfer.takeover_at:
            _take_over(world, corp, transfer)


def refuse_transfer(world: World, corp: Corp, transfer: Transfer) -> None:
    """The customer does not want the new member."""
    transfer.status = TRANSFER_REFUSED
    transfer.takeover_at = world.clock.stamp()
    _failed(world, corp, transfer, "customer_refused")


def _failed(world: World, corp: Corp, transfer: Transfer, reason: str) -> None:
    event = contact_event("transfer_fail", transfer.takeover, transfer.external_userid, FailReason=reason)
    world.emit(corp, event)


def _take_over(world: World, corp: Corp, transfer: Transfer) -> None:
    """Move the relation; no add event when the two are friends already."""
    taker = corp.by_staff.get(transfer.takeover, {})
    if len(taker) >= world.options.customer_cap:
        transfer.status = TRANSFER_FULL
        _failed(world, corp, transfer, "customer_limit_exceed")
        return
    transfer.status = TRANSFER_DONE
    old = corp.follow(transfer.handover, transfer.external_userid)
    if transfer.resigned:
        corp.orphans = [
            o for o in corp.orphans if (o.handover, o.external_userid) != (transfer.handover, transfer.external_userid)
        ]
    if old is not None:
        corp.drop_follow(old)
        gone = contact_event("del_external_contact", old.userid, old.external_userid, Source="DELETE_BY_TRANSFER")
        world.emit(corp, gone)
    if transfer.external_userid not in taker:
        _befriend(world, corp, transfer, old)
    line = corp.chat(transfer.takeover, transfer.external_userid, world.options.chat_length)
    name = corp.staff[transfer.takeover.lower()].name if transfer.takeover.lower() in corp.staff else ""
    words = transfer.words or f"您好，您的服务已升级，后续将由我（{name}）接替为您服务。"
    world.say(line, "staff", "text", {"content": words}, "transfer", transfer.takeover)


def _befriend(world: World, corp: Corp, transfer: Transfer, old: Follow | None) -> None:
    follow = Follow(
        next(corp.seq),
        transfer.takeover,
        transfer.external_userid,
        corp.person_of[transfer.external_userid],
        world.clock.stamp(),
        add_way=ADDED_BY_ASSIGNMENT,
        oper_userid=transfer.takeover,
    )
    if old is not None:
        follow.remark, follow.description, follow.transfers = old.remark, old.description, old.transfers
        follow.tags = dict.fromkeys(old.tags, 0)
    corp.add_follow(follow)
    world.emit(corp, contact_event("add_external_contact", follow.userid, follow.external_userid))


def orphan_all(world: World, corp: Corp, userid: str) -> None:
    """A member has left: their customers and groups wait for somebody else."""
    now = world.clock.stamp()
    for follow in list(corp.by_staff.get(userid, {}).values()):
        if follow.stage == "full":
            corp.orphans.append(Orphan(next(corp.seq), userid, follow.external_userid, now))
        corp.drop_follow(follow)
    for group in corp.owned_groups(userid):
        corp.orphan_groups[group.chat_id] = now
        group.status = 1
