"""Changing the material library: create, change, former versions, the recycle bin, and counting what was sent."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete as sql_delete
from sqlalchemy import update
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import col, select

from crm_core.db import UnitOfWork
from crm_core.errors import Conflict, InputInvalid, NotFound
from crm_core.events import StaffUpdated
from crm_core.ids import CorpId, StaffUserId
from crm_core.spelling import spell
from materials import articles, files, folders, material_lists
from materials.intake import require_size
from materials.material_model import KINDS, Material, MaterialDraft, files_of, parse_content, parse_tags, parse_title
from materials.tables import (
    MaterialDepartmentRow,
    MaterialRow,
    MaterialTagRow,
    MaterialUseRow,
    MaterialVersionRow,
    ScriptProposalRow,
)

MOST_VERSIONS = 20


def create(uow: UnitOfWork, corp: CorpId, actor: str, draft: MaterialDraft) -> Material:
    """Put a material into the library. Raises: InputInvalid naming the field, NotFound (folder, file)."""
    row = MaterialRow(
        corp_id=corp, kind=draft.kind, title="", created_by=actor, created_at=uow.now(), changed_at=uow.now()
    )
    _write(uow, corp, row, draft, actor)
    uow.session.add(row)
    uow.session.flush()
    _write_sides(uow, corp, row, draft)
    files.ask_for_pages(uow, corp, row.file_key)
    return material_lists.get(uow.session, corp, row.id or 0)


def change(uow: UnitOfWork, corp: CorpId, actor: str, material_id: int, draft: MaterialDraft, *, seen: int) -> Material:
    """Another state of a material; what it was is kept as a version when title or content changed.

    seen: the version the person edited. Raises: NotFound, Conflict (somebody else was faster), InputInvalid.
    """
    row = _living(uow, corp, material_id)
    if row.version != seen:
        raise Conflict("别人刚刚改过这个素材，请刷新后再改")
    if draft.kind != row.kind:
        raise InputInvalid("素材类型不能改，请新建一个", field="kind")
    former = MaterialVersionRow(
        corp_id=corp,
        material_id=material_id,
        version=row.version,
        title=row.title,
        content=dict(row.content),
        changed_by=row.changed_by,
        changed_at=row.changed_at,
    )
    _write(uow, corp, row, draft, actor)
    if (row.title, row.content) != (former.title, former.content):
        row.version += 1
        uow.session.add(former)
        _drop_old_versions(uow, row)
    uow.session.add(row)
    _write_sides(uow, corp, row, draft)
    files.ask_for_pages(uow, corp, row.file_key)
    return material_lists.get(uow.session, corp, material_id)


def restore_version(uow: UnitOfWork, corp: CorpId, actor: str, material_id: int, version: int) -> Material:
    """Make a former state the present one again; the present one becomes a version. Raises: NotFound."""
    former = uow.session.get(MaterialVersionRow, (corp, material_id, version))
    if former is None:
        raise NotFound("没有这个历史版本")
    present = material_lists.get(uow.session, corp, material_id)
    draft = MaterialDraft(
        kind=present.kind,
        title=former.title,
        content=dict(former.content),
        folder_id=present.folder_id,
        tags=present.tags,
        departments=present.departments,
        expires_at=present.expires_at,
    )
    return change(uow, corp, actor, material_id, draft, seen=present.version)


def move(uow: UnitOfWork, corp: CorpId, material_ids: list[int], folder_id: int) -> int:
    """Put materials into a folder (0: into none). Answers how many moved. Raises: NotFound (folder)."""
    folders.require(uow.session, corp, folder_id)
    rows = _several(uow, corp, material_ids)
    for row in rows:
        row.folder_id = folder_id
        uow.session.add(row)
    return len(rows)


def delete(uow: UnitOfWork, corp: CorpId, actor: str, material_ids: list[int]) -> int:
    """Put materials into the recycle bin; ``undelete`` brings them back. Answers how many."""
    rows = _several(uow, corp, material_ids)
    for row in rows:
        row.deleted_at, row.deleted_by = uow.now(), actor
        uow.session.add(row)
    return len(rows)


def undelete(uow: UnitOfWork, corp: CorpId, material_ids: list[int]) -> int:
    """Bring materials back from the recycle bin; into no folder when theirs is gone. Answers how many."""
    known = {folder.id for folder in folders.tree(uow.session, corp)}
    rows = _several(uow, corp, material_ids, deleted=True)
    for row in rows:
        row.deleted_at, row.deleted_by = None, ""
        row.folder_id = row.folder_id if row.folder_id in known else 0
        uow.session.add(row)
    return len(rows)


def empty_bin(uow: UnitOfWork, *, older_than: timedelta, limit: int = 200) -> int:
    """Delete for good what has been in the bin of any corp for longer than this. Answers how many went."""
    ids = list(
        uow.session.exec(
            select(MaterialRow.id)
            .where(col(MaterialRow.deleted_at) < uow.now() - older_than)
            .order_by(col(MaterialRow.id))
            .limit(limit)
        )
    )
    for table in (MaterialTagRow, MaterialDepartmentRow, MaterialVersionRow, MaterialUseRow):
        uow.session.execute(sql_delete(table).where(col(table.material_id).in_(ids)))
    uow.session.execute(sql_delete(MaterialRow).where(col(MaterialRow.id).in_(ids)))
    return len(ids)


def record_use(uow: UnitOfWork, corp: CorpId, staff: StaffUserId, material_id: int, *, key: str) -> bool:
    """Count that a staff member sent a material, once per ``key``. Answers whether it was new. Raises: NotFound."""
    material_lists.get(uow.session, corp, material_id)
    dialect = postgresql if uow.session.get_bind().dialect.name == "postgresql" else sqlite
    statement = (
        dialect.insert(MaterialUseRow)
        .values(corp_id=corp, use_key=f"{staff}:{key}", material_id=material_id, staff_userid=staff, used_at=uow.now())
        .on_conflict_do_nothing(index_elements=["corp_id", "use_key"])
        .returning(col(MaterialUseRow.material_id))
    )
    is_new = uow.session.execute(statement).scalar_one_or_none() is not None
    if is_new:
        uow.session.execute(
            update(MaterialRow)
            .where(col(MaterialRow.corp_id) == corp, col(MaterialRow.id) == material_id)
            .values(uses=col(MaterialRow.uses) + 1)
        )
    return is_new


def _living(uow: UnitOfWork, corp: CorpId, material_id: int) -> MaterialRow:
    row = uow.session.get(MaterialRow, material_id, with_for_update=True)
    if row is None or row.corp_id != corp or row.deleted_at is not None:
        raise NotFound("没有这个素材，可能已被删除")
    return row


def _several(uow: UnitOfWork, corp: CorpId, material_ids: list[int], *, deleted: bool = False) -> list[MaterialRow]:
    in_bin = col(MaterialRow.deleted_at).is_not(None) if deleted else col(MaterialRow.deleted_at).is_(None)
    statement = select(MaterialRow).where(
        MaterialRow.corp_id == corp, col(MaterialRow.id).in_(material_ids[:500]), in_bin
    )
    return list(uow.session.exec(statement.order_by(col(MaterialRow.id)).with_for_update()))


def _write(uow: UnitOfWork, corp: CorpId, row: MaterialRow, draft: MaterialDraft, actor: str) -> None:
    """Put the checked draft into the row."""
    if draft.kind not in KINDS:
        raise InputInvalid("没有这种素材类型", field="kind")
    folders.require(uow.session, corp, draft.folder_id)
    content = _content(uow, corp, draft)
    row.title, row.content = parse_title(draft.title), content
    row.file_key = str(content.get("file") or "")
    row.folder_id, row.restricted = draft.folder_id, bool(draft.departments)
    row.expires_at = _expiry(draft.expires_at)
    row.changed_by, row.changed_at = actor, uow.now()
    row.pinyin, row.initials = spell(row.title)
    row.pinyin = row.pinyin.replace(" ", "")
    row.search_text = _searched(row.title, parse_tags(draft.tags), content)


def _content(uow: UnitOfWork, corp: CorpId, draft: MaterialDraft) -> dict[str, Any]:
    raw = dict(draft.content)
    if draft.kind == "article":
        raw["html"] = articles.clean(str(raw.get("html") or ""))
    content = parse_content(draft.kind, raw)
    for key, kind in files_of(draft.kind, content).items():
        found = files.get(uow.session, corp, key)
        if kind not in (found.kind, "file"):
            raise InputInvalid("上传的文件类型不对，请重新上传", field="file")
        require_size(kind, found.size_bytes)
    if draft.kind == "article":
        for key in articles.pictures_of(content["html"]):
            files.get(uow.session, corp, key)
    return content


def _expiry(moment: datetime | None) -> datetime | None:
    if moment is not None and moment.tzinfo is None:
        raise InputInvalid("过期时间缺少时区", field="expires_at")
    return moment


def _searched(title: str, tags: tuple[str, ...], content: dict[str, Any]) -> str:
    said = [title, *tags]
    said += [
        str(content[name]) for name in ("title", "text", "desc", "summary", "filename", "url") if content.get(name)
    ]
    if content.get("html"):
        said.append(articles.text_of(content["html"])[:2000])
    return "\n".join(said).lower()


def _write_sides(uow: UnitOfWork, corp: CorpId, row: MaterialRow, draft: MaterialDraft) -> None:
    """Tags and departments."""
    for table in (MaterialTagRow, MaterialDepartmentRow):
        uow.session.execute(sql_delete(table).where(col(table.material_id) == row.id))
    for place, tag in enumerate(parse_tags(draft.tags)):
        uow.session.add(MaterialTagRow(corp_id=corp, material_id=row.id or 0, tag=tag, place=place))
    for department in sorted(set(draft.departments)):
        uow.session.add(MaterialDepartmentRow(corp_id=corp, material_id=row.id or 0, dept_id=department))
    uow.session.flush()


def _drop_old_versions(uow: UnitOfWork, row: MaterialRow) -> None:
    uow.session.execute(
        sql_delete(MaterialVersionRow).where(
            col(MaterialVersionRow.corp_id) == row.corp_id,
            col(MaterialVersionRow.material_id) == row.id,
            col(MaterialVersionRow.version) < row.version - MOST_VERSIONS,
        )
    )


def rename_staff(event: StaffUpdated, uow: UnitOfWork) -> None:
    """A changed userid keeps what it sent, and its proposals."""
    if event.new_staff is None or event.new_staff == event.staff:
        return
    old, new = event.staff, event.new_staff
    uses, proposals = MaterialUseRow, ScriptProposalRow
    uow.session.execute(
        update(uses).where(col(uses.corp_id) == event.corp, col(uses.staff_userid) == old).values(staff_userid=new)
    )
    uow.session.execute(
        update(proposals).where(col(proposals.corp_id) == event.corp, col(proposals.author) == old).values(author=new)
    )
