"""Private storage of the chat store. Imported by ``crm_core.tables``."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import Index, LargeBinary, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from crm_core.db import BigId, Json, UtcDateTime

IS_REVOKE = text("revokes <> ''")
IS_DUE = text("next_at IS NOT NULL")


class ChatHeadRow(SQLModel, table=True):
    """The last position that was given out in a corp; its lock keeps positions in the order of commits."""

    __tablename__ = "chat_heads"

    corp_id: str = Field(primary_key=True)
    position: int = Field(default=0, sa_type=BigId)


class ChatMessageRow(SQLModel, table=True):
    """One message. content: text, body and media as JSON, sealed by the cipher; everything else is for finding it."""

    __tablename__ = "chat_messages"
    __table_args__ = (
        UniqueConstraint("corp_id", "msgid"),
        UniqueConstraint("corp_id", "position"),
        Index("ix_chat_messages_conversation", "corp_id", "conversation_kind", "conversation_key", "position"),
        Index("ix_chat_messages_sent", "corp_id", "sent_at"),
        Index("ix_chat_messages_kind_sent", "conversation_kind", "sent_at"),
        Index("ix_chat_messages_revokes", "corp_id", "revokes", sqlite_where=IS_REVOKE, postgresql_where=IS_REVOKE),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    corp_id: str
    position: int = Field(sa_type=BigId)
    msgid: str
    source: str
    conversation_kind: str
    conversation_key: str
    sender_kind: str
    sender_id: str
    sent_at: datetime = Field(sa_type=UtcDateTime)
    kind: str
    revokes: str = ""
    seq: int = Field(default=0, sa_type=BigId)
    content: bytes = Field(sa_type=LargeBinary)
    recorded_at: datetime = Field(sa_type=UtcDateTime)


class ChatConversationRow(SQLModel, table=True):
    """One conversation as its messages tell it. staff_userid: of kf, who answered last; "" in groups."""

    __tablename__ = "chat_conversations"
    __table_args__ = (
        Index("ix_chat_conversations_last", "corp_id", "last_position"),
        Index("ix_chat_conversations_staff", "corp_id", "staff_userid", "last_position"),
        Index("ix_chat_conversations_customer", "corp_id", "external_userid"),
    )

    corp_id: str = Field(primary_key=True)
    kind: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    staff_userid: str = ""
    external_userid: str = ""
    first_at: datetime = Field(sa_type=UtcDateTime)
    last_at: datetime = Field(sa_type=UtcDateTime)
    last_position: int = Field(sa_type=BigId)
    from_staff: int = 0
    from_customers: int = 0
    from_others: int = 0


class ChatSecretRow(SQLModel, table=True):
    """A secret of this installation, sealed by the cipher. name: "index", the key of the blind index."""

    __tablename__ = "chat_secrets"

    name: str = Field(primary_key=True)
    sealed: bytes = Field(sa_type=LargeBinary)
    made_at: datetime = Field(sa_type=UtcDateTime)


class ReplyWaitRow(SQLModel, table=True):
    """A customer waits for a reply. position: of the first message that nobody answered; next_at: the next step's time.

    outcome: "" while open | answered | closed (nothing to answer) | dismissed. worked_seconds: working time until the
    answer. steps_done: of the ladder; told: whom each step told. is_live: False for history, which reminds nobody.
    """

    __tablename__ = "reply_waits"
    __table_args__ = (
        UniqueConstraint("corp_id", "kind", "key", "position"),
        Index("ix_reply_waits_due", "next_at", sqlite_where=IS_DUE, postgresql_where=IS_DUE),
        Index("ix_reply_waits_since", "corp_id", "since"),
        Index("ix_reply_waits_conversation", "corp_id", "kind", "key", "since"),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    corp_id: str
    kind: str
    key: str
    staff_userid: str = ""
    external_userid: str = ""
    since: datetime = Field(sa_type=UtcDateTime)
    position: int = Field(sa_type=BigId)
    asked_last_at: datetime = Field(sa_type=UtcDateTime)
    messages: int = 1
    ended_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    outcome: str = ""
    answered_by: str = ""
    worked_seconds: int | None = None
    steps_done: int = 0
    next_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    told: list[dict[str, Any]] = Field(default_factory=list, sa_type=Json)
    is_live: bool = True


class ReplyDayRow(SQLModel, table=True):
    """What was said in one conversation on one day of the company's time zone."""

    __tablename__ = "reply_days"

    corp_id: str = Field(primary_key=True)
    day: date = Field(primary_key=True)
    kind: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    staff_userid: str = ""
    external_userid: str = ""
    from_staff: int = 0
    from_customers: int = 0
    first_at: datetime = Field(sa_type=UtcDateTime)
    last_at: datetime = Field(sa_type=UtcDateTime)


class ReplyRulesRow(SQLModel, table=True):
    """A corp's own rules for replies, where it changed the usual ones."""

    __tablename__ = "reply_rules"

    corp_id: str = Field(primary_key=True)
    rules: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    changed_at: datetime = Field(sa_type=UtcDateTime)
    changed_by: str = ""
