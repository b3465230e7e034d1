"""Private storage of 微信客服. Imported by ``crm_core.tables``."""

from datetime import datetime

from sqlalchemy import Index, Text, text
from sqlmodel import Field, SQLModel

from crm_core.db import BigId, UtcDateTime

OPEN_SESSION = text("ended_at IS NULL")


class KfAccountRow(SQLModel, table=True):
    """A customer-service account: what it is, how it answers, and how far it was read.

    cursor: where sync_msg goes on. rung, heard: bells so far, and how many of them were read. sync_owner, sync_until:
    who reads now. is_listed: WeCom names it still. reception: pool | assign.
    """

    __tablename__ = "kf_accounts"

    corp_id: str = Field(primary_key=True)
    open_kfid: str = Field(primary_key=True)
    app_key: str
    name: str = ""
    avatar: str = ""
    is_listed: bool = True
    is_manageable: bool = True
    is_bot_on: bool = False
    threshold: float
    reception: str = "pool"
    welcome: str = Field(default="", sa_type=Text)
    away: str = Field(default="", sa_type=Text)
    is_survey_on: bool = True
    cursor: str = ""
    rung: int = Field(default=0, sa_type=BigId)
    heard: int = Field(default=0, sa_type=BigId)
    sync_owner: str = ""
    sync_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    synced_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    changed_at: datetime = Field(sa_type=UtcDateTime)


class KfSessionRow(SQLModel, table=True):
    """One session of a customer with an account, until it is ended or quiet for 48 hours.

    standing: WeCom's service_state. used: messages sent since the customer's last one. why: the reason it went to
    people. waiting_since, accepted_at: in the pool, and taken from it. answers, misses: of the bot. rating: 0 none.
    away_told_at: when the hours were told last. problem: what did not go out, in words for people.
    """

    __tablename__ = "kf_sessions"
    __table_args__ = (
        Index(
            "uq_kf_sessions_open",
            "corp_id",
            "open_kfid",
            "external_userid",
            unique=True,
            sqlite_where=OPEN_SESSION,
            postgresql_where=OPEN_SESSION,
        ),
        Index("ix_kf_sessions_opened", "corp_id", "opened_at", "id"),
        Index("ix_kf_sessions_customer", "corp_id", "external_userid", "opened_at"),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    corp_id: str
    open_kfid: str
    external_userid: str
    standing: int = 0
    servicer: str = ""
    why: str = ""
    opened_at: datetime = Field(sa_type=UtcDateTime)
    last_customer_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    used: int = 0
    waiting_since: datetime | None = Field(default=None, sa_type=UtcDateTime)
    accepted_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    ended_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    end_reason: str = ""
    answers: int = 0
    misses: int = 0
    rating: int = 0
    rated_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    away_told_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    problem: str = Field(default="", sa_type=Text)


class KfCustomerRow(SQLModel, table=True):
    """Who wrote to a customer-service account; many of them are nobody's contact."""

    __tablename__ = "kf_customers"

    corp_id: str = Field(primary_key=True)
    external_userid: str = Field(primary_key=True)
    nickname: str = ""
    avatar: str = ""
    asked_at: datetime = Field(sa_type=UtcDateTime)
