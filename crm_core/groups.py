"""Customer groups (客户群) and who is in them."""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Any

from sqlalchemy import union
from sqlmodel import Session, col, select

from crm_core import outbox
from crm_core.clock import from_millis
from crm_core.db import UnitOfWork
from crm_core.erased import erased_among
from crm_core.events import GroupChanged, GroupCreated, GroupDismissed, GroupFetched
from crm_core.ids import ChatId, CorpId
from crm_core.listing import batches
from crm_core.ports import CustomerGroupFacts
from crm_core.tables import CustomerGroupRow, GroupMemberRow

STAFF_MEMBER, EXTERNAL_MEMBER = 1, 2
DETAIL_LAG_MS = 2_500  # the detail may lag about two seconds behind the event (protocol notes 2.2)


def record_created(event: GroupCreated, uow: UnitOfWork) -> None:
    """A group came to be: ask WeCom for its name and members."""
    _ask(event, uow)


def record_changed(event: GroupChanged, uow: UnitOfWork) -> None:
    """A group changed: apply the member list when the versions fit, else read the group anew."""
    row = uow.session.get(CustomerGroupRow, (event.corp, event.chat))
    fits = row is not None and event.version_before != "" and row.member_version == event.version_before
    if row is None or not fits or not _apply_members(event, uow):
        _ask(event, uow)
        return
    row.member_version = event.version_after
    uow.session.add(row)


def record_dismissed(event: GroupDismissed, uow: UnitOfWork) -> None:
    """A group was dissolved; its record stays."""
    row = uow.session.get(CustomerGroupRow, (event.corp, event.chat)) or CustomerGroupRow(
        corp_id=event.corp, chat_id=event.chat
    )
    row.status = "dismissed"
    uow.session.add(row)


def apply_facts(uow: UnitOfWork, corp: CorpId, facts: CustomerGroupFacts) -> None:
    """Bring one group and its members in step with WeCom; who is no longer listed has left."""
    now = uow.now()
    row = uow.session.get(CustomerGroupRow, (corp, facts.chat_id)) or CustomerGroupRow(
        corp_id=corp, chat_id=facts.chat_id
    )
    row.name, row.owner, row.notice = facts.name, facts.owner, facts.notice
    row.member_version = facts.member_version
    row.created_at = _moment(facts.created_at)
    row.status, row.synced_at = "active", now
    uow.session.add(row)
    known = {
        member.member_id: member
        for member in uow.session.exec(
            select(GroupMemberRow).where(GroupMemberRow.corp_id == corp, GroupMemberRow.chat_id == facts.chat_id)
        )
    }
    gone = erased_among(uow.session, corp, [one.member_id for one in facts.members if one.kind == EXTERNAL_MEMBER])
    for fact in facts.members:
        if fact.member_id in gone:
            continue
        member = known.pop(fact.member_id, None) or GroupMemberRow(
            corp_id=corp, chat_id=facts.chat_id, member_id=fact.member_id
        )
        member.kind, member.name, member.unionid = fact.kind, fact.name or member.name, fact.unionid
        member.join_scene, member.invitor, member.state = fact.join_scene, fact.invitor, fact.state
        member.joined_at, member.left_at = _moment(fact.joined_at), None
        uow.session.add(member)
    for member in known.values():
        member.left_at = member.left_at or now
        uow.session.add(member)


def groups_of(session: Session, corp: CorpId, member_id: str) -> list[CustomerGroupRow]:
    """The groups that a staff member or customer is in now."""
    return list(
        session.exec(
            select(CustomerGroupRow)
            .join(
                GroupMemberRow,
                (col(GroupMemberRow.corp_id) == CustomerGroupRow.corp_id)
                & (col(GroupMemberRow.chat_id) == CustomerGroupRow.chat_id),
            )
            .where(
                GroupMemberRow.corp_id == corp,
                GroupMemberRow.member_id == member_id,
                col(GroupMemberRow.left_at).is_(None),
                CustomerGroupRow.status == "active",
            )
            .order_by(CustomerGroupRow.name)
        )
    )


def _apply_members(event: GroupChanged, uow: UnitOfWork) -> bool:
    """Only leavers can be applied from the event; joiners need names, so the group is read."""
    if event.detail != "del_member" or not event.member_ids:
        return False
    rows = uow.session.exec(
        select(GroupMemberRow).where(
            GroupMemberRow.corp_id == event.corp,
            GroupMemberRow.chat_id == event.chat,
            col(GroupMemberRow.member_id).in_(event.member_ids),
        )
    ).all()
    for member in rows:
        member.left_at = event.occurred_at
        uow.session.add(member)
    return len(rows) == len(event.member_ids)


