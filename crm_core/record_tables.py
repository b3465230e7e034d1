"""Private storage of what staff write down beside WeCom's facts: reminders, own fields, group notes, page layout."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, Text, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from crm_core.db import BigId, Json, UtcDateTime

UNTOLD = text("status = 'open' AND told_at IS NULL")


class ReminderRow(SQLModel, table=True):
    """跟进提醒 of one staff member about one customer. status: open | done | deleted.

    told_at: when the app message for the present due_at was written down; None while it is still to come.
    """

    __tablename__ = "reminders"
    __table_args__ = (
        UniqueConstraint("corp_id", "dedupe_key"),
        Index("ix_reminders_due", "due_at", sqlite_where=UNTOLD, postgresql_where=UNTOLD),
        Index("ix_reminders_staff", "corp_id", "staff_userid", "status", "due_at"),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    corp_id: str
    app_key: str
    staff_userid: str
    external_userid: str
    note: str = Field(default="", sa_type=Text)
    due_at: datetime = Field(sa_type=UtcDateTime)
    status: str = "open"
    told_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    created_at: datetime = Field(sa_type=UtcDateTime)
    ended_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    dedupe_key: str


class CustomFieldRow(SQLModel, table=True):
    """自定义字段 of a corp's customers. kind: see ``crm_core.custom_fields``. Larger sort_order comes first."""

    __tablename__ = "custom_fields"
    __table_args__ = (Index("ix_custom_fields_corp", "corp_id", "enabled"),)

    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    corp_id: str
    name: str
    kind: str
    choices: list[str] = Field(default_factory=list, sa_type=Json)
    hint: str = ""
    sort_order: int = 0
    enabled: bool = True
    created_at: datetime = Field(sa_type=UtcDateTime)


class CustomValueRow(SQLModel, table=True):
    """What a customer's custom field holds; no row: nothing. value: text, number as text, or a list of texts."""

    __tablename__ = "custom_values"
    __table_args__ = (Index("ix_custom_values_field", "corp_id", "field_id"),)

    corp_id: str = Field(primary_key=True)
    external_userid: str = Field(primary_key=True)
    field_id: int = Field(primary_key=True, sa_type=BigId)
    value: Any = Field(sa_type=Json)
    changed_by: str
    changed_at: datetime = Field(sa_type=UtcDateTime)


class CustomerMobileRow(SQLModel, table=True):
    """Which external users go by a mobile in some follow: derived from the follows, for finding by number."""

    __tablename__ = "customer_mobiles"
    __table_args__ = (Index("ix_customer_mobiles_user", "corp_id", "external_userid"),)

    corp_id: str = Field(primary_key=True)
    mobile: str = Field(primary_key=True)
    external_userid: str = Field(primary_key=True)


class PageLayoutRow(SQLModel, table=True):
    """How a staff member arranged one page."""

    __tablename__ = "page_layouts"

    corp_id: str = Field(primary_key=True)
    staff_userid: str = Field(primary_key=True)
    page: str = Field(primary_key=True)
    layout: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    changed_at: datetime = Field(sa_type=UtcDateTime)


class GroupTagRow(SQLModel, table=True):
    """群标签: ours alone, WeCom knows none. Seen by all staff who may see the group."""

    __tablename__ = "group_tags"
    __table_args__ = (Index("ix_group_tags_name", "corp_id", "name"),)

    corp_id: str = Field(primary_key=True)
    chat_id: str = Field(primary_key=True)
    name: str = Field(primary_key=True)
    added_by: str
    added_at: datetime = Field(sa_type=UtcDateTime)


class GroupNoteRow(SQLModel, table=True):
    """群备注 by one staff member. deleted_at: taken away, can be brought back."""

    __tablename__ = "group_notes"
    __table_args__ = (
        UniqueConstraint("corp_id", "dedupe_key"),
        Index("ix_group_notes_chat", "corp_id", "chat_id", "created_at"),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    corp_id: str
    chat_id: str
    staff_userid: str
    text: str = Field(sa_type=Text)
    created_at: datetime = Field(sa_type=UtcDateTime)
    deleted_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    dedupe_key: str
