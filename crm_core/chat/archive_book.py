"""How far each corp's archive has been read, by whom, what stands in the way, and what is missing."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func
from sqlalchemy import select as sa_select
from sqlmodel import Session, col, delete, select

from crm_core import audit, outbox
from crm_core.archive_tables import ArchiveCursorRow, ArchiveGapRow, ArchiveUndecidedRow
from crm_core.chat.archive_port import ArchiveHealth, ArchiveUnavailable, OpenedRecord, SealedRecord, Unopened
from crm_core.db import UnitOfWork
from crm_core.errors import LeaseLost
from crm_core.ids import CorpId
from crm_core.owner import is_dead

PULL_JOB, LANE = "archive.pull", "archive"
HOLD = timedelta(minutes=2)  # a page takes seconds
FIRST_PAUSE, MOST_PAUSE = timedelta(seconds=5), timedelta(minutes=10)
NEW, FINE, TROUBLED = "new", "ok", "trouble"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Seqs that the archive left out, both ends included."""

    first_seq: int
    last_seq: int
    found_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class UndecidedGroup:
    """Records that could not be opened, by key version and reason."""

    version: int
    reason: Unopened
    count: int
    first_seq: int
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveState:
    """One corp's archive as the status page shows it."""

    seq: int = 0
    messages: int = 0
    newest_at: datetime | None = None
    pulled_at: datetime | None = None
    caught_up_at: datetime | None = None
    is_pulling: bool = False
    state: str = NEW
    trouble: str = ""
    says: str = ""
    code_seen: int | None = None
    since: datetime | None = None
    failures: int = 0
    not_before: datetime | None = None
    health: dict[str, Any] = field(default_factory=dict)


def ask(uow: UnitOfWork, corp: CorpId, key: str, *, actor: str = "") -> None:
    """There may be news: have it pulled, once per key. actor: a person who does not want to wait for a pause."""
    row = _row(uow, corp)
    row.asked_at = uow.now()
    if actor:
        row.not_before = None
        audit.record(uow, corp=corp, actor=actor, act="archive.pulled", object_kind="corp", object_id=corp)
    uow.session.add(row)
    outbox.add_job(uow, PULL_JOB, dedupe_key=f"{PULL_JOB}:{key}", payload={"corp": corp}, lane=LANE, corp=corp)


def begin(uow: UnitOfWork, corp: CorpId, owner: str) -> tuple[int, int] | None:
    """Become the one who pulls. Answers seq and page limit (0: no own); None when another is at it or a pause is on."""
    row, now = _row(uow, corp), uow.now()
    held = row.holder and row.holder != owner and row.held_until is not None and row.held_until > now
    if (held and not is_dead(row.holder)) or (row.not_before is not None and row.not_before > now):
        return None
    row.holder, row.held_until = owner, now + HOLD
    uow.session.add(row)
    return row.seq, row.page_limit


def advance(uow: UnitOfWork, corp: CorpId, owner: str, records: Sequence[SealedRecord], *, after: int) -> None:
    """Note a page that is being stored in this very unit; seqs left out are named.

    Raises: LeaseLost when another took over; what is in the unit is void then.
    """
    row = _row(uow, corp)
    if row.holder != owner or row.seq != after:
        raise LeaseLost
    seqs = [record.seq for record in records]
    starts = [after, *seqs]
    for before, here in zip(starts, seqs, strict=False):
        if before and here > before + 1:
            uow.session.add(ArchiveGapRow(corp_id=corp, first_seq=before + 1, last_seq=here - 1, found_at=uow.now()))
    row.seq, row.held_until, row.pulled_at = seqs[-1], uow.now() + HOLD, uow.now()
    row.messages += len(seqs)
    uow.session.add(row)


def note_newest(uow: UnitOfWork, corp: CorpId, newest: datetime) -> None:
    """When the youngest message so far was sent."""
    row = _row(uow, corp)
    if row.newest_at is None or row.newest_at < newest:
        row.newest_at = newest
        uow.session.add(row)


