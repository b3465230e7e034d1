"""Read model of one customer group as one staff member sees it (客户群详情)."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, func, select

from crm_core import accounts, staff
from crm_core.errors import NotFound
from crm_core.ids import ChatId, CorpId, StaffUserId
from crm_core.tables import CustomerGroupRow, GroupMemberRow

STAFF, EXTERNAL = 1, 2
JOIN_SCENES = {1: "直接邀请", 2: "邀请链接", 3: "扫描群二维码"}
MOST_MEMBERS = 500  # WeCom's own limit of a customer group (protocol notes, part B, 6)


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupMember:
    """One member. joined: how; invitor: the member of staff who invited, "" when none; other_groups: how many more.

    is_mine: the staff member may open them as a customer.
    """

    member: str
    name: str
    is_staff: bool
    is_owner: bool
    is_mine: bool
    joined: str
    invitor: str
    joined_at: datetime | None
    other_groups: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupProfile:
    """One group. joined_today, left_today: since the local midnight that was asked for."""

    chat: str
    name: str
    owner: str
    owner_name: str
    notice: str
    status: str
    created_at: datetime | None
    synced_at: datetime | None
    members: tuple[GroupMember, ...]
    joined_today: int
    left_today: int

    @property
    def staff_count(self) -> int:
        """Members of our own."""
        return sum(member.is_staff for member in self.members)

    @property
    def customer_count(self) -> int:
        """External members."""
        return len(self.members) - self.staff_count


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupLine:
    """One line of a group list."""

    chat: str
    name: str
    owner_name: str
    members: int


def may_see(session: Session, corp: CorpId, staff_userid: StaffUserId, chat: ChatId) -> bool:
    """Whether the staff member owns the group or is in it now."""
    row = session.get(CustomerGroupRow, (corp, chat))
    if row is None:
        return False
    member = session.get(GroupMemberRow, (corp, chat, staff_userid))
    return row.owner == staff_userid or (member is not None and member.kind == STAFF and member.left_at is None)


def read(session: Session, corp: CorpId, staff_userid: StaffUserId, chat: ChatId, *, today: datetime) -> GroupProfile:
    """The group; never calls WeCom. today: local midnight as an aware moment. Raises: NotFound."""
    row = session.get(CustomerGroupRow, (corp, chat))
    if row is None:
        raise NotFound("没有找到这个客户群")
    everybody = session.exec(
        select(GroupMemberRow).where(GroupMemberRow.corp_id == corp, GroupMemberRow.chat_id == chat)
    ).all()
    inside = [member for member in everybody if member.left_at is None]
    mine = accounts.followed_among(session, corp, staff_userid, [m.member_id for m in inside if m.kind == EXTERNAL])
    known = staff.names(
        session, corp, {row.owner, *(m.member_id for m in inside if m.kind == STAFF), *(m.invitor for m in inside)}
    )
    elsewhere = _other_groups(session, corp, chat)
    return GroupProfile(
        chat=row.chat_id,
        name=row.name,
        owner=row.owner,
        owner_name=known.get(row.owner, row.owner),
        notice=row.notice,
        status=row.status,
        created_at=row.created_at,
        synced_at=row.synced_at,
        members=tuple(
            GroupMember(
                member=member.member_id,
                name=known[member.member_id] if member.kind == STAFF else member.name,
                is_staff=member.kind == STAFF,
                is_owner=member.member_id == row.owner,
                is_mine=member.member_id in mine,
                joined=JOIN_SCENES.get(member.join_scene, ""),
                invitor=known.get(member.invitor, "") if member.invitor else "",
                joined_at=member.joined_at,
                other_groups=elsewhere.get(member.member_id, 0),
            )
            for member in sorted(inside, key=lambda m: (m.member_id != row.owner, m.kind, m.joined_at or today))
        ),
        joined_today=sum(1 for m in inside if m.joined_at is not None and m.joined_at >= today),
        left_today=sum(1 for m in everybody if m.left_at is not None and m.left_at >= today),
    )


def _other_groups(session: Session, corp: CorpId, chat: ChatId) -> dict[str, int]:
    """In how many other living groups each external member of this one is."""
    here = select(GroupMemberRow.member_id).where(
        GroupMemberRow.corp_id == corp,
        GroupMemberRow.chat_id == chat,
        GroupMemberRow.kind == EXTERNAL,
        col(GroupMemberRow.left_at).is_(None),
    )
    rows = session.exec(
        select(GroupMemberRow.member_id, func.count())
        .join(
            CustomerGroupRow,
            (col(CustomerGroupRow.corp_id) == GroupMemberRow.corp_id)
            & (col(CustomerGroupRow.chat_id) == GroupMemberRow.chat_id),
        )
        .where(
            GroupMemberRow.corp_id == corp,
            GroupMemberRow.chat_id != chat,
            col(GroupMemberRow.left_at).is_(None),
            CustomerGroupRow.status == "active",
            col(GroupMemberRow.member_id).in_(here),
        )
        .group_by(GroupMemberRow.member_id)
    ).all()
    return dict(rows)


def groups_with(
    session: Session, corp: CorpId, staff_userid: StaffUserId, *, member: str = "", limit: int = 100
) -> list[GroupLine]:
    """Living groups that the staff member owns or is in, by name; those ``member`` is in too, when given."""
    chats = _chats_of(session, corp, staff_userid)
    if member:
        chats &= _chats_of(session, corp, member)
    return _lines(session, corp, chats, limit)


def groups_of_customer(session: Session, corp: CorpId, member: str, *, limit: int = 100) -> list[GroupLine]:
    """Living groups that a customer is in, by name."""
    return _lines(session, corp, _chats_of(session, corp, member), limit)


def counts(session: Session, corp: CorpId, staff_userid: StaffUserId, member: str) -> tuple[int, int]:
    """In how many living groups a customer is, and in how many of those the staff member is too or owns them."""
    rows = session.exec(
        select(CustomerGroupRow.chat_id, CustomerGroupRow.owner)
        .join(
            GroupMemberRow,
            (col(GroupMemberRow.corp_id) == CustomerGroupRow.corp_id)
            & (col(GroupMemberRow.chat_id) == CustomerGroupRow.chat_id),
        )
        .where(
            GroupMemberRow.corp_id == corp,
            GroupMemberRow.member_id == member,
            col(GroupMemberRow.left_at).is_(None),
            CustomerGroupRow.status == "active",
        )
    ).all()
    if not rows:
        return 0, 0
    inside = session.exec(
        select(GroupMemberRow.chat_id).where(
            GroupMemberRow.corp_id == corp,
            GroupMemberRow.member_id == staff_userid,
            col(GroupMemberRow.chat_id).in_([chat for chat, _ in rows]),
            col(GroupMemberRow.left_at).is_(None),
        )
    ).all()
    shared = {chat for chat, owner in rows if owner == staff_userid} | set(inside)
    return len(rows), len(shared)


def _chats_of(session: Session, corp: CorpId, member: str) -> set[str]:
    inside = session.exec(
        select(GroupMemberRow.chat_id).where(
            GroupMemberRow.corp_id == corp, GroupMemberRow.member_id == member, col(GroupMemberRow.left_at).is_(None)
        )
    ).all()
    owned = session.exec(
        select(CustomerGroupRow.chat_id).where(CustomerGroupRow.corp_id == corp, CustomerGroupRow.owner == member)
    ).all()
    return {*inside, *owned}


def _lines(session: Session, corp: CorpId, chats: set[str], limit: int) -> list[GroupLine]:
    rows = session.exec(
        select(CustomerGroupRow)
        .where(
            CustomerGroupRow.corp_id == corp,
            col(CustomerGroupRow.chat_id).in_(chats),
            CustomerGroupRow.status == "active",
        )
        .order_by(CustomerGroupRow.name, CustomerGroupRow.chat_id)
        .limit(limit)
    ).all()
    counts: dict[str, int] = defaultdict(int)
    counts.update(
        session.exec(
            select(GroupMemberRow.chat_id, func.count())
            .where(
                GroupMemberRow.corp_id == corp,
                col(GroupMemberRow.chat_id).in_([row.chat_id for row in rows]),
                col(GroupMemberRow.left_at).is_(None),
            )
            .group_by(GroupMemberRow.chat_id)
        ).all()
    )
    known = staff.names(session, corp, {row.owner for row in rows})
    return [
        GroupLine(
            chat=row.chat_id, name=row.name or "未命名群", owner_name=known[row.owner], members=counts[row.chat_id]
        )
        for row in rows
    ]
