"""Following up: the sheet for stage and record, and reminders."""

from flask import Response, render_template

from crm_core import follow_ups, profile, reminders
from crm_core.errors import InputInvalid, NotFound
from crm_core.follow_ups import FollowUpForm
from crm_core.ids import AppKey
from sidebar.access import access_customer
from sidebar.desk import desk_of
from sidebar.follow_panel import follow_panel, moment_of, presets, reminder_line, reminder_lines
from sidebar.panels import stage_choices
from sidebar.room import bp, room
from sidebar.routes_fragments import new_head
from sidebar.schemas import FollowUpSheet, ReminderForm, read_form
from sidebar.views import customer_panels, customer_unit, own_panels, visitor

ACTS = {"done": reminders.DONE, "delete": reminders.DELETED, "restore": reminders.OPEN}
SAID = {reminders.DONE: "已完成", reminders.DELETED: "已删除"}


@bp.get("/customers/<external_userid>/follow-up")
def follow_up_sheet(external_userid: str) -> str:
    """The sheet for another stage, what was said, and the next contact."""
    with customer_panels(external_userid) as (panels, external_user):
        return render_template(
            "sidebar/follow_up_sheet.html",
            external_user=external_user,
            stage=profile.read(panels.desk.session, panels.desk.corp, external_user).stage,
            stages=stage_choices(),
            presets=presets(panels.desk),
        )


@bp.post("/customers/<external_userid>/follow-up")
def follow_up(external_userid: str) -> Response:
    """Stage, record and next contact in one commit; answers the new head. The follow card asks for itself."""
    form, who = read_form(FollowUpSheet), visitor()
    with customer_unit(external_userid) as (uow, external_user):
        desk = desk_of(room(), uow.session, who)
        follow_ups.record(
            uow,
            corp=who.corp,
            app=AppKey(who.app),
            staff=who.staff,
            external_user=external_user,
            form=FollowUpForm(
                key=form.key, stage=form.stage, text=form.text, next_contact=moment_of(desk, form.next_contact)
            ),
        )
    response = new_head(external_userid)
    response.headers["HX-Trigger"] = "follow-changed, sheet-done"
    return response


@bp.get("/customers/<external_userid>/follow")
def follow_card(external_userid: str) -> str:
    """The follow card alone."""
    with customer_panels(external_userid) as (panels, external_user):
        return render_template(
            "sidebar/follow_body.html",
            external_user=external_user,
            follow=follow_panel(panels.desk, external_user),
        )


@bp.get("/reminders")
def own_reminders() -> str:
    """The visitor's open reminders over all customers."""
    with own_panels() as (panels, _):
        return render_template("sidebar/reminder_list.html", reminders=reminder_lines(panels.desk))


@bp.get("/customers/<external_userid>/reminder")
def reminder_sheet(external_userid: str) -> str:
    """The sheet for a new reminder."""
    with customer_panels(external_userid) as (panels, external_user):
        return render_template(
            "sidebar/reminder_sheet.html", external_user=external_user, reminder=None, presets=presets(panels.desk)
        )


@bp.post("/customers/<external_userid>/reminder")
def add_reminder(external_userid: str) -> Response:
    """A new reminder."""
    form, who = read_form(ReminderForm), visitor()
    with customer_unit(external_userid) as (uow, external_user):
        due_at = moment_of(desk_of(room(), uow.session, who), form.local_time)
        if due_at is None:
            raise InputInvalid("请选择提醒时间", field="due")
        reminders.remind(
            uow,
            corp=who.corp,
            app=AppKey(who.app),
            staff=who.staff,
            external_user=external_user,
            due_at=due_at,
            note=form.note,
            key=form.key,
        )
    return _changed()


def _changed() -> Response:
    """Every card that shows reminders asks for itself."""
    response = Response("")
    response.headers["HX-Trigger"] = "follow-changed, sheet-done"
    return response


@bp.get("/reminders/<int:reminder_id>/postpone")
def postpone_sheet(reminder_id: int) -> str:
    """The sheet for another time."""
    who = visitor()
    with room().db.reading() as session:
        reminder = reminders.get(session, who.corp, who.staff, reminder_id)
        return render_template(
            "sidebar/reminder_sheet.html",
            external_user=reminder.external_user,
            reminder=reminder,
            presets=presets(desk_of(room(), session, who)),
        )


@bp.post("/reminders/<int:reminder_id>/postpone")
def postpone(reminder_id: int) -> Response:
    """Another time for a reminder."""
    form, who = read_form(ReminderForm), visitor()
    with room().db.unit() as uow:
        due_at = moment_of(desk_of(room(), uow.session, who), form.local_time)
        if due_at is None:
            raise InputInvalid("请选择提醒时间", field="due")
        reminders.postpone(uow, who.corp, who.staff, reminder_id, due_at=due_at)
        uow.commit()
    return _changed()


@bp.post("/reminders/<int:reminder_id>/<act>")
def settle_reminder(reminder_id: int, act: str) -> str:
    """Done, deleted or brought back; answers its line, with a way back. Raises: NotFound."""
    who = visitor()
    if act not in ACTS:
        raise NotFound("没有这个操作")
    with room().db.unit() as uow:
        found = reminders.get(uow.session, who.corp, who.staff, reminder_id)
        access_customer(uow.session, who, found.external_user)
        reminder = reminders.settle(uow, who.corp, who.staff, reminder_id, status=ACTS[act])
        uow.commit()
    if reminder.status != reminders.OPEN:
        return render_template("sidebar/reminder_gone.html", reminder=reminder, said=SAID[reminder.status])
    with room().db.reading() as session:
        line = reminder_line(desk_of(room(), session, who), reminder)
        return render_template("sidebar/reminder_line.html", line=line)
