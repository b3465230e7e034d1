"""The script library: lists, the editor with its preview, approval, folders."""

from datetime import timedelta
from typing import Any

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlmodel import Session

from bot.console import acts
from bot.console.material_form import end_of_day
from bot.console.pages_gaps import draft_of
from bot.console.room import room
from bot.console.signing import Visitor
from bot.console.views import page, visitor
from crm_core import staff
from crm_core.errors import Conflict, InputInvalid, NotFound
from materials import gaps, material_lists, script_desk, sending
from materials.material_lists import MaterialQuery
from materials.model import MOST_MESSAGES
from materials.script_desk import ScriptQuery
from materials.script_model import SCOPES, STATES, VARIABLES, Proposal, ScriptForm, parse_form

READ, WRITE, APPROVE = "scripts.read", "scripts.write", "scripts.approve"
MOST_OFFERED = 200


@page("/scripts", permission=READ)
def scripts() -> ResponseReturnValue:
    """The library, one page of it."""
    return render_template("console/scripts/list.html", **_list())


def _list() -> dict[str, Any]:
    who, asked = visitor(), request.args
    query = ScriptQuery(
        group_id=acts.number(asked.get("folder")), words=asked.get("q", ""), deleted=asked.get("bin") == "1"
    )
    with room().db.reading() as session:
        found = script_desk.listing(session, who.corp, query, before=acts.number(asked.get("before")))
        return {
            "page": found,
            "query": query,
            "folders": script_desk.all_folders(session, who.corp),
            "scopes": SCOPES,
            "now": room().db.clock.now(),
            **_tabs(session),
        }


def _tabs(session: Session) -> dict[str, Any]:
    who = visitor()
    return {
        "waiting": len(script_desk.proposals(session, who.corp, state="waiting")),
        "may_write": who.allows(WRITE),
        "may_approve": who.allows(APPROVE),
    }


@page("/scripts/<int:script_id>", permission=READ)
def script(script_id: int) -> ResponseReturnValue:
    """One script as the customer reads it, and how it is used."""
    with room().db.reading() as session:
        found = script_desk.get(session, visitor().corp, script_id)
        names = acts.names(session, {found.changed_by})
        return render_template("console/scripts/one.html", one=found, names=names, when=acts.when, **_tabs(session))


@page("/scripts/new", permission=WRITE, methods=("GET", "POST"))
def new_script() -> ResponseReturnValue:
    """The editor for a script that is not there yet."""
    if request.method == "POST":
        return _save(script_id=0, proposal_id=0)
    gap = acts.number(request.args.get("gap"))
    return _editor({"folder_id": request.args.get("folder", "")} | (draft_of(gap) if gap else {}))


@page("/scripts/<int:script_id>/edit", permission=WRITE, methods=("GET", "POST"))
def edit_script(script_id: int) -> ResponseReturnValue:
    """The editor for a script in force."""
    with room().db.reading() as session:
        found = script_desk.get(session, visitor().corp, script_id).script
    if request.method == "POST":
        return _save(script_id=script_id, proposal_id=0)
    form = ScriptForm(
        group_id=found.group_id,
        title=found.title,
        messages=found.messages,
        keywords=found.keywords,
        similar=found.similar,
        expires_at=found.expires_at,
    )
    return _editor(_values_of(form), script_id=script_id)


@page("/scripts/proposals/<int:proposal_id>/edit", permission=WRITE, methods=("GET", "POST"))
def edit_proposal(proposal_id: int) -> ResponseReturnValue:
    """The editor for one's own draft, or one that came back."""
    with room().db.reading() as session:
        found = script_desk.get_proposal(session, visitor().corp, proposal_id)
    if found.author != visitor().staff:
        raise NotFound("没有这条待审批的话术")
    if request.method == "POST":
        return _save(script_id=found.script_id, proposal_id=proposal_id)
    return _editor(_values_of(found.form), script_id=found.script_id, reason=found.reason)


