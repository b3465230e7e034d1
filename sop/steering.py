"""Pausing and resuming a plan, taking one customer out of it. Every act leaves an audit row."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import CursorResult, update
from sqlmodel import col, select

from crm_core import audit
from crm_core.db import UnitOfWork
from crm_core.errors import Conflict
from crm_core.ids import CorpId
from sop import progress
from sop.model import OPEN_STATES, EnrolmentState, StepState
from sop.tables import EnrolmentRow, SopRow, StepRunRow


def pause(uow: UnitOfWork, corp: CorpId, key: str, *, actor: str) -> int:
    """Nobody enters any more, and those inside stand still until ``resume``. Answers how many stand still.

    Todos that staff already have stay with them. Raises: NotFound, Conflict.
    """
    versions = progress.versions_of(uow.session, corp, key, for_update=True)
    if not any(row.enabled for row in versions):
        raise Conflict("这个 SOP 已经是暂停状态")
    for row in versions:
        row.enabled = False
        uow.session.add(row)
    number = _move(uow, versions, EnrolmentState.ACTIVE, EnrolmentState.PAUSED)
    _audit(uow, corp, versions[-1], "sop.paused", actor, number)
    return number


def resume(uow: UnitOfWork, corp: CorpId, key: str, *, actor: str) -> int:
    """New customers enter again, and those inside go on. Answers how many go on.

    A step that came due meanwhile is done at once, or expires when it is later than the cutoff.
    Raises: NotFound, Conflict.
    """
    versions = progress.versions_of(uow.session, corp, key, for_update=True)
    number = _move(uow, versions, EnrolmentState.PAUSED, EnrolmentState.ACTIVE)
    if any(row.enabled for row in versions) and not number:
        raise Conflict("这个 SOP 正在运行")
    for row in versions:
        row.enabled = row is versions[-1]
        uow.session.add(row)
    _audit(uow, corp, versions[-1], "sop.resumed", actor, number)
    return number


def stop_enrolment(
    uow: UnitOfWork, corp: CorpId, enrolment_id: int, *, reason: str, actor: str, visible: progress.Visible = None
) -> None:
    """Take one customer out; todos of this enrolment that still wait expire with the reason.

    Raises: NotFound, Conflict (it is over already).
    """
    row = progress.visible_enrolment(uow.session, corp, enrolment_id, visible, for_update=True)
    if row.status not in OPEN_STATES:
        raise Conflict("这位客户的流程已经结束")
    row.status, row.end_reason, row.ended_at = EnrolmentState.STOPPED.value, reason, uow.now()
    uow.session.add(row)
    waiting = select(StepRunRow).where(
        StepRunRow.enrolment_id == enrolment_id, StepRunRow.status == StepState.DUE.value
    )
    for run in uow.session.exec(waiting):
        run.status, run.reason, run.ended_at = StepState.EXPIRED.value, reason, uow.now()
        uow.session.add(run)
    sop = uow.session.get_one(SopRow, row.sop_id)
    audit.record(
        uow,
        corp=corp,
        actor=actor,
        act="enrolment.stopped",
        object_kind="enrolment",
        object_id=str(enrolment_id),
        data={"sop": sop.name, "external_user": row.external_userid, "staff": row.staff_userid},
    )


def _move(uow: UnitOfWork, versions: Sequence[SopRow], old: EnrolmentState, new: EnrolmentState) -> int:
    moved: CursorResult[Any] = uow.session.connection().execute(
        update(EnrolmentRow)
        .where(col(EnrolmentRow.sop_id).in_([row.id for row in versions]), col(EnrolmentRow.status) == old.value)
        .values(status=new.value)
    )
    return moved.rowcount


def _audit(uow: UnitOfWork, corp: CorpId, row: SopRow, act: str, actor: str, number: int) -> None:
    data = {"name": row.name, "enrolments": number}
    audit.record(uow, corp=corp, actor=actor, act=act, object_kind="sop", object_id=row.key, data=data)
