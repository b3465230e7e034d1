"""Finding messages by words, people, place, kind and time: the blind index offers, the opened text decides."""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, exists, func, select
from sqlmodel import Session

from crm_core.chat import blind, conversations
from crm_core.chat.conversations import TALKS
from crm_core.chat.model import Conversation, StoredMessage
from crm_core.chat.store import MESSAGES, ChatStore
from crm_core.chat.words import holds, words_asked
from crm_core.errors import InputInvalid
from crm_core.ids import CorpId
from crm_core.listing import PAGE_ROWS, cursor_of, values_of

MOST_OPENED = 4000  # candidates that one page opens; a page with fewer hits then says where to go on
CANDIDATES_AT_ONCE = 100
MOST_SIGHT = 200  # staff or groups that are asked of the index; a wider sight is checked on each message
MOST_WORD_CHARS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What a message must fit; empty means any. words: all of them. visible: whose messages may be seen, None for all.

    staff: wrote it, or it is of one of their single conversations; customer: likewise. since, until: [since, until).
    """

    words: str = ""
    staff: str = ""
    external_user: str = ""
    chat: str = ""
    conversation: Conversation | None = None
    kind: str = ""
    since: datetime | None = None
    until: datetime | None = None
    visible: AbstractSet[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hits:
    """One page, newest first. next_cursor: "" at the end. is_cut: there may be more although the page is not full."""

    items: tuple[StoredMessage, ...]
    next_cursor: str = ""
    is_cut: bool = False


def find(
    session: Session, store: ChatStore, corp: CorpId, wanted: Search, *, cursor: str = "", limit: int = PAGE_ROWS
) -> Hits:
    """One page of messages, the last that came in first. Raises: InputInvalid."""
    words = words_asked(wanted.words)
    if any(len(word) > MOST_WORD_CHARS for word in words):
        raise InputInvalid(f"一个词最多 {MOST_WORD_CHARS} 个字", field="q")
    before = values_of(cursor, (int,))
    hits: list[tuple[int, StoredMessage]] = []
    opened = last = 0
    for row in _candidates(session, store, corp, wanted, words, before[0] if before else None):
        message = store.open(row)
        opened, last = opened + 1, row.id
        if holds(message.message.text, words):
            hits.append((row.id, message))
        if len(hits) > limit or opened >= MOST_OPENED:
            break
    shown = tuple(message for _, message in hits[:limit])
    if len(hits) > limit:
        return Hits(items=shown, next_cursor=cursor_of((hits[limit - 1][0],)))
    if opened >= MOST_OPENED:
        return Hits(items=shown, next_cursor=cursor_of((last,)), is_cut=True)
    return Hits(items=shown)


def every(session: Session, store: ChatStore, corp: CorpId, wanted: Search) -> Iterator[StoredMessage]:
    """All messages that fit, the last that came in first."""
    cursor = ""
    while True:
        found = find(session, store, corp, wanted, cursor=cursor, limit=200)
        yield from found.items
        cursor = found.next_cursor
        if not cursor:
            return


def _candidates(
    session: Session, store: ChatStore, corp: CorpId, wanted: Search, words: tuple[str, ...], before: int | None
) -> Iterator[Row[Any]]:
    blinder = store.blinder(session)
    if blinder is None:
        return
    newest = session.connection().execute(_newest(corp)).scalar()
    if newest is None:
        return
    all_of, any_of = _pieces(session, corp, wanted, words, newest)
    conditions = _conditions(corp, wanted)
    floor = blind.recent(session, MESSAGES, before)
    found, order = blind.candidates(session, blinder, MESSAGES, all_of=all_of, any_of=any_of)
    if floor is None:
        yield from _walk(session, found.where(*conditions), order, before)
        return
    yield from _walk(session, found.where(*conditions, order >= floor), order, before)
    found, order = blind.candidates(session, blinder, MESSAGES, all_of=all_of, any_of=any_of, below=floor)
    yield from _walk(session, found.where(*conditions), order, None, is_old=True)


def _walk(
    session: Session, found: Select[Any], order: ColumnElement[int], before: int | None, *, is_old: bool = False
) -> Iterator[Row[Any]]:
    at_once = CANDIDATES_AT_ONCE
    while True:
        part = found if before is None else found.where(order < before)
        with blind.by_index(session) if is_old else nullcontext():
            rows = session.connection().execute(part.order_by(order.desc()).limit(at_once)).all()
        yield from rows
        if len(rows) < at_once:
            return
        before, at_once = rows[-1].id, min(at_once * 2, 1000)


def _newest(corp: CorpId) -> Any:
    return select(func.max(MESSAGES.c.sent_at)).where(MESSAGES.c.corp_id == corp)


def _pieces(
    session: Session, corp: CorpId, wanted: Search, words: tuple[str, ...], newest: datetime
) -> tuple[set[str], list[list[str]]]:
    all_of = blind.asked_of_words(words) | {blind.of_corp(corp)}
    where = wanted.conversation or (Conversation.group(wanted.chat) if wanted.chat else None)
    for piece in (
        blind.of_staff(wanted.staff) if wanted.staff else "",
        blind.of_customer(wanted.external_user) if wanted.external_user else "",
        blind.of_conversation(where) if where else "",
        blind.of_kind(wanted.kind) if wanted.kind else "",
    ):
        all_of |= {piece} if piece else set()
    any_of = [blind.times(wanted.since, wanted.until, newest)]
    if wanted.visible is not None and len(wanted.visible) <= MOST_SIGHT:
        any_of.append(_sight(session, corp, wanted.visible))
    return all_of, any_of


def _sight(session: Session, corp: CorpId, visible: AbstractSet[str]) -> list[str]:
    """Pieces of which every message in sight has one; none when there are too many to ask for."""
    in_sight = conversations.in_sight(corp, TALKS, visible)
    groups = select(TALKS.c.kind, TALKS.c.key).where(
        TALKS.c.corp_id == corp, TALKS.c.kind.in_(("group", "kf")), in_sight
    )
    rows = session.connection().execute(groups.limit(MOST_SIGHT + 1)).all()
    if len(rows) > MOST_SIGHT:
        return []
    places = [blind.of_conversation(conversations.place(row.kind, row.key)) for row in rows]
    return [blind.of_staff(one) for one in sorted(visible)] + places


def _conditions(corp: CorpId, wanted: Search) -> list[Any]:
    found = [MESSAGES.c.corp_id == corp]
    if wanted.kind:
        found.append(MESSAGES.c.kind == wanted.kind)
    if wanted.since is not None:
        found.append(MESSAGES.c.sent_at >= wanted.since)
    if wanted.until is not None:
        found.append(MESSAGES.c.sent_at < wanted.until)
    where = wanted.conversation or (Conversation.group(wanted.chat) if wanted.chat else None)
    if where is not None:
        found.append(and_(MESSAGES.c.conversation_kind == where.kind.value, MESSAGES.c.conversation_key == where.key))
    if wanted.visible is not None:
        found.append(
            exists().where(
                TALKS.c.corp_id == corp,
                TALKS.c.kind == MESSAGES.c.conversation_kind,
                TALKS.c.key == MESSAGES.c.conversation_key,
                conversations.in_sight(corp, TALKS, wanted.visible),
            )
        )
    return found
