"""The customer's timeline (客户动态): append-only, each entry once."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, bindparam, or_
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import Insert
from sqlmodel import Session, SQLModel, col, select

from crm_core.db import UnitOfWork
from crm_core.ids import CorpId, ExternalUserId
from crm_core.listing import cursor_of, values_of
from crm_core.tables import TimelineRow


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineEntry:
    """One thing that happened. kind is dotted, e.g. ``follow.started``; at is aware UTC."""

    id: int
    kind: str
    at: datetime
    staff: str
    data: dict[str, Any]


def append(
    uow: UnitOfWork,
    *,
    corp: CorpId,
    external_user: ExternalUserId,
    kind: str,
    at: datetime,
    dedupe_key: str,
    staff: str = "",
    data: dict[str, Any] | None = None,
) -> bool:
    """Add an entry once per ``dedupe_key``. Answers whether it was new."""
    connection = uow.session.connection()
    given = {
        "corp_id": corp,
        "external_userid": external_user,
        "staff_userid": staff,
        "kind": kind,
        "at": at,
        "data": data or {},
        "dedupe_key": dedupe_key,
    }
    statement = _append_statement(connection.dialect.name)
    return connection.execute(statement, given).scalar_one_or_none() is not None


@functools.cache
def _append_statement(dialect: str) -> Insert:
    builder = postgresql if dialect == "postgresql" else sqlite
    table = SQLModel.metadata.tables[str(TimelineRow.__tablename__)]
    statement: Insert = (
        builder.insert(table)
        .values(
            {column.name: bindparam(column.name, type_=column.type) for column in table.columns if column.name != "id"}
        )
        .on_conflict_do_nothing(index_elements=["corp_id", "dedupe_key"])
        .returning(table.c.id)
    )
    return statement


def place(entry: TimelineEntry) -> str:
    """Where an entry stands, as an address can carry it."""
    return cursor_of((entry.at, entry.id))


def place_of(cursor: str) -> tuple[datetime, int] | None:
    """The place that ``place`` told, None for "". Raises: InputInvalid."""
    values = values_of(cursor, (datetime, int))
    return None if values is None else (values[0], values[1])


def read(
    session: Session,
    corp: CorpId,
    external_user: ExternalUserId,
    *,
    before: tuple[datetime, int] | None = None,
    kinds: tuple[str, ...] = (),
    limit: int = 20,
    also: Sequence[ExternalUserId] = (),
) -> list[TimelineEntry]:
    """Entries, newest first. ``before`` is (at, id) of the last entry already shown. ``kinds`` are prefixes.

    ``also``: other accounts of the same customer, whose entries are mixed in.
    """
    of_whom = col(TimelineRow.external_userid)
    whose = of_whom.in_([external_user, *also]) if also else of_whom == external_user
    statement = (
        select(TimelineRow)
        .where(TimelineRow.corp_id == corp, whose)
        .order_by(col(TimelineRow.at).desc(), col(TimelineRow.id).desc())
        .limit(limit)
    )
    if before is not None:
        at, entry_id = before
        statement = statement.where(
            or_(col(TimelineRow.at) < at, and_(col(TimelineRow.at) == at, col(TimelineRow.id) < entry_id))
        )
    if kinds:
        statement = statement.where(or_(*(col(TimelineRow.kind).startswith(kind, autoescape=True) for kind in kinds)))
    return [
        TimelineEntry(id=row.id or 0, kind=row.kind, at=row.at, staff=row.staff_userid, data=row.data)
        for row in session.exec(statement)
    ]
