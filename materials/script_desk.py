"""Looking after the script library: folders, changes that wait for approval, what is in force, and how it is used."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, or_
from sqlmodel import Session, col, func, select

from crm_core import audit
from crm_core.db import UnitOfWork
from crm_core.errors import Conflict, InputInvalid, NotFound
from crm_core.ids import CorpId, StaffUserId
from crm_core.spelling import spell
from materials.meaning import want_vectors
from materials.model import ScriptFolder
from materials.script_model import SCOPES, ManagedScript, Proposal, ScriptForm, ScriptUsage
from materials.script_statistics import usage
from materials.service import to_script
from materials.tables import ScriptGroupRow, ScriptProposalRow, ScriptRow

PAGE_SIZE = 50
FOLDER_CHARS = 30
GONE_FOLDER = "恢复的话术"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptQuery:
    """What the console lists. group_id: 0 for all. deleted: the recycle bin."""

    group_id: int = 0
    words: str = ""
    deleted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptPage:
    """One page, newest change of the library last; ``next_before`` asks for the next one, 0 on the last."""

    items: tuple[ManagedScript, ...]
    next_before: int


def all_folders(session: Session, corp: CorpId) -> list[ScriptFolder]:
    """The company's and the teams' folders, empty ones too; personal ones belong to their owners."""
    counts = dict(
        session.exec(
            select(ScriptRow.group_id, func.count())
            .where(ScriptRow.corp_id == corp, col(ScriptRow.deleted_at).is_(None))
            .group_by(col(ScriptRow.group_id))
        ).all()
    )
    rows = session.exec(
        select(ScriptGroupRow)
        .where(ScriptGroupRow.corp_id == corp, col(ScriptGroupRow.scope) != "personal")
        .order_by(col(ScriptGroupRow.scope), col(ScriptGroupRow.sort_order).desc(), col(ScriptGroupRow.id))
    )
    return [
        ScriptFolder(
            id=row.id or 0,
            name=row.name,
            count=counts.get(row.id or 0, 0),
            scope=row.scope,
            department_id=row.department_id,
        )
        for row in rows
    ]


def create_folder(uow: UnitOfWork, corp: CorpId, name: str, *, scope: str = "corp", department_id: int = 0) -> int:
    """A new folder at the end; answers its id. Raises: InputInvalid, Conflict (same name in the same scope)."""
    if scope not in SCOPES or scope == "personal":
        raise InputInvalid("分组只能属于企业或团队", field="scope")
    if (scope == "team") != bool(department_id):
        raise InputInvalid("请选择团队对应的部门", field="department_id")
    kept = _folder_name(name)
    uow.lock(f"script_groups:{corp}")
    rows = uow.session.exec(select(ScriptGroupRow).where(ScriptGroupRow.corp_id == corp)).all()
    if any((row.name, row.scope, row.department_id) == (kept, scope, department_id) for row in rows):
        raise Conflict(f"已经有名为“{kept}”的分组")
    made = ScriptGroupRow(
        corp_id=corp,
        name=kept,
        scope=scope,
        department_id=department_id,
        sort_order=min((row.sort_order for row in rows), default=1) - 1,
    )
    uow.session.add(made)
    uow.session.flush()
    return made.id or 0


def rename_folder(uow: UnitOfWork, corp: CorpId, group_id: int, name: str) -> None:
    """Another name. Raises: NotFound, InputInvalid."""
    row = _folder(uow.session, corp, group_id)
    row.name = _folder_name(name)
    uow.session.add(row)


def sort_folders(uow: UnitOfWork, corp: CorpId, order: Sequence[int]) -> None:
    """Folders in this order, first at the top."""
    places = {group_id: len(order) - place for place, group_id in enumerate(order)}
    for row in uow.session.exec(select(ScriptGroupRow).where(ScriptGroupRow.corp_id == corp)):
        if row.id in places:
            row.sort_order = places[row.id]
            uow.session.add(row)


def delete_folder(uow: UnitOfWork, corp: CorpId, group_id: int) -> None:
    """Take an empty folder away. Raises: NotFound, Conflict (scripts or proposals are inside)."""
    row = _folder(uow.session, corp, group_id)
    inside = select(ScriptRow.id).where(
        ScriptRow.corp_id == corp, ScriptRow.group_id == group_id, col(ScriptRow.deleted_at).is_(None)
    )
    open_inside = select(ScriptProposalRow.id).where(
        ScriptProposalRow.corp_id == corp,
        ScriptProposalRow.group_id == group_id,
        col(ScriptProposalRow.state).in_(("draft", "waiting")),
    )
    if uow.session.exec(inside.limit(1)).first() or uow.session.exec(open_inside.limit(1)).first():
        raise Conflict("分组里还有话术或待审批的修改，请先移走或处理")
    uow.session.delete(row)
    uow.session.flush()


def listing(
    session: Session, corp: CorpId, query: ScriptQuery, *, before: int = 0, limit: int = PAGE_SIZE
) -> ScriptPage:
    """A page of the company's and teams' scripts with how often they were sent, newest first."""
    wanted: list[ColumnElement[bool]] = [
        col(ScriptRow.corp_id) == corp,
        func.coalesce(col(ScriptGroupRow.scope), "") != "personal",
        col(ScriptRow.deleted_at).is_not(None) if query.deleted else col(ScriptRow.deleted_at).is_(None),
    ]
    if query.group_id:
        wanted.append(col(ScriptRow.group_id) == query.group_id)
    wanted += [_mentions(word) for word in query.words.lower().split()[:6]]
    if before:
        wanted.append(col(ScriptRow.id) < before)
    rows = session.exec(
        select(ScriptRow, func.coalesce(col(ScriptGroupRow.name), GONE_FOLDER))
        .join(ScriptGroupRow, col(ScriptGroupRow.id) == ScriptRow.group_id, isouter=True)
        .where(*wanted)
        .order_by(col(ScriptRow.id).desc())
        .limit(limit + 1)
    ).all()
    used = usage(session, corp, [row.id or 0 for row, _ in rows])
    items = tuple(_managed(row, folder, used[row.id or 0]) for row, folder in rows[:limit])
    return ScriptPage(items=items, next_before=items[-1].script.id if len(rows) > limit else 0)


def get(session: Session, corp: CorpId, script_id: int) -> ManagedScript:
    """One script with its use, deleted and expired ones too. Raises: NotFound."""
    row = _row(session, corp, script_id)
    folder = session.get(ScriptGroupRow, row.group_id)
    if folder is not None and folder.scope == "personal":
        raise NotFound("没有这条话术，可能已被删除")
    return _managed(
        row,
        folder.name if folder is not None else GONE_FOLDER,
        usage(session, corp, [script_id])[script_id],
    )


def save(
    uow: UnitOfWork, corp: CorpId, actor: StaffUserId, form: ScriptForm, *, may_approve: bool, script_id: int = 0,
    proposal_id: int = 0, submit: bool = True,
) -> Proposal:  # fmt: skip
    """Keep a form: at once in force for those who may approve, else as a draft or waiting for approval.

    What is in force stays so until the proposal is approved. Raises: NotFound, Conflict (already decided).
    """
    _folder(uow.session, corp, form.group_id)
    if script_id:
        _row(uow.session, corp, script_id)
    row = _open_proposal(uow, corp, actor, proposal_id) if proposal_id else None
    row = row or ScriptProposalRow(
        corp_id=corp, script_id=script_id, group_id=form.group_id, title="", author=actor, changed_at=uow.now()
    )
    row.group_id, row.title, row.keywords = form.group_id, form.title, form.keywords
    row.similar, row.content, row.expires_at = list(form.similar), list(form.messages), form.expires_at
    row.changed_at, row.state = uow.now(), "waiting" if submit else "draft"
    row.reviewer, row.reason, row.reviewed_at = "", "", None
    uow.session.add(row)
    uow.session.flush()
    if may_approve and submit:
        return review(uow, corp, actor, row.id or 0, approve=True)
    return _proposal(row)


def review(
    uow: UnitOfWork, corp: CorpId, reviewer: StaffUserId, proposal_id: int, *, approve: bool, reason: str = ""
) -> Proposal:
    """Put a waiting proposal into force, or send it back with a reason. The caller has checked ``scripts.approve``.

    Raises: NotFound, Conflict (decided already), InputInvalid (no reason).
    """
    row = uow.session.get(ScriptProposalRow, proposal_id, with_for_update=True)
    if row is None or row.corp_id != corp:
        raise NotFound("没有这条待审批的话术")
    if row.state != "waiting":
        raise Conflict("这条话术已经处理过")
    if not approve and not reason.strip():
        raise InputInvalid("请写明驳回的原因", field="reason")
    row.state = "approved" if approve else "rejected"
    row.reviewer, row.reason, row.reviewed_at = reviewer, reason.strip(), uow.now()
    if approve:
        row.script_id = _put_in_force(uow, row)
    uow.session.add(row)
    audit.record(
        uow,
        corp=corp,
        actor=reviewer,
        act=f"script.{row.state}",
        object_kind="script",
        object_id=str(row.script_id),
        data={"proposal": row.id, "title": row.title, "reason": row.reason},
    )
    return _proposal(row)


def withdraw(uow: UnitOfWork, corp: CorpId, actor: StaffUserId, proposal_id: int) -> None:
    """Throw one's own proposal away while it is not decided. Raises: NotFound, Conflict."""
    uow.session.delete(_open_proposal(uow, corp, actor, proposal_id))
    uow.session.flush()


