"""SOP: how each plan is doing, the people inside, pausing; and the todos that wait."""

from datetime import datetime, timedelta

from flask import render_template, request
from werkzeug.wrappers import Response

from bot.console.room import room
from bot.console.views import number_of, page, told, visitor
from crm_core.errors import NotFound
from sop import progress, steering
from sop.model import EnrolmentState, StepState, When

PERIODS = {"7": "近 7 天", "30": "近 30 天", "90": "近 90 天"}
USUAL_PERIOD = "30"
ENROLMENT_WORDS = {
    EnrolmentState.ACTIVE.value: ("进行中", "blue"),
    EnrolmentState.PAUSED.value: ("已暂停", "warn"),
    EnrolmentState.FINISHED.value: ("已走完", "good"),
    EnrolmentState.STOPPED.value: ("已停止", ""),
}
RUN_WORDS = {
    StepState.DUE.value: ("待员工处理", "blue"),
    StepState.SENT.value: ("已发送", "good"),
    StepState.SKIPPED.value: ("已跳过", ""),
    StepState.EXPIRED.value: ("已过期", "warn"),
    StepState.FAILED.value: ("失败", "bad"),
}
TRIGGERS = {"follow_started": "添加好友后"}
OVERDUE = {"overdue": True, "today": False}


@page("/sops", permission="sops.read")
def sop_list() -> str:
    """Every plan with how many came in."""
    who = visitor()
    with room().db.reading() as session:
        found = progress.cards(session, who.corp, _since(), who.visible_staff(session))
    return render_template(
        "console/sops.html", cards=found, periods=PERIODS, period=_period(), states=ENROLMENT_WORDS, triggers=TRIGGERS
    )


@page("/sops/<key>", permission="sops.read")
def sop_detail(key: str) -> str:
    """One plan: its steps with what became of them, and who is inside."""
    who, since = visitor(), _since()
    status = request.args.get("status", "")
    before = number_of(request.args.get("before", ""))
    with room().db.reading() as session:
        visible = who.visible_staff(session)
        found = progress.card(session, who.corp, key, since, visible)
        steps = progress.steps(session, who.corp, key, since, visible)
        people, older = progress.enrolments(
            session, who.corp, key, since, status=status, visible=visible, before=before
        )
    return render_template(
        "console/sop.html",
        card=found,
        steps=[(figures, step, spoken_when(step.when)) for figures, step in zip(steps, found.plan.steps, strict=True)],
        people=people,
        older=older,
        before=before,
        status=status,
        periods=PERIODS,
        period=_period(),
        states=ENROLMENT_WORDS,
        run_states=RUN_WORDS,
        triggers=TRIGGERS,
    )


@page("/sops/<key>/steps/<int:step>/<status>", permission="sops.read")
def sop_step_runs(key: str, step: int, status: str) -> str:
    """The rows behind one figure of one step."""
    if status not in RUN_WORDS:
        raise NotFound("没有这种结果")
    who, since = visitor(), _since()
    before = number_of(request.args.get("before", ""))
    with room().db.reading() as session:
        visible = who.visible_staff(session)
        found = progress.card(session, who.corp, key, since, visible)
        runs, older = progress.runs(
            session, who.corp, key, since, step=step, status=status, visible=visible, before=before
        )
    if step >= len(found.plan.steps):
        raise NotFound("没有这个步骤")
    return render_template(
        "console/sop_runs.html",
        card=found,
        title=found.plan.steps[step].title,
        words=RUN_WORDS[status],
        runs=runs,
        older=older,
        before=before,
    )


@page("/sops/<key>/pause", permission="sops.write", methods=("POST",))
def pause_sop(key: str) -> Response:
    """Stand still. Raises: NotFound, Conflict."""
    who = visitor()
    with room().db.unit() as uow:
        number = steering.pause(uow, who.corp, key, actor=who.actor)
        uow.commit()
    return told(f"已暂停，{number} 位进行中的客户停在原处", "sop-changed")


@page("/sops/<key>/resume", permission="sops.write", methods=("POST",))
def resume_sop(key: str) -> Response:
    """Go on. Raises: NotFound, Conflict."""
    who = visitor()
    with room().db.unit() as uow:
        number = steering.resume(uow, who.corp, key, actor=who.actor)
        uow.commit()
    return told(f"已恢复，{number} 位客户继续", "sop-changed")


@page("/enrolments/<int:enrolment_id>", permission="sops.read")
def enrolment(enrolment_id: int) -> str:
    """One customer's way through a plan."""
    who = visitor()
    with room().db.reading() as session:
        found, runs = progress.enrolment(session, who.corp, enrolment_id, who.visible_staff(session))
    return render_template("console/enrolment.html", one=found, runs=runs, states=ENROLMENT_WORDS, run_states=RUN_WORDS)


@page("/enrolments/<int:enrolment_id>/stop", permission="sops.write", methods=("POST",))
def stop_enrolment(enrolment_id: int) -> Response:
    """Take one customer out. Raises: NotFound, Conflict."""
    who = visitor()
    with room().db.unit() as uow:
        visible = who.visible_staff(uow.session)
        reason = f"{who.name}在控制台停止"
        steering.stop_enrolment(uow, who.corp, enrolment_id, reason=reason, actor=who.actor, visible=visible)
        uow.commit()
    return told("已停止", "sop-changed", "close-drawer")


@page("/todos", permission="customers.read")
def todo_list() -> str:
    """Todos that wait, of everybody one may see."""
    who, due = visitor(), request.args.get("due", "")
    after = number_of(request.args.get("before", ""))
    midnight = start_of_today()
    with room().db.reading() as session:
        visible = who.visible_staff(session)
        counts = progress.due_counts(session, who.corp, midnight, visible)
        runs, older = progress.due_runs(
            session, who.corp, midnight, overdue=OVERDUE.get(due), visible=visible, after=after
        )
    return render_template(
        "console/todos.html", runs=runs, older=older, counts=counts, due=due, midnight=midnight, before=after
    )


def start_of_today() -> datetime:
    """Midnight in the company's time zone."""
    found = room()
    return found.db.clock.now().astimezone(found.zone).replace(hour=0, minute=0, second=0, microsecond=0)


def _period() -> str:
    asked = request.args.get("days", USUAL_PERIOD)
    return asked if asked in PERIODS else USUAL_PERIOD


def _since() -> datetime:
    return start_of_today() - timedelta(days=int(_period()) - 1)


def spoken_when(when: When) -> str:
    """马上, 2 小时后, 下一个工作日 10:00."""
    if when.kind == "at_once":
        return "马上"
    if when.kind == "next_workday":
        return f"下一个工作日 {when.at}"
    for minutes, unit in ((1440, "天"), (60, "小时")):
        if when.minutes % minutes == 0:
            return f"{when.minutes // minutes} {unit}后"
    return f"{when.minutes} 分钟后"
