"""Changing the key that content is sealed with: all is opened and sealed anew, table by table, batch by batch."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Table, bindparam, func, select, update
from sqlmodel import Session, SQLModel, col
from sqlmodel import select as select_rows

from crm_core.chat_tables import ChatSecretRow
from crm_core.db import UnitOfWork
from crm_core.errors import ScrmError
from crm_core.ports import TextCipher

AT_ONCE = 500
PROGRESS = "resealed"  # the secret's row that says how far a change has come; its content is the place


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a change stands. column: number in the list of columns; after: the last id that is done there."""

    column: int = 0
    after: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Resealed:
    """One batch. following: where to go on, None: all is done. unreadable: what no key opens."""

    done: int
    following: Place | None
    unreadable: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SealedColumn:
    """A column that the cipher seals, in a table with the key ``id``; empty values are none."""

    table: str
    column: str

    @property
    def rows(self) -> Table:
        """The table."""
        return SQLModel.metadata.tables[self.table]


def total(session: Session, columns: Sequence[SealedColumn]) -> int:
    """How many rows there are."""
    counts = (session.connection().execute(select(func.count()).select_from(one.rows)).scalar() for one in columns)
    return sum(int(count or 0) for count in counts)


def place(session: Session, cipher: TextCipher) -> Place:
    """Where a change that was broken off goes on."""
    row = session.get(ChatSecretRow, PROGRESS)
    if row is None:
        return Place()
    column, _, after = cipher.unseal(row.sealed).partition(":")
    return Place(column=int(column), after=int(after))


def reseal_secrets(uow: UnitOfWork, cipher: TextCipher) -> None:
    """The small secrets, all at once."""
    for row in uow.session.exec(select_rows(ChatSecretRow).where(col(ChatSecretRow.name) != PROGRESS)):
        row.sealed = cipher.seal(cipher.unseal(row.sealed))
        uow.session.add(row)


def reseal(uow: UnitOfWork, cipher: TextCipher, columns: Sequence[SealedColumn], at: Place) -> Resealed:
    """Seal the next rows with the first key, and remember the place in the same commit."""
    connection, sealed = uow.session.connection(), columns[at.column]
    ids, content = sealed.rows.c.id, sealed.rows.c[sealed.column]
    found = select(ids, content).where(ids > at.after).order_by(ids).limit(AT_ONCE)
    rows = connection.execute(found).all()
    anew, lost = [], []
    for row_id, value in rows:
        if not value:
            continue
        try:
            anew.append({"b_id": row_id, "b_content": cipher.seal(cipher.unseal(value))})
        except ScrmError:
            lost.append(f"{sealed.table} {row_id}")
    if anew:
        changed = update(sealed.rows).where(ids == bindparam("b_id")).values({sealed.column: bindparam("b_content")})
        connection.execute(changed, anew)
    following: Place | None = Place(column=at.column, after=rows[-1][0]) if len(rows) == AT_ONCE else None
    if following is None and at.column + 1 < len(columns):
        following = Place(column=at.column + 1)
    _remember(uow, cipher, following)
    return Resealed(done=len(rows), following=following, unreadable=tuple(lost))


def _remember(uow: UnitOfWork, cipher: TextCipher, following: Place | None) -> None:
    row = uow.session.get(ChatSecretRow, PROGRESS)
    if following is None:
        if row is not None:
            uow.session.delete(row)
        return
    row = row or ChatSecretRow(name=PROGRESS, sealed=b"", made_at=uow.now())
    row.sealed = cipher.seal(f"{following.column}:{following.after}")
    uow.session.add(row)
