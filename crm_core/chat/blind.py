"""The blind index: what can be searched of a message, as short keyed hashes.

SQLite keeps the hashes in an FTS5 index, PostgreSQL in an array with a GIN index. The hashes of a message have no order
and no counts. What a message is about (corp, conversation, people, kind, day) is hashed alike, so that one look-up in
one index answers a filtered search.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Select, and_, bindparam, column, func, literal, select, table, text
from sqlalchemy import Integer as SqlInteger
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Session

from crm_core.chat.model import ChatMessage, Conversation, PartyKind
from crm_core.chat.words import pieces, pieces_asked
from crm_core.ids import CorpId

KEY_BYTES = 32
HASH_BYTES = 4
MOST_REMEMBERED = 300_000
MOST_DAYS = 62  # a longer time is asked for by months
MOST_MONTHS = 36
RECENT = 20_000

WORDS = table("chat_words", column("rowid", SqlInteger), column("hashes"))
PG_WORDS = table("chat_words", column("message_id", BigInteger), column("hashes", ARRAY(SqlInteger)))
FTS: ColumnElement[Any] = column("chat_words")

_ADD_SQLITE = text("INSERT INTO chat_words (rowid, hashes) VALUES (:id, :hashes)")
_DROP_SQLITE = text("INSERT INTO chat_words (chat_words, rowid, hashes) VALUES ('delete', :id, :hashes)")
_ADD_PG = text("INSERT INTO chat_words (message_id, hashes) VALUES (:id, :hashes)")
_DROP_PG = text("DELETE FROM chat_words WHERE message_id = ANY(:ids)")


class Blinder:
    """Makes the hashes. key: 32 random bytes that only this installation has; another key makes another index."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._known: dict[str, int] = {}

    def hash(self, piece: str) -> int:
        """A signed 32-bit number."""
        found = self._known.get(piece)
        if found is None:
            raw = hashlib.blake2b(piece.encode("utf-8", "surrogatepass"), digest_size=HASH_BYTES, key=self._key)
            found = int.from_bytes(raw.digest(), "big", signed=True)
            if len(self._known) >= MOST_REMEMBERED:
                self._known.clear()
            self._known[piece] = found
        return found

    def of_message(self, corp: CorpId, message: ChatMessage) -> set[int]:
        """All hashes of a message."""
        return {self.hash(piece) for piece in pieces(message.text) | facets(corp, message)}


def facets(corp: CorpId, message: ChatMessage) -> set[str]:
    """What a message is about, as pieces that no text can have: they begin with a space."""
    where, who, on = message.conversation, message.sender, message.sent_at
    found = {of_corp(corp), of_conversation(where), of_kind(message.kind), of_day(on.date()), of_month(on.date())}
    if where.staff:
        found.add(of_staff(where.staff))
    if where.external_user:
        found.add(of_customer(where.external_user))
    if who.kind is PartyKind.STAFF:
        found.add(of_staff(who.id))
    elif who.kind is PartyKind.CUSTOMER:
        found.add(of_customer(who.id))
    return found


def of_corp(corp: str) -> str:
    """Messages of a corp."""
    return f" c{corp}"


def of_conversation(where: Conversation) -> str:
    """Messages in a conversation."""
    return f" w{where.kind}:{where.key}"


def of_kind(kind: str) -> str:
    """Messages of a msgtype."""
    return f" k{kind}"


def of_staff(userid: str) -> str:
    """Messages that a member wrote, or that were written in one of their single conversations."""
    return f" s{userid}"


def of_customer(external_user: str) -> str:
    """Messages that a customer wrote, or that were written in a conversation with them alone."""
    return f" e{external_user}"


def of_day(day: date) -> str:
    """Messages of a day in UTC."""
    return f" d{day.isoformat()}"


def of_month(day: date) -> str:
    """Messages of a month in UTC."""
    return f" m{day.year}-{day.month}"


def times(since: datetime | None, until: datetime | None, newest: datetime) -> list[str]:
    """Pieces of which a message of [since, until) has one; none when the time is too long to be told so."""
    if since is None:
        return []
    first, last = since.date(), min(until or newest, newest + timedelta(days=1)).date()
    days = (last - first).days + 1
    if days <= 0:
        return [of_day(first)]
    if days <= MOST_DAYS:
        return [of_day(first + timedelta(days=ahead)) for ahead in range(days)]
    months = {of_month(first + timedelta(days=ahead)) for ahead in range(days)} if days < MOST_MONTHS * 31 else set()
    return sorted(months)


