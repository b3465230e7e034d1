"""The script library: folders, scripts, who used what, and search over all folders at once."""

import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from importlib import resources

import yaml
from sqlalchemy import and_, or_
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col, func, select

from crm_core import staff
from crm_core.db import UnitOfWork, remembered
from crm_core.errors import NotFound
from crm_core.ids import CorpId, StaffUserId
from crm_core.ports import Embedder
from crm_core.spelling import spell
from materials.meaning import MeaningIndex, fuse, of_folders, read_index, stamp
from materials.model import FolderDraft, Script, ScriptDraft, ScriptFolder, parse_folder
from materials.search import ScriptIndex
from materials.tables import ScriptGroupRow, ScriptRow, ScriptUseRow

DEPTH = 50  # how far down each order is read before they are fused
LEAST_MEANING = 2  # characters: a shorter question means nothing by itself


def builtin_folders() -> list[FolderDraft]:
    """The scripts that come with the product, from ``materials/library/*.yaml``."""
    folder = resources.files("materials") / "library"
    return [
        parse_folder(yaml.safe_load(item.read_text("utf-8")))
        for item in sorted(folder.iterdir(), key=lambda entry: entry.name)
        if item.name.endswith(".yaml")
    ]


def install_missing(uow: UnitOfWork, corp: CorpId) -> int:
    """Give a corp the built-in scripts it has never had; changed or switched-off ones stay. Answers how many."""
    groups = {
        row.seed_key: row for row in uow.session.exec(select(ScriptGroupRow).where(ScriptGroupRow.corp_id == corp))
    }
    known = set(uow.session.exec(select(ScriptRow.seed_key).where(ScriptRow.corp_id == corp)))
    added = 0
    for draft in builtin_folders():
        group = groups.get(draft.key)
        if group is None:
            group = ScriptGroupRow(corp_id=corp, seed_key=draft.key, name=draft.name, sort_order=draft.sort_order)
            uow.session.add(group)
            uow.session.flush()
        for place, script in enumerate(draft.scripts):
            if f"{draft.key}.{script.key}" not in known:
                uow.session.add(_row(corp, group.id or 0, draft.key, script, len(draft.scripts) - place, uow.now()))
                added += 1
    uow.session.flush()
    return added


def _row(corp: CorpId, group_id: int, folder_key: str, draft: ScriptDraft, order: int, at: datetime) -> ScriptRow:
    pinyin, initials = spell(draft.title)
    return ScriptRow(
        corp_id=corp,
        group_id=group_id,
        seed_key=f"{folder_key}.{draft.key}",
        title=draft.title,
        content=list(draft.messages),
        keywords=draft.keywords,
        pinyin=pinyin,
        initials=initials,
        sort_order=order,
        changed_at=at,
    )


def visible_folder_ids(session: Session, corp: CorpId, staff_userid: StaffUserId) -> frozenset[int]:
    """The folders a member sees: the company's, those of their departments and all above, and their own."""
    key = ("script folders", corp, staff_userid)
    return remembered(session, key, lambda: _visible_folder_ids(session, corp, staff_userid))


def _visible_folder_ids(session: Session, corp: CorpId, staff_userid: StaffUserId) -> frozenset[int]:
    inside = staff.departments_above(session, corp, staff_userid)
    rows = session.exec(
        select(ScriptGroupRow.id).where(
            ScriptGroupRow.corp_id == corp,
            or_(
                col(ScriptGroupRow.scope) == "corp",
                and_(col(ScriptGroupRow.scope) == "team", col(ScriptGroupRow.department_id).in_(inside)),
                and_(col(ScriptGroupRow.scope) == "personal", col(ScriptGroupRow.owner_userid) == staff_userid),
            ),
        )
    )
    return frozenset(row for row in rows if row is not None)


def folders(session: Session, corp: CorpId, *, viewer: StaffUserId | None = None) -> list[ScriptFolder]:
    """Folders that hold something, larger order first; with a viewer only those they see."""
    seen = [] if viewer is None else [col(ScriptGroupRow.id).in_(visible_folder_ids(session, corp, viewer))]
    rows = session.exec(
        select(ScriptGroupRow, func.count(col(ScriptRow.id)))
        .join(ScriptRow, col(ScriptRow.group_id) == ScriptGroupRow.id)
        .where(ScriptGroupRow.corp_id == corp, col(ScriptRow.enabled).is_(True), *seen)
        .group_by(col(ScriptGroupRow.id))
        .order_by(col(ScriptGroupRow.sort_order).desc(), col(ScriptGroupRow.id))
    ).all()
    return [
        ScriptFolder(
            id=group.id or 0, name=group.name, count=count, scope=group.scope, department_id=group.department_id
        )
        for group, count in rows
    ]


def scripts_of(session: Session, corp: CorpId, folder_id: int) -> list[Script]:
    """The scripts of one folder in their order; none for a folder of another corp."""
    rows = session.exec(
        select(ScriptRow)
        .where(ScriptRow.corp_id == corp, ScriptRow.group_id == folder_id, col(ScriptRow.enabled).is_(True))
        .order_by(col(ScriptRow.sort_order).desc(), col(ScriptRow.id))
    )
    return [to_script(row) for row in rows]


def get(session: Session, corp: CorpId, script_id: int, *, viewer: StaffUserId | None = None) -> Script:
    """One script of this corp. Raises: NotFound, also when the viewer does not see its folder."""
    row = session.get(ScriptRow, script_id)
    if row is None or row.corp_id != corp or not row.enabled:
        raise NotFound("没有这条话术，可能已被删除")
    if viewer is not None and row.group_id not in visible_folder_ids(session, corp, viewer):
        raise NotFound("没有这条话术，可能已被删除")
    return to_script(row)


