"""Knowing again whose data was erased, so that nothing WeCom tells of them is taken in."""

import hashlib
from collections.abc import Sequence

from sqlmodel import Session, col, select

from crm_core.console_tables import ErasureRow
from crm_core.ids import CorpId
from crm_core.tables import ExternalUserRow


def token_of(corp: CorpId, external_user: str) -> str:
    """What is kept of an erased person: a hash that tells nobody who they were."""
    return hashlib.sha256(f"{corp}:{external_user}".encode()).hexdigest()


def is_erased(session: Session, corp: CorpId, external_user: str) -> bool:
    """Whether the person had their data erased and has not come back as a new contact since."""
    if session.get(ExternalUserRow, (corp, external_user)) is not None:
        return False
    return session.get(ErasureRow, (corp, token_of(corp, external_user))) is not None


def erased_among(session: Session, corp: CorpId, external_users: Sequence[str]) -> set[str]:
    """Those of them who are erased, in one query."""
    by_token = {token_of(corp, one): one for one in external_users}
    statement = select(ErasureRow.token).where(ErasureRow.corp_id == corp, col(ErasureRow.token).in_(by_token))
    suspects = [by_token[token] for token in session.exec(statement)]
    return {one for one in suspects if is_erased(session, corp, one)}