def finish(uow: UnitOfWork, corp: CorpId, owner: str, *, began: datetime, health: ArchiveHealth) -> bool:
    """The archive is empty behind the cursor. Answers False when news was announced since ``began``: look again."""
    row = _row(uow, corp)
    if row.holder != owner:
        return True
    row.state, row.trouble, row.says, row.code_seen = FINE, "", "", None
    row.failures, row.not_before, row.since, row.page_limit = 0, None, None, 0
    row.pulled_at = row.caught_up_at = uow.now()
    row.health = {**asdict(health), "at": uow.now().isoformat()}
    is_through = row.asked_at is None or row.asked_at <= began
    if is_through:
        row.holder, row.held_until = "", None
    uow.session.add(row)
    return is_through


def let_go(uow: UnitOfWork, corp: CorpId, owner: str) -> None:
    """Somebody else may go on."""
    row = _row(uow, corp)
    if row.holder == owner:
        row.holder, row.held_until = "", None
        uow.session.add(row)


def fail(uow: UnitOfWork, corp: CorpId, owner: str, error: ArchiveUnavailable, health: ArchiveHealth) -> None:
    """What stands in the way, and a pause that doubles each time."""
    row = _row(uow, corp)
    if row.holder == owner:
        row.holder, row.held_until = "", None
    if row.state != TROUBLED or row.trouble != error.trouble.value or row.code_seen != error.code_seen:
        row.since = uow.now()
    row.state, row.trouble, row.says, row.code_seen = TROUBLED, error.trouble.value, error.message, error.code_seen
    row.failures += 1
    row.not_before = uow.now() + min(FIRST_PAUSE * 2 ** min(row.failures - 1, 10), MOST_PAUSE)
    row.health = {**asdict(health), "at": uow.now().isoformat()}
    uow.session.add(row)


def limit_pages(uow: UnitOfWork, corp: CorpId, limit: int) -> None:
    """WeCom asked for smaller pages."""
    row = _row(uow, corp)
    row.page_limit = limit
    uow.session.add(row)


def keep_undecided(uow: UnitOfWork, corp: CorpId, records: Iterable[OpenedRecord], prints: dict[int, str]) -> None:
    """Keep what could not be opened, as it came."""
    for one in records:
        record = one.record
        uow.session.add(
            ArchiveUndecidedRow(
                corp_id=corp,
                seq=record.seq,
                msgid=record.msgid,
                version=record.version,
                sealed_key=record.sealed_key,
                sealed_message=record.sealed_message,
                reason=(one.fault or Unopened.NOT_A_MESSAGE).value,
                tried_with=prints.get(record.version, ""),
                found_at=uow.now(),
                tried_at=uow.now(),
            )
        )


def worth_another_try(session: Session, corp: CorpId, prints: dict[int, str], limit: int) -> list[SealedRecord]:
    """Records whose version now has another key than when they were tried."""
    found: list[SealedRecord] = []
    for version, mark in sorted(prints.items()):
        rows = session.exec(
            select(ArchiveUndecidedRow)
            .where(
                ArchiveUndecidedRow.corp_id == corp,
                ArchiveUndecidedRow.version == version,
                ArchiveUndecidedRow.tried_with != mark,
            )
            .order_by(col(ArchiveUndecidedRow.seq))
            .limit(limit - len(found))
        )
        found += [_sealed(row) for row in rows]
        if len(found) >= limit:
            break
    return found


def forget_tries(uow: UnitOfWork, corp: CorpId, *, actor: str) -> int:
    """Have everything undecided tried again. Answers how many there are."""
    rows = uow.session.exec(select(ArchiveUndecidedRow).where(ArchiveUndecidedRow.corp_id == corp)).all()
    for row in rows:
        row.tried_with = "again"
        uow.session.add(row)
    audit.record(
        uow, corp=corp, actor=actor, act="archive.retried", object_kind="corp", object_id=corp, data={"n": len(rows)}
    )
    return len(rows)


