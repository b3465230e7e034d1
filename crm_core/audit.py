"""Who did what: one row for every act that somebody may ask about later, and reading them back."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, select

from crm_core.db import UnitOfWork
from crm_core.ids import CorpId
from crm_core.tables import AuditRow


def record(
    uow: UnitOfWork,
    *,
    corp: CorpId,
    actor: str,
    act: str,
    object_kind: str,
    object_id: str,
    data: dict[str, Any] | None = None,
) -> None:
    """Write an audit row in the same commit as the act."""
    uow.session.add(
        AuditRow(
            corp_id=corp,
            actor=actor,
            act=act,
            object_kind=object_kind,
            object_id=object_id,
            at=uow.now(),
            data=data or {},
        )
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """Which rows to show. Empty means any. since, until: aware."""

    actor: str = ""
    act: str = ""
    object_kind: str = ""
    object_id: str = ""
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One act."""

    id: int
    actor: str
    act: str
    object_kind: str
    object_id: str
    at: datetime
    data: dict[str, Any]


def page(
    session: Session, corp: CorpId, wanted: AuditFilter, *, before: int | None = None, limit: int = 50
) -> tuple[list[AuditEntry], int | None]:
    """One page, newest first, and the id to go on before (None at the end)."""
    statement = select(AuditRow).where(AuditRow.corp_id == corp)
    for name in ("actor", "act", "object_kind", "object_id"):
        if value := getattr(wanted, name):
            statement = statement.where(getattr(AuditRow, name) == value)
    if wanted.since is not None:
        statement = statement.where(col(AuditRow.at) >= wanted.since)
    if wanted.until is not None:
        statement = statement.where(col(AuditRow.at) < wanted.until)
    if before is not None:
        statement = statement.where(col(AuditRow.id) < before)
    rows = session.exec(statement.order_by(col(AuditRow.id).desc()).limit(limit + 1)).all()
    entries = [AuditEntry(**row.model_dump(exclude={"corp_id"})) for row in rows[:limit]]
    return entries, entries[-1].id if len(rows) > limit else None


def every(session: Session, corp: CorpId) -> Iterator[AuditEntry]:
    """All acts in this corp, the newest first, read in pages."""
    before: int | None = None
    while True:
        entries, before = page(session, corp, AuditFilter(), before=before, limit=500)
        yield from entries
        if before is None:
            return
