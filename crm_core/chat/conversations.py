"""Conversations as the store's messages tell them: who with whom, how many messages, the last one first."""

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, Table, and_, false, insert, or_, select, update
from sqlalchemy import bindparam as bound
from sqlmodel import Session, SQLModel

from crm_core import customers, groups
from crm_core.chat.model import Conversation, ConversationKind, PartyKind, StoredMessage
from crm_core.chat_tables import ChatConversationRow
from crm_core.errors import NotFound
from crm_core.ids import CorpId
from crm_core.listing import PAGE_ROWS, Listed, page_of

TALKS: Table = SQLModel.metadata.tables[str(ChatConversationRow.__tablename__)]
MOST_NAMES = 500
COUNTED = {PartyKind.STAFF: "from_staff", PartyKind.CUSTOMER: "from_customers"}
NO_CONVERSATION = "没有找到这个会话，或者您没有查看权限"


@dataclass(frozen=True, slots=True, kw_only=True)
class Talk:
    """One conversation. staff, external_user: "" where there is not one. last_position: its newest message."""

    conversation: Conversation
    staff: str
    external_user: str
    first_at: datetime
    last_at: datetime
    last_position: int
    from_staff: int
    from_customers: int
    from_others: int

    @property
    def messages(self) -> int:
        """How many messages it has."""
        return self.from_staff + self.from_customers + self.from_others


@dataclass(frozen=True, slots=True, kw_only=True)
class TalkFilter:
    """What a conversation must fit; empty means any. visible: whose conversations may be seen, None for everybody's."""

    kind: str = ""
    staff: str = ""
    external_user: str = ""
    chat: str = ""
    since: datetime | None = None
    until: datetime | None = None
    visible: AbstractSet[str] | None = None


def touch(session: Session, corp: CorpId, stored: Sequence[StoredMessage]) -> None:
    """Count new messages into their conversations; the corp's head is locked by the append."""
    talks: dict[Conversation, dict[str, Any]] = {}
    for one in stored:
        where = one.message.conversation
        _count(talks.setdefault(where, _fresh(corp, one)), one)
    known = {(row.kind, row.key): row for row in _rows(session, corp, talks)}
    added: list[dict[str, Any]] = []
    changed: list[dict[str, Any]] = []
    for where, told in talks.items():
        row = known.get((where.kind.value, where.key))
        (added if row is None else changed).append(told if row is None else _joined(row, told))
    connection = session.connection()
    if added:
        connection.execute(insert(TALKS), added)
    if changed:
        named = (TALKS.c.corp_id == bound("b_corp"), TALKS.c.kind == bound("b_kind"), TALKS.c.key == bound("b_key"))
        connection.execute(update(TALKS).where(*named), changed)


def _fresh(corp: CorpId, one: StoredMessage) -> dict[str, Any]:
    where = one.message.conversation
    return {
        "corp_id": corp,
        "kind": where.kind.value,
        "key": where.key,
        "staff_userid": where.staff or "",
        "external_userid": where.external_user or "",
        "first_at": one.message.sent_at,
        "last_at": one.message.sent_at,
        "last_position": one.position,
        "from_staff": 0,
        "from_customers": 0,
        "from_others": 0,
    }


def _count(told: dict[str, Any], one: StoredMessage) -> None:
    who = one.message.sender
    told[COUNTED.get(who.kind, "from_others")] += 1
    told["first_at"] = min(told["first_at"], one.message.sent_at)
    told["last_at"] = max(told["last_at"], one.message.sent_at)
    told["last_position"] = one.position
    if who.kind is PartyKind.STAFF and one.message.conversation.kind is ConversationKind.KF:
        told["staff_userid"] = who.id


def _joined(row: Row[Any], told: dict[str, Any]) -> dict[str, Any]:
    return {
        "b_corp": row.corp_id,
        "b_kind": row.kind,
        "b_key": row.key,
        "staff_userid": told["staff_userid"] or row.staff_userid,
        "first_at": min(row.first_at, told["first_at"]),
        "last_at": max(row.last_at, told["last_at"]),
        "last_position": told["last_position"],
        "from_staff": row.from_staff + told["from_staff"],
        "from_customers": row.from_customers + told["from_customers"],
        "from_others": row.from_others + told["from_others"],
    }


