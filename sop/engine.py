"""The engine: enrolments and their steps. One row per enrolment; cost follows what is due."""

from datetime import timedelta

from sqlalchemy import bindparam
from sqlmodel import Session, col, select

from crm_core import customers, outbox, staff
from crm_core.config import Settings
from crm_core.db import UnitOfWork
from crm_core.ids import AppKey, CorpId, ExternalUserId, StaffUserId
from crm_core.messages import dump_message
from sop.model import OPEN_STATES, EnrolmentState, Plan, StepState, parse_plan
from sop.schedule import Calendar, due_at
from sop.tables import EnrolmentRow, SopRow, StepRunRow

NAME_GRACE = timedelta(seconds=2)  # a step due at once waits this long for WeCom to tell the customer's name

_ENABLED_SOPS = select(SopRow).where(SopRow.corp_id == bindparam("corp"), col(SopRow.enabled).is_(True))
_INSIDE = (
    select(EnrolmentRow.id)
    .join(SopRow, col(SopRow.id) == EnrolmentRow.sop_id)
    .where(
        EnrolmentRow.corp_id == bindparam("corp"),
        EnrolmentRow.external_userid == bindparam("external_user"),
        EnrolmentRow.staff_userid == bindparam("staff"),
        SopRow.key == bindparam("key"),
        (col(EnrolmentRow.status).in_(OPEN_STATES)) | (col(EnrolmentRow.dedupe_key) == bindparam("dedupe")),
    )
)
_FIRST_STEPS_SOON = (
    select(EnrolmentRow)
    .where(
        EnrolmentRow.corp_id == bindparam("corp"),
        EnrolmentRow.external_userid == bindparam("external_user"),
        EnrolmentRow.staff_userid == bindparam("staff"),
        EnrolmentRow.status == EnrolmentState.ACTIVE.value,
        EnrolmentRow.next_step == 0,
        EnrolmentRow.next_at <= bindparam("soon"),
    )
    .with_for_update(skip_locked=True)
)


