"""Private storage of the materials room."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, Text, UniqueConstraint
from sqlmodel import Field, SQLModel

from crm_core.db import BigId, Json, UtcDateTime
from materials import radar_tables, recommend_tables  # noqa: F401 - gathered together with this room's other tables


class ScriptGroupRow(SQLModel, table=True):
    """话术分组. scope: corp (all staff) | team (a department and those below it) | personal (its owner).

    seed_key: which built-in folder it came from, else None.
    """

    __tablename__ = "script_groups"
    __table_args__ = (UniqueConstraint("corp_id", "seed_key"),)

    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    corp_id: str
    seed_key: str | None = None
    name: str
    scope: str = "corp"
    department_id: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    owner_userid: str = Field(default="", sa_column_kwargs={"server_default": ""})
    sort_order: int = 0


class ScriptRow(SQLModel, table=True):
    """话术 in force. content: the messages in stored form, sent in order. pinyin, initials: of the title, for search.

    similar: other ways a customer may ask. enabled: offered to staff; deleted and expired ones are not.
    """

    __tablename__ = "scripts"
    __table_args__ = (
        UniqueConstraint("corp_id", "seed_key"),
        Index("ix_scripts_group", "corp_id", "group_id"),
        Index("ix_scripts_changed", "corp_id", "changed_at"),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    corp_id: str
    group_id: int = Field(sa_type=BigId)
    seed_key: str | None = None
    title: str
    content: list[dict[str, Any]] = Field(default_factory=list, sa_type=Json)
    keywords: str = Field(default="", sa_type=Text)
    pinyin: str = Field(default="", sa_type=Text)
    initials: str = ""
    sort_order: int = 0
    enabled: bool = True
    similar: list[str] = Field(default_factory=list, sa_type=Json, sa_column_kwargs={"server_default": "[]"})
    expires_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    deleted_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    changed_by: str = Field(default="", sa_column_kwargs={"server_default": ""})
    changed_at: datetime = Field(sa_type=UtcDateTime)


class ScriptProposalRow(SQLModel, table=True):
    """What somebody wants a script to be. script_id: 0 for a new one. state: draft | waiting | approved | rejected."""

    __tablename__ = "script_proposals"
    __table_args__ = (Index("ix_script_proposals_state", "corp_id", "state", "id"),)

    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    corp_id: str
    script_id: int = Field(default=0, sa_type=BigId)
    group_id: int = Field(sa_type=BigId)
    title: str
    keywords: str = Field(default="", sa_type=Text)
    similar: list[str] = Field(default_factory=list, sa_type=Json)
    content: list[dict[str, Any]] = Field(default_factory=list, sa_type=Json)
    expires_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    state: str = "draft"
    author: str
    changed_at: datetime = Field(sa_type=UtcDateTime)
    reviewer: str = ""
    reason: str = Field(default="", sa_type=Text)
    reviewed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class ScriptVectorRow(SQLModel, table=True):
    """What a script means, as a vector of one model. text_mark: of the text it was made from.

    script_id: a negative one is a material's. made_in: grows with every commit that makes vectors.
    """

    __tablename__ = "script_vectors"
    __table_args__ = (Index("ix_script_vectors_made", "corp_id", "model", "made_in"),)

    corp_id: str = Field(primary_key=True)
    script_id: int = Field(primary_key=True, sa_type=BigId)
    place: int = Field(primary_key=True)
    model: str
    text_mark: str
    vector: bytes
    made_in: int = Field(default=0, sa_type=BigId, sa_column_kwargs={"server_default": "0"})


class ScriptFavouriteRow(SQLModel, table=True):
    """A script that a staff member keeps at hand."""

    __tablename__ = "script_favourites"

    corp_id: str = Field(primary_key=True)
    staff_userid: str = Field(primary_key=True)
    script_id: int = Field(primary_key=True, sa_type=BigId)
    added_at: datetime = Field(sa_type=UtcDateTime)


class ScriptUseRow(SQLModel, table=True):
    """One use of a script by a staff member; use_key makes telling it twice harmless."""

    __tablename__ = "script_uses"
    __table_args__ = (
        Index("ix_script_uses_staff", "corp_id", "staff_userid", "used_at"),
        Index("ix_script_uses_script", "corp_id", "script_id"),
    )

    corp_id: str = Field(primary_key=True)
    use_key: str = Field(primary_key=True)
    script_id: int = Field(sa_type=BigId)
    staff_userid: str
    used_at: datetime = Field(sa_type=UtcDateTime)


class MaterialFolderRow(SQLModel, table=True):
    """素材文件夹. parent_id: 0 at the top."""

    __tablename__ = "material_folders"
    __table_args__ = (UniqueConstraint("corp_id", "parent_id", "name"),)

    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    corp_id: str
    parent_id: int = Field(default=0, sa_type=BigId)
    name: str
    sort_order: int = 0


class MaterialRow(SQLModel, table=True):
    """素材. restricted: only the departments of ``material_departments`` see it. search_text: lower case, for LIKE.

    file_key: the file it is made of, "" where there is none; folder_id: 0 outside all folders.
    """

    __tablename__ = "materials"
    __table_args__ = (
        Index("ix_materials_list", "corp_id", "deleted_at", "id"),
        Index("ix_materials_folder", "corp_id", "folder_id"),
        Index("ix_materials_file", "corp_id", "file_key"),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    corp_id: str
    folder_id: int = Field(default=0, sa_type=BigId)
    kind: str
    title: str
    content: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    file_key: str = ""
    search_text: str = Field(default="", sa_type=Text)
    pinyin: str = Field(default="", sa_type=Text)
    initials: str = ""
    restricted: bool = False
    version: int = 1
    uses: int = 0
    expires_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    created_by: str = ""
    created_at: datetime = Field(sa_type=UtcDateTime)
    changed_by: str = ""
    changed_at: datetime = Field(sa_type=UtcDateTime)
    deleted_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    deleted_by: str = ""


class MaterialTagRow(SQLModel, table=True):
    """A word by which a material is found. place: its rank on the material."""

    __tablename__ = "material_tags"
    __table_args__ = (Index("ix_material_tags_tag", "corp_id", "tag"),)

    corp_id: str = Field(primary_key=True)
    material_id: int = Field(primary_key=True, sa_type=BigId)
    tag: str = Field(primary_key=True)
    place: int = 0


class MaterialDepartmentRow(SQLModel, table=True):
    """A department that sees a restricted material, with all departments below it."""

    __tablename__ = "material_departments"

    corp_id: str = Field(primary_key=True)
    material_id: int = Field(primary_key=True, sa_type=BigId)
    dept_id: int = Field(primary_key=True)


class MaterialVersionRow(SQLModel, table=True):
    """A former state of a material."""

    __tablename__ = "material_versions"

    corp_id: str = Field(primary_key=True)
    material_id: int = Field(primary_key=True, sa_type=BigId)
    version: int = Field(primary_key=True)
    title: str
    content: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    changed_by: str = ""
    changed_at: datetime = Field(sa_type=UtcDateTime)


class MaterialUseRow(SQLModel, table=True):
    """One send of a material by a staff member; use_key makes telling it twice harmless."""

    __tablename__ = "material_uses"
    __table_args__ = (
        Index("ix_material_uses_material", "corp_id", "material_id", "used_at"),
        Index("ix_material_uses_staff", "corp_id", "staff_userid", "used_at"),
    )

    corp_id: str = Field(primary_key=True)
    use_key: str = Field(primary_key=True)
    material_id: int = Field(sa_type=BigId)
    staff_userid: str
    used_at: datetime = Field(sa_type=UtcDateTime)


class StoredFileRow(SQLModel, table=True):
    """A checked file whose bytes the media store keeps. page_keys: pictures of a PDF's pages, made by a job."""

    __tablename__ = "stored_files"

    corp_id: str = Field(primary_key=True)
    file_key: str = Field(primary_key=True)
    kind: str
    mime: str
    filename: str
    size_bytes: int = Field(sa_type=BigId)
    width: int = 0
    height: int = 0
    pages: int = 0
    page_keys: list[str] = Field(default_factory=list, sa_type=Json)
    stored_by: str = ""
    stored_at: datetime = Field(sa_type=UtcDateTime)


class MediaCopyRow(SQLModel, table=True):
    """临时素材: WeCom's copy of a file. status: uploading | ready | failed.

    kind: image | video | file for copies of 3 days, or ``lasting`` for a picture with an address for ever.
    filename matters for files only, the receiver sees it. round: counts uploads, names the outbox row.
    """

    __tablename__ = "media_copies"
    __table_args__ = (
        UniqueConstraint("corp_id", "file_key", "kind", "filename"),
        Index("ix_media_copies_expiry", "status", "expires_at"),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    corp_id: str
    app_key: str
    file_key: str
    kind: str
    filename: str = ""
    status: str = "uploading"
    media_id: str = ""
    url: str = Field(default="", sa_type=Text)
    expires_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    asked_at: datetime = Field(sa_type=UtcDateTime)
    used_at: datetime = Field(sa_type=UtcDateTime)
    round: int = 1
    last_error: str = Field(default="", sa_type=Text)
