"""Changing the tag library: asked here, done at WeCom, taken over when WeCom has answered."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, select

from crm_core import outbox
from crm_core.db import UnitOfWork
from crm_core.errors import InputInvalid, NotFound
from crm_core.events import OutboundFinished, TagsFetched
from crm_core.ids import AppKey, CorpId
from crm_core.outbox import ADD_TAGS, DELETE_TAGS, EDIT_TAG, OutboundKind
from tagging import service
from tagging.tables import TagChangeRow, TagGroupRow, TagRow

NAME_CHARS = 30  # doc 92117
MOST_TAGS = 3000  # doc 92117
KINDS = frozenset({ADD_TAGS.name, EDIT_TAG.name, DELETE_TAGS.name})


@dataclass(frozen=True, slots=True, kw_only=True)
class TagChange:
    """A change that is not through. error: "" while it waits."""

    id: int
    said: str
    error: str
    changed_by: str
    changed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """Who asks for a change, where."""

    uow: UnitOfWork
    corp: CorpId
    app: AppKey
    actor: str


def add(ask: Ask, *, names: Sequence[str], group_id: str = "", group_name: str = "") -> None:
    """Make tags in a group that exists, or a new group with its first tags. Raises: InputInvalid, NotFound."""
    wanted = list(dict.fromkeys(name.strip() for name in names if name.strip()))
    _check_names(wanted, "names")
    session, corp = ask.uow.session, ask.corp
    if group_id:
        group_name = _group(session, corp, group_id).name
        taken = {tag.name for tag in _tags(session, corp) if tag.group_id == group_id}
        doubles = [name for name in wanted if name in taken]
        if doubles:
            raise InputInvalid(f"标签组里已有：{'、'.join(doubles)}", field="names")
    else:
        group_name = group_name.strip()
        _check_names([group_name], "group_name")
        if any(group.name == group_name for group in service.library(session, corp)):
            raise InputInvalid(f"已有名为“{group_name}”的标签组", field="group_name")
    if len(_tags(session, corp)) + len(wanted) > MOST_TAGS:
        raise InputInvalid(f"企业标签最多 {MOST_TAGS} 个，请先删除不用的", field="names")
    said = f"在“{group_name}”里新建标签：{'、'.join(wanted)}"
    payload = {"group_id": group_id, "group_name": "" if group_id else group_name, "names": wanted}
    _write_down(ask, ADD_TAGS, payload, said)


def rename(ask: Ask, target: str, name: str) -> None:
    """Rename a tag or a group. Raises: InputInvalid, NotFound."""
    name = name.strip()
    _check_names([name], "name")
    row = _tag_or_group(ask.uow.session, ask.corp, target)
    if row.name == name:
        return
    if isinstance(row, TagRow):
        twins = {tag.name for tag in _tags(ask.uow.session, ask.corp) if tag.group_id == row.group_id}
    else:
        twins = {group.name for group in service.library(ask.uow.session, ask.corp)}
    if name in twins:
        raise InputInvalid(f"已有名为“{name}”的标签或标签组", field="name")
    _write_down(ask, EDIT_TAG, {"target": target, "name": name}, f"把“{row.name}”改名为“{name}”")


def order(ask: Ask, target: str, *, up: bool) -> None:
    """Move a tag or a group one place up or down among its own. Raises: NotFound."""
    groups = service.library(ask.uow.session, ask.corp)
    rows = [group.group_id for group in groups]
    if target not in rows:
        home = next((group for group in groups if any(tag.tag_id == target for tag in group.tags)), None)
        if home is None:
            raise NotFound("标签不存在或已被删除")
        rows = [tag.tag_id for tag in home.tags]
    at = rows.index(target)
    to = at - 1 if up else at + 1
    if not 0 <= to < len(rows):
        return
    rows[at], rows[to] = rows[to], rows[at]
    for place, moved in enumerate(rows):
        row, wanted = _tag_or_group(ask.uow.session, ask.corp, moved), len(rows) - place
        if row.sort_order != wanted:
            _write_down(ask, EDIT_TAG, {"target": moved, "sort_order": wanted}, f"调整“{row.name}”的顺序")
            row.sort_order = wanted
            ask.uow.session.add(row)


def delete(ask: Ask, target: str) -> None:
    """Delete a tag, or a group with all in it; WeCom takes them off every customer. Raises: NotFound."""
    row = _tag_or_group(ask.uow.session, ask.corp, target)
    is_tag = isinstance(row, TagRow)
    payload = {"tag_ids": [target] if is_tag else [], "group_ids": [] if is_tag else [target]}
    _write_down(ask, DELETE_TAGS, payload, f"删除{'标签' if is_tag else '标签组'}“{row.name}”")


def open_changes(session: Session, corp: CorpId) -> list[TagChange]:
    """Changes that wait or failed, the newest first."""
    statement = select(TagChangeRow).where(TagChangeRow.corp_id == corp).order_by(col(TagChangeRow.id).desc())
    return [
        TagChange(
            id=row.id or 0,
            said=row.said,
            error=row.last_error,
            changed_by=row.changed_by,
            changed_at=row.changed_at,
        )
        for row in session.exec(statement.limit(20))
    ]


def dismiss(uow: UnitOfWork, corp: CorpId, change_id: int) -> None:
    """A person has read why a change failed. Raises: NotFound."""
    row = uow.session.get(TagChangeRow, change_id)
    if row is None or row.corp_id != corp or row.status != "failed":
        raise NotFound("没有这条提示")
    uow.session.delete(row)


def settle(event: OutboundFinished, uow: UnitOfWork) -> None:
    """WeCom made the change, which is taken over here, or refused it, which is told on the page."""
    if event.kind not in KINDS:
        return
    row = uow.session.get(TagChangeRow, event.subject.get("change", 0))
    if event.outcome != "done":
        if row is not None:
            row.status, row.last_error = "failed", event.error or "结果未知，请同步后查看"
            uow.session.add(row)
        return
    if row is not None:
        uow.session.delete(row)
    _take_over(event, uow)


def settle_added(event: TagsFetched, uow: UnitOfWork) -> None:
    """The tags asked for are there."""
    settle(event, uow)


def _take_over(event: OutboundFinished, uow: UnitOfWork) -> None:
    if event.kind == DELETE_TAGS.name:
        service.forget_tags(uow, event.corp, list(event.subject["tag_ids"]))
        for group in event.subject["group_ids"]:
            service.forget_group(uow, event.corp, group)
        service.drop_empty_groups(uow, event.corp)
    elif event.kind == EDIT_TAG.name:
        target = str(event.subject["target"])
        row = uow.session.get(TagRow, (event.corp, target)) or uow.session.get(TagGroupRow, (event.corp, target))
        if row is not None:
            row.name = str(event.subject.get("name") or row.name)
            row.sort_order = int(event.subject.get("sort_order") or row.sort_order)
            uow.session.add(row)


def _write_down(ask: Ask, kind: OutboundKind, payload: dict[str, Any], said: str) -> None:
    row = TagChangeRow(corp_id=ask.corp, said=said, changed_by=ask.actor, changed_at=ask.uow.now())
    ask.uow.session.add(row)
    ask.uow.session.flush()
    key = f"{kind.name}:{row.id}:{secrets.token_hex(4)}"
    outbox.add(ask.uow, kind, corp=ask.corp, app=ask.app, payload={**payload, "change": row.id}, dedupe_key=key)


def _check_names(names: Sequence[str], field: str) -> None:
    if not names or not all(names):
        raise InputInvalid("请填写名称", field=field)
    for name in names:
        if len(name) > NAME_CHARS:
            raise InputInvalid(f"“{name[:10]}…”超过 {NAME_CHARS} 个字", field=field)


def _tags(session: Session, corp: CorpId) -> list[TagRow]:
    return list(session.exec(select(TagRow).where(TagRow.corp_id == corp, col(TagRow.deleted).is_(False))))


def _group(session: Session, corp: CorpId, group_id: str) -> TagGroupRow:
    row = session.get(TagGroupRow, (corp, group_id))
    if row is None or row.deleted:
        raise NotFound("标签组不存在或已被删除")
    return row


def _tag_or_group(session: Session, corp: CorpId, target: str) -> TagRow | TagGroupRow:
    row = session.get(TagRow, (corp, target)) or session.get(TagGroupRow, (corp, target))
    if row is None or row.deleted:
        raise NotFound("标签不存在或已被删除")
    return row
