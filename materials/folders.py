"""The tree of material folders."""

from collections.abc import Sequence

from sqlmodel import Session, col, func, select

from crm_core.db import UnitOfWork
from crm_core.errors import Conflict, InputInvalid, NotFound
from crm_core.ids import CorpId
from materials.material_model import MaterialFolder
from materials.tables import MaterialFolderRow, MaterialRow

NAME_CHARS = 30
MOST_FOLDERS = 500
DEEPEST = 5


def tree(session: Session, corp: CorpId) -> list[MaterialFolder]:
    """All folders, parents before their children, siblings in their order."""
    counts = dict(
        session.exec(
            select(MaterialRow.folder_id, func.count())
            .where(MaterialRow.corp_id == corp, col(MaterialRow.deleted_at).is_(None))
            .group_by(col(MaterialRow.folder_id))
        ).all()
    )
    children: dict[int, list[MaterialFolderRow]] = {}
    for row in _rows(session, corp):
        children.setdefault(row.parent_id, []).append(row)
    found: list[MaterialFolder] = []
    waiting = list(reversed(children.get(0, [])))
    while waiting:
        row = waiting.pop()
        waiting += reversed(children.get(row.id or 0, []))
        found.append(
            MaterialFolder(
                id=row.id or 0,
                parent_id=row.parent_id,
                name=row.name,
                sort_order=row.sort_order,
                count=counts.get(row.id or 0, 0),
            )
        )
    return found


def create(uow: UnitOfWork, corp: CorpId, name: str, *, parent_id: int = 0) -> int:
    """A new folder at the end of its siblings; answers its id. Raises: InputInvalid, NotFound, Conflict (same name)."""
    kept = _name(name)
    uow.lock(f"material_folders:{corp}")
    rows = _rows(uow.session, corp)
    if len(rows) >= MOST_FOLDERS:
        raise InputInvalid(f"文件夹最多 {MOST_FOLDERS} 个", field="name")
    if parent_id:
        _get(uow.session, corp, parent_id)
    if len(_line(rows, parent_id)) >= DEEPEST:
        raise InputInvalid(f"文件夹最多 {DEEPEST} 层", field="parent_id")
    _require_free(rows, parent_id, kept)
    last = min((row.sort_order for row in rows if row.parent_id == parent_id), default=1)
    made = MaterialFolderRow(corp_id=corp, parent_id=parent_id, name=kept, sort_order=last - 1)
    uow.session.add(made)
    uow.session.flush()
    return made.id or 0


def rename(uow: UnitOfWork, corp: CorpId, folder_id: int, name: str) -> None:
    """Another name. Raises: InputInvalid, NotFound, Conflict (a sibling has it)."""
    row, kept = _get(uow.session, corp, folder_id), _name(name)
    _require_free(_rows(uow.session, corp), row.parent_id, kept, except_id=folder_id)
    row.name = kept
    uow.session.add(row)


def move(uow: UnitOfWork, corp: CorpId, folder_id: int, *, parent_id: int) -> None:
    """Put a folder below another one (0: to the top). Raises: NotFound, InputInvalid (below itself), Conflict."""
    uow.lock(f"material_folders:{corp}")
    row, rows = _get(uow.session, corp, folder_id), _rows(uow.session, corp)
    if parent_id:
        _get(uow.session, corp, parent_id)
    line = _line(rows, parent_id)
    if folder_id in line:
        raise InputInvalid("不能移到自己的下级文件夹里", field="parent_id")
    if len(line) + _height(rows, folder_id) > DEEPEST:
        raise InputInvalid(f"文件夹最多 {DEEPEST} 层", field="parent_id")
    _require_free(rows, parent_id, row.name, except_id=folder_id)
    row.parent_id = parent_id
    uow.session.add(row)


def sort(uow: UnitOfWork, corp: CorpId, order: Sequence[int]) -> None:
    """Siblings in this order, first at the top; ids that are not there are passed over."""
    wanted = {folder_id: len(order) - place for place, folder_id in enumerate(order)}
    for row in _rows(uow.session, corp):
        if row.id in wanted:
            row.sort_order = wanted[row.id]
            uow.session.add(row)


def delete(uow: UnitOfWork, corp: CorpId, folder_id: int) -> None:
    """Take an empty folder away. Raises: NotFound, Conflict (something is inside)."""
    row = _get(uow.session, corp, folder_id)
    inside = uow.session.exec(
        select(MaterialRow.id)
        .where(MaterialRow.corp_id == corp, MaterialRow.folder_id == folder_id, col(MaterialRow.deleted_at).is_(None))
        .limit(1)
    ).first()
    if inside is not None or any(other.parent_id == folder_id for other in _rows(uow.session, corp)):
        raise Conflict("文件夹里还有内容，请先移走或删除里面的素材和子文件夹")
    uow.session.delete(row)
    uow.session.flush()


def require(session: Session, corp: CorpId, folder_id: int) -> None:
    """Make sure a folder is there; 0 always is. Raises: NotFound."""
    if folder_id:
        _get(session, corp, folder_id)


def _rows(session: Session, corp: CorpId) -> list[MaterialFolderRow]:
    statement = select(MaterialFolderRow).where(MaterialFolderRow.corp_id == corp)
    return list(session.exec(statement.order_by(col(MaterialFolderRow.sort_order).desc(), col(MaterialFolderRow.id))))


def _get(session: Session, corp: CorpId, folder_id: int) -> MaterialFolderRow:
    row = session.get(MaterialFolderRow, folder_id)
    if row is None or row.corp_id != corp:
        raise NotFound("没有这个文件夹，可能已被删除")
    return row


def _name(raw: str) -> str:
    name = " ".join(raw.split())
    if not 1 <= len(name) <= NAME_CHARS:
        raise InputInvalid(f"文件夹名称应有 1–{NAME_CHARS} 个字", field="name")
    return name


def _require_free(rows: list[MaterialFolderRow], parent_id: int, name: str, *, except_id: int = 0) -> None:
    if any(row.parent_id == parent_id and row.name == name and row.id != except_id for row in rows):
        raise Conflict(f"这里已经有名为“{name}”的文件夹")


def _line(rows: list[MaterialFolderRow], folder_id: int) -> list[int]:
    """The folder and all above it."""
    parents = {row.id: row.parent_id for row in rows}
    found: list[int] = []
    while folder_id and folder_id not in found:
        found.append(folder_id)
        folder_id = parents.get(folder_id, 0)
    return found


def _height(rows: list[MaterialFolderRow], folder_id: int) -> int:
    """How many levels a folder and what is below it take."""
    below = [row.id or 0 for row in rows if row.parent_id == folder_id]
    return 1 + max((_height(rows, child) for child in below), default=0)