def _ask(event: GroupCreated | GroupChanged, uow: UnitOfWork) -> None:
    outbox.add(
        uow,
        outbox.FETCH_GROUP,
        corp=event.corp,
        app=event.app,
        payload={"chat": event.chat},
        dedupe_key=f"fetch_group:{event.key}",
        delay_ms=DETAIL_LAG_MS,
    )


def _moment(seconds: int) -> datetime | None:
    return from_millis(seconds * 1000) if seconds else None


def record_fetched(event: GroupFetched, uow: UnitOfWork) -> None:
    """WeCom told us about the group we asked for."""
    apply_facts(uow, event.corp, event.facts)


def is_visible(session: Session, corp: CorpId, chat: str, visible: AbstractSet[str] | None) -> bool:
    """Whether the group is there and one of these staff (None: anybody) owns it or is inside."""
    row = session.get(CustomerGroupRow, (corp, chat))
    if row is None or visible is None or row.owner in visible:
        return row is not None
    inside = select(GroupMemberRow.member_id).where(
        GroupMemberRow.corp_id == corp,
        GroupMemberRow.chat_id == chat,
        GroupMemberRow.kind == STAFF_MEMBER,
        col(GroupMemberRow.left_at).is_(None),
    )
    return any(userid in visible for userid in session.exec(inside))


def chats_of(corp: CorpId, visible: AbstractSet[str]) -> Any:
    """A subquery: the ids of the groups that one of these staff owns or is inside."""
    people = sorted(visible)
    owned = select(CustomerGroupRow.chat_id).where(
        CustomerGroupRow.corp_id == corp, col(CustomerGroupRow.owner).in_(people)
    )
    inside = select(GroupMemberRow.chat_id).where(
        GroupMemberRow.corp_id == corp,
        GroupMemberRow.kind == STAFF_MEMBER,
        col(GroupMemberRow.left_at).is_(None),
        col(GroupMemberRow.member_id).in_(people),
    )
    return union(owned, inside)


def known_chats(session: Session, corp: CorpId) -> set[str]:
    """Ids of all groups we have read."""
    return set(session.exec(select(CustomerGroupRow.chat_id).where(CustomerGroupRow.corp_id == corp)))


def known_among(session: Session, corp: CorpId, chats: Iterable[str]) -> frozenset[str]:
    """Which of these are customer groups we have read."""
    found: set[str] = set()
    for some in batches(chats):
        wanted = select(CustomerGroupRow.chat_id)
        found.update(
            session.exec(wanted.where(CustomerGroupRow.corp_id == corp, col(CustomerGroupRow.chat_id).in_(some)))
        )
    return frozenset(found)


def owners(session: Session, corp: CorpId, chats: Iterable[ChatId]) -> dict[str, str]:
    """The owner of each group we know, by chat id."""
    wanted = col(CustomerGroupRow.chat_id).in_(set(chats))
    rows = session.exec(
        select(CustomerGroupRow.chat_id, CustomerGroupRow.owner).where(CustomerGroupRow.corp_id == corp, wanted)
    )
    return {chat: owner for chat, owner in rows if owner}


def names(session: Session, corp: CorpId, chats: Iterable[ChatId]) -> dict[str, str]:
    """Group names by chat; groups we do not know are left out."""
    rows = session.exec(
        select(CustomerGroupRow.chat_id, CustomerGroupRow.name).where(
            CustomerGroupRow.corp_id == corp, col(CustomerGroupRow.chat_id).in_(set(chats))
        )
    ).all()
    return dict(rows)


def all_names(session: Session, corp: CorpId, *, limit: int = 500) -> list[tuple[str, str]]:
    """Groups that are not dismissed, with their names."""
    rows = session.exec(
        select(CustomerGroupRow.chat_id, CustomerGroupRow.name)
        .where(CustomerGroupRow.corp_id == corp, CustomerGroupRow.status == "active")
        .order_by(CustomerGroupRow.name, CustomerGroupRow.chat_id)
        .limit(limit)
    )
    return [(chat, name or "未命名的群") for chat, name in rows]