def add(session: Session, told: Sequence[tuple[int, Iterable[int]]]) -> None:
    """Index messages: (id, hashes)."""
    if not told:
        return
    if _is_sqlite(session):
        session.connection().execute(_ADD_SQLITE, [{"id": one, "hashes": _spelled(some)} for one, some in told])
    else:
        session.connection().execute(_ADD_PG, [{"id": one, "hashes": sorted(some)} for one, some in told])


def drop(session: Session, told: Sequence[tuple[int, Iterable[int]]]) -> None:
    """Take messages out of the index, with the very hashes they were put in with."""
    if not told:
        return
    if _is_sqlite(session):
        session.connection().execute(_DROP_SQLITE, [{"id": one, "hashes": _spelled(some)} for one, some in told])
    else:
        session.connection().execute(_DROP_PG, {"ids": [one for one, _ in told]})


def candidates(
    session: Session,
    blinder: Blinder,
    messages: Any,
    *,
    all_of: Iterable[str],
    any_of: Sequence[Sequence[str]],
    below: int | None = None,
) -> tuple[Select[Any], ColumnElement[int]]:
    """Messages that have all pieces, and one of each group; with the column by which they go from new to old.

    below: only ids below this, and by the index whatever the planner thinks of it (PostgreSQL).
    """
    wanted = sorted({blinder.hash(piece) for piece in all_of})
    groups = [sorted({blinder.hash(piece) for piece in group}) for group in any_of if group]
    if _is_sqlite(session):
        asked = " AND ".join([f'"{_word(one)}"' for one in wanted] + [f"({_either(group)})" for group in groups])
        found = select(messages).select_from(WORDS.join(messages, literal(1) == 1))
        # no join condition of the ORM's: SQLite walks the index and looks each message up
        linked = text("chat_messages.id = chat_words.rowid")
        return found.where(FTS.op("MATCH")(asked), linked), WORDS.c.rowid
    has_all = PG_WORDS.c.hashes.contains(bindparam(None, wanted, type_=ARRAY(SqlInteger)))
    has_one = [PG_WORDS.c.hashes.overlap(bindparam(None, group, type_=ARRAY(SqlInteger))) for group in groups]
    if below is None:
        found = select(messages).select_from(PG_WORDS.join(messages, messages.c.id == PG_WORDS.c.message_id))
        return found.where(and_(has_all, *has_one)), PG_WORDS.c.message_id
    ids = select(PG_WORDS.c.message_id).where(has_all, *has_one)
    known = ids.cte("known").prefix_with("MATERIALIZED", dialect="postgresql")
    found = select(messages).select_from(known.join(messages, messages.c.id == known.c.message_id))
    return found.where(known.c.message_id < below), known.c.message_id


@contextmanager
def by_index(session: Session) -> Iterator[None]:
    """Inside, PostgreSQL goes through no whole table: it overrates how often a single rare piece occurs."""
    connection = session.connection()
    connection.execute(text("SET LOCAL enable_seqscan = off"))
    yield
    connection.execute(text("SET LOCAL enable_seqscan = on"))


def recent(session: Session, messages: Any, before: int | None) -> int | None:
    """The id from which on the newest messages are looked through one by one (PostgreSQL); None: the index serves all.

    PostgreSQL walks either the messages from the new end or the index, and guesses wrongly for single rare pieces: it
    may look through everything for a word that stands in twenty messages. So the newest are always walked, which is
    enough for frequent words, and the older ones always go by the index.
    """
    if _is_sqlite(session):
        return None
    top = before or session.connection().execute(select(func.max(messages.c.id))).scalar() or 0
    return max(0, top - RECENT)


def asked_of_words(words: tuple[str, ...]) -> set[str]:
    """The pieces that a search for these words asks for."""
    return pieces_asked(words)


def _is_sqlite(session: Session) -> bool:
    return session.connection().dialect.name == "sqlite"


def _word(one: int) -> str:
    return f"{one & 0xFFFFFFFF:x}"


def _spelled(hashes: Iterable[int]) -> str:
    return " ".join(map(_word, hashes))


def _either(group: Iterable[int]) -> str:
    return " OR ".join(f'"{_word(one)}"' for one in group)