@page("/scripts/approvals", permission=READ)
def approvals() -> ResponseReturnValue:
    """What waits for approval; whoever may not approve sees their own only."""
    who = visitor()
    with room().db.reading() as session:
        author = "" if who.allows(APPROVE) else who.staff
        found = script_desk.proposals(session, who.corp, author=author)
        open_ones = [one for one in found if one.state == "waiting" or (one.author == who.staff and _is_open(one, who))]
        people = {one.author for one in open_ones} | {one.reviewer for one in open_ones if one.reviewer}
        return render_template(
            "console/scripts/approvals.html",
            proposals=open_ones,
            names=acts.names(session, people),
            when=acts.when,
            folder_names={one.id: one.name for one in script_desk.all_folders(session, who.corp)},
            states=STATES,
            **_tabs(session),
        )


def _is_open(one: Proposal, who: Visitor) -> bool:
    """What was approved is in the list; whoever waited for it still wants to see that it was."""
    return one.state != "approved" or not who.allows(APPROVE)


@page("/scripts/proposals/<int:proposal_id>/review", permission=APPROVE, methods=("POST",))
def review_proposal(proposal_id: int) -> ResponseReturnValue:
    """Approve a proposal or send it back."""
    with room().db.unit() as uow:
        script_desk.review(
            uow,
            visitor().corp,
            visitor().staff,
            proposal_id,
            approve=request.form.get("act") == "approve",
            reason=request.form.get("reason", ""),
        )
        uow.commit()
    return acts.refreshed()


@page("/scripts/proposals/<int:proposal_id>/withdraw", permission=WRITE, methods=("POST",))
def withdraw_proposal(proposal_id: int) -> ResponseReturnValue:
    """Throw one's own proposal away."""
    with room().db.unit() as uow:
        script_desk.withdraw(uow, visitor().corp, visitor().staff, proposal_id)
        uow.commit()
    return acts.refreshed()


@page("/scripts/delete", permission=WRITE, methods=("POST",))
def delete_scripts() -> ResponseReturnValue:
    """Put the chosen ones into the recycle bin; can be undone from the notice."""
    ids = acts.chosen()
    with room().db.unit() as uow:
        count = script_desk.delete(uow, visitor().corp, visitor().actor, ids)
        uow.commit()
    undo = url_for("console.undelete_scripts", ids=",".join(map(str, ids)))
    return acts.told(render_template("console/scripts/rows.html", **_list()), f"已删除 {count} 条话术", undo=undo)


@page("/scripts/undelete", permission=WRITE, methods=("POST",))
def undelete_scripts() -> ResponseReturnValue:
    """Bring the chosen ones back."""
    with room().db.unit() as uow:
        script_desk.undelete(uow, visitor().corp, visitor().actor, acts.chosen())
        uow.commit()
    return acts.refreshed()


@page("/scripts/folders", permission=WRITE, methods=("GET", "POST"))
def script_folders() -> ResponseReturnValue:
    """Folders of the company and of teams: add, rename, order, delete."""
    fault = ""
    if request.method == "POST":
        try:
            _change_folder(request.form.get("act", ""))
            return redirect(url_for("console.script_folders"))
        except (InputInvalid, NotFound, Conflict) as error:
            fault = error.message
    with room().db.reading() as session:
        return render_template(
            "console/scripts/folders.html",
            folders=script_desk.all_folders(session, visitor().corp),
            departments=staff.department_names(session, visitor().corp),
            scopes=SCOPES,
            fault=fault,
        )