def settle_undecided(uow: UnitOfWork, corp: CorpId, tried: Sequence[OpenedRecord], prints: dict[int, str]) -> None:
    """After another try: what was opened is gone from the list, what was not has its new reason."""
    by_seq = {one.record.seq: one for one in tried}
    rows = uow.session.exec(
        select(ArchiveUndecidedRow).where(
            ArchiveUndecidedRow.corp_id == corp, col(ArchiveUndecidedRow.seq).in_(list(by_seq))
        )
    )
    for row in rows:
        one = by_seq[row.seq]
        if one.fault is None:
            uow.session.delete(row)
            continue
        row.reason, row.tried_with = one.fault.value, prints.get(row.version, "")
        row.tries, row.tried_at = row.tries + 1, uow.now()
        uow.session.add(row)


def state(session: Session, corp: CorpId) -> ArchiveState:
    """Where things stand."""
    row = session.get(ArchiveCursorRow, corp)
    if row is None:
        return ArchiveState()
    values = row.model_dump(include=set(ArchiveState.__dataclass_fields__) - {"is_pulling"})
    return ArchiveState(**values, is_pulling=bool(row.holder) and not is_dead(row.holder))


def gaps(session: Session, corp: CorpId, limit: int = 100) -> list[Gap]:
    """The newest gaps first."""
    rows = session.exec(
        select(ArchiveGapRow)
        .where(ArchiveGapRow.corp_id == corp)
        .order_by(col(ArchiveGapRow.first_seq).desc())
        .limit(limit)
    )
    return [Gap(**row.model_dump(include={"first_seq", "last_seq", "found_at"})) for row in rows]


def missing_seqs(session: Session, corp: CorpId) -> int:
    """How many seqs are missing altogether."""
    span = ArchiveGapRow.last_seq - ArchiveGapRow.first_seq + 1
    return int(session.exec(select(func.coalesce(func.sum(span), 0)).where(ArchiveGapRow.corp_id == corp)).one())


def forget_gaps(uow: UnitOfWork, corp: CorpId, *, actor: str) -> None:
    """A person has read the gap report; audited with what it said."""
    told = [[gap.first_seq, gap.last_seq] for gap in gaps(uow.session, corp, 1000)]
    uow.session.exec(delete(ArchiveGapRow).where(col(ArchiveGapRow.corp_id) == corp))
    audit.record(
        uow, corp=corp, actor=actor, act="archive.gaps_read", object_kind="corp", object_id=corp, data={"gaps": told}
    )


def undecided(session: Session, corp: CorpId) -> list[UndecidedGroup]:
    """What could not be opened, by version and reason."""
    row = ArchiveUndecidedRow
    found = session.exec(
        sa_select(row.version, row.reason, func.count(), func.min(row.seq), func.min(row.found_at))  # type: ignore[call-overload]
        .where(row.corp_id == corp)
        .group_by(col(row.version), col(row.reason))
        .order_by(col(row.version), col(row.reason))
    )
    return [
        UndecidedGroup(version=version, reason=Unopened(reason), count=count, first_seq=first, since=since)
        for version, reason, count, first, since in found
    ]


def _row(uow: UnitOfWork, corp: CorpId) -> ArchiveCursorRow:
    row = uow.session.get(ArchiveCursorRow, corp, with_for_update=True)
    if row is None:
        uow.lock(f"archive-cursor:{corp}")
        row = uow.session.get(ArchiveCursorRow, corp, with_for_update=True) or ArchiveCursorRow(corp_id=corp)
    return row


def _sealed(row: ArchiveUndecidedRow) -> SealedRecord:
    return SealedRecord(
        seq=row.seq,
        msgid=row.msgid,
        version=row.version,
        sealed_key=row.sealed_key,
        sealed_message=row.sealed_message,
    )
