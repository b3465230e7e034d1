"""A page of opened records into the store: messages, consents, files and what could not be read, in one unit."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from sqlmodel import Session

from crm_core import groups, staff
from crm_core.chat import archive_book, archive_media, consents
from crm_core.chat.archive_form import Known, consent_of, doubtful_ids, read_record, to_message
from crm_core.chat.archive_port import OpenedRecord, Unopened
from crm_core.chat.consents import Consent
from crm_core.chat.model import ChatMessage
from crm_core.chat.store import ChatStore
from crm_core.config_archive import ArchivePart
from crm_core.db import UnitOfWork
from crm_core.ids import CorpId

MB = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """A page made into messages. unread: records that gave none."""

    messages: tuple[ChatMessage, ...]
    unread: tuple[OpenedRecord, ...]


def read_page(session: Session, corp: CorpId, opened: Sequence[OpenedRecord]) -> Read:
    """Messages of a page in its order; ids that could be either are looked up."""
    found: list[tuple[OpenedRecord, dict[str, Any]]] = []
    unread: list[OpenedRecord] = []
    for one in opened:
        record = None if one.fault else read_record(one.text)
        if record is None:
            unread.append(one if one.fault else replace(one, fault=Unopened.NOT_A_MESSAGE))
        else:
            found.append((one, record))
    people, rooms = doubtful_ids(record for _, record in found)
    known = Known(
        staff=staff.known_among(session, corp, people),
        groups=groups.known_among(session, corp, rooms),
    )
    return Read(
        messages=tuple(
            to_message(record, seq=one.record.seq, msgid=one.record.msgid or f"seq-{one.record.seq}", known=known)
            for one, record in found
        ),
        unread=tuple(unread),
    )


def keep(uow: UnitOfWork, corp: CorpId, store: ChatStore, part: ArchivePart, messages: Sequence[ChatMessage]) -> int:
    """Store messages with all that goes with them. Answers how many were new."""
    alive_from = uow.now() - timedelta(hours=part.live_hours)
    fresh: list[ChatMessage] = []
    for is_live, some in groupby(messages, key=lambda message: message.sent_at >= alive_from):
        fresh += [one.message for one in store.append(uow, corp, some, live=is_live)]
    for message in fresh:
        given = consent_of(message)
        if given is not None and given.external_user:
            status = Consent.AGREED if given.agreed else Consent.REFUSED
            consents.record(uow, corp, given.external_user, given.staff, status, given.at, "message")
    if part.media:
        archive_media.want(uow, corp, fresh, most_bytes=part.media_most_mb * MB)
    return len(fresh)


def take_in(
    uow: UnitOfWork,
    corp: CorpId,
    owner: str,
    store: ChatStore,
    part: ArchivePart,
    opened: Sequence[OpenedRecord],
    prints: dict[int, str],
    *,
    after: int,
) -> int:
    """One pulled page, with the cursor behind it. Answers how many messages are new. Raises: LeaseLost."""
    archive_book.advance(uow, corp, owner, [one.record for one in opened], after=after)
    read = read_page(uow.session, corp, opened)
    new = keep(uow, corp, store, part, read.messages)
    archive_book.keep_undecided(uow, corp, read.unread, prints)
    newest = _newest(read.messages, uow.now())
    if newest is not None:
        archive_book.note_newest(uow, corp, newest)
    return new


def take_in_again(
    uow: UnitOfWork,
    corp: CorpId,
    store: ChatStore,
    part: ArchivePart,
    opened: Sequence[OpenedRecord],
    prints: dict[int, str],
) -> int:
    """Records that could not be opened before. Answers how many messages are new."""
    read = read_page(uow.session, corp, opened)
    unread = {one.record.seq: one for one in read.unread}
    tried = [unread.get(one.record.seq, one) for one in opened]
    new = keep(uow, corp, store, part, read.messages)
    archive_book.settle_undecided(uow, corp, tried, prints)
    return new


def _newest(messages: Sequence[ChatMessage], now: datetime) -> datetime | None:
    """When the youngest was sent; times in the future are nonsense."""
    return max((message.sent_at for message in messages if message.sent_at <= now), default=None)
