"""Private storage of what people at the console keep: their lists, their tasks. Imported by ``crm_core.tables``."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, Text, UniqueConstraint
from sqlmodel import Field, SQLModel

from crm_core.db import BigId, Json, UtcDateTime


class ListColumnsRow(SQLModel, table=True):
    """Which columns of a list one person wants to see."""

    __tablename__ = "list_columns"

    corp_id: str = Field(primary_key=True)
    userid: str = Field(primary_key=True)
    list_key: str = Field(primary_key=True)
    columns: list[str] = Field(default_factory=list, sa_type=Json)


class SavedFilterRow(SQLModel, table=True):
    """A named state of a list's filters; owner keeps it, is_shared shows it to everybody in the corp."""

    __tablename__ = "saved_filters"
    __table_args__ = (UniqueConstraint("corp_id", "list_key", "owner", "name"),)

    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    corp_id: str
    list_key: str
    owner: str
    name: str
    query: str = ""
    is_shared: bool = False
    created_at: datetime = Field(sa_type=UtcDateTime)


class TaskRow(SQLModel, table=True):
    """A long piece of work somebody asked for at the console.

    state: waiting | running | done | failed | cancelled. cursor: where to go on after a crash. scope: whose customers
    it may touch, None for everybody's. run: counts the starts; a retry is a new one.
    """

    __tablename__ = "tasks"
    __table_args__ = (Index("ix_tasks_corp", "corp_id", "id"), Index("ix_tasks_expiry", "expires_at"))

    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    corp_id: str
    app_key: str = ""
    kind: str
    title: str
    asked: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    scope: list[str] | None = Field(default=None, sa_type=Json)
    state: str = "waiting"
    run: int = 1
    done_count: int = 0
    failed_count: int = 0
    total_count: int = 0
    cursor: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    cancel_asked: bool = False
    last_error: str = Field(default="", sa_type=Text)
    file_key: str = ""
    file_name: str = ""
    file_bytes: int = 0
    expires_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    created_by: str
    created_at: datetime = Field(sa_type=UtcDateTime)
    started_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    finished_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    undone_by_task: int | None = Field(default=None, sa_type=BigId)


class TaskItemRow(SQLModel, table=True):
    """What a task did to one thing. outcome: done | same | failed. undo: what it takes to take it back."""

    __tablename__ = "task_items"
    __table_args__ = (UniqueConstraint("task_id", "item"),)

    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    corp_id: str
    task_id: int = Field(sa_type=BigId)
    item: str
    outcome: str
    message: str = ""
    undo: dict[str, Any] = Field(default_factory=dict, sa_type=Json)


class ErasureRow(SQLModel, table=True):
    """A customer whose data was erased. token: a hash of corp and id, so that a sync does not bring them back."""

    __tablename__ = "erasures"

    corp_id: str = Field(primary_key=True)
    token: str = Field(primary_key=True)
    pseudonym: str
    erased_at: datetime = Field(sa_type=UtcDateTime)
    erased_by: str
