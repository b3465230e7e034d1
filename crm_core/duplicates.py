"""Who may be the same person as this customer (疑似重复), and what a staff member decides about it."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, select

from crm_core import audit, customers, identity, timeline
from crm_core.db import UnitOfWork
from crm_core.errors import Conflict, NotFound
from crm_core.ids import CorpId, CustomerId, ExternalUserId, StaffUserId
from crm_core.record_tables import CustomerMobileRow
from crm_core.tables import CustomerMergeRow, ExternalUserRow, FollowRow

MOST_SHOWN = 5
REASONS = {"unionid": "微信身份相同", "mobile": "手机号相同", "looks": "昵称和头像相同"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Duplicate:
    """Somebody who may be the same person. reasons: in words, the surest first."""

    external_user: str
    name: str
    avatar_url: str
    kind: int
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge:
    """A merge that can be taken back. other: the names of the accounts that it brought in."""

    id: int
    others: str
    reason: str
    at: datetime


def find(session: Session, corp: CorpId, staff: StaffUserId, external_user: ExternalUserId) -> list[Duplicate]:
    """The staff member's own customers who may be the same person as this one; the surest first."""
    own = session.get(ExternalUserRow, (corp, external_user))
    if own is None:
        return []
    reasons: dict[str, list[str]] = defaultdict(list)
    for reason, users in (
        ("unionid", _same_unionid(session, corp, own)),
        ("mobile", _same_mobile(session, corp, own)),
        ("looks", _same_looks(session, corp, own)),
    ):
        for user in users:
            reasons[user].append(REASONS[reason])
    reasons.pop(external_user, None)
    if not reasons:
        return []
    rows = session.exec(
        select(ExternalUserRow)
        .join(
            FollowRow,
            (col(FollowRow.corp_id) == ExternalUserRow.corp_id)
            & (col(FollowRow.external_userid) == ExternalUserRow.external_userid),
        )
        .where(
            ExternalUserRow.corp_id == corp,
            col(ExternalUserRow.external_userid).in_(reasons),
            ExternalUserRow.customer_id != own.customer_id,
            FollowRow.staff_userid == staff,
        )
    ).all()
    mine = CustomerId(own.customer_id)
    found = [row for row in rows if not _ruled_out(session, mine, CustomerId(row.customer_id))]
    found.sort(key=lambda row: (-len(reasons[row.external_userid]), row.external_userid))
    return [
        Duplicate(
            external_user=row.external_userid,
            name=row.name,
            avatar_url=row.avatar_url,
            kind=row.kind,
            reasons=tuple(reasons[row.external_userid]),
        )
        for row in found[:MOST_SHOWN]
    ]


def merge(
    uow: UnitOfWork, corp: CorpId, staff: StaffUserId, external_user: ExternalUserId, other: ExternalUserId
) -> int:
    """Make two of the staff member's customers one; both timelines stay. Answers the merge's id.

    Raises: NotFound (one of them is not theirs), Conflict (one already).
    """
    rows = [_own_row(uow.session, corp, staff, user) for user in (external_user, other)]
    left, right = (CustomerId(row.customer_id) for row in rows)
    merge_id = identity.merge_by_person(uow, corp, left, right)
    _write_down(uow, corp, staff, external_user, "customer.merged", merge_id, _name(rows[1]))
    return merge_id


def keep_apart(
    uow: UnitOfWork, corp: CorpId, staff: StaffUserId, external_user: ExternalUserId, other: ExternalUserId
) -> None:
    """They are two people: do not ask again, do not merge them by themselves. Raises: NotFound."""
    rows = [_own_row(uow.session, corp, staff, user) for user in (external_user, other)]
    left, right = (CustomerId(row.customer_id) for row in rows)
    identity.keep_apart(uow, corp, left, right)


