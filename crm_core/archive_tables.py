"""Private storage of the chat archive beside the messages. Imported by ``crm_core.tables``."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, Text, UniqueConstraint
from sqlmodel import Field, SQLModel

from crm_core.db import BigId, Json, UtcDateTime


class ArchiveCursorRow(SQLModel, table=True):
    """How far a corp's archive has been read. holder: who pulls now, until held_until at most.

    state: new | ok | trouble; since when, and in words. asked_at: when somebody last said that there is news.
    not_before: the next try after a trouble. health: of the archive process, as last seen.
    """

    __tablename__ = "archive_cursors"

    corp_id: str = Field(primary_key=True)
    seq: int = Field(default=0, sa_type=BigId)
    messages: int = Field(default=0, sa_type=BigId)
    newest_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    pulled_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    caught_up_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    asked_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    holder: str = ""
    held_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    page_limit: int = 0
    state: str = "new"
    trouble: str = ""
    says: str = ""
    code_seen: int | None = None
    since: datetime | None = Field(default=None, sa_type=UtcDateTime)
    failures: int = 0
    not_before: datetime | None = Field(default=None, sa_type=UtcDateTime)
    health: dict[str, Any] = Field(default_factory=dict, sa_type=Json)


class ArchiveUndecidedRow(SQLModel, table=True):
    """An encrypted record that could not be opened, kept as it came. tried_with: fingerprint of the key then."""

    __tablename__ = "archive_undecided"
    __table_args__ = (UniqueConstraint("corp_id", "seq"), Index("ix_archive_undecided_version", "corp_id", "version"))

    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    corp_id: str
    seq: int = Field(sa_type=BigId)
    msgid: str
    version: int = Field(sa_type=BigId)
    sealed_key: str = Field(sa_type=Text)
    sealed_message: str = Field(sa_type=Text)
    reason: str
    tried_with: str = ""
    tries: int = 1
    found_at: datetime = Field(sa_type=UtcDateTime)
    tried_at: datetime = Field(sa_type=UtcDateTime)


class ArchiveGapRow(SQLModel, table=True):
    """Seqs that the archive left out, first to last."""

    __tablename__ = "archive_gaps"
    __table_args__ = (UniqueConstraint("corp_id", "first_seq"),)

    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    corp_id: str
    first_seq: int = Field(sa_type=BigId)
    last_seq: int = Field(sa_type=BigId)
    found_at: datetime = Field(sa_type=UtcDateTime)


class ArchiveConsentRow(SQLModel, table=True):
    """Whether a customer agreed to be recorded, towards one member. staff_userid: "" when WeCom did not tell.

    status: agreed | refused | default. source: message | callback | asked.
    """

    __tablename__ = "archive_consents"
    __table_args__ = (Index("ix_archive_consents_changed", "corp_id", "changed_at"),)

    corp_id: str = Field(primary_key=True)
    external_userid: str = Field(primary_key=True)
    staff_userid: str = Field(default="", primary_key=True)
    status: str
    source: str
    changed_at: datetime = Field(sa_type=UtcDateTime)


class ArchiveMediaRow(SQLModel, table=True):
    """A file of the archive. state: waiting | loading | done | failed | too_large | dropped.

    file_print: SHA-256 of the sdkfileid, which is long. next_index, bytes_done: where to go on. part_name: the file
    that grows meanwhile.
    """

    __tablename__ = "archive_media"
    __table_args__ = (
        UniqueConstraint("corp_id", "file_print"),
        Index("ix_archive_media_state", "corp_id", "state", "id"),
        Index("ix_archive_media_key", "file_key"),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    corp_id: str
    file_print: str
    sdkfileid: str = Field(sa_type=Text)
    msgid: str
    kind: str
    filename: str = ""
    md5: str = ""
    size_told: int = Field(default=0, sa_type=BigId)
    state: str = "waiting"
    next_index: str = Field(default="", sa_type=Text)
    bytes_done: int = Field(default=0, sa_type=BigId)
    part_name: str = ""
    file_key: str = ""
    says: str = ""
    tries: int = 0
    wanted_at: datetime = Field(sa_type=UtcDateTime)
    ended_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
