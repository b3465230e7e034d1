"""Private storage of the tagging room."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, LargeBinary, UniqueConstraint
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
    """A corp tag on one follow.

    status: adding | set | removing | failed; source: channel | staff | wecom | rule | chat.
    """

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


class ChatTagRuleRow(SQLModel, table=True):
    """A rule that tells a tag from what is said. conditions: ``chat_rules.Conditions``, lesson: ``Measure``."""

    __tablename__ = "chat_tag_rules"

    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    corp_id: str = Field(index=True)
    name: str
    kind: str
    conditions: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    tag_id: str
    mode: str = "suggest"
    is_active: bool = False
    version: int = 1
    lesson: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    created_by: str = ""
    created_at: datetime = Field(sa_type=UtcDateTime)
    changed_at: datetime = Field(sa_type=UtcDateTime)


class ChatTagHitRow(SQLModel, table=True):
    """A message that a counting rule fits, kept until there are enough of them or they are too old."""

    __tablename__ = "chat_tag_hits"
    __table_args__ = (
        UniqueConstraint("rule_id", "version", "position"),
        Index("ix_chat_tag_hits_follow", "rule_id", "version", "staff_userid", "external_userid"),
        Index("ix_chat_tag_hits_customer", "corp_id", "external_userid"),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    corp_id: str
    rule_id: int = Field(sa_type=BigId)
    version: int
    staff_userid: str
    external_userid: str
    position: int = Field(sa_type=BigId)
    sent_at: datetime = Field(sa_type=UtcDateTime)


class TagSuggestionRow(SQLModel, table=True):
    """A tag that a message speaks for, on one follow; one row per follow, tag and source.

    source: ``rule:<id>`` or ``learned``; origin: rule | semantic | learned. state: suggested → confirmed | dismissed,
    applied, and both set states → undone. position: the message that proves it. changes: how often the state moved.
    """

    __tablename__ = "tag_suggestions"
    __table_args__ = (
        UniqueConstraint(
            "corp_id", "staff_userid", "external_userid", "tag_id", "source", name="uq_tag_suggestions_once"
        ),
        Index("ix_tag_suggestions_customer", "corp_id", "external_userid"),
        Index("ix_tag_suggestions_source", "corp_id", "source", "state"),
        Index("ix_tag_suggestions_state", "corp_id", "state", "settled_at"),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    corp_id: str
    staff_userid: str
    external_userid: str
    tag_id: str
    source: str
    origin: str
    version: int
    confidence: float
    position: int = Field(sa_type=BigId)
    state: str
    settled_by: str = ""
    changes: int = 0
    created_at: datetime = Field(sa_type=UtcDateTime)
    settled_at: datetime = Field(sa_type=UtcDateTime)


class ChatTagVectorRow(SQLModel, table=True):
    """What an example sentence means to one model. is_counter: a sentence that does not mean the tag."""

    __tablename__ = "chat_tag_vectors"

    rule_id: int = Field(primary_key=True, sa_type=BigId)
    place: int = Field(primary_key=True)
    corp_id: str = Field(index=True)
    is_counter: bool = False
    model: str
    text_mark: str
    vector: bytes = Field(sa_type=LargeBinary)


class TagModelRow(SQLModel, table=True):
    """A training of the learner. state: waiting | ready | failed; content: ``TextModel.dump``, empty until ready."""

    __tablename__ = "tag_models"
    __table_args__ = (Index("ix_tag_models_corp", "corp_id", "state", "id"),)

    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    corp_id: str
    state: str = "waiting"
    last_error: str = ""
    report: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    content: bytes = Field(default=b"", sa_type=LargeBinary)
    asked_by: str = ""
    asked_at: datetime = Field(sa_type=UtcDateTime)
    finished_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class LearnedTagRow(SQLModel, table=True):
    """What the learner may do with one tag. mode: off | suggest | apply; threshold: the least confidence."""

    __tablename__ = "learned_tags"

    corp_id: str = Field(primary_key=True)
    tag_id: str = Field(primary_key=True)
    mode: str = "off"
    threshold: float = 0.8
