"""Files of the chat archive: what is wanted, how far each has come, where it lies.

WeCom gives a file out for three days only, so each is wanted in the commit that stores its message.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import func
from sqlmodel import Session, col, select

from crm_core import outbox
from crm_core.archive_tables import ArchiveMediaRow
from crm_core.chat.model import ChatMessage, MediaRef
from crm_core.db import UnitOfWork
from crm_core.errors import NotFound
from crm_core.ids import CorpId
from crm_core.listing import batches

MEDIA_JOB, LANE = "archive.media", "archive_media"


class MediaState(StrEnum):
    """waiting and loading come to an end by themselves; dropped: retention deleted the bytes."""

    WAITING = "waiting"
    LOADING = "loading"
    DONE = "done"
    FAILED = "failed"
    TOO_LARGE = "too_large"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveFile:
    """A file of the archive. next_index (base64), bytes_done and part_name: where to go on."""

    id: int
    sdkfileid: str
    msgid: str
    kind: str
    filename: str
    md5: str
    size_told: int
    state: MediaState
    next_index: str
    bytes_done: int
    part_name: str
    file_key: str
    says: str
    tries: int
    wanted_at: datetime
    ended_at: datetime | None


def want(uow: UnitOfWork, corp: CorpId, messages: Iterable[ChatMessage], *, most_bytes: int) -> int:
    """Have the files of new messages fetched, each once. Answers how many are new."""
    wanted: dict[str, tuple[str, MediaRef]] = {}
    for message in messages:
        for ref in message.media:
            wanted.setdefault(_print(ref.sdkfileid), (message.msgid, ref))
    known = _known(uow.session, corp, list(wanted))
    rows = [
        ArchiveMediaRow(
            corp_id=corp,
            file_print=mark,
            sdkfileid=ref.sdkfileid,
            msgid=msgid,
            kind=ref.kind,
            filename=ref.filename,
            md5=ref.md5,
            size_told=ref.size,
            state=(MediaState.TOO_LARGE if ref.size > most_bytes else MediaState.WAITING).value,
            wanted_at=uow.now(),
        )
        for mark, (msgid, ref) in wanted.items()
        if mark not in known
    ]
    uow.session.add_all(rows)
    uow.session.flush()
    for row in rows:
        if row.state == MediaState.WAITING.value:
            add_job(uow, corp, row.id or 0)
    return len(rows)


def add_job(uow: UnitOfWork, corp: CorpId, media_id: int, turn: int = 0) -> None:
    """The job that fetches a file. turn: a person asked for another go."""
    key = f"{MEDIA_JOB}:{corp}:{media_id}:{turn}"
    outbox.add_job(uow, MEDIA_JOB, dedupe_key=key, payload={"corp": corp, "media": media_id}, lane=LANE, corp=corp)


def get(session: Session, corp: CorpId, media_id: int) -> ArchiveFile:
    """One file. Raises: NotFound."""
    row = session.get(ArchiveMediaRow, media_id)
    if row is None or row.corp_id != corp:
        raise NotFound("没有这个文件")
    return _file(row)


def note_part(uow: UnitOfWork, media_id: int, *, part_name: str, bytes_done: int, next_index: str) -> None:
    """Another chunk is on disk."""
    row = uow.session.get_one(ArchiveMediaRow, media_id)
    row.state, row.part_name, row.bytes_done, row.next_index = (
        MediaState.LOADING.value,
        part_name,
        bytes_done,
        next_index,
    )
    uow.session.add(row)


def end(uow: UnitOfWork, media_id: int, state: MediaState, *, file_key: str = "", says: str = "") -> None:
    """The file is there, or will not come."""
    row = uow.session.get_one(ArchiveMediaRow, media_id)
    row.state, row.file_key, row.says = state.value, file_key, says
    row.part_name, row.next_index, row.ended_at = "", "", uow.now()
    uow.session.add(row)


def start_over(uow: UnitOfWork, media_id: int, says: str) -> int:
    """What came was wrong: from the beginning. Answers how often that was so."""
    row = uow.session.get_one(ArchiveMediaRow, media_id)
    row.part_name, row.next_index, row.bytes_done, row.says = "", "", 0, says
    row.tries += 1
    uow.session.add(row)
    return row.tries


def ask_again(uow: UnitOfWork, corp: CorpId, media_id: int) -> None:
    """A person wants another try. Raises: NotFound."""
    row = uow.session.get(ArchiveMediaRow, media_id)
    if row is None or row.corp_id != corp or row.state not in {MediaState.FAILED, MediaState.TOO_LARGE}:
        raise NotFound("没有可以重试的文件")
    row.state, row.says, row.bytes_done = MediaState.WAITING.value, "", 0
    row.tries += 1
    uow.session.add(row)
    add_job(uow, corp, media_id, row.tries)


def of_files(session: Session, corp: CorpId, file_ids: Sequence[str]) -> dict[str, ArchiveFile]:
    """The files behind sdkfileids, by sdkfileid."""
    found: dict[str, ArchiveFile] = {}
    for part in batches(_print(one) for one in file_ids):
        rows = session.exec(
            select(ArchiveMediaRow).where(ArchiveMediaRow.corp_id == corp, col(ArchiveMediaRow.file_print).in_(part))
        )
        found |= {row.sdkfileid: _file(row) for row in rows}
    return found


def counts(session: Session, corp: CorpId) -> dict[MediaState, int]:
    """How many files of each state."""
    row = ArchiveMediaRow
    found = session.exec(select(row.state, func.count()).where(row.corp_id == corp).group_by(col(row.state)))
    return {MediaState(state): count for state, count in found}


def troubled(
    session: Session, corp: CorpId, state: MediaState, *, before: int | None = None, limit: int = 50
) -> list[ArchiveFile]:
    """Files of one state, newest first."""
    row = ArchiveMediaRow
    wanted = select(row).where(row.corp_id == corp, row.state == state.value)
    if before is not None:
        wanted = wanted.where(col(row.id) < before)
    return [_file(one) for one in session.exec(wanted.order_by(col(row.id).desc()).limit(limit))]


def drop_older(uow: UnitOfWork, corp: CorpId, older_than: datetime, limit: int) -> tuple[int, list[str]]:
    """Forget the bytes of files that came before a moment. Answers how many, and the keys that nothing needs now."""
    row = ArchiveMediaRow
    rows = uow.session.exec(
        select(row)
        .where(row.corp_id == corp, row.state == MediaState.DONE.value, col(row.ended_at) < older_than)
        .order_by(col(row.id))
        .limit(limit)
    ).all()
    keys = {one.file_key for one in rows}
    for one in rows:
        one.state, one.file_key = MediaState.DROPPED.value, ""
        uow.session.add(one)
    uow.session.flush()
    still = uow.session.exec(select(row.file_key).where(col(row.file_key).in_(list(keys)))).all()
    return len(rows), sorted(keys - set(still))


def forget(session: Session, corp: CorpId, messages: Iterable[ChatMessage]) -> list[str]:
    """Forget the files that came with these messages. Answers the keys whose bytes nothing needs now."""
    marks = {_print(ref.sdkfileid): one.msgid for one in messages for ref in one.media if ref.sdkfileid}
    rows: list[ArchiveMediaRow] = []
    for part in batches(marks):
        rows += session.exec(
            select(ArchiveMediaRow).where(ArchiveMediaRow.corp_id == corp, col(ArchiveMediaRow.file_print).in_(part))
        )
    theirs = [row for row in rows if row.msgid == marks[row.file_print]]
    keys = {row.file_key for row in theirs if row.file_key}
    for row in theirs:
        session.delete(row)
    session.flush()
    still: set[str] = set()
    for part in batches(keys):
        still.update(session.exec(select(ArchiveMediaRow.file_key).where(col(ArchiveMediaRow.file_key).in_(part))))
    return sorted(keys - still)


def _known(session: Session, corp: CorpId, marks: list[str]) -> set[str]:
    found: set[str] = set()
    for part in batches(marks):
        found.update(
            session.exec(
                select(ArchiveMediaRow.file_print).where(
                    ArchiveMediaRow.corp_id == corp, col(ArchiveMediaRow.file_print).in_(part)
                )
            )
        )
    return found


def _print(file_id: str) -> str:
    return hashlib.sha256(file_id.encode("utf-8", "surrogatepass")).hexdigest()


def _file(row: ArchiveMediaRow) -> ArchiveFile:
    values = row.model_dump(include=set(ArchiveFile.__dataclass_fields__))
    return ArchiveFile(**{**values, "state": MediaState(row.state)})
