"""Private storage of the SOP room."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from crm_core.db import BigId, Json, UtcDateTime

ACTIVE = text("status = 'active'")


class SopRow(SQLModel, table=True):
    """One version of a plan. Only one version of a key is enabled; people inside stay on theirs."""

    __tablename__ = "sops"
    __table_args__ = (UniqueConstraint("corp_id", "key", "version"),)

    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    corp_id: str
    key: str
    version: int = 1
    name: str
    plan: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    enabled: bool = True
    created_at: datetime = Field(sa_type=UtcDateTime)


class EnrolmentRow(SQLModel, table=True):
    """One customer going through one sop with one staff member. status: active | paused | finished | stopped."""

    __tablename__ = "enrolments"
    __table_args__ = (
        UniqueConstraint("corp_id", "dedupe_key"),
        Index("ix_enrolments_due", "next_at", sqlite_where=ACTIVE, postgresql_where=ACTIVE),
        Index("ix_enrolments_follow", "corp_id", "external_userid", "staff_userid"),
        Index("ix_enrolments_sop", "sop_id", "entered_at"),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    corp_id: str
    app_key: str
    sop_id: int = Field(sa_type=BigId)
    staff_userid: str
    external_userid: str
    dedupe_key: str
    status: str = "active"
    next_step: int = 0
    next_at: datetime = Field(sa_type=UtcDateTime)
    entered_at: datetime = Field(sa_type=UtcDateTime)
    ended_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    end_reason: str = ""


class StepRunRow(SQLModel, table=True):
    """节点执行 and 待办: one step for one enrolment. status: due | sent | skipped | expired | failed."""

    __tablename__ = "step_runs"
    __table_args__ = (
        UniqueConstraint("enrolment_id", "step"),
        Index("ix_step_runs_todo", "corp_id", "staff_userid", "status", "due_at"),
        Index("ix_step_runs_customer", "corp_id", "external_userid"),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    corp_id: str
    enrolment_id: int = Field(sa_type=BigId)
    step: int
    step_key: str
    title: str
    sop_name: str
    staff_userid: str
    external_userid: str
    message: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    status: str = "due"
    due_at: datetime = Field(sa_type=UtcDateTime)
    ran_at: datetime = Field(sa_type=UtcDateTime)
    ended_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    reason: str = ""