def proposals(
    session: Session, corp: CorpId, *, state: str = "", author: str = "", before: int = 0, limit: int = PAGE_SIZE
) -> list[Proposal]:
    """Proposals in a state and of an author where named, newest first."""
    statement = select(ScriptProposalRow).where(ScriptProposalRow.corp_id == corp)
    if state:
        statement = statement.where(ScriptProposalRow.state == state)
    if author:
        statement = statement.where(ScriptProposalRow.author == author)
    if before:
        statement = statement.where(col(ScriptProposalRow.id) < before)
    return [_proposal(row) for row in session.exec(statement.order_by(col(ScriptProposalRow.id).desc()).limit(limit))]


def get_proposal(session: Session, corp: CorpId, proposal_id: int) -> Proposal:
    """One proposal. Raises: NotFound."""
    row = session.get(ScriptProposalRow, proposal_id)
    if row is None or row.corp_id != corp:
        raise NotFound("没有这条待审批的话术")
    return _proposal(row)


def delete(uow: UnitOfWork, corp: CorpId, actor: str, script_ids: Sequence[int]) -> int:
    """Take scripts out of force into the recycle bin. Answers how many."""
    rows = _several(uow, corp, script_ids, deleted=False)
    for row in rows:
        row.deleted_at, row.enabled, row.changed_at, row.changed_by = uow.now(), False, uow.now(), actor
        uow.session.add(row)
    return len(rows)


