"""Personal tags (个人标签): a staff member's own words on a follow, seen by nobody else.

WeCom's interface cannot write them: those from WeCom are shown and kept in step, those from here stay here.
"""

from dataclasses import dataclass

from sqlmodel import Session, col, func, select

from crm_core.db import UnitOfWork
from crm_core.errors import Conflict, InputInvalid
from crm_core.ids import CorpId, ExternalUserId, StaffUserId
from tagging.tables import PersonalTagRow

MOST_TAGS, MOST_CHARS = 30, 15
OWN, WECOM = "own", "wecom"


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonalTag:
    """One personal tag. is_own: made here, so that it can be removed here."""

    name: str
    is_own: bool


def of_follow(session: Session, corp: CorpId, staff: StaffUserId, external_user: ExternalUserId) -> list[PersonalTag]:
    """The staff member's personal tags on a customer, by name."""
    rows = session.exec(
        select(PersonalTagRow)
        .where(
            PersonalTagRow.corp_id == corp,
            PersonalTagRow.staff_userid == staff,
            PersonalTagRow.external_userid == external_user,
        )
        .order_by(PersonalTagRow.name)
    )
    return [PersonalTag(name=row.name, is_own=row.source == OWN) for row in rows]


def recent(
    session: Session, corp: CorpId, staff: StaffUserId, external_user: ExternalUserId, *, limit: int = 8
) -> list[str]:
    """Names the staff member used last on other customers and that this one lacks."""
    held = select(PersonalTagRow.name).where(
        PersonalTagRow.corp_id == corp,
        PersonalTagRow.staff_userid == staff,
        PersonalTagRow.external_userid == external_user,
    )
    rows = session.exec(
        select(PersonalTagRow.name)
        .where(
            PersonalTagRow.corp_id == corp,
            PersonalTagRow.staff_userid == staff,
            col(PersonalTagRow.name).not_in(held),
        )
        .group_by(PersonalTagRow.name)
        .order_by(func.max(PersonalTagRow.added_at).desc(), PersonalTagRow.name)
        .limit(limit)
    )
    return list(rows)


def add(uow: UnitOfWork, corp: CorpId, staff: StaffUserId, external_user: ExternalUserId, name: str) -> None:
    """Put a personal tag on a customer; there already: nothing changes. Raises: InputInvalid."""
    wanted = " ".join(name.split())
    if not 1 <= len(wanted) <= MOST_CHARS:
        raise InputInvalid(f"个人标签应有 1–{MOST_CHARS} 个字", field="name")
    uow.lock(f"personal_tags:{corp}:{staff}:{external_user}")
    held = of_follow(uow.session, corp, staff, external_user)
    if any(tag.name == wanted for tag in held):
        return
    if len(held) >= MOST_TAGS:
        raise InputInvalid(f"一位客户最多 {MOST_TAGS} 个个人标签，请先移除几个", field="name")
    uow.session.add(
        PersonalTagRow(
            corp_id=corp,
            staff_userid=staff,
            external_userid=external_user,
            name=wanted,
            source=OWN,
            added_at=uow.now(),
        )
    )
    uow.session.flush()


def remove(uow: UnitOfWork, corp: CorpId, staff: StaffUserId, external_user: ExternalUserId, name: str) -> None:
    """Take a personal tag off; not there: nothing changes. Raises: Conflict (it lives in WeCom)."""
    row = uow.session.get(PersonalTagRow, (corp, staff, external_user, name))
    if row is None:
        return
    if row.source != OWN:
        raise Conflict("这个标签来自企业微信，请在企业微信的客户资料里移除")
    uow.session.delete(row)
    uow.session.flush()
