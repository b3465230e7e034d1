"""A changed userid is carried through the chats: messages with their index, conversations, waits, daily figures."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Row, Table, and_, bindparam, delete, insert, or_, select, update
from sqlmodel import Session

from crm_core import outbox
from crm_core.chat import blind
from crm_core.chat.conversations import TALKS
from crm_core.chat.model import APART, ChatMessage, Conversation, ConversationKind, Party, PartyKind
from crm_core.chat.reply_report import WAITS
from crm_core.chat.reply_watch import DAYS
from crm_core.chat.store import MESSAGES, ChatStore
from crm_core.db import UnitOfWork
from crm_core.events import StaffUpdated
from crm_core.ids import CorpId

RENAME_JOB = "chat.rename"
AT_ONCE = 500
SINGLE = ConversationKind.SINGLE.value
SUMS = ("from_staff", "from_customers", "from_others")


def ask(event: StaffUpdated, uow: UnitOfWork) -> None:
    """Have a changed userid carried through; it may be many messages, so a job does it."""
    if event.new_staff is not None and event.new_staff != event.staff:
        outbox.add_job(
            uow,
            RENAME_JOB,
            dedupe_key=f"{RENAME_JOB}:{event.corp}:{event.key}",
            payload={"corp": event.corp, "old": event.staff, "new": event.new_staff},
        )


def move_messages(uow: UnitOfWork, store: ChatStore, corp: CorpId, old: str, new: str, after: int) -> int:
    """The next messages by id. Answers the last id, 0 when all are done."""
    in_talk = and_(MESSAGES.c.conversation_kind == SINGLE, MESSAGES.c.conversation_key.startswith(f"{old}{APART}"))
    by_them = and_(MESSAGES.c.sender_kind == PartyKind.STAFF.value, MESSAGES.c.sender_id == old)
    found = select(MESSAGES).where(MESSAGES.c.corp_id == corp, MESSAGES.c.id > after, or_(in_talk, by_them))
    connection = uow.session.connection()
    rows = connection.execute(found.order_by(MESSAGES.c.id).limit(AT_ONCE)).all()
    if rows:
        _reindex(uow.session, store, corp, rows, old, new)
        named = update(MESSAGES).where(MESSAGES.c.id == bindparam("b_id"))
        connection.execute(named, [_moved_row(row, old, new) for row in rows])
    return rows[-1].id if len(rows) == AT_ONCE else 0


def _reindex(session: Session, store: ChatStore, corp: CorpId, rows: Sequence[Row[Any]], old: str, new: str) -> None:
    blinder = store.blinder(session)
    if blinder is None:
        return
    opened = [(row.id, store.open(row).message) for row in rows]
    blind.drop(session, [(row_id, blinder.of_message(corp, message)) for row_id, message in opened])
    blind.add(session, [(row_id, blinder.of_message(corp, _moved(message, old, new))) for row_id, message in opened])


def _moved(message: ChatMessage, old: str, new: str) -> ChatMessage:
    where, who = message.conversation, message.sender
    if where.staff == old:
        where = Conversation.single(new, where.external_user or "")
    if who == Party(PartyKind.STAFF, old):
        who = Party(PartyKind.STAFF, new)
    return replace(message, conversation=where, sender=who)


def _moved_row(row: Row[Any], old: str, new: str) -> dict[str, Any]:
    is_theirs = row.conversation_kind == SINGLE and row.conversation_key.startswith(f"{old}{APART}")
    said = row.sender_kind == PartyKind.STAFF.value and row.sender_id == old
    return {
        "b_id": row.id,
        "conversation_key": _key(row.conversation_key, old, new) if is_theirs else row.conversation_key,
        "sender_id": new if said else row.sender_id,
    }


def _key(key: str, old: str, new: str) -> str:
    return f"{new}{key[len(old) :]}"


def move_talks(uow: UnitOfWork, corp: CorpId, old: str, new: str) -> None:
    """Conversations and daily figures, joined with those the new userid has already; then the waits."""
    for table, keys in ((TALKS, ("kind", "key")), (DAYS, ("day", "kind", "key"))):
        _move(uow.session, table, keys, corp, old, new)
    theirs = (WAITS.c.corp_id == corp, WAITS.c.staff_userid == old)
    for row in uow.session.connection().execute(select(WAITS.c.id, WAITS.c.kind, WAITS.c.key).where(*theirs)).all():
        key = _key(row.key, old, new) if row.kind == SINGLE else row.key
        uow.session.execute(update(WAITS).where(WAITS.c.id == row.id).values(staff_userid=new, key=key))
    answered = (WAITS.c.corp_id == corp, WAITS.c.answered_by == old)
    uow.session.execute(update(WAITS).where(*answered).values(answered_by=new))


def _move(session: Session, table: Table, keys: tuple[str, ...], corp: CorpId, old: str, new: str) -> None:
    connection = session.connection()
    theirs = select(table).where(table.c.corp_id == corp, table.c.staff_userid == old)
    for before in [dict(row) for row in connection.execute(theirs).mappings()]:
        told: dict[str, Any] = before | {"staff_userid": new}
        if before["kind"] == SINGLE:
            told["key"] = _key(before["key"], old, new)
        connection.execute(delete(table).where(*_named(table, keys, corp, before)))
        known = connection.execute(select(table).where(*_named(table, keys, corp, told))).mappings().first()
        if known is None:
            connection.execute(insert(table).values(**told))
        else:
            joined = _joined(dict(known), told)
            connection.execute(update(table).where(*_named(table, keys, corp, told)).values(**joined))


def _named(table: Table, keys: tuple[str, ...], corp: CorpId, values: Mapping[str, Any]) -> list[Any]:
    return [table.c.corp_id == corp, *(table.c[name] == values[name] for name in keys)]


def _joined(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {name: one[name] + other[name] for name in SUMS if name in one}
    found["first_at"] = min(one["first_at"], other["first_at"])
    found["last_at"] = max(one["last_at"], other["last_at"])
    if "last_position" in one:
        found["last_position"] = max(one["last_position"], other["last_position"])
    return found