class SopEngine:
    """Enrols customers and runs their steps. One row per enrolment; cost follows what is due."""

    def __init__(self, settings: Settings) -> None:
        self._calendar = Calendar.from_settings(settings.worktime)
        self._late_cutoff = timedelta(hours=settings.sop.late_cutoff_hours)
        self._public_url = settings.server.public_url
        self._plans: dict[int, Plan] = {}

    def enrol(
        self,
        uow: UnitOfWork,
        *,
        corp: CorpId,
        app: AppKey,
        staff_userid: StaffUserId,
        external_user: ExternalUserId,
        trigger: str,
        key: str,
    ) -> int:
        """Start every enabled sop of this trigger that the follow is not inside already. Answers how many."""
        started = 0
        rows = uow.session.exec(_ENABLED_SOPS, params={"corp": corp}).all()
        if rows:
            uow.lock(f"enrol:{corp}:{staff_userid}:{external_user}")
        for row in rows:
            plan = self._plan(row)
            dedupe_key = f"{row.key}:{key}"
            if plan.trigger != trigger or self._inside(uow.session, row, staff_userid, external_user, dedupe_key):
                continue
            now = uow.now()
            first = due_at(plan.steps[0], now, self._calendar)
            uow.session.add(
                EnrolmentRow(
                    corp_id=corp,
                    app_key=app,
                    sop_id=row.id or 0,
                    staff_userid=staff_userid,
                    external_userid=external_user,
                    dedupe_key=dedupe_key,
                    next_at=first + NAME_GRACE if first <= now else first,
                    entered_at=now,
                )
            )
            started += 1
        return started

    def hurry(self, uow: UnitOfWork, corp: CorpId, staff_userid: StaffUserId, external_user: ExternalUserId) -> int:
        """WeCom told the customer's name: run first steps that only waited for it. Answers how many.

        Steps that the due-steps loop is just running are left to it.
        """
        given = {"corp": corp, "external_user": external_user, "staff": staff_userid, "soon": uow.now() + NAME_GRACE}
        rows = uow.session.exec(_FIRST_STEPS_SOON, params=given).all()
        for row in rows:
            self.run_step(uow, row)
        return len(rows)

    def stop(
        self, uow: UnitOfWork, corp: CorpId, staff_userid: StaffUserId, external_user: ExternalUserId, *, reason: str
    ) -> int:
        """Stop every enrolment of this follow; todos still open expire with the reason. Answers how many."""
        now = uow.now()
        rows = uow.session.exec(
            select(EnrolmentRow).where(
                EnrolmentRow.corp_id == corp,
                EnrolmentRow.external_userid == external_user,
                EnrolmentRow.staff_userid == staff_userid,
                col(EnrolmentRow.status).in_(OPEN_STATES),
            )
        ).all()
        for row in rows:
            self._end(uow, row, EnrolmentState.STOPPED, reason)
        for run in uow.session.exec(
            select(StepRunRow).where(
                StepRunRow.corp_id == corp,
                StepRunRow.external_userid == external_user,
                StepRunRow.staff_userid == staff_userid,
                StepRunRow.status == StepState.DUE.value,
            )
        ):
            run.status, run.reason, run.ended_at = StepState.EXPIRED.value, reason, now
            uow.session.add(run)
        return len(rows)

    def run_step(self, uow: UnitOfWork, row: EnrolmentRow) -> None:
        """Run the next step of one enrolment, after asking again whether it still makes sense."""
        sop = uow.session.get(SopRow, row.sop_id)
        if sop is None:
            self._end(uow, row, EnrolmentState.STOPPED, "SOP 已删除")
            return
        corp, userid = CorpId(row.corp_id), StaffUserId(row.staff_userid)
        external_user = ExternalUserId(row.external_userid)
        if not customers.is_following(uow.session, corp, userid, external_user):
            self.stop(uow, corp, userid, external_user, reason="已不是好友")
            return
        if not staff.is_active(uow.session, corp, userid):
            self.stop(uow, corp, userid, external_user, reason="员工已停用或离职")
            return
        plan = self._plan(sop)
        self._record_run(uow, row, plan)
        self._advance(uow, row, plan)

    def _plan(self, row: SopRow) -> Plan:
        """The parsed plan of a version; a version's content never changes."""
        plan = self._plans.get(row.id or 0)
        if plan is None:
            plan = self._plans[row.id or 0] = parse_plan(row.plan)
        return plan

    def _record_run(self, uow: UnitOfWork, row: EnrolmentRow, plan: Plan) -> None:
        step, now = plan.steps[row.next_step], uow.now()
        late = now - row.next_at > self._late_cutoff
        run = StepRunRow(
            corp_id=row.corp_id,
            enrolment_id=row.id or 0,
            step=row.next_step,
            step_key=step.key,
            title=step.title,
            sop_name=plan.name,
            staff_userid=row.staff_userid,
            external_userid=row.external_userid,
            message=dump_message(step.message),
            status=StepState.EXPIRED.value if late else StepState.DUE.value,
            due_at=min(row.next_at, now),
            ran_at=now,
            ended_at=now if late else None,
            reason=f"晚了 {now - row.next_at}，超过 {self._late_cutoff}" if late else "",
        )
        uow.session.add(run)
        uow.session.flush()
        if not late:
            self._tell_staff(uow, row, run)

    def _tell_staff(self, uow: UnitOfWork, row: EnrolmentRow, run: StepRunRow) -> None:
        external_user = ExternalUserId(row.external_userid)
        name = customers.display_name(uow.session, CorpId(row.corp_id), external_user) or "新客户"
        url = f"{self._public_url}/sidebar/?external_userid={row.external_userid}&todo={run.id}"
        outbox.add(
            uow,
            outbox.SEND_APP_MESSAGE,
            corp=CorpId(row.corp_id),
            app=AppKey(row.app_key),
            payload={
                "staff": [row.staff_userid],
                "external_user": row.external_userid,
                "step_run_id": run.id,
                "body": {
                    "msgtype": "textcard",
                    "textcard": {
                        "title": f"{name}：{run.title}",
                        "description": f'<div class="gray">{run.sop_name}</div>内容已备好，点开即可发送',
                        "url": url,
                        "btntxt": "去跟进",
                    },
                },
            },
            dedupe_key=f"step_run:{run.id}",
            cause=f"sop:{row.sop_id}",
        )

    def _advance(self, uow: UnitOfWork, row: EnrolmentRow, plan: Plan) -> None:
        done_at = max(row.next_at, row.entered_at)
        row.next_step += 1
        if row.next_step >= len(plan.steps):
            self._end(uow, row, EnrolmentState.FINISHED, "")
            return
        row.next_at = due_at(plan.steps[row.next_step], done_at, self._calendar)
        uow.session.add(row)

    def _end(self, uow: UnitOfWork, row: EnrolmentRow, state: EnrolmentState, reason: str) -> None:
        row.status, row.end_reason, row.ended_at = state.value, reason, uow.now()
        uow.session.add(row)

    def _inside(
        self, session: Session, sop: SopRow, staff_userid: StaffUserId, external_user: ExternalUserId, dedupe_key: str
    ) -> bool:
        """Whether the follow goes through this sop now, or has been let in by the very same event."""
        given = {"corp": sop.corp_id, "key": sop.key, "staff": staff_userid, "external_user": external_user}
        given["dedupe"] = dedupe_key
        return session.exec(_INSIDE, params=given).first() is not None
