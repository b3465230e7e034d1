"""What staff write down about a customer group: tags of our own (WeCom has none for groups) and notes."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import update
from sqlmodel import Session, col, func, select

from crm_core import staff
from crm_core.db import UnitOfWork
from crm_core.errors import InputInvalid, NotFound
from crm_core.events import StaffUpdated
from crm_core.ids import ChatId, CorpId, StaffUserId
from crm_core.record_tables import GroupNoteRow, GroupTagRow

MOST_TAGS, MOST_TAG_CHARS, MOST_NOTE_CHARS = 20, 20, 500


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupNote:
    """One note. staff wrote it; only they may take it away."""

    id: int
    staff: str
    staff_name: str
    text: str
    at: datetime


def tags_of(session: Session, corp: CorpId, chat: ChatId) -> list[str]:
    """The group's tags, by name."""
    return list(
        session.exec(
            select(GroupTagRow.name)
            .where(GroupTagRow.corp_id == corp, GroupTagRow.chat_id == chat)
            .order_by(GroupTagRow.name)
        )
    )


def used_tags(session: Session, corp: CorpId, *, limit: int = 12) -> list[str]:
    """The corp's group tags, those on most groups first: what the sheet proposes."""
    rows = session.exec(
        select(GroupTagRow.name)
        .where(GroupTagRow.corp_id == corp)
        .group_by(GroupTagRow.name)
        .order_by(func.count().desc(), GroupTagRow.name)
        .limit(limit)
    )
    return list(rows)


def add_tag(uow: UnitOfWork, corp: CorpId, chat: ChatId, name: str, *, by: StaffUserId) -> None:
    """Put a tag on the group; there already: nothing changes. Raises: InputInvalid."""
    wanted = " ".join(name.split())
    if not 1 <= len(wanted) <= MOST_TAG_CHARS:
        raise InputInvalid(f"标签应有 1–{MOST_TAG_CHARS} 个字", field="name")
    uow.lock(f"group_tags:{corp}:{chat}")
    held = tags_of(uow.session, corp, chat)
    if wanted in held:
        return
    if len(held) >= MOST_TAGS:
        raise InputInvalid(f"一个群最多 {MOST_TAGS} 个标签，请先移除几个", field="name")
    uow.session.add(GroupTagRow(corp_id=corp, chat_id=chat, name=wanted, added_by=by, added_at=uow.now()))
    uow.session.flush()


def remove_tag(uow: UnitOfWork, corp: CorpId, chat: ChatId, name: str) -> None:
    """Take a tag off the group; not there: nothing changes."""
    row = uow.session.get(GroupTagRow, (corp, chat, name))
    if row is not None:
        uow.session.delete(row)
        uow.session.flush()


def notes_of(session: Session, corp: CorpId, chat: ChatId, *, limit: int = 20) -> list[GroupNote]:
    """Notes, newest first."""
    rows = session.exec(
        select(GroupNoteRow)
        .where(GroupNoteRow.corp_id == corp, GroupNoteRow.chat_id == chat, col(GroupNoteRow.deleted_at).is_(None))
        .order_by(col(GroupNoteRow.created_at).desc(), col(GroupNoteRow.id).desc())
        .limit(limit)
    ).all()
    known = staff.names(session, corp, {row.staff_userid for row in rows})
    return [
        GroupNote(
            id=row.id or 0,
            staff=row.staff_userid,
            staff_name=known[row.staff_userid],
            text=row.text,
            at=row.created_at,
        )
        for row in rows
    ]


def add_note(uow: UnitOfWork, corp: CorpId, chat: ChatId, text: str, *, by: StaffUserId, key: str) -> None:
    """Write a note, once per ``key``. Raises: InputInvalid."""
    said = text.strip()
    if not 1 <= len(said) <= MOST_NOTE_CHARS:
        raise InputInvalid(f"备注应有 1–{MOST_NOTE_CHARS} 个字", field="text")
    dedupe_key = f"{by}:{key}"
    uow.lock(f"group_note:{corp}:{dedupe_key}")
    known = select(GroupNoteRow.id).where(GroupNoteRow.corp_id == corp, GroupNoteRow.dedupe_key == dedupe_key)
    if uow.session.exec(known).first() is None:
        uow.session.add(
            GroupNoteRow(
                corp_id=corp, chat_id=chat, staff_userid=by, text=said, created_at=uow.now(), dedupe_key=dedupe_key
            )
        )
        uow.session.flush()


def hide_note(uow: UnitOfWork, corp: CorpId, chat: ChatId, note_id: int, *, by: StaffUserId, hidden: bool) -> None:
    """Take one's own note away, or bring it back. Raises: NotFound."""
    row = uow.session.get(GroupNoteRow, note_id)
    if row is None or row.corp_id != corp or row.chat_id != chat or row.staff_userid != by:
        raise NotFound("没有这条备注，或不是您写的")
    row.deleted_at = uow.now() if hidden else None
    uow.session.add(row)
    uow.session.flush()


def rename_staff(event: StaffUpdated, uow: UnitOfWork) -> None:
    """A changed userid is carried through notes and tags."""
    if event.new_staff is None:
        return
    for table, column in ((GroupNoteRow, "staff_userid"), (GroupTagRow, "added_by")):
        uow.session.execute(
            update(table)
            .where(col(table.corp_id) == event.corp, getattr(table, column) == event.staff)
            .values({column: event.new_staff})
        )
