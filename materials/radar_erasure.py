"""What the radar holds about one customer: handed out, or kept without a name."""

from typing import Any

from sqlalchemy import delete, update
from sqlmodel import Session, col, select

from crm_core.db import UnitOfWork
from crm_core.ids import CorpId, ExternalUserId
from materials.radar_tables import InterestPointRow, RadarLinkRow, RadarViewRow


def gather(session: Session, corp: CorpId, external_user: ExternalUserId) -> dict[str, list[dict[str, Any]]]:
    """What the customer was sent, what they read of it, and the points they got for it."""
    return {
        table.__name__.removesuffix("Row"): [
            row.model_dump(mode="json", exclude={"token"})
            for row in session.exec(
                select(table).where(col(table.corp_id) == corp, col(table.external_userid) == external_user)
            )
        ]
        for table in (RadarLinkRow, RadarViewRow, InterestPointRow)
    }


def erase(uow: UnitOfWork, corp: CorpId, external_user: ExternalUserId, pseudonym: str) -> None:
    """Views count on under the pseudonym, links to the customer stop working, their score is forgotten."""
    now = uow.now()
    links = (col(RadarLinkRow.corp_id) == corp, col(RadarLinkRow.external_userid) == external_user)
    uow.session.execute(
        update(RadarLinkRow)
        .where(*links, col(RadarLinkRow.revoked_at).is_(None))
        .values(revoked_at=now, revoked_by="erasure")
    )
    uow.session.execute(update(RadarLinkRow).where(*links).values(external_userid=pseudonym, pending=[], tell_at=None))
    uow.session.execute(
        update(RadarViewRow)
        .where(col(RadarViewRow.corp_id) == corp, col(RadarViewRow.external_userid) == external_user)
        .values(external_userid=pseudonym)
    )
    uow.session.execute(
        delete(InterestPointRow).where(
            col(InterestPointRow.corp_id) == corp, col(InterestPointRow.external_userid) == external_user
        )
    )
