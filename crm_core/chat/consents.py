"""Who agreed to be recorded in the chat archive (客户同意会话存档), towards which member."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import func
from sqlmodel import Session, col, select

from crm_core import timeline
from crm_core.archive_tables import ArchiveConsentRow
from crm_core.db import UnitOfWork
from crm_core.events import ArchiveConsentGiven
from crm_core.ids import CorpId, ExternalUserId


class Consent(StrEnum):
    """agreed, refused, or default: agreed by the rules of the corp without having been asked."""

    AGREED = "agreed"
    REFUSED = "refused"
    DEFAULT = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentState:
    """One customer towards one member. staff: "" when WeCom did not tell."""

    external_user: str
    staff: str
    status: Consent
    changed_at: datetime


def record(
    uow: UnitOfWork, corp: CorpId, external_user: str, staff: str, status: Consent, at: datetime, source: str
) -> None:
    """Note what a customer decided; an older decision never replaces a younger one."""
    row = uow.session.get(ArchiveConsentRow, (corp, external_user, staff))
    if row is not None and (row.changed_at > at or (row.changed_at == at and row.status == status)):
        return
    is_news = row is None or row.status != status
    row = row or ArchiveConsentRow(
        corp_id=corp, external_userid=external_user, staff_userid=staff, status=status, source=source, changed_at=at
    )
    row.status, row.source, row.changed_at = status.value, source, at
    uow.session.add(row)
    if is_news and status is not Consent.DEFAULT:
        timeline.append(
            uow,
            corp=corp,
            external_user=ExternalUserId(external_user),
            staff=staff,
            kind=f"archive.{status.value}",
            at=at,
            dedupe_key=f"archive:{status.value}:{external_user}:{staff}:{at.timestamp():.3f}",
        )


def record_callback(event: ArchiveConsentGiven, uow: UnitOfWork) -> None:
    """The callback msg_audit_approved."""
    record(uow, event.corp, event.external_user, event.staff, Consent.AGREED, event.occurred_at, "callback")


def of_customer(session: Session, corp: CorpId, external_user: str) -> list[ConsentState]:
    """What a customer decided, youngest first."""
    rows = session.exec(
        select(ArchiveConsentRow)
        .where(ArchiveConsentRow.corp_id == corp, ArchiveConsentRow.external_userid == external_user)
        .order_by(col(ArchiveConsentRow.changed_at).desc())
    )
    return [_state(row) for row in rows]


def known_pairs(session: Session, corp: CorpId, external_users: Sequence[str]) -> set[tuple[str, str]]:
    """Pairs (customer, member) whose decision is known."""
    rows = session.exec(
        select(ArchiveConsentRow.external_userid, ArchiveConsentRow.staff_userid).where(
            ArchiveConsentRow.corp_id == corp, col(ArchiveConsentRow.external_userid).in_(list(external_users))
        )
    )
    return {(external_user, staff) for external_user, staff in rows}


def latest(
    session: Session,
    corp: CorpId,
    *,
    status: Consent | None = None,
    before: tuple[datetime, str, str] | None,
    limit: int,
) -> list[ConsentState]:
    """The youngest decisions, those before a place when one is given."""
    row = ArchiveConsentRow
    wanted = select(row).where(row.corp_id == corp)
    if status is not None:
        wanted = wanted.where(row.status == status.value)
    if before is not None:
        at, external_user, staff = before
        wanted = wanted.where(
            (col(row.changed_at) < at)
            | (
                (col(row.changed_at) == at)
                & (
                    (col(row.external_userid) > external_user)
                    | ((col(row.external_userid) == external_user) & (col(row.staff_userid) > staff))
                )
            )
        )
    order = (col(row.changed_at).desc(), col(row.external_userid), col(row.staff_userid))
    return [_state(found) for found in session.exec(wanted.order_by(*order).limit(limit))]


def counts(session: Session, corp: CorpId) -> dict[Consent, int]:
    """How many decisions of each kind."""
    row = ArchiveConsentRow
    found = session.exec(select(row.status, func.count()).where(row.corp_id == corp).group_by(col(row.status)))
    return {Consent(status): count for status, count in found}


def _state(row: ArchiveConsentRow) -> ConsentState:
    return ConsentState(
        external_user=row.external_userid,
        staff=row.staff_userid,
        status=Consent(row.status),
        changed_at=row.changed_at,
    )
