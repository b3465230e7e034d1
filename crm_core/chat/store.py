"""The one store of chat messages: appended in order, sealed at rest, told to readers in the same commit."""

import json
import secrets
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, Table, func, insert, select
from sqlmodel import Session, SQLModel
from sqlmodel import select as select_rows

from crm_core import outbox
from crm_core.chat import blind, conversations
from crm_core.chat.model import (
    ChatMessage,
    Conversation,
    ConversationKind,
    MediaRef,
    Party,
    PartyKind,
    StoredMessage,
)
from crm_core.chat.reading import LANE, READ_JOB
from crm_core.chat_tables import ChatHeadRow, ChatMessageRow, ChatSecretRow
from crm_core.db import Database, UnitOfWork
from crm_core.errors import ScrmError
from crm_core.ids import CorpId
from crm_core.ports import TextCipher

MESSAGES: Table = SQLModel.metadata.tables[str(ChatMessageRow.__tablename__)]
MOST_A_JOB = 500  # messages that a reader gets at once
MOST_NAMES = 500  # values in one IN list
INDEX_SECRET = "index"  # noqa: S105 - a name


class ChatStore:
    """Appends and reads messages. readers: names of those who are told of every append (``crm_core.chat.reading``)."""

    def __init__(self, cipher: TextCipher, readers: Sequence[str]) -> None:
        self._cipher = cipher
        self.readers = tuple(readers)
        self._blinders: dict[bytes, blind.Blinder] = {}

    def append(
        self, uow: UnitOfWork, corp: CorpId, messages: Iterable[ChatMessage], *, live: bool = True
    ) -> list[StoredMessage]:
        """Keep what is not known yet, in the order given. Answers what was new, with its positions.

        live: False for history that is being loaded; readers then tell nobody.
        """
        by_id = {message.msgid: message for message in reversed(list(messages))}
        if not by_id:
            return []
        head = _take_head(uow, corp)
        known = _known(uow.session, corp, by_id)
        fresh = [message for message in reversed(by_id.values()) if message.msgid not in known]
        stored = [
            StoredMessage(position=head.position + number, corp=corp, message=message)
            for number, message in enumerate(fresh, start=1)
        ]
        if not stored:
            return []
        now = uow.now()
        uow.session.connection().execute(insert(MESSAGES), [self._row(one, now) for one in stored])
        head.position = stored[-1].position
        uow.session.add(head)
        self._index(uow, corp, stored)
        conversations.touch(uow.session, corp, stored)
        self._tell(uow, corp, stored[0].position, stored[-1].position, live=live)
        return stored

    def read(self, session: Session, corp: CorpId, first: int, last: int) -> list[StoredMessage]:
        """Positions ``first`` to ``last``, both included; those that were deleted since are missing."""
        found = _of(corp).where(MESSAGES.c.position.between(first, last)).order_by(MESSAGES.c.position)
        return self._open_all(session, found)

    def positions(self, session: Session, corp: CorpId, first: int, last: int) -> list[int]:
        """Which positions of ``first`` to ``last`` are still there, in order; nothing is opened."""
        found = select(MESSAGES.c.position).where(MESSAGES.c.corp_id == corp, MESSAGES.c.position.between(first, last))
        return list(session.connection().execute(found.order_by(MESSAGES.c.position)).scalars())

    def head(self, session: Session, corp: CorpId) -> int:
        """The newest position, 0 before the first message."""
        row = session.get(ChatHeadRow, corp)
        return row.position if row is not None else 0

    def last_of(
        self, session: Session, corp: CorpId, conversation: Conversation, limit: int, *, before: int | None = None
    ) -> list[StoredMessage]:
        """The newest messages of a conversation, oldest first; those before a position when one is given."""
        found = _of(corp).where(*_in(conversation))
        if before is not None:
            found = found.where(MESSAGES.c.position < before)
        return self._open_all(session, found.order_by(MESSAGES.c.position.desc()).limit(limit))[::-1]

    def next_of(
        self, session: Session, corp: CorpId, conversation: Conversation, limit: int, *, after: int
    ) -> list[StoredMessage]:
        """The messages of a conversation after a position, oldest first."""
        found = _of(corp).where(*_in(conversation), MESSAGES.c.position > after)
        return self._open_all(session, found.order_by(MESSAGES.c.position).limit(limit))

    def edges(self, session: Session, corp: CorpId, conversation: Conversation) -> tuple[int, int] | None:
        """The first and the last position of a conversation; None when it has no messages."""
        found = select(func.min(MESSAGES.c.position), func.max(MESSAGES.c.position)).where(
            MESSAGES.c.corp_id == corp, *_in(conversation)
        )
        first, last = session.connection().execute(found).one()
        return None if first is None else (first, last)

    def between(
        self, session: Session, corp: CorpId, since: datetime, until: datetime, *, after: int = 0, limit: int = 1000
    ) -> list[StoredMessage]:
        """Messages sent in [since, until), by position, those after a position: a page of at most ``limit``."""
        found = _of(corp).where(MESSAGES.c.sent_at >= since, MESSAGES.c.sent_at < until, MESSAGES.c.position > after)
        return self._open_all(session, found.order_by(MESSAGES.c.position).limit(limit))

    def open(self, row: Row[Any]) -> StoredMessage:
        """A row of the messages table, opened. Raises: ScrmError when no key opens it."""
        return self._stored(row)

    def corps(self, db: Database) -> list[CorpId]:
        """The corps that have messages."""
        with db.reading() as session:
            return [CorpId(row.corp_id) for row in session.exec(select_rows(ChatHeadRow))]

    def of_msgids(self, session: Session, corp: CorpId, msgids: Collection[str]) -> list[StoredMessage]:
        """The messages with these ids, by position; at most ``MOST_NAMES``."""
        found = _of(corp).where(MESSAGES.c.msgid.in_(list(msgids)[:MOST_NAMES])).order_by(MESSAGES.c.position)
        return self._open_all(session, found)

    def revoked(self, session: Session, corp: CorpId, msgids: Collection[str]) -> set[str]:
        """Which of these messages were taken back."""
        found = select(MESSAGES.c.revokes).where(
            MESSAGES.c.corp_id == corp, MESSAGES.c.revokes != "", MESSAGES.c.revokes.in_(list(msgids)[:MOST_NAMES])
        )
        return set(session.connection().execute(found).scalars())

    def blinder(self, session: Session) -> blind.Blinder | None:
        """What makes this installation's index; None before the first message."""
        row = session.get(ChatSecretRow, INDEX_SECRET)
        if row is None:
            return None
        if row.sealed not in self._blinders:
            self._blinders[row.sealed] = blind.Blinder(bytes.fromhex(self._cipher.unseal(row.sealed)))
        return self._blinders[row.sealed]

    def _own_blinder(self, uow: UnitOfWork) -> blind.Blinder:
        found = self.blinder(uow.session)
        if found is not None:
            return found
        uow.lock("chat-secret:index")
        if uow.session.get(ChatSecretRow, INDEX_SECRET, populate_existing=True) is None:
            sealed = self._cipher.seal(secrets.token_hex(blind.KEY_BYTES))
            uow.session.add(ChatSecretRow(name=INDEX_SECRET, sealed=sealed, made_at=uow.now()))
            uow.session.flush()
        found = self.blinder(uow.session)
        if found is None:
            raise ScrmError("检索索引的密钥没有写入")
        return found

    def _index(self, uow: UnitOfWork, corp: CorpId, stored: Sequence[StoredMessage]) -> None:
        blinder = self._own_blinder(uow)
        placed = select(MESSAGES.c.position, MESSAGES.c.id).where(
            MESSAGES.c.corp_id == corp, MESSAGES.c.position.between(stored[0].position, stored[-1].position)
        )
        ids = {row.position: row.id for row in uow.session.connection().execute(placed)}
        blind.add(uow.session, [(ids[one.position], blinder.of_message(corp, one.message)) for one in stored])

    def _tell(self, uow: UnitOfWork, corp: CorpId, first: int, last: int, *, live: bool) -> None:
        for start in range(first, last + 1, MOST_A_JOB):
            upto = min(start + MOST_A_JOB - 1, last)
            for reader in self.readers:
                outbox.add_job(
                    uow,
                    READ_JOB,
                    dedupe_key=f"{READ_JOB}:{reader}:{corp}:{start}",
                    payload={"reader": reader, "first": start, "last": upto, "live": live},
                    lane=LANE,
                    corp=corp,
                )

    def _row(self, stored: StoredMessage, now: datetime) -> dict[str, Any]:
        message = stored.message
        content = {
            "text": message.text,
            "body": dict(message.body),
            "media": [asdict(one) for one in message.media],
        }
        return {
            "corp_id": stored.corp,
            "position": stored.position,
            "msgid": message.msgid,
            "source": message.source,
            "conversation_kind": message.conversation.kind.value,
            "conversation_key": message.conversation.key,
            "sender_kind": message.sender.kind.value,
            "sender_id": message.sender.id,
            "sent_at": message.sent_at,
            "kind": message.kind,
            "revokes": message.revokes,
            "seq": message.seq,
            "content": self._cipher.seal(json.dumps(content, ensure_ascii=False)),
            "recorded_at": now,
        }

    def _open_all(self, session: Session, found: Select[Any]) -> list[StoredMessage]:
        return [self._stored(row) for row in session.connection().execute(found)]

    def _stored(self, row: Row[Any]) -> StoredMessage:
        content = json.loads(self._cipher.unseal(row.content))
        message = ChatMessage(
            msgid=row.msgid,
            source=row.source,
            conversation=Conversation(ConversationKind(row.conversation_kind), row.conversation_key),
            sender=Party(PartyKind(row.sender_kind), row.sender_id),
            sent_at=row.sent_at,
            kind=row.kind,
            text=content["text"],
            body=content["body"],
            media=tuple(MediaRef(**one) for one in content["media"]),
            revokes=row.revokes,
            seq=row.seq,
        )
        return StoredMessage(position=row.position, corp=CorpId(row.corp_id), message=message)


def _of(corp: CorpId) -> Select[Any]:
    return select(MESSAGES).where(MESSAGES.c.corp_id == corp)


def _in(conversation: Conversation) -> tuple[ColumnElement[bool], ...]:
    return (
        MESSAGES.c.conversation_kind == conversation.kind.value,
        MESSAGES.c.conversation_key == conversation.key,
    )


def _take_head(uow: UnitOfWork, corp: CorpId) -> ChatHeadRow:
    uow.lock(f"chat-head:{corp}")
    return uow.session.get(ChatHeadRow, corp, with_for_update=True) or ChatHeadRow(corp_id=corp, position=0)


def _known(session: Session, corp: CorpId, msgids: Iterable[str]) -> set[str]:
    wanted = list(msgids)
    known: set[str] = set()
    for start in range(0, len(wanted), MOST_NAMES):
        part = wanted[start : start + MOST_NAMES]
        known.update(
            session.connection()
            .execute(select(MESSAGES.c.msgid).where(MESSAGES.c.corp_id == corp, MESSAGES.c.msgid.in_(part)))
            .scalars()
        )
    return known