def _change_folder(act: str) -> None:
    corp, form = visitor().corp, request.form
    folder_id, name = acts.number(form.get("id")), form.get("name", "")
    with room().db.unit() as uow:
        if act == "create":
            department = acts.number(form.get("department"))
            scope = "team" if department else "corp"
            script_desk.create_folder(uow, corp, name, scope=scope, department_id=department)
        elif act == "rename":
            script_desk.rename_folder(uow, corp, folder_id, name)
        elif act == "up":
            order = [one.id for one in script_desk.all_folders(uow.session, corp)]
            place = order.index(folder_id) if folder_id in order else 0
            if place:
                order[place - 1], order[place] = order[place], order[place - 1]
                script_desk.sort_folders(uow, corp, order)
        elif act == "delete":
            script_desk.delete_folder(uow, corp, folder_id)
        uow.commit()


def _save(*, script_id: int, proposal_id: int) -> ResponseReturnValue:
    who = visitor()
    submit = request.form.get("act") != "draft"
    try:
        with room().db.unit() as uow:
            made = script_desk.save(
                uow,
                who.corp,
                who.staff,
                _form(uow.session),
                may_approve=who.allows(APPROVE),
                script_id=script_id,
                proposal_id=proposal_id,
                submit=submit,
            )
            if gap := acts.number(request.form.get("gap")):
                gaps.switch(uow, who.corp, who.actor, gap, state=gaps.WRITTEN, script_id=made.script_id)
            uow.commit()
    except (InputInvalid, NotFound, Conflict) as error:
        return _editor(_given(), script_id=script_id, fault=error)
    if made.state == "approved":
        return redirect(url_for("console.scripts", folder=made.form.group_id))
    return redirect(url_for("console.approvals"))


def _form(session: Session) -> ScriptForm:
    form, messages = request.form, []
    for number in range(1, MOST_MESSAGES + 1):
        text = form.get(f"text_{number}", "").strip()
        material_id = acts.number(form.get(f"material_{number}"))
        attached = []
        if material_id:
            attached = [sending.attachment_of(material_lists.get(session, visitor().corp, material_id))]
        if text or attached:
            messages.append({"text": text, "attachments": attached})
    return parse_form(
        group_id=acts.number(form.get("folder_id")),
        title=form.get("title", ""),
        messages=messages,
        keywords=form.get("keywords", ""),
        similar=form.get("similar", "").splitlines(),
        expires_at=end_of_day(form.get("expires", "")),
    )


def _given() -> dict[str, Any]:
    form = request.form
    numbers = range(1, MOST_MESSAGES + 1)
    return {
        **{name: form.get(name, "") for name in ("folder_id", "title", "keywords", "similar", "expires", "gap")},
        "messages": [
            (form.get(f"text_{number}", ""), acts.number(form.get(f"material_{number}"))) for number in numbers
        ],
    }


def _values_of(form: ScriptForm) -> dict[str, Any]:
    last_day = form.expires_at.astimezone(room().zone) - timedelta(days=1) if form.expires_at else None
    named = [next(iter(sending.material_ids([message])), 0) for message in form.messages]
    return {
        "folder_id": str(form.group_id),
        "title": form.title,
        "keywords": form.keywords,
        "similar": "\n".join(form.similar),
        "expires": last_day.strftime("%Y-%m-%d") if last_day else "",
        "messages": [(str(one.get("text") or ""), named[place]) for place, one in enumerate(form.messages)],
    }


def _editor(values: Any, *, script_id: int = 0, reason: str = "", fault: Any = None) -> ResponseReturnValue:
    messages = list(values.get("messages") or [])
    messages += [("", 0)] * (MOST_MESSAGES - len(messages))
    with room().db.reading() as session:
        offered = material_lists.listing(session, visitor().corp, MaterialQuery(), limit=MOST_OFFERED).items
        told = {
            "values": values,
            "messages": messages,
            "script_id": script_id,
            "reason": reason,
            "fault": fault,
            "folders": script_desk.all_folders(session, visitor().corp),
            "scopes": SCOPES,
            "materials": offered,
            "variables": VARIABLES,
            **_tabs(session),
        }
    return render_template("console/scripts/edit.html", **told), 422 if fault else 200
