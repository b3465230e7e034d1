"""Plans, and the todos that their steps leave with staff."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import resources
from typing import Any

import yaml
from sqlmodel import Session, col, select

from crm_core import customers, staff, timeline
from crm_core.db import UnitOfWork
from crm_core.errors import Conflict, InputInvalid, NotFound
from crm_core.ids import CorpId, ExternalUserId, StaffUserId
from sop.model import Plan, StepState, dump_plan, parse_plan
from sop.tables import SopRow, StepRunRow


def builtin_plans() -> list[Plan]:
    """The plans that come with the product, from ``sop/plans/*.yaml``."""
    folder = resources.files("sop") / "plans"
    return [
        parse_plan(yaml.safe_load(item.read_text("utf-8")))
        for item in sorted(folder.iterdir(), key=lambda entry: entry.name)
        if item.name.endswith(".yaml")
    ]


def install_plan(uow: UnitOfWork, corp: CorpId, plan: Plan) -> SopRow:
    """Make this plan the one that new enrolments follow. An unchanged plan keeps its version."""
    content = dump_plan(plan)
    rows = uow.session.exec(
        select(SopRow).where(SopRow.corp_id == corp, SopRow.key == plan.key).order_by(col(SopRow.version).desc())
    ).all()
    if rows and rows[0].plan == content:
        return rows[0]
    for row in rows:
        row.enabled = False
        uow.session.add(row)
    new = SopRow(
        corp_id=corp,
        key=plan.key,
        version=rows[0].version + 1 if rows else 1,
        name=plan.name,
        plan=content,
        created_at=uow.now(),
    )
    uow.session.add(new)
    uow.session.flush()
    return new


def install_missing(uow: UnitOfWork, corp: CorpId) -> None:
    """Give a corp the built-in plans it has never had. Plans that people changed or switched off stay so."""
    known = set(uow.session.exec(select(SopRow.key).where(SopRow.corp_id == corp)))
    for plan in builtin_plans():
        if plan.key not in known:
            install_plan(uow, corp, plan)


def live_messages(session: Session, corp: CorpId) -> list[dict[str, Any]]:
    """The messages of all plans that are in force, in stored form."""
    plans = session.exec(select(SopRow.plan).where(SopRow.corp_id == corp, col(SopRow.enabled).is_(True)))
    return [step["message"] for plan in plans for step in plan["steps"]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Todo:
    """待办: a step a person must do. message: stored form with {昵称} and {员工} filled in."""

    id: int
    title: str
    sop_name: str
    staff: str
    external_user: str
    customer_name: str
    message: dict[str, Any]
    status: str
    due_at: datetime
    ended_at: datetime | None
    reason: str


def todos(
    session: Session,
    corp: CorpId,
    staff_userid: StaffUserId,
    *,
    external_user: ExternalUserId | None = None,
    open_only: bool = True,
    limit: int = 50,
) -> list[Todo]:
    """Todos of one staff member, oldest due first; done ones newest first when ``open_only`` is false."""
    statement = select(StepRunRow).where(StepRunRow.corp_id == corp, StepRunRow.staff_userid == staff_userid)
    if external_user is not None:
        statement = statement.where(StepRunRow.external_userid == external_user)
    if open_only:
        statement = statement.where(StepRunRow.status == StepState.DUE.value).order_by(col(StepRunRow.due_at))
    else:
        statement = statement.order_by(col(StepRunRow.due_at).desc())
    return _todos(session, corp, session.exec(statement.limit(limit)).all())


def get_todo(session: Session, corp: CorpId, staff_userid: StaffUserId, todo_id: int) -> Todo:
    """One todo of this staff member. Raises: NotFound."""
    return _todo(session, _own_todo(session, corp, staff_userid, todo_id))


def settle_todo(
    uow: UnitOfWork, corp: CorpId, staff_userid: StaffUserId, todo_id: int, *, outcome: StepState, reason: str = ""
) -> Todo:
    """Tick a todo off as sent, or skip it with a reason. Doing the same twice changes nothing.

    Raises: NotFound; InputInvalid (skip without a reason); Conflict (settled otherwise already).
    """
    row = _own_todo(uow.session, corp, staff_userid, todo_id, for_update=True)
    if row.status == outcome.value:
        return _todo(uow.session, row)
    if row.status != StepState.DUE.value:
        raise Conflict("这条任务已经处理过")
    if outcome is StepState.SKIPPED and not reason.strip():
        raise InputInvalid("请写明跳过的原因", field="reason")
    row.status, row.reason, row.ended_at = outcome.value, reason.strip(), uow.now()
    uow.session.add(row)
    timeline.append(
        uow,
        corp=corp,
        external_user=ExternalUserId(row.external_userid),
        staff=staff_userid,
        kind=f"sop.{outcome.value}",
        at=row.ended_at,
        dedupe_key=f"step_run:{row.id}:{outcome.value}",
        data={"sop": row.sop_name, "title": row.title, "reason": row.reason},
    )
    return _todo(uow.session, row)


def _own_todo(
    session: Session, corp: CorpId, staff_userid: StaffUserId, todo_id: int, *, for_update: bool = False
) -> StepRunRow:
    row = session.get(StepRunRow, todo_id, with_for_update=for_update or None)
    if row is None or row.corp_id != corp or row.staff_userid != staff_userid:
        raise NotFound("没有这条任务")
    return row


def _todo(session: Session, row: StepRunRow) -> Todo:
    return _todos(session, CorpId(row.corp_id), [row])[0]


def _todos(session: Session, corp: CorpId, rows: Sequence[StepRunRow]) -> list[Todo]:
    if not rows:
        return []
    customer_names = customers.display_names(session, corp, {row.external_userid for row in rows})
    staff_names = staff.names(session, corp, {row.staff_userid for row in rows})
    return [_view(row, customer_names[row.external_userid], staff_names[row.staff_userid]) for row in rows]


def _view(row: StepRunRow, name: str, own: str) -> Todo:
    message = dict(row.message)
    message["text"] = fill(str(message.get("text", "")), customer=name, staff_name=own)
    return Todo(
        id=row.id or 0,
        title=row.title,
        sop_name=row.sop_name,
        staff=row.staff_userid,
        external_user=row.external_userid,
        customer_name=name,
        message=message,
        status=row.status,
        due_at=row.due_at,
        ended_at=row.ended_at,
        reason=row.reason,
    )


def fill(text: str, *, customer: str, staff_name: str) -> str:
    """Put names into a text; an unknown customer is addressed politely."""
    return text.replace("{昵称}", customer or "您").replace("{员工}", staff_name)
