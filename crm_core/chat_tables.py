"""Private storage of the chat store. Imported by ``crm_core.tables``."""

from datetime import datetime

from sqlalchemy import Index, LargeBinary, UniqueConstraint
from sqlmodel import Field, SQLModel

from crm_core.db import BigId, UtcDateTime


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
