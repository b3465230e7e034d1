"""Private storage of the tagging room."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from crm_core.db import BigId, Json, UtcDateTime


class TagGroupRow(SQLModel, table=True):
    """标签组."""

    __tablename__ = "tag_groups"

    corp_id: str = Field(primary_key=True)
    group_id: str = Field(primary_key=True)
    name: str = ""
    sort_order: int = Field(default=0, sa_type=BigId)
    deleted: bool = False


class TagRow(SQLModel, table=True):
    """企业标签."""

    __tablename__ = "tags"
    __table_args__ = (Index("ix_tags_group", "corp_id", "group_id"),)

    corp_id: str = Field(primary_key=True)
    tag_id: str = Field(primary_key=True)
    group_id: str
    name: str = ""
    sort_order: int = Field(default=0, sa_type=BigId)
    deleted: bool = False


class FollowTagRow(SQLModel, table=True):
    """A corp tag on one follow. status: adding | set | removing | failed; source: channel | staff | wecom | rule."""

    __tablename__ = "follow_tags"
    __table_args__ = (
        Index("ix_follow_tags_customer", "corp_id", "external_userid"),
        Index("ix_follow_tags_tag", "corp_id", "tag_id"),
        Index("ix_follow_tags_recent", "corp_id", "staff_userid", "changed_at"),
    )

    corp_id: str = Field(primary_key=True)
    staff_userid: str = Field(primary_key=True)
    external_userid: str = Field(primary_key=True)
    tag_id: str = Field(primary_key=True)
    status: str = "set"
    source: str = "wecom"
    last_error: str = ""
    changed_at: datetime = Field(sa_type=UtcDateTime)


class PersonalTagRow(SQLModel, table=True):
    """个人标签: a staff member's own tag on a follow. source: wecom (kept in step) | own (made here, stays here)."""

    __tablename__ = "personal_tags"

    corp_id: str = Field(primary_key=True)
    staff_userid: str = Field(primary_key=True)
    external_userid: str = Field(primary_key=True)
    name: str = Field(primary_key=True)
    source: str = Field(default="wecom", sa_column_kwargs={"server_default": "wecom"})
    added_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class TagRuleRow(SQLModel, table=True):
    """A rule that puts tags on follows by itself. kind and conditions: see ``tagging.rules``."""

    __tablename__ = "tag_rules"

    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    corp_id: str = Field(index=True)
    name: str
    kind: str
    conditions: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    tag_ids: list[str] = Field(default_factory=list, sa_type=Json)
    is_active: bool = True
    marked_count: int = 0
    created_by: str = ""
    created_at: datetime = Field(sa_type=UtcDateTime)


class TagChangeRow(SQLModel, table=True):
    """A change of the library on its way to WeCom. status: waiting | failed; one that worked leaves no row."""

    __tablename__ = "tag_changes"

    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    corp_id: str = Field(index=True)
    said: str
    status: str = "waiting"
    last_error: str = ""
    changed_by: str
    changed_at: datetime = Field(sa_type=UtcDateTime)
