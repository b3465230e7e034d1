"""Where a customer spoke last, so that an open sidebar knows what to answer. Words stay in the chat store."""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import timedelta

from sqlalchemy import or_
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col, delete, select

from crm_core.chat.model import Conversation, ConversationKind, PartyKind, StoredMessage
from crm_core.chat.store import ChatStore
from crm_core.db import UnitOfWork
from crm_core.ids import CorpId, ExternalUserId, StaffUserId
from materials.recommend_tables import CustomerTurnRow

LOOK_BACK = 8  # messages of a conversation that are read to find what waits for an answer
MOST_WAITING = 3  # of the customer's messages since the last answer
SAME_SUBJECT = timedelta(minutes=30)
MOST_CHARS = 400
SPOKEN = frozenset(("text", "mixed", "voicetext"))


def news_lane(corp: CorpId, external_user: str) -> str:
    """The wake-up that tells open pages of a customer that they said something; it does not tell who it is."""
    return f"news:{hashlib.sha256(f'{corp}/{external_user}'.encode()).hexdigest()[:20]}"


def is_question_of_customer(stored: StoredMessage) -> bool:
    """Whether a customer said something in words, to a member or to the customer service."""
    message = stored.message
    return (
        message.sender.kind is PartyKind.CUSTOMER
        and message.conversation.kind in {ConversationKind.SINGLE, ConversationKind.KF}
        and message.kind in SPOKEN
        and bool(message.text.strip())
    )


def note_turns(uow: UnitOfWork, corp: CorpId, spoken: Iterable[StoredMessage]) -> None:
    """Remember the newest message of each conversation; an older batch that comes later changes nothing."""
    newest: dict[Conversation, StoredMessage] = {}
    for stored in spoken:
        kept = newest.get(stored.message.conversation)
        if kept is None or kept.position < stored.position:
            newest[stored.message.conversation] = stored
    if not newest:
        return
    dialect = postgresql if uow.session.get_bind().dialect.name == "postgresql" else sqlite
    statement = dialect.insert(CustomerTurnRow)
    statement = statement.on_conflict_do_update(
        index_elements=["corp_id", "conversation_kind", "conversation_key"],
        set_={"position": statement.excluded.position, "said_at": statement.excluded.said_at},
        where=col(CustomerTurnRow.position) < statement.excluded.position,
    )
    ordered = sorted(newest.values(), key=lambda one: (one.message.conversation.kind, one.message.conversation.key))
    uow.session.connection().execute(
        statement,
        [
            {
                "corp_id": corp,
                "conversation_kind": one.message.conversation.kind.value,
                "conversation_key": one.message.conversation.key,
                "external_userid": one.message.conversation.external_user or "",
                "position": one.position,
                "said_at": one.message.sent_at,
            }
            for one in ordered
        ],
    )


def waiting(
    session: Session, store: ChatStore, corp: CorpId, staff: StaffUserId, external_user: ExternalUserId
) -> list[StoredMessage]:
    """What the customer said since they were last answered, oldest first; at most a few, of one subject.

    Read are the conversation with this member and those with the customer service, whichever is newest.
    """
    row = session.exec(
        select(CustomerTurnRow)
        .where(
            CustomerTurnRow.corp_id == corp,
            CustomerTurnRow.external_userid == external_user,
            or_(
                col(CustomerTurnRow.conversation_kind) == ConversationKind.KF.value,
                col(CustomerTurnRow.conversation_key) == Conversation.single(staff, external_user).key,
            ),
        )
        .order_by(col(CustomerTurnRow.said_at).desc(), col(CustomerTurnRow.position).desc())
        .limit(1)
    ).first()
    if row is None:
        return []
    where = Conversation(ConversationKind(row.conversation_kind), row.conversation_key)
    return _unanswered(store.last_of(session, corp, where, LOOK_BACK))


def _unanswered(last: Sequence[StoredMessage]) -> list[StoredMessage]:
    revoked = {one.message.revokes for one in last if one.message.revokes}
    found: list[StoredMessage] = []
    for stored in reversed(last):
        message = stored.message
        if message.sender.kind is PartyKind.STAFF and message.kind != "revoke":
            break
        if not is_question_of_customer(stored) or message.msgid in revoked:
            continue
        if found and found[-1].message.sent_at - message.sent_at > SAME_SUBJECT:
            break
        found.append(stored)
        if len(found) == MOST_WAITING:
            break
    return found[::-1]


def forget(uow: UnitOfWork, corp: CorpId, external_user: ExternalUserId) -> None:
    """Erase where a customer spoke."""
    uow.session.execute(
        delete(CustomerTurnRow).where(
            col(CustomerTurnRow.corp_id) == corp, col(CustomerTurnRow.external_userid) == external_user
        )
    )
