"""Scripts of one staff member's own (个人话术): written in the sidebar, seen by nobody else."""

from collections.abc import Sequence

from sqlalchemy import update
from sqlmodel import Session, col, func, select

from crm_core.db import UnitOfWork
from crm_core.errors import Conflict, InputInvalid, NotFound
from crm_core.events import StaffUpdated
from crm_core.ids import CorpId, StaffUserId
from crm_core.spelling import spell
from materials.model import MOST_MESSAGES, Script, parse_messages
from materials.service import to_script
from materials.tables import ScriptGroupRow, ScriptRow

PERSONAL, FOLDER_NAME = "personal", "我的话术"
MOST_SCRIPTS, MOST_TITLE_CHARS = 500, 40


def listing(session: Session, corp: CorpId, staff: StaffUserId) -> list[Script]:
    """The staff member's own scripts, the one changed last first."""
    rows = session.exec(
        select(ScriptRow)
        .join(ScriptGroupRow, col(ScriptGroupRow.id) == ScriptRow.group_id)
        .where(
            ScriptGroupRow.corp_id == corp,
            ScriptGroupRow.scope == PERSONAL,
            ScriptGroupRow.owner_userid == staff,
            col(ScriptRow.enabled).is_(True),
        )
        .order_by(col(ScriptRow.changed_at).desc(), col(ScriptRow.id).desc())
    )
    return [to_script(row) for row in rows]


def get_own(session: Session, corp: CorpId, staff: StaffUserId, script_id: int) -> Script:
    """One of the staff member's own scripts. Raises: NotFound."""
    return to_script(_own(session, corp, staff, script_id))


def save(
    uow: UnitOfWork, corp: CorpId, staff: StaffUserId, *, title: str, texts: Sequence[str], script_id: int = 0
) -> int:
    """Write a new script (script_id 0) or change one's own. Answers its id. Empty texts are left out.

    Raises: InputInvalid, NotFound, Conflict (too many).
    """
    name = " ".join(title.split())
    if not 1 <= len(name) <= MOST_TITLE_CHARS:
        raise InputInvalid(f"标题应有 1–{MOST_TITLE_CHARS} 个字", field="title")
    said = [text.strip() for text in texts if text.strip()]
    if not said:
        raise InputInvalid("请至少写一条消息", field="text")
    if len(said) > MOST_MESSAGES:
        raise InputInvalid(f"一条话术最多 {MOST_MESSAGES} 条消息", field="text")
    messages = parse_messages([{"text": text} for text in said], field="text")
    uow.lock(f"personal_scripts:{corp}:{staff}")
    row = _own(uow.session, corp, staff, script_id) if script_id else _new(uow, corp, staff)
    kept = [message for message in row.content if message.get("attachments")]  # pictures came from the console
    row.title, row.content = name, [*messages, *({"text": "", "attachments": m["attachments"]} for m in kept)]
    row.pinyin, row.initials = spell(name)
    row.changed_at, row.changed_by = uow.now(), staff
    uow.session.add(row)
    uow.session.flush()
    return row.id or 0


def switch(uow: UnitOfWork, corp: CorpId, staff: StaffUserId, script_id: int, *, enabled: bool) -> None:
    """Take one's own script away, or bring it back. Raises: NotFound."""
    row = _own(uow.session, corp, staff, script_id, enabled=None)
    row.enabled, row.deleted_at = enabled, None if enabled else uow.now()
    row.changed_at, row.changed_by = uow.now(), staff
    uow.session.add(row)
    uow.session.flush()


def rename_staff(event: StaffUpdated, uow: UnitOfWork) -> None:
    """A changed userid keeps its scripts."""
    if event.new_staff is not None:
        uow.session.execute(
            update(ScriptGroupRow)
            .where(
                col(ScriptGroupRow.corp_id) == event.corp,
                col(ScriptGroupRow.scope) == PERSONAL,
                col(ScriptGroupRow.owner_userid) == event.staff,
            )
            .values(owner_userid=event.new_staff)
        )


def _new(uow: UnitOfWork, corp: CorpId, staff: StaffUserId) -> ScriptRow:
    mine = (ScriptGroupRow.corp_id == corp, ScriptGroupRow.scope == PERSONAL, ScriptGroupRow.owner_userid == staff)
    group = uow.session.exec(select(ScriptGroupRow).where(*mine).order_by(col(ScriptGroupRow.id))).first()
    if group is None:
        group = ScriptGroupRow(corp_id=corp, name=FOLDER_NAME, scope=PERSONAL, owner_userid=staff)
        uow.session.add(group)
        uow.session.flush()
    count = uow.session.exec(
        select(func.count())
        .select_from(ScriptRow)
        .where(ScriptRow.corp_id == corp, ScriptRow.group_id == group.id, col(ScriptRow.enabled).is_(True))
    ).one()
    if count >= MOST_SCRIPTS:
        raise Conflict(f"个人话术最多 {MOST_SCRIPTS} 条，请先删除一些")
    return ScriptRow(corp_id=corp, group_id=group.id or 0, title="", changed_at=uow.now())


def _own(
    session: Session, corp: CorpId, staff: StaffUserId, script_id: int, *, enabled: bool | None = True
) -> ScriptRow:
    row = session.get(ScriptRow, script_id)
    group = session.get(ScriptGroupRow, row.group_id) if row is not None and row.corp_id == corp else None
    if row is None or group is None or (group.scope, group.owner_userid) != (PERSONAL, staff):
        raise NotFound("没有这条个人话术")
    if enabled is not None and row.enabled is not enabled:
        raise NotFound("这条话术已被删除")
    return row
