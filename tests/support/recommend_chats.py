"""Chat messages as tests write them."""

import itertools
from datetime import datetime, timedelta
from typing import Any

from crm_core.chat.model import ChatMessage, Conversation, Party, PartyKind

_numbers = itertools.count(1)


def from_customer(staff: str, external_user: str, text: str, at: datetime, **more: Any) -> ChatMessage:
    """A customer's text to one member."""
    where = more.pop("where", Conversation.single(staff, external_user))
    return _message(where, Party(PartyKind.CUSTOMER, external_user), text, at, **more)


def from_staff(staff: str, external_user: str, text: str, at: datetime, **more: Any) -> ChatMessage:
    """A member's text to one customer."""
    where = Conversation.single(staff, external_user)
    return _message(where, Party(PartyKind.STAFF, staff), text, at, **more)


def _message(where: Conversation, sender: Party, text: str, at: datetime, **more: Any) -> ChatMessage:
    number = next(_numbers)
    fields: dict[str, Any] = {
        "msgid": f"said-{number}",
        "source": "archive",
        "conversation": where,
        "sender": sender,
        "sent_at": at + timedelta(milliseconds=number % 1000),
        "kind": "text",
        "text": text,
        "body": {"content": text},
    }
    return ChatMessage(**{**fields, **more})
