"""Greetings: one for the corp, and one for any staff member who wants their own."""

from flask import redirect, render_template, request
from flask.typing import ResponseReturnValue

from bot.console import message_form
from bot.console.access import Sight, acting, looking
from bot.console.views import page
from crm_core import audit, staff, welcome_messages
from crm_core.errors import InputInvalid, NotFound
from crm_core.messages import parse_message
from crm_core.welcome_messages import EVERYBODY


@page("/welcome", permission="contact_ways.read")
def welcome_page() -> str:
    """Who has a greeting of their own."""
    with looking() as sight:
        messages = welcome_messages.by_staff(sight.session, sight.corp)
        people = staff.listing(sight.session, sight.corp, contact_only=True)
    shown = {userid: message_form.bubbles(message) for userid, message in messages.items()}
    return render_template("console/welcome.html", people=people, bubbles_of=shown, everybody=EVERYBODY)


def _known(sight: Sight, userid: str) -> str:
    """Whose greeting an address names; ``all`` is the corp's. Raises: NotFound."""
    if userid == "all":
        return EVERYBODY
    if userid not in {row.userid for row in staff.listing(sight.session, sight.corp)}:
        raise NotFound("没有这位员工")
    return userid


def _shown(sight: Sight, userid: str, message: dict[str, object] | None, said: str = "") -> str:
    name = staff.names(sight.session, sight.corp, [userid])[userid] if userid else "公司"
    return render_template(
        "console/welcome_form.html",
        userid=userid or "all",
        name=name,
        bubbles=message_form.bubbles(message),
        **message_form.fields(sight.session, sight.corp, message),
        faults={"welcome": said} if said else {},
    )


@page("/welcome/<userid>", permission="contact_ways.write")
def welcome_form(userid: str) -> str:
    """The form of one greeting. Raises: NotFound."""
    with looking() as sight:
        known = _known(sight, userid)
        return _shown(sight, known, welcome_messages.by_staff(sight.session, sight.corp).get(known))


@page("/welcome/<userid>", permission="contact_ways.write", methods=("POST",))
def set_welcome(userid: str) -> ResponseReturnValue:
    """Set a greeting; an empty one takes it away. Raises: NotFound."""
    with acting() as (uow, sight):
        known = _known(sight, userid)
        message = message_form.read(sight.session, sight.corp, request.form)
        try:
            welcome_messages.set_message(uow, sight.corp, known, message)
        except InputInvalid as error:
            return _shown(sight, known, message, error.message), 422
        act = "welcome.changed" if message else "welcome.removed"
        audit.record(
            uow, corp=sight.corp, actor=sight.who.actor, act=act, object_kind="welcome", object_id=known or "corp"
        )
    return redirect("/console/welcome")


@page("/welcome/check", permission="contact_ways.write", methods=("POST",))
def check_welcome() -> str:
    """How the greeting looks and what is wrong with it, while one types."""
    faults: dict[str, str] = {}
    with looking() as sight:
        message = message_form.read(sight.session, sight.corp, request.form)
    try:
        parse_message(message)
    except InputInvalid as error:
        faults["welcome"] = error.message
    bubbles = message_form.bubbles(message)
    return render_template("console/way_check.html", fields=("welcome",), faults=faults, bubbles=bubbles)