def undelete(uow: UnitOfWork, corp: CorpId, actor: str, script_ids: Sequence[int]) -> int:
    """Bring scripts back from the recycle bin; expired ones stay out of force. Answers how many.

    Where the folder is gone meanwhile they come back in one named for them.
    """
    rows = _several(uow, corp, script_ids, deleted=True)
    known = {folder.name: folder.id for folder in all_folders(uow.session, corp)}
    for row in rows:
        if row.group_id not in known.values():
            if GONE_FOLDER not in known:
                known[GONE_FOLDER] = create_folder(uow, corp, GONE_FOLDER)
            row.group_id = known[GONE_FOLDER]
        row.deleted_at, row.changed_at, row.changed_by = None, uow.now(), actor
        row.enabled = row.expires_at is None or row.expires_at > uow.now()
        uow.session.add(row)
    want_vectors(uow, corp)
    return len(rows)


def expire(uow: UnitOfWork, *, limit: int = 500) -> int:
    """Take scripts of all corps out of force whose time is over. Answers how many."""
    due = select(ScriptRow).where(col(ScriptRow.enabled).is_(True), col(ScriptRow.expires_at) <= uow.now())
    rows = uow.session.exec(due.limit(limit)).all()
    for row in rows:
        row.enabled, row.changed_at = False, uow.now()
        uow.session.add(row)
    return len(rows)