def merges_of(session: Session, corp: CorpId, external_user: ExternalUserId) -> list[Merge]:
    """Merges inside this corp that made the customer what it is and still stand, newest first."""
    own = session.get(ExternalUserRow, (corp, external_user))
    if own is None:
        return []
    rows = session.exec(
        select(CustomerMergeRow)
        .where(
            CustomerMergeRow.corp_id == corp,
            CustomerMergeRow.kept_id == own.customer_id,
            col(CustomerMergeRow.undone_at).is_(None),
        )
        .order_by(col(CustomerMergeRow.id).desc())
    ).all()
    if not rows:
        return []
    users = {user for row in rows for held, user in row.moved["external_users"] if held == corp}
    names = customers.display_names(session, corp, users)
    return [
        Merge(id=row.id or 0, others=_told(corp, row, names), reason=_reason(row.reason), at=row.merged_at)
        for row in rows
    ]


def undo(uow: UnitOfWork, corp: CorpId, staff: StaffUserId, external_user: ExternalUserId, merge_id: int) -> None:
    """Take a merge of this customer back. Raises: NotFound, Conflict (taken back already)."""
    row = uow.session.get(CustomerMergeRow, merge_id)
    own = _own_row(uow.session, corp, staff, external_user)
    if row is None or row.corp_id != corp or own.customer_id not in (row.kept_id, row.merged_id):
        raise NotFound("没有这次合并记录")
    if row.undone_at is not None:
        raise Conflict("这次合并已经撤销过")
    names = customers.display_names(
        uow.session, corp, {user for held, user in row.moved["external_users"] if held == corp}
    )
    identity.undo_merge(uow, merge_id)
    _write_down(uow, corp, staff, external_user, "customer.split", merge_id, _told(corp, row, names))


def _told(corp: CorpId, row: CustomerMergeRow, names: dict[str, str]) -> str:
    return (
        "、".join(names[user] or "新客户" for held, user in row.moved["external_users"] if held == corp) or "其他账号"
    )


def _reason(reason: str) -> str:
    return {identity.PERSON: "员工合并", identity.UNIONID: REASONS["unionid"], identity.MOBILE: REASONS["mobile"]}.get(
        reason, reason
    )


def _name(row: ExternalUserRow) -> str:
    return row.name or "新客户"


def _own_row(session: Session, corp: CorpId, staff: StaffUserId, external_user: ExternalUserId) -> ExternalUserRow:
    row = session.get(ExternalUserRow, (corp, external_user))
    if row is None or customers.find_follow(session, corp, staff, external_user) is None:
        raise NotFound("没有找到这位客户")
    return row


def _ruled_out(session: Session, left: CustomerId, right: CustomerId) -> bool:
    return identity.was_undone(session, CustomerId(min(left, right)), CustomerId(max(left, right)))


def _same_unionid(session: Session, corp: CorpId, own: ExternalUserRow) -> Iterable[str]:
    if not own.unionid:
        return ()
    return session.exec(
        select(ExternalUserRow.external_userid).where(
            ExternalUserRow.corp_id == corp, ExternalUserRow.unionid == own.unionid
        )
    ).all()


def _same_mobile(session: Session, corp: CorpId, own: ExternalUserRow) -> Iterable[str]:
    mine = select(CustomerMobileRow.mobile).where(
        CustomerMobileRow.corp_id == corp, CustomerMobileRow.external_userid == own.external_userid
    )
    return session.exec(
        select(CustomerMobileRow.external_userid).where(
            CustomerMobileRow.corp_id == corp, col(CustomerMobileRow.mobile).in_(mine)
        )
    ).all()


def _same_looks(session: Session, corp: CorpId, own: ExternalUserRow) -> Iterable[str]:
    if not own.name or not own.avatar_url:
        return ()
    return session.exec(
        select(ExternalUserRow.external_userid).where(
            ExternalUserRow.corp_id == corp,
            ExternalUserRow.name == own.name,
            ExternalUserRow.avatar_url == own.avatar_url,
        )
    ).all()


def _write_down(
    uow: UnitOfWork,
    corp: CorpId,
    staff: StaffUserId,
    external_user: ExternalUserId,
    act: str,
    merge_id: int,
    name: str,
) -> None:
    timeline.append(
        uow,
        corp=corp,
        external_user=external_user,
        staff=staff,
        kind=act,
        at=uow.now(),
        dedupe_key=f"{act}:{merge_id}",
        data={"other": name},
    )
    audit.record(
        uow,
        corp=corp,
        actor=staff,
        act=act,
        object_kind="external_user",
        object_id=external_user,
        data={"merge_id": merge_id},
    )
