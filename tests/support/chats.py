"""Chat messages for tests, said in a product of theirs."""

import itertools
from datetime import datetime
from typing import Any

from crm_core.chat.model import ChatMessage, Conversation, Party, PartyKind
from crm_core.outbox import OUTBOX
from tests.support.product import InProcess

_NUMBERS = itertools.count(1)


def message(
    conversation: Conversation,
    sender: str,
    text: str,
    at: datetime,
    *,
    by: str = "staff",
    kind: str = "text",
    **more: Any,
) -> ChatMessage:
    """One message. by: staff | customer."""
    body = more.pop("body", {"content": text})
    msgid = more.pop("msgid", f"m{next(_NUMBERS)}")
    return ChatMessage(
        msgid=msgid,
        source="archive",
        conversation=conversation,
        sender=Party(PartyKind(by), sender),
        sent_at=at,
        kind=kind,
        text=text,
        body=body,
        **more,
    )


def say(product: InProcess, *messages: ChatMessage, live: bool = True, work: bool = True) -> None:
    """Put messages into the store, and have everybody read them."""
    with product.house.db.unit() as uow:
        product.house.chat.store.append(uow, product.corp, messages, live=live)
        uow.commit()
    if work:
        product.work()


def written_cards(product: InProcess) -> list[tuple[list[str], dict[str, str]]]:
    """The text cards to staff that were written down, with whom they are for."""
    with product.house.db.reading() as session:
        rows = session.connection().execute(OUTBOX.select().where(OUTBOX.c.kind == "send_app_message"))
        return [(row.payload["staff"], row.payload["body"]["textcard"]) for row in rows]