def _put_in_force(uow: UnitOfWork, proposal: ScriptProposalRow) -> int:
    row = uow.session.get(ScriptRow, proposal.script_id) if proposal.script_id else None
    if row is None:
        row = ScriptRow(
            corp_id=proposal.corp_id, group_id=proposal.group_id, title=proposal.title, changed_at=uow.now()
        )
    row.group_id, row.title, row.keywords = proposal.group_id, proposal.title, proposal.keywords
    row.similar, row.content = list(proposal.similar), list(proposal.content)
    row.pinyin, row.initials = spell(proposal.title)
    row.expires_at = proposal.expires_at
    row.enabled = row.deleted_at is None and (row.expires_at is None or row.expires_at > uow.now())
    row.changed_by, row.changed_at = proposal.author, uow.now()
    uow.session.add(row)
    uow.session.flush()
    want_vectors(uow, CorpId(proposal.corp_id))
    return row.id or 0


def _open_proposal(uow: UnitOfWork, corp: CorpId, actor: StaffUserId, proposal_id: int) -> ScriptProposalRow:
    row = uow.session.get(ScriptProposalRow, proposal_id, with_for_update=True)
    if row is None or row.corp_id != corp or row.author != actor:
        raise NotFound("没有这条待审批的话术")
    if row.state == "approved":
        raise Conflict("这条话术已经通过审批，请在话术列表里修改")
    return row


def _mentions(word: str) -> ColumnElement[bool]:
    places: list[Any] = [func.lower(col(ScriptRow.title)), func.lower(col(ScriptRow.keywords))]
    if word.isascii() and word.isalpha() and len(word) > 1:
        places += [col(ScriptRow.initials), func.replace(col(ScriptRow.pinyin), " ", "")]
    return or_(*(place.contains(word, autoescape=True) for place in places))


def _managed(row: ScriptRow, folder: str, used: ScriptUsage) -> ManagedScript:
    return ManagedScript(
        script=to_script(row),
        folder=folder,
        offered=row.enabled,
        usage=used,
        changed_by=row.changed_by,
        changed_at=row.changed_at,
        deleted_at=row.deleted_at,
    )


def _proposal(row: ScriptProposalRow) -> Proposal:
    return Proposal(
        id=row.id or 0,
        script_id=row.script_id,
        form=ScriptForm(
            group_id=row.group_id,
            title=row.title,
            messages=tuple(row.content),
            keywords=row.keywords,
            similar=tuple(row.similar),
            expires_at=row.expires_at,
        ),
        state=row.state,
        author=row.author,
        changed_at=row.changed_at,
        reviewer=row.reviewer,
        reason=row.reason,
        reviewed_at=row.reviewed_at,
    )


def _row(session: Session, corp: CorpId, script_id: int) -> ScriptRow:
    row = session.get(ScriptRow, script_id)
    if row is None or row.corp_id != corp:
        raise NotFound("没有这条话术，可能已被删除")
    return row


def _several(uow: UnitOfWork, corp: CorpId, ids: Sequence[int], *, deleted: bool) -> list[ScriptRow]:
    in_bin = col(ScriptRow.deleted_at).is_not(None) if deleted else col(ScriptRow.deleted_at).is_(None)
    statement = select(ScriptRow).where(ScriptRow.corp_id == corp, col(ScriptRow.id).in_(list(ids)[:500]), in_bin)
    return list(uow.session.exec(statement.order_by(col(ScriptRow.id)).with_for_update()))


def _folder(session: Session, corp: CorpId, group_id: int) -> ScriptGroupRow:
    row = session.get(ScriptGroupRow, group_id)
    if row is None or row.corp_id != corp or row.scope == "personal":
        raise NotFound("没有这个话术分组，可能已被删除")
    return row


def _folder_name(raw: str) -> str:
    name = " ".join(raw.split())
    if not 1 <= len(name) <= FOLDER_CHARS:
        raise InputInvalid(f"分组名称应有 1–{FOLDER_CHARS} 个字", field="name")
    return name
