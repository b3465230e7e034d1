"""Changing the key that content is sealed with: every message is opened and sealed anew, batch by batch."""

from dataclasses import dataclass

from sqlalchemy import bindparam, func, select, update
from sqlmodel import Session, col
from sqlmodel import select as select_rows

from crm_core.chat.store import MESSAGES
from crm_core.chat_tables import ChatSecretRow
from crm_core.db import UnitOfWork
from crm_core.errors import ScrmError
from crm_core.ports import TextCipher

AT_ONCE = 500
PROGRESS = "resealed"  # the secret's row that says how far a change has come; its content is the last id


@dataclass(frozen=True, slots=True, kw_only=True)
class Resealed:
    """One batch. last_id: where to go on; 0: all is done. unreadable: ids that no key opens."""

    done: int
    last_id: int
    unreadable: tuple[int, ...]


def total(session: Session) -> int:
    """How many messages there are."""
    return int(session.connection().execute(select(func.count()).select_from(MESSAGES)).scalar() or 0)


def place(session: Session, cipher: TextCipher) -> int:
    """Where a change that was broken off goes on; 0: at the beginning."""
    row = session.get(ChatSecretRow, PROGRESS)
    return int(cipher.unseal(row.sealed)) if row is not None else 0


def reseal_secrets(uow: UnitOfWork, cipher: TextCipher) -> None:
    """The small secrets, all at once."""
    for row in uow.session.exec(select_rows(ChatSecretRow).where(col(ChatSecretRow.name) != PROGRESS)):
        row.sealed = cipher.seal(cipher.unseal(row.sealed))
        uow.session.add(row)


def reseal(uow: UnitOfWork, cipher: TextCipher, after: int) -> Resealed:
    """Seal the next messages with the first key, and remember the place in the same commit."""
    connection = uow.session.connection()
    found = select(MESSAGES.c.id, MESSAGES.c.content).where(MESSAGES.c.id > after).order_by(MESSAGES.c.id)
    rows = connection.execute(found.limit(AT_ONCE)).all()
    sealed, lost = [], []
    for row in rows:
        try:
            sealed.append({"b_id": row.id, "content": cipher.seal(cipher.unseal(row.content))})
        except ScrmError:
            lost.append(row.id)
    if sealed:
        connection.execute(update(MESSAGES).where(MESSAGES.c.id == bindparam("b_id")), sealed)
    last = rows[-1].id if len(rows) == AT_ONCE else 0
    _remember(uow, cipher, last)
    return Resealed(done=len(rows), last_id=last, unreadable=tuple(lost))


def _remember(uow: UnitOfWork, cipher: TextCipher, last: int) -> None:
    row = uow.session.get(ChatSecretRow, PROGRESS)
    if not last:
        if row is not None:
            uow.session.delete(row)
        return
    row = row or ChatSecretRow(name=PROGRESS, sealed=b"", made_at=uow.now())
    row.sealed = cipher.seal(str(last))
    uow.session.add(row)