def _rows(session: Session, corp: CorpId, talks: Iterable[Conversation]) -> list[Row[Any]]:
    found: list[Row[Any]] = []
    for kind, keys in by_kind(talks).items():
        for start in range(0, len(keys), MOST_NAMES):
            asked = _of(corp).where(TALKS.c.kind == kind, TALKS.c.key.in_(keys[start : start + MOST_NAMES]))
            found += session.connection().execute(asked).all()
    return found


def by_kind(talks: Iterable[Conversation]) -> dict[str, list[str]]:
    """The keys of conversations by their kind: every index over them begins with it."""
    found: dict[str, list[str]] = {}
    for one in talks:
        found.setdefault(one.kind.value, []).append(one.key)
    return found


def page(
    session: Session, corp: CorpId, wanted: TalkFilter, *, cursor: str = "", limit: int = PAGE_ROWS
) -> Listed[Talk]:
    """One page, the conversation with the newest message first. Raises: InputInvalid."""
    found = _of(corp).where(in_sight(corp, TALKS, wanted.visible))
    for column, value in (
        (TALKS.c.kind, wanted.kind),
        (TALKS.c.staff_userid, wanted.staff),
        (TALKS.c.external_userid, wanted.external_user),
    ):
        found = found.where(column == value) if value else found
    if wanted.chat:
        found = found.where(TALKS.c.kind == ConversationKind.GROUP.value, TALKS.c.key == wanted.chat)
    if wanted.since is not None:
        found = found.where(TALKS.c.last_at >= wanted.since)
    if wanted.until is not None:
        found = found.where(TALKS.c.first_at < wanted.until)
    return page_of(
        session,
        found,
        keys=(TALKS.c.last_position,),
        kinds=(int,),
        descending=True,
        cursor=cursor,
        tell=_talk,
        key_of=lambda row: (row.last_position,),
        limit=limit,
    )


def read(session: Session, corp: CorpId, conversation: Conversation, visible: AbstractSet[str] | None) -> Talk:
    """One conversation. Raises: NotFound, also where it is out of sight."""
    found = _of(corp).where(TALKS.c.kind == conversation.kind.value, TALKS.c.key == conversation.key)
    row = session.connection().execute(found.where(in_sight(corp, TALKS, visible))).first()
    if row is None:
        raise NotFound(NO_CONVERSATION)
    return _talk(row)


def in_sight(corp: CorpId, talks: Any, visible: AbstractSet[str] | None) -> ColumnElement[bool]:
    """Conversations of these staff, and groups that one of them owns or is inside; never colleagues' own."""
    if visible is None:
        return talks.c.corp_id == corp  # type: ignore[no-any-return]
    if not visible:
        return false()
    with_customer = talks.c.kind.in_((ConversationKind.SINGLE.value, ConversationKind.KF.value))
    return or_(
        and_(with_customer, talks.c.staff_userid.in_(sorted(visible))),
        and_(talks.c.kind == ConversationKind.GROUP.value, talks.c.key.in_(groups.chats_of(corp, visible))),
    )


def names(session: Session, corp: CorpId, talks: Sequence[Talk]) -> dict[Conversation, str]:
    """What each conversation is called: the customer, or the group."""
    return titles(session, corp, [one.conversation for one in talks])


def titles(session: Session, corp: CorpId, places: Iterable[Conversation]) -> dict[Conversation, str]:
    """The same for places alone."""
    wanted = list(places)
    users = {one.external_user for one in wanted if one.external_user is not None}
    people = customers.display_names(session, corp, users)
    known = groups.names(session, corp, [one.chat for one in wanted if one.chat is not None])
    told: dict[Conversation, str] = {}
    for one in wanted:
        if one.chat is not None:
            told[one] = known.get(one.chat, "") or "未命名的群"
        elif one.external_user is not None:
            told[one] = people.get(one.external_user, "") or "未知客户"
        else:
            told[one] = "同事之间"
    return told


def place(kind: str, key: str) -> Conversation:
    """A conversation by what the database or an address says of it. Raises: NotFound."""
    try:
        return Conversation(ConversationKind(kind), key)
    except ValueError:
        raise NotFound(NO_CONVERSATION) from None


def _of(corp: CorpId) -> Select[Any]:
    return select(TALKS).where(TALKS.c.corp_id == corp)


def _talk(row: Any) -> Talk:
    return Talk(
        conversation=Conversation(ConversationKind(row.kind), row.key),
        staff=row.staff_userid,
        external_user=row.external_userid,
        first_at=row.first_at,
        last_at=row.last_at,
        last_position=row.last_position,
        from_staff=row.from_staff,
        from_customers=row.from_customers,
        from_others=row.from_others,
    )
