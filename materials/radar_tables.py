"""Private storage of the radar and the business cards; gathered through ``materials.tables``."""

from datetime import datetime

from sqlalchemy import Index, Text, text
from sqlmodel import Field, SQLModel

from crm_core.db import BigId, Json, UtcDateTime

NOT_REVOKED = text("revoked_at IS NULL")
TO_TELL = text("tell_at IS NOT NULL")


class RadarLinkRow(SQLModel, table=True):
    """雷达链接. One that is not revoked per target.

    told_at: when its sender last heard of it; pending: milestones since then; tell_at: when to tell of those.
    """

    __tablename__ = "radar_links"
    __table_args__ = (
        Index("ix_radar_links_token", "token", unique=True),
        Index(
            "ix_radar_links_target",
            "corp_id",
            "subject",
            "material_id",
            "staff_userid",
            "external_userid",
            "chat_id",
            "channel",
            unique=True,
            sqlite_where=NOT_REVOKED,
            postgresql_where=NOT_REVOKED,
        ),
        Index("ix_radar_links_external", "corp_id", "external_userid"),
        Index("ix_radar_links_tell", "tell_at", sqlite_where=TO_TELL, postgresql_where=TO_TELL),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    corp_id: str
    app_key: str
    token: str
    subject: str
    material_id: int = Field(default=0, sa_type=BigId)
    staff_userid: str = ""
    external_userid: str = ""
    chat_id: str = ""
    channel: str = ""
    sends: int = 0
    created_at: datetime = Field(sa_type=UtcDateTime)
    expires_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    revoked_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    revoked_by: str = ""
    told_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    tell_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    pending: list[str] = Field(default_factory=list, sa_type=Json)


class RadarSendRow(SQLModel, table=True):
    """One send of a tracked link; send_key makes telling it twice harmless."""

    __tablename__ = "radar_sends"
    __table_args__ = (Index("ix_radar_sends_material", "corp_id", "material_id", "sent_at"),)

    corp_id: str = Field(primary_key=True)
    send_key: str = Field(primary_key=True)
    link_id: int = Field(sa_type=BigId)
    material_id: int = Field(sa_type=BigId)
    sent_at: datetime = Field(sa_type=UtcDateTime)


class RadarReaderRow(SQLModel, table=True):
    """One browser that opened a link. ref: the browser as others may know it; parent_ref: who brought it, "" nobody."""

    __tablename__ = "radar_readers"
    __table_args__ = (Index("ix_radar_readers_parent", "link_id", "parent_ref"),)

    link_id: int = Field(primary_key=True, sa_type=BigId)
    ref: str = Field(primary_key=True)
    corp_id: str
    parent_ref: str = ""
    opens: int = 0
    first_at: datetime = Field(sa_type=UtcDateTime)
    last_at: datetime = Field(sa_type=UtcDateTime)


class RadarViewRow(SQLModel, table=True):
    """One page load whose script ran. material_id, staff, customer and channel are those of the link.

    forwarded: the reader was brought by another one. contact_at: asked for the staff member's code;
    converted_at: a new follow came in shortly after that.
    """

    __tablename__ = "radar_views"
    __table_args__ = (
        Index("ix_radar_views_material", "corp_id", "material_id", "opened_at"),
        Index("ix_radar_views_opened", "corp_id", "opened_at"),
        Index("ix_radar_views_external", "corp_id", "external_userid", "material_id"),
        Index("ix_radar_views_link", "link_id", "ref"),
    )

    view_id: str = Field(primary_key=True)
    corp_id: str
    link_id: int = Field(sa_type=BigId)
    ref: str
    forwarded: bool = False
    material_id: int = Field(default=0, sa_type=BigId)
    staff_userid: str = ""
    external_userid: str = ""
    channel: str = ""
    opened_at: datetime = Field(sa_type=UtcDateTime)
    last_at: datetime = Field(sa_type=UtcDateTime)
    active_ms: int = 0
    depth: int = 0
    page: int = 0
    pages: int = 0
    contact_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    converted_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class RadarRuleRow(SQLModel, table=True):
    """雷达规则: behaviour → tags and points. material_id, folder_id: 0 = any. condition: ``radar_model.Condition``.

    seed_key: which built-in rule it came from, else None.
    """

    __tablename__ = "radar_rules"
    __table_args__ = (Index("ix_radar_rules_seed", "corp_id", "seed_key", unique=True),)

    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    corp_id: str
    seed_key: str | None = None
    name: str
    enabled: bool = True
    material_id: int = Field(default=0, sa_type=BigId)
    folder_id: int = Field(default=0, sa_type=BigId)
    condition: str
    threshold: int
    tag_ids: list[str] = Field(default_factory=list, sa_type=Json)
    points: int = 0
    changed_by: str = ""
    changed_at: datetime = Field(sa_type=UtcDateTime)


class InterestPointRow(SQLModel, table=True):
    """兴趣分: what a rule gave a customer for a material, once. reason: in words, as it was then."""

    __tablename__ = "interest_points"
    __table_args__ = (Index("ix_interest_points_rule", "corp_id", "rule_id"),)

    corp_id: str = Field(primary_key=True)
    external_userid: str = Field(primary_key=True)
    rule_id: int = Field(primary_key=True, sa_type=BigId)
    material_id: int = Field(primary_key=True, sa_type=BigId)
    points: int
    reason: str = Field(default="", sa_type=Text)
    at: datetime = Field(sa_type=UtcDateTime)


class BusinessCardRow(SQLModel, table=True):
    """智能名片 of a staff member. photo_key: a stored picture; picks: materials shown on it, in this order.

    contact_way_id: the live code it shows, 0 = none.
    """

    __tablename__ = "business_cards"

    corp_id: str = Field(primary_key=True)
    staff_userid: str = Field(primary_key=True)
    name: str
    title: str = ""
    company: str = ""
    intro: str = Field(default="", sa_type=Text)
    mobile: str = ""
    email: str = ""
    address: str = ""
    photo_key: str = ""
    picks: list[int] = Field(default_factory=list, sa_type=Json)
    contact_way_id: int = Field(default=0, sa_type=BigId)
    published: bool = False
    changed_at: datetime = Field(sa_type=UtcDateTime)
