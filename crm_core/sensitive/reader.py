"""The reader of chat messages that looks for sensitive words and acts, and keeps and tells what it finds."""

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import insert, select
from sqlmodel import Session

from crm_core import groups, roles, staff
from crm_core.chat.model import ChatMessage, Conversation, ConversationKind, Party, PartyKind, StoredMessage
from crm_core.db import UnitOfWork
from crm_core.events import FollowEndedByStaff
from crm_core.ids import AppKey, CorpId
from crm_core.sensitive import acts, words
from crm_core.sensitive.figures import monday
from crm_core.sensitive.hits import ACT, HITS, HitBook, Place
from crm_core.sensitive.matcher import Matcher
from crm_core.sensitive.rulebook import Found
from crm_core.sensitive.sieve import Sieve
from crm_core.sensitive.telling import Fresh, Teller
from crm_core.sensitive.words import Book, CategoryForm

MOST_TEXT_CHARS = 20_000
MOST_NAMES = 500


@dataclass(frozen=True, slots=True)
class Engine:
    """A book, ready for use."""

    book: Book
    sieve: Sieve

    @classmethod
    def of(cls, book: Book) -> "Engine":
        """Make the automata."""
        return cls(book, Sieve(Matcher(book.rules)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Catch:
    """What was found in one message by one category, before it is known whom it concerns."""

    message: ChatMessage
    position: int
    category: int
    text: str
    places: tuple[Place, ...]
    word_id: int
    way: str


class SensitiveReader:
    """A ``ChatReader``. Its automata are made anew when the book's version has moved."""

    name = "sensitive"

    def __init__(self, book: HitBook, teller: Teller, apps: Mapping[str, AppKey], zone: ZoneInfo) -> None:
        self._book = book
        self._teller = teller
        self._apps = apps
        self._zone = zone
        self._lock = threading.Lock()
        self._engines: dict[CorpId, Engine] = {}

    def engine(self, session: Session, corp: CorpId) -> Engine:
        """The corp's words as they are in force now."""
        known = self._engines.get(corp)
        number = words.version(session, corp)
        if known is not None and known.book.version == number:
            return known
        with self._lock:
            known = self._engines.get(corp)
            if known is None or known.book.version != number:
                known = self._engines[corp] = Engine.of(words.book(session, corp))
            return known

    def read(self, uow: UnitOfWork, corp: CorpId, messages: Sequence[StoredMessage], *, live: bool) -> None:
        """Keep what is found, and tell supervisors when it has just been said."""
        engine = self.engine(uow.session, corp)
        if not engine.book.categories:
            return
        read = [one for one in messages if one.message.sender.kind in {PartyKind.STAFF, PartyKind.CUSTOMER}]
        texts = [one.message.text[:MOST_TEXT_CHARS] for one in read]
        caught: list[Catch] = []
        for number, found in engine.sieve.check(texts):
            caught += _catches(read[number], texts[number], found)
        caught += _acts(read, engine.book.categories)
        self._keep(uow, corp, engine.book.categories, caught, live=live)

    def on_deleted(self, event: FollowEndedByStaff, uow: UnitOfWork) -> None:
        """A member deleted a customer; moving one to a colleague is no such act."""
        if event.source:
            return
        forms = self.engine(uow.session, event.corp).book.categories
        message = ChatMessage(
            msgid=f"event:{event.key}",
            source="event",
            conversation=Conversation.single(event.staff, event.external_user),
            sender=Party(PartyKind.STAFF, event.staff),
            sent_at=event.occurred_at,
            kind=acts.DELETED,
            text=acts.NAMES[acts.DELETED],
            body={},
        )
        caught = [
            _act(message, 0, category, acts.DELETED) for category in forms if acts.DELETED in forms[category].acts
        ]
        self._keep(uow, event.corp, forms, caught, live=True)

    def _keep(
        self, uow: UnitOfWork, corp: CorpId, forms: Mapping[int, CategoryForm], caught: Sequence[Catch], *, live: bool
    ) -> None:
        if not caught:
            return
        scope = _Scope(uow.session, corp, [one.message for one in caught])
        known = _known(uow.session, corp, {one.message.msgid for one in caught})
        now = uow.now()
        fresh = []
        for one in caught:
            form = forms[one.category]
            if (one.message.msgid, one.category) in known or not scope.covers(one.category, form, one.message):
                continue
            known.add((one.message.msgid, one.category))
            values = self._row(corp, one, form, scope, now)
            number = uow.session.connection().execute(insert(HITS).values(values)).inserted_primary_key
            fresh.append(
                Fresh(id=int(number[0]) if number else 0, form=form, text=one.text, places=one.places, row=values)
            )
        if live and fresh:
            self._teller.tell(uow, corp, self._apps[corp], fresh)

    def _row(self, corp: CorpId, one: Catch, form: CategoryForm, scope: "_Scope", now: datetime) -> dict[str, Any]:
        message = one.message
        whose = scope.staff_of(message)
        return {
            "corp_id": corp,
            "category_id": one.category,
            "category_name": form.name,
            "severity": form.severity,
            "word_id": one.word_id,
            "way": one.way,
            "msgid": message.msgid,
            "position": one.position,
            "conversation_kind": message.conversation.kind.value,
            "conversation_key": message.conversation.key,
            "sender_kind": message.sender.kind.value,
            "sender_id": message.sender.id,
            "staff_userid": whose,
            "department": scope.department_of(whose),
            "external_userid": _customer_of(message),
            "content": self._book.seal(one.text, one.places),
            "sent_at": message.sent_at,
            "hit_at": now,
            "week": monday(message.sent_at, self._zone),
            "state": "open",
            "note": "",
            "assignee": "",
            "reviewed_by": "",
        }


class _Scope:
    """Whom messages concern, and whether a category looks at them."""

    def __init__(self, session: Session, corp: CorpId, messages: Sequence[ChatMessage]) -> None:
        self._session, self._corp = session, corp
        self._below: dict[int, frozenset[str]] = {}
        chats = {message.conversation.chat for message in messages} - {None}
        self._owners = groups.owners(session, corp, [chat for chat in chats if chat])
        self._departments = staff.first_departments(
            session, corp, {self.staff_of(message) for message in messages} - {""}
        )

    def staff_of(self, message: ChatMessage) -> str:
        """Whose conversation it is: who spoke, else the staff side, else the group's owner."""
        if message.sender.kind is PartyKind.STAFF:
            return message.sender.id
        return message.conversation.staff or self._owners.get(message.conversation.chat or "", "")

    def department_of(self, userid: str) -> int:
        """The member's first department, 0 unknown."""
        return self._departments.get(userid, 0)

    def covers(self, category: int, form: CategoryForm, message: ChatMessage) -> bool:
        """Whether the category looks at what this party says here."""
        conversation = message.conversation
        if conversation.kind.value not in form.kinds or form.side not in {"both", message.sender.kind.value}:
            return False
        if conversation.kind is ConversationKind.GROUP and form.chats != "all":
            return form.chats == "chosen" and conversation.key in form.chat_ids
        if not form.departments:
            return True
        if category not in self._below:
            self._below[category] = roles.staff_below(self._session, self._corp, form.departments)
        return self.staff_of(message) in self._below[category]


def _customer_of(message: ChatMessage) -> str:
    if message.conversation.external_user:
        return message.conversation.external_user
    return message.sender.id if message.sender.kind is PartyKind.CUSTOMER else ""


def _catches(stored: StoredMessage, text: str, found: Sequence[Found]) -> Iterable[Catch]:
    by_category: dict[int, list[Found]] = {}
    for one in found:
        by_category.setdefault(one.category, []).append(one)
    for category, hits in by_category.items():
        yield Catch(
            message=stored.message,
            position=stored.position,
            category=category,
            text=text,
            places=tuple(Place(one.start, one.end, one.name, one.way.value) for one in hits),
            word_id=hits[0].entry_id,
            way=hits[0].way.value,
        )


def _acts(read: Sequence[StoredMessage], forms: Mapping[int, CategoryForm]) -> Iterable[Catch]:
    watched = {category: form.acts for category, form in forms.items() if form.acts}
    for stored in read if watched else ():
        act = acts.act_of(stored.message)
        for category, wanted in watched.items():
            if act and act in wanted:
                yield _act(stored.message, stored.position, category, act)


def _act(message: ChatMessage, position: int, category: int, act: str) -> Catch:
    text = acts.told(message)
    place = Place(0, len(text), acts.NAMES[act], ACT)
    return Catch(message=message, position=position, category=category, text=text, places=(place,), word_id=0, way=ACT)


def _known(session: Session, corp: CorpId, msgids: Iterable[str]) -> set[tuple[str, int]]:
    wanted, known = sorted(msgids), set()
    for start in range(0, len(wanted), MOST_NAMES):
        some = HITS.c.msgid.in_(wanted[start : start + MOST_NAMES])
        found = select(HITS.c.msgid, HITS.c.category_id).where(HITS.c.corp_id == corp, some)
        known |= {(row.msgid, row.category_id) for row in session.connection().execute(found)}
    return known
