"""How long messages are kept, and what happens to them when their time is over or a customer asks for it."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, and_, delete, func, or_, select, update
from sqlmodel import Session, SQLModel

from crm_core import audit
from crm_core.chat import archive_media, blind
from crm_core.chat.conversations import TALKS
from crm_core.chat.model import ChatMessage, PartyKind, StoredMessage
from crm_core.chat.store import MESSAGES, ChatStore
from crm_core.chat_tables import ReplyDayRow, ReplyWaitRow
from crm_core.db import UnitOfWork
from crm_core.errors import ScrmError
from crm_core.ids import CorpId, ExternalUserId

AT_ONCE = 500
WAITS = SQLModel.metadata.tables[str(ReplyWaitRow.__tablename__)]
DAYS = SQLModel.metadata.tables[str(ReplyDayRow.__tablename__)]
ACTOR = "retention"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """What was deleted. is_over: nothing more to delete; file_keys: bytes to delete once the unit has committed."""

    messages: int
    is_over: bool
    file_keys: tuple[str, ...] = ()


def drop_older(uow: UnitOfWork, store: ChatStore, corp: CorpId, kind: str, before: datetime) -> Dropped:
    """Delete the oldest messages of a kind of conversation, a batch, with all that was made of them here."""
    oldest = (
        select(MESSAGES)
        .where(MESSAGES.c.corp_id == corp, MESSAGES.c.conversation_kind == kind, MESSAGES.c.sent_at < before)
        .order_by(MESSAGES.c.sent_at)
        .limit(AT_ONCE)
    )
    rows = uow.session.connection().execute(oldest).all()
    keys = _drop(uow.session, store, corp, rows)
    if len(rows) < AT_ONCE:
        _drop_empty_talks(uow.session, corp, kind, before)
    return Dropped(messages=len(rows), is_over=len(rows) < AT_ONCE, file_keys=tuple(keys))


def note_dropped(uow: UnitOfWork, corp: CorpId, counts: dict[str, int]) -> None:
    """One audit row for a night's deletions; none when nothing was deleted."""
    if any(counts.values()):
        audit.record(
            uow, corp=corp, actor=ACTOR, act="chat.expired", object_kind="chat", object_id="retention", data=counts
        )


def gather(session: Session, store: ChatStore, corp: CorpId, external_user: ExternalUserId) -> list[dict[str, Any]]:
    """What was said with a customer alone, and what they said in groups, as plain values, oldest first."""
    return [_plain(store.open(row)) for row in _about(session, corp, external_user)]


def erase(uow: UnitOfWork, store: ChatStore, corp: CorpId, external_user: ExternalUserId) -> Dropped:
    """Delete what was said with a customer alone, and what they said in groups."""
    count, keys = 0, set[str]()
    while rows := list(_about(uow.session, corp, external_user, limit=AT_ONCE)):
        keys.update(_drop(uow.session, store, corp, rows))
        count += len(rows)
    for table in (TALKS, WAITS, DAYS):
        uow.session.execute(delete(table).where(table.c.corp_id == corp, table.c.external_userid == external_user))
    return Dropped(messages=count, is_over=True, file_keys=tuple(sorted(keys)))


def _about(
    session: Session, corp: CorpId, external_user: ExternalUserId, limit: int | None = None
) -> Iterator[Row[Any]]:
    talks = session.connection().execute(
        select(TALKS.c.kind, TALKS.c.key).where(TALKS.c.corp_id == corp, TALKS.c.external_userid == external_user)
    )
    theirs = [
        and_(MESSAGES.c.conversation_kind == kind, MESSAGES.c.conversation_key == key) for kind, key in talks.all()
    ]
    said = and_(MESSAGES.c.sender_kind == PartyKind.CUSTOMER.value, MESSAGES.c.sender_id == external_user)
    found = select(MESSAGES).where(MESSAGES.c.corp_id == corp, or_(said, *theirs)).order_by(MESSAGES.c.position)
    yield from session.connection().execute(found.limit(limit))


def _drop(session: Session, store: ChatStore, corp: CorpId, rows: Sequence[Row[Any]]) -> list[str]:
    """Messages with their index entries and files; the counts of their conversations follow."""
    if not rows:
        return []
    opened = list(_opened(store, rows))
    blinder = store.blinder(session)
    if blinder is not None:
        blind.drop(session, [(row.id, blinder.of_message(corp, message)) for row, message in opened])
    keys = archive_media.forget(session, corp, [message for _, message in opened])
    session.execute(delete(MESSAGES).where(MESSAGES.c.id.in_([row.id for row in rows])))
    for (kind, key), parts in _by_talk(rows).items():
        counts = {column: TALKS.c[column] - count for column, count in parts.items()}
        session.execute(
            update(TALKS).where(TALKS.c.corp_id == corp, TALKS.c.kind == kind, TALKS.c.key == key).values(counts)
        )
    return keys


def _opened(store: ChatStore, rows: Iterable[Row[Any]]) -> Iterator[tuple[Row[Any], ChatMessage]]:
    for row in rows:
        try:
            yield row, store.open(row).message
        except ScrmError:  # its key is lost: nobody can tell its words any more, and the index finds nothing without it
            continue


def _by_talk(rows: Iterable[Row[Any]]) -> dict[tuple[str, str], dict[str, int]]:
    columns = {PartyKind.STAFF.value: "from_staff", PartyKind.CUSTOMER.value: "from_customers"}
    found: dict[tuple[str, str], dict[str, int]] = {}
    for row in rows:
        parts = found.setdefault((row.conversation_kind, row.conversation_key), {})
        column = columns.get(row.sender_kind, "from_others")
        parts[column] = parts.get(column, 0) + 1
    return found


def _drop_empty_talks(session: Session, corp: CorpId, kind: str, before: datetime) -> None:
    total = TALKS.c.from_staff + TALKS.c.from_customers + TALKS.c.from_others
    session.execute(delete(TALKS).where(TALKS.c.corp_id == corp, TALKS.c.kind == kind, total <= 0))
    session.execute(delete(WAITS).where(WAITS.c.corp_id == corp, WAITS.c.kind == kind, WAITS.c.since < before))
    session.execute(delete(DAYS).where(DAYS.c.corp_id == corp, DAYS.c.kind == kind, DAYS.c.last_at < before))


def counts_by_kind(session: Session, corp: CorpId) -> dict[str, tuple[int, datetime]]:
    """How many messages there are of each kind of conversation, and when the oldest of them began."""
    total = func.sum(TALKS.c.from_staff + TALKS.c.from_customers + TALKS.c.from_others)
    found = select(TALKS.c.kind, total, func.min(TALKS.c.first_at)).where(TALKS.c.corp_id == corp)
    rows = session.connection().execute(found.group_by(TALKS.c.kind)).all()
    return {kind: (int(count or 0), first_at) for kind, count, first_at in rows}


def _plain(one: StoredMessage) -> dict[str, Any]:
    message = one.message
    return {
        "at": message.sent_at.isoformat(),
        "conversation": [message.conversation.kind.value, message.conversation.key],
        "from": [message.sender.kind.value, message.sender.id],
        "kind": message.kind,
        "text": message.text,
        "body": dict(message.body),
        "files": [ref.filename or ref.kind for ref in message.media],
    }
