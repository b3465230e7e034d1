"""Private storage of sensitive words: categories, words, hits, WeCom's rules. Imported by ``crm_core.tables``."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, LargeBinary, Text, UniqueConstraint
from sqlmodel import Field, SQLModel

from crm_core.db import BigId, Json, UtcDateTime


class SensitiveBookRow(SQLModel, table=True):
    """Which state of a corp's words is in force; grows with every change, so that readers know when to look again."""

    __tablename__ = "sensitive_books"

    corp_id: str = Field(primary_key=True)
    version: int = Field(default=0, sa_type=BigId)


class SensitiveCategoryRow(SQLModel, table=True):
    """敏感词分类. side: both | staff | customer. chats: all | none | chosen (then ``chat_ids``).

    kinds: which conversations. departments: empty means all. intercept: 0 none, 1 block, 2 warn, at WeCom.
    """

    __tablename__ = "sensitive_categories"
    __table_args__ = (Index("ix_sensitive_categories_corp", "corp_id", "is_deleted"),)

    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    corp_id: str
    name: str
    note: str = ""
    severity: int = 2
    owner_userid: str = ""
    side: str = "both"
    departments: list[int] = Field(default_factory=list, sa_type=Json)
    kinds: list[str] = Field(default_factory=list, sa_type=Json)
    chats: str = "all"
    chat_ids: list[str] = Field(default_factory=list, sa_type=Json)
    tells_supervisor: bool = True
    tells_staff: bool = False
    intercept: int = 0
    options: dict[str, bool] = Field(default_factory=dict, sa_type=Json)
    detectors: list[str] = Field(default_factory=list, sa_type=Json)
    acts: list[str] = Field(default_factory=list, sa_type=Json)
    is_enabled: bool = True
    is_deleted: bool = False
    created_by: str
    created_at: datetime = Field(sa_type=UtcDateTime)


class SensitiveWordRow(SQLModel, table=True):
    """One entry. kind: word | regex | exception; state: draft | live. category_id 0: an exception from everything."""

    __tablename__ = "sensitive_words"
    __table_args__ = (UniqueConstraint("corp_id", "category_id", "kind", "text"),)

    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    corp_id: str
    category_id: int = Field(sa_type=BigId)
    kind: str = "word"
    text: str = Field(sa_type=Text)
    state: str = "draft"
    created_by: str
    created_at: datetime = Field(sa_type=UtcDateTime)


class SensitiveHitRow(SQLModel, table=True):
    """A message that a category hit, or an act. content: the message and the places, sealed.

    staff_userid: whose conversation it is; department: their first one then. state: open | confirmed | false_alarm |
    handled. week: the Monday of the day it was said, in the company's time zone. word: the entry that hit first.
    """

    __tablename__ = "sensitive_hits"
    __table_args__ = (
        UniqueConstraint("corp_id", "msgid", "category_id"),
        Index("ix_sensitive_hits_state", "corp_id", "state", "id"),
        Index("ix_sensitive_hits_staff", "corp_id", "staff_userid", "id"),
        Index("ix_sensitive_hits_week", "corp_id", "week", "category_id"),
        Index("ix_sensitive_hits_user", "corp_id", "external_userid"),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    corp_id: str
    category_id: int = Field(sa_type=BigId)
    category_name: str
    severity: int
    word_id: int = Field(default=0, sa_type=BigId)
    way: str
    msgid: str
    position: int = Field(default=0, sa_type=BigId)
    conversation_kind: str
    conversation_key: str
    sender_kind: str
    sender_id: str
    staff_userid: str = ""
    department: int = 0
    external_userid: str = ""
    content: bytes = Field(sa_type=LargeBinary)
    sent_at: datetime = Field(sa_type=UtcDateTime)
    hit_at: datetime = Field(sa_type=UtcDateTime)
    week: str
    state: str = "open"
    note: str = Field(default="", sa_type=Text)
    assignee: str = ""
    due_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    reviewed_by: str = ""
    reviewed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class SensitiveRuleRow(SQLModel, table=True):
    """One of WeCom's own rules (管理聊天敏感词) that we made for a category. part: a category may need several.

    rule_id: "" until WeCom has made it. wanted: what we last asked for; error: why WeCom refused it.
    """

    __tablename__ = "sensitive_rules"

    corp_id: str = Field(primary_key=True)
    category_id: int = Field(primary_key=True, sa_type=BigId)
    part: int = Field(primary_key=True)
    rule_id: str = ""
    wanted: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    error: str = ""
    asked_at: datetime = Field(sa_type=UtcDateTime)


class SensitiveRemoteRow(SQLModel, table=True):
    """A rule as WeCom showed it when we last asked."""

    __tablename__ = "sensitive_remote_rules"

    corp_id: str = Field(primary_key=True)
    rule_id: str = Field(primary_key=True)
    shown: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    seen_at: datetime = Field(sa_type=UtcDateTime)


class SensitiveTrialRow(SQLModel, table=True):
    """What entries would have hit in past messages. counts: entry → messages; examples: sealed."""

    __tablename__ = "sensitive_trials"
    __table_args__ = (Index("ix_sensitive_trials_task", "corp_id", "task_id"),)

    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    corp_id: str
    task_id: int = Field(sa_type=BigId)
    messages: int = 0
    hit: int = 0
    counts: dict[str, int] = Field(default_factory=dict, sa_type=Json)
    examples: bytes = Field(default=b"", sa_type=LargeBinary)
