"""Reading the material library: lists, search, single materials, and who may see what."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, exists, func, or_
from sqlmodel import Session, col, select

from crm_core import staff
from crm_core.errors import InputInvalid, NotFound
from crm_core.ids import CorpId, StaffUserId
from materials.material_model import Material, MaterialVersion
from materials.tables import (
    MaterialDepartmentRow,
    MaterialRow,
    MaterialTagRow,
    MaterialUseRow,
    MaterialVersionRow,
)

PAGE_SIZE = 40
MOST_WORDS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """A member who wants to send something at a moment: sees what is neither deleted, expired nor kept from them."""

    staff: StaffUserId
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class MaterialQuery:
    """What to list. viewer: None shows everything, as the console does.

    folder_id: None = everywhere, 0 = outside all folders. words: found in title, tags and text, and by pinyin.
    deleted: the recycle bin instead.
    """

    kind: str = ""
    folder_id: int | None = None
    words: str = ""
    tag: str = ""
    viewer: Viewer | None = None
    deleted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MaterialPage:
    """One page, newest first; ``next_before`` asks for the next one, 0 on the last."""

    items: tuple[Material, ...]
    next_before: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MaterialUser:
    """How often one staff member sent a material, and when last."""

    staff: StaffUserId
    count: int
    last_at: datetime


def get(session: Session, corp: CorpId, material_id: int, *, viewer: Viewer | None = None) -> Material:
    """One material of this corp, deleted ones too unless a viewer asks. Raises: NotFound (also when not visible)."""
    wanted = [col(MaterialRow.corp_id) == corp, col(MaterialRow.id) == material_id]
    if viewer is not None:
        wanted.append(_offered(session, corp, viewer))
    row = session.exec(select(MaterialRow).where(*wanted)).first()
    if row is None:
        raise NotFound("没有这个素材，可能已被删除或过期")
    return to_materials(session, [row])[0]


def ready_to_send(session: Session, corp: CorpId, material_id: int, now: datetime) -> Material:
    """A material that may go out now, whoever sends it. Raises: NotFound (deleted), InputInvalid (expired)."""
    found = get(session, corp, material_id)
    if found.deleted_at is not None:
        raise NotFound(f"素材“{found.title}”已被删除")
    if found.expires_at is not None and found.expires_at <= now:
        raise InputInvalid(f"素材“{found.title}”已过期")
    return found


def listing(
    session: Session, corp: CorpId, query: MaterialQuery, *, before: int = 0, limit: int = PAGE_SIZE
) -> MaterialPage:
    """A page of the library, newest first. before: ``next_before`` of the page shown last."""
    wanted = [
        col(MaterialRow.corp_id) == corp,
        col(MaterialRow.deleted_at).is_not(None) if query.deleted else col(MaterialRow.deleted_at).is_(None),
        *_filters(query),
    ]
    if query.viewer is not None:
        wanted.append(_offered(session, corp, query.viewer))
    if before:
        wanted.append(col(MaterialRow.id) < before)
    statement = select(MaterialRow).where(*wanted).order_by(col(MaterialRow.id).desc()).limit(limit + 1)
    rows = session.exec(statement).all()
    shown = to_materials(session, rows[:limit])
    return MaterialPage(items=tuple(shown), next_before=shown[-1].id if len(rows) > limit else 0)


def kind_counts(session: Session, corp: CorpId) -> dict[str, int]:
    """How many living materials there are of each kind."""
    rows = session.exec(
        select(MaterialRow.kind, func.count())
        .where(MaterialRow.corp_id == corp, col(MaterialRow.deleted_at).is_(None))
        .group_by(col(MaterialRow.kind))
    ).all()
    return dict(rows)


def all_tags(session: Session, corp: CorpId) -> list[str]:
    """Every tag in use on living materials, the most used first."""
    count = func.count()
    rows = session.exec(
        select(MaterialTagRow.tag, count)
        .join(MaterialRow, col(MaterialRow.id) == MaterialTagRow.material_id)
        .where(MaterialTagRow.corp_id == corp, col(MaterialRow.deleted_at).is_(None))
        .group_by(col(MaterialTagRow.tag))
        .order_by(count.desc(), col(MaterialTagRow.tag))
        .limit(100)
    ).all()
    return [tag for tag, _ in rows]


def versions(session: Session, corp: CorpId, material_id: int) -> list[MaterialVersion]:
    """Former states, newest first; at most 20 are kept."""
    rows = session.exec(
        select(MaterialVersionRow)
        .where(MaterialVersionRow.corp_id == corp, MaterialVersionRow.material_id == material_id)
        .order_by(col(MaterialVersionRow.version).desc())
    )
    return [
        MaterialVersion(
            version=row.version,
            title=row.title,
            content=dict(row.content),
            changed_by=row.changed_by,
            changed_at=row.changed_at,
        )
        for row in rows
    ]


def users_of(session: Session, corp: CorpId, material_id: int, *, limit: int = 50) -> list[MaterialUser]:
    """Who sent a material how often, the busiest first."""
    count, last = func.count(), func.max(MaterialUseRow.used_at)
    rows = session.exec(
        select(MaterialUseRow.staff_userid, count, last)
        .where(MaterialUseRow.corp_id == corp, MaterialUseRow.material_id == material_id)
        .group_by(col(MaterialUseRow.staff_userid))
        .order_by(count.desc(), last.desc())
        .limit(limit)
    ).all()
    return [MaterialUser(staff=StaffUserId(userid), count=times, last_at=at) for userid, times, at in rows]


def titles(session: Session, corp: CorpId, material_ids: Iterable[int]) -> dict[int, str]:
    """Titles by id, of deleted materials too."""
    rows = session.exec(
        select(MaterialRow.id, MaterialRow.title).where(
            MaterialRow.corp_id == corp, col(MaterialRow.id).in_(set(material_ids))
        )
    ).all()
    return {material_id: title for material_id, title in rows if material_id is not None}


def made_of(session: Session, corp: CorpId, file_key: str) -> list[str]:
    """The titles of living materials made of a file."""
    statement = select(MaterialRow.title).where(
        MaterialRow.corp_id == corp, MaterialRow.file_key == file_key, col(MaterialRow.deleted_at).is_(None)
    )
    return list(session.exec(statement.order_by(col(MaterialRow.id)).limit(5)))


def to_materials(session: Session, rows: Sequence[MaterialRow]) -> list[Material]:
    """Rows with their tags and departments."""
    ids = [row.id for row in rows]
    tags: dict[int, list[str]] = {}
    statement = select(MaterialTagRow).where(col(MaterialTagRow.material_id).in_(ids))
    for tag in session.exec(statement.order_by(col(MaterialTagRow.place))):
        tags.setdefault(tag.material_id, []).append(tag.tag)
    departments: dict[int, list[int]] = {}
    for place in session.exec(select(MaterialDepartmentRow).where(col(MaterialDepartmentRow.material_id).in_(ids))):
        departments.setdefault(place.material_id, []).append(place.dept_id)
    return [
        Material(
            id=row.id or 0,
            kind=row.kind,
            title=row.title,
            content=dict(row.content),
            folder_id=row.folder_id,
            tags=tuple(tags.get(row.id or 0, ())),
            departments=tuple(sorted(departments.get(row.id or 0, ()))),
            version=row.version,
            uses=row.uses,
            created_by=row.created_by,
            created_at=row.created_at,
            changed_at=row.changed_at,
            expires_at=row.expires_at,
            deleted_at=row.deleted_at,
        )
        for row in rows
    ]


def _filters(query: MaterialQuery) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if query.kind:
        found.append(col(MaterialRow.kind) == query.kind)
    if query.folder_id is not None:
        found.append(col(MaterialRow.folder_id) == query.folder_id)
    if query.tag:
        found.append(
            exists().where(
                col(MaterialTagRow.corp_id) == col(MaterialRow.corp_id),
                col(MaterialTagRow.material_id) == col(MaterialRow.id),
                col(MaterialTagRow.tag) == query.tag,
            )
        )
    return found + [_mentions(word) for word in query.words.lower().split()[:MOST_WORDS]]


def _mentions(word: str) -> ColumnElement[bool]:
    places = [col(MaterialRow.search_text)]
    if word.isascii() and word.isalpha() and len(word) > 1:
        places += [col(MaterialRow.initials), col(MaterialRow.pinyin)]
    return or_(*(place.contains(word, autoescape=True) for place in places))


def _offered(session: Session, corp: CorpId, viewer: Viewer) -> ColumnElement[bool]:
    allowed = exists().where(
        col(MaterialDepartmentRow.corp_id) == col(MaterialRow.corp_id),
        col(MaterialDepartmentRow.material_id) == col(MaterialRow.id),
        col(MaterialDepartmentRow.dept_id).in_(staff.departments_above(session, corp, viewer.staff)),
    )
    return and_(
        col(MaterialRow.deleted_at).is_(None),
        or_(col(MaterialRow.expires_at).is_(None), col(MaterialRow.expires_at) > viewer.now),
        or_(col(MaterialRow.restricted).is_(False), allowed),
    )