def several(session: Session, corp: CorpId, script_ids: Sequence[int], *, viewer: StaffUserId) -> list[Script]:
    """The scripts of these that are offered to ``viewer``, in the order asked for."""
    rows = session.exec(
        select(ScriptRow).where(
            ScriptRow.corp_id == corp,
            col(ScriptRow.id).in_(script_ids),
            col(ScriptRow.enabled).is_(True),
            col(ScriptRow.group_id).in_(visible_folder_ids(session, corp, viewer)),
        )
    )
    found = {row.id: to_script(row) for row in rows}
    return [found[script_id] for script_id in script_ids if script_id in found]


def record_use(uow: UnitOfWork, corp: CorpId, staff: StaffUserId, script_id: int, *, key: str) -> bool:
    """Count that a staff member sent a script, once per ``key``. Answers whether it was new. Raises: NotFound."""
    get(uow.session, corp, script_id)
    dialect = postgresql if uow.session.get_bind().dialect.name == "postgresql" else sqlite
    statement = (
        dialect.insert(ScriptUseRow)
        .values(corp_id=corp, use_key=f"{staff}:{key}", script_id=script_id, staff_userid=staff, used_at=uow.now())
        .on_conflict_do_nothing(index_elements=["corp_id", "use_key"])
        .returning(col(ScriptUseRow.script_id))
    )
    return uow.session.execute(statement).scalar_one_or_none() is not None


def recents(session: Session, corp: CorpId, staff: StaffUserId, *, limit: int = 8) -> list[Script]:
    """The scripts a staff member used last, newest first."""
    last_use = func.max(ScriptUseRow.used_at)
    rows = session.exec(
        select(ScriptRow)
        .join(ScriptUseRow, col(ScriptUseRow.script_id) == ScriptRow.id)
        .where(
            ScriptUseRow.corp_id == corp,
            ScriptUseRow.staff_userid == staff,
            ScriptRow.corp_id == corp,
            col(ScriptRow.enabled).is_(True),
            col(ScriptRow.group_id).in_(visible_folder_ids(session, corp, staff)),
        )
        .group_by(col(ScriptRow.id))
        .order_by(last_use.desc(), col(ScriptRow.id))
        .limit(limit)
    )
    return [to_script(row) for row in rows]


class ScriptShelf:
    """Search over each corp's scripts. Keeps one index per corp and rebuilds it when the library changed.

    embedder: gives the model of meaning search once it is loaded; None while words alone decide.
    """

    def __init__(self, embedder: Callable[[int], Embedder | None] = lambda _scripts: None) -> None:
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[object, ScriptIndex]] = {}
        self._meanings: dict[str, tuple[object, MeaningIndex | None]] = {}
        self._embedder = embedder

    def search(
        self, session: Session, corp: CorpId, query: str, *, viewer: StaffUserId | None = None, limit: int = 20
    ) -> list[Script]:
        """The scripts that fit ``query`` by words, pinyin and meaning, best first, from all folders the viewer sees."""
        seen = None if viewer is None else visible_folder_ids(session, corp, viewer)
        index = self.index_of(session, corp)
        by_words = index.rank(query, limit=max(limit, DEPTH), folders=seen)
        meaning = None if query.isascii() or len(query) < LEAST_MEANING else self._meaning_of(session, corp, len(index))
        if meaning is None:
            return by_words[:limit]
        near = of_folders(index.several(meaning.rank(query, limit=DEPTH)), seen)
        return fuse(by_words, near, limit=limit)

    def _meaning_of(self, session: Session, corp: CorpId, scripts: int) -> MeaningIndex | None:
        embedder = self._embedder(scripts)
        if embedder is None:
            return None
        now = (embedder.model, *stamp(session, corp, embedder.model))
        kept = self._meanings.get(corp)
        if kept is None or kept[0] != now:
            kept = (now, read_index(session, corp, embedder))
            self._meanings[corp] = kept
        return kept[1]

    def index_of(self, session: Session, corp: CorpId) -> ScriptIndex:
        """The index of one corp as of now; while somebody else rebuilds it, the one before."""
        enabled = (ScriptRow.corp_id == corp, col(ScriptRow.enabled).is_(True))
        now = session.exec(select(func.count(), func.max(ScriptRow.changed_at)).where(*enabled)).one()
        kept = self._kept.get(corp)
        if kept is not None and kept[0] == tuple(now):
            return kept[1]
        if kept is not None and self._lock.locked():
            return kept[1]
        with self._lock:
            index = ScriptIndex(all_offered(session, corp))
            self._kept[corp] = (tuple(now), index)
        return index


def offered_count(session: Session, corp: CorpId) -> int:
    """How many scripts a corp has in force."""
    statement = select(func.count()).select_from(ScriptRow)
    return session.exec(statement.where(ScriptRow.corp_id == corp, col(ScriptRow.enabled).is_(True))).one()


def all_offered(session: Session, corp: CorpId) -> list[Script]:
    """Every script a corp has in force."""
    rows = session.exec(select(ScriptRow).where(ScriptRow.corp_id == corp, col(ScriptRow.enabled).is_(True)))
    return [to_script(row) for row in sorted(rows, key=lambda row: row.id or 0)]


def to_script(row: ScriptRow) -> Script:
    """A row as the rest of the house sees it."""
    return Script(
        id=row.id or 0,
        group_id=row.group_id,
        title=row.title,
        keywords=row.keywords,
        messages=tuple(row.content),
        pinyin=row.pinyin,
        initials=row.initials,
        similar=tuple(row.similar),
        expires_at=row.expires_at,
    )
