"""Greetings (欢迎语) of staff and of the corp, for customers who came without a live code's own."""

from typing import Any

from sqlmodel import Session, select

from crm_core.db import UnitOfWork
from crm_core.ids import CorpId, StaffUserId
from crm_core.messages import dump_message, parse_message
from crm_core.tables import WelcomeMessageRow

EVERYBODY = ""


def set_message(uow: UnitOfWork, corp: CorpId, staff: str, raw: dict[str, Any] | None) -> None:
    """Set the greeting of a staff member, or of the corp (``staff`` ""); empty takes it away. Raises: InputInvalid."""
    message = parse_message(raw)
    row = uow.session.get(WelcomeMessageRow, (corp, staff))
    if message is None:
        if row is not None:
            uow.session.delete(row)
        return
    row = row or WelcomeMessageRow(corp_id=corp, staff_userid=staff, changed_at=uow.now())
    row.message, row.changed_at = dump_message(message), uow.now()
    uow.session.add(row)


def for_staff(session: Session, corp: CorpId, staff: StaffUserId) -> dict[str, Any] | None:
    """The greeting that applies to this staff member, in stored form."""
    row = session.get(WelcomeMessageRow, (corp, staff)) or session.get(WelcomeMessageRow, (corp, EVERYBODY))
    return row.message if row is not None else None


def by_staff(session: Session, corp: CorpId) -> dict[str, dict[str, Any]]:
    """Every greeting of a corp in stored form, by staff member; the corp's own under ""."""
    rows = session.exec(select(WelcomeMessageRow).where(WelcomeMessageRow.corp_id == corp))
    return {row.staff_userid: row.message for row in rows}


def live(session: Session, corp: CorpId) -> list[dict[str, Any]]:
    """Every greeting of a corp, in stored form."""
    return [row.message for row in session.exec(select(WelcomeMessageRow).where(WelcomeMessageRow.corp_id == corp))]
