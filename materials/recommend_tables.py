"""Private storage of script recommendation: what people made of suggestions, and what no script answers."""

from datetime import datetime

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from crm_core.db import BigId, UtcDateTime


class ScriptLessonRow(SQLModel, table=True):
    """A script in answer to something a customer said. verdict: sent | up | down.

    said: sealed. vector: of what was said, under ``model``; empty where no model was loaded. customer_token: a hash of
    the customer's id. replied: the customer went on talking within a day. lesson_key: telling it twice changes nothing.
    """

    __tablename__ = "script_lessons"
    __table_args__ = (
        UniqueConstraint("corp_id", "lesson_key"),
        Index("ix_script_lessons_new", "corp_id", "happened_at", "replied"),
        Index("ix_script_lessons_customer", "corp_id", "customer_token", "replied"),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    corp_id: str
    lesson_key: str
    script_id: int = Field(sa_type=BigId)
    staff_userid: str
    customer_token: str = ""
    verdict: str
    said: bytes = b""
    model: str = ""
    vector: bytes = b""
    replied: bool = False
    happened_at: datetime = Field(sa_type=UtcDateTime)


class CustomerTurnRow(SQLModel, table=True):
    """The last thing a customer said in one conversation, by its position in the chat store."""

    __tablename__ = "customer_turns"
    __table_args__ = (Index("ix_customer_turns_customer", "corp_id", "external_userid"),)

    corp_id: str = Field(primary_key=True)
    conversation_kind: str = Field(primary_key=True)
    conversation_key: str = Field(primary_key=True)
    external_userid: str
    position: int = Field(sa_type=BigId)
    said_at: datetime = Field(sa_type=UtcDateTime)


class ScriptGapRow(SQLModel, table=True):
    """A question that customers ask and no script answers. state: open | ignored | written.

    label: the first wording, numbers masked, sealed. vector: the middle of the group's questions, under ``model``.
    """

    __tablename__ = "script_gaps"
    __table_args__ = (Index("ix_script_gaps_state", "corp_id", "state", "asked", "id"),)

    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    corp_id: str
    label: bytes
    model: str = ""
    vector: bytes = b""
    asked: int = 0
    state: str = "open"
    script_id: int = Field(default=0, sa_type=BigId)
    changed_by: str = ""
    first_at: datetime = Field(sa_type=UtcDateTime)
    last_at: datetime = Field(sa_type=UtcDateTime)


class ScriptGapCaseRow(SQLModel, table=True):
    """One customer's question in a gap, by its position in the chat store."""

    __tablename__ = "script_gap_cases"
    __table_args__ = (Index("ix_script_gap_cases_gap", "gap_id", "position"),)

    corp_id: str = Field(primary_key=True)
    position: int = Field(primary_key=True, sa_type=BigId)
    gap_id: int = Field(sa_type=BigId)
    external_userid: str
    asked_at: datetime = Field(sa_type=UtcDateTime)
