"""How each person likes a list: its columns, and filters saved under a name."""

from dataclasses import dataclass

from sqlmodel import Session, col, func, or_, select

from crm_core.console_tables import ListColumnsRow, SavedFilterRow
from crm_core.db import UnitOfWork
from crm_core.errors import Conflict, InputInvalid, NotFound
from crm_core.ids import CorpId

MOST_SAVED = 20
NAME_CHARS = 20
QUERY_CHARS = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedFilter:
    """A named state of a list. query: what stands behind the ``?`` of its address; is_own: may be deleted by asker."""

    id: int
    name: str
    query: str
    is_shared: bool
    is_own: bool


def columns(session: Session, corp: CorpId, userid: str, list_key: str) -> list[str]:
    """The columns somebody chose; empty while they have not."""
    row = session.get(ListColumnsRow, (corp, userid, list_key))
    return list(row.columns) if row is not None else []


def choose_columns(uow: UnitOfWork, corp: CorpId, userid: str, list_key: str, chosen: list[str]) -> None:
    """Remember the columns; none goes back to the usual ones."""
    row = uow.session.get(ListColumnsRow, (corp, userid, list_key))
    if not chosen:
        if row is not None:
            uow.session.delete(row)
        return
    row = row or ListColumnsRow(corp_id=corp, userid=userid, list_key=list_key)
    row.columns = chosen
    uow.session.add(row)


def saved(session: Session, corp: CorpId, userid: str, list_key: str) -> list[SavedFilter]:
    """The person's own filters and the shared ones, oldest first."""
    rows = session.exec(
        select(SavedFilterRow)
        .where(
            SavedFilterRow.corp_id == corp,
            SavedFilterRow.list_key == list_key,
            or_(col(SavedFilterRow.owner) == userid, col(SavedFilterRow.is_shared).is_(True)),
        )
        .order_by(col(SavedFilterRow.id))
    )
    return [
        SavedFilter(id=row.id or 0, name=row.name, query=row.query, is_shared=row.is_shared, is_own=row.owner == userid)
        for row in rows
    ]


def save(uow: UnitOfWork, corp: CorpId, userid: str, list_key: str, *, name: str, query: str, is_shared: bool) -> int:
    """Keep a filter under a name. Answers its id. Raises: InputInvalid, Conflict (the name is taken, or too many)."""
    name = name.strip()
    if not name or len(name) > NAME_CHARS:
        raise InputInvalid(f"请填写名称，最多 {NAME_CHARS} 个字", field="name")
    if not query or len(query) > QUERY_CHARS:
        raise InputInvalid("请先选好筛选条件，再保存", field="query")
    own = (SavedFilterRow.corp_id == corp, SavedFilterRow.list_key == list_key, SavedFilterRow.owner == userid)
    if uow.session.exec(select(SavedFilterRow.id).where(*own, SavedFilterRow.name == name)).first():
        raise Conflict(f"已有名为“{name}”的筛选，请换一个名称", field="name")
    if uow.session.exec(select(func.count()).select_from(SavedFilterRow).where(*own)).one() >= MOST_SAVED:
        raise Conflict(f"最多保存 {MOST_SAVED} 个筛选，请先删除不用的")
    row = SavedFilterRow(
        corp_id=corp,
        list_key=list_key,
        owner=userid,
        name=name,
        query=query,
        is_shared=is_shared,
        created_at=uow.now(),
    )
    uow.session.add(row)
    uow.session.flush()
    return row.id or 0


def forget(uow: UnitOfWork, corp: CorpId, userid: str, saved_id: int, *, may_drop_shared: bool) -> None:
    """Delete a filter of one's own, or a shared one where that is allowed. Raises: NotFound."""
    row = uow.session.get(SavedFilterRow, saved_id)
    if row is None or row.corp_id != corp or not (row.owner == userid or (row.is_shared and may_drop_shared)):
        raise NotFound("没有这个筛选")
    uow.session.delete(row)
