"""What the SOP room holds about one customer: handed out, or kept without a name."""

from typing import Any

from sqlalchemy import update
from sqlmodel import Session, col, select

from crm_core.db import UnitOfWork
from crm_core.ids import CorpId, ExternalUserId
from sop.tables import EnrolmentRow, StepRunRow


def gather(session: Session, corp: CorpId, external_user: ExternalUserId) -> list[dict[str, Any]]:
    """The customer's follow-up tasks."""
    statement = select(StepRunRow).where(StepRunRow.corp_id == corp, StepRunRow.external_userid == external_user)
    return [row.model_dump(mode="json") for row in session.exec(statement)]


def erase(uow: UnitOfWork, corp: CorpId, external_user: ExternalUserId, pseudonym: str) -> None:
    """End what is under way; what was done counts on under the pseudonym, without its texts."""
    now = uow.now()
    active = (col(EnrolmentRow.corp_id) == corp, col(EnrolmentRow.external_userid) == external_user)
    uow.session.execute(
        update(EnrolmentRow)
        .where(*active, col(EnrolmentRow.status).in_(("active", "paused")))
        .values(status="stopped", ended_at=now, end_reason="客户信息已抹除")
    )
    for row in uow.session.exec(select(EnrolmentRow).where(*active)):
        row.external_userid, row.dedupe_key = pseudonym, f"{pseudonym}:{row.id}"
        uow.session.add(row)
    mine = (col(StepRunRow.corp_id) == corp, col(StepRunRow.external_userid) == external_user)
    uow.session.execute(
        update(StepRunRow)
        .where(*mine, col(StepRunRow.status) == "due")
        .values(status="skipped", ended_at=now, reason="客户信息已抹除")
    )
    uow.session.execute(update(StepRunRow).where(*mine).values(external_userid=pseudonym, message={}))
