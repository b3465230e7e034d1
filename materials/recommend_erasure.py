"""What recommendation holds about one customer: handed out, or forgotten."""

from typing import Any

from sqlmodel import Session, col, select

from crm_core.db import UnitOfWork
from crm_core.ids import CorpId, ExternalUserId
from crm_core.ports import TextCipher
from materials import customer_turns, gaps, lessons
from materials.recommend_tables import ScriptGapCaseRow, ScriptLessonRow


def gather(
    session: Session, cipher: TextCipher, corp: CorpId, external_user: ExternalUserId
) -> dict[str, list[dict[str, Any]]]:
    """What they said that taught the ranking, and which of their questions nothing answered."""
    token = lessons.token_of(corp, external_user)
    taught = session.exec(
        select(ScriptLessonRow).where(ScriptLessonRow.corp_id == corp, col(ScriptLessonRow.customer_token) == token)
    )
    asked = session.exec(
        select(ScriptGapCaseRow).where(
            ScriptGapCaseRow.corp_id == corp, ScriptGapCaseRow.external_userid == external_user
        )
    )
    return {
        "lessons": [
            {"said": cipher.unseal(row.said), "verdict": row.verdict, "at": row.happened_at.isoformat()}
            for row in taught
        ],
        "unanswered": [row.model_dump(mode="json") for row in asked],
    }


def erase(uow: UnitOfWork, corp: CorpId, external_user: ExternalUserId) -> None:
    """Forget what they said; groups of questions keep their counts."""
    lessons.forget(uow, corp, external_user)
    gaps.forget(uow, corp, external_user)
    customer_turns.forget(uow, corp, external_user)
