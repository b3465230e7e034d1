"""Scripts of one's own, favourites, and the materials one can send."""

from flask import Response, jsonify, render_template, request

from crm_core.errors import NotFound
from materials import favourites, personal_scripts
from materials.model import MOST_MESSAGES
from sidebar.desk import Desk
from sidebar.material_panel import material_panel
from sidebar.room import bp, room
from sidebar.schemas import MarkForm, ScriptForm, read_form, read_json
from sidebar.script_panel import Audience, group_audience
from sidebar.views import customer_panels, done, group_desk, number_arg, visitor


@bp.post("/api/scripts/<int:script_id>/favourite")
def mark_favourite(script_id: int) -> Response:
    """Keep a script at hand, or no longer."""
    form, who = read_json(MarkForm), visitor()
    with room().db.unit() as uow:
        favourites.mark(uow, who.corp, who.staff, script_id, wanted=form.wanted)
        uow.commit()
    return jsonify({"ok": True, "data": {"wanted": form.wanted}})


@bp.get("/own-scripts/edit")
def script_sheet() -> str:
    """The sheet for a script of one's own; ``id`` names the one to change. Raises: NotFound."""
    who, script_id = visitor(), number_arg("id")
    with room().db.reading() as session:
        script = personal_scripts.get_own(session, who.corp, who.staff, script_id) if script_id else None
    texts = [str(message.get("text") or "") for message in script.messages] if script else []
    return render_template(
        "sidebar/script_sheet.html", script=script, texts=[text for text in texts if text], most=MOST_MESSAGES
    )


@bp.post("/own-scripts/<int:script_id>/save")
def save_script(script_id: int) -> Response:
    """Write a script of one's own, new with id 0."""
    form, who = read_form(ScriptForm, "text"), visitor()
    with room().db.unit() as uow:
        personal_scripts.save(uow, who.corp, who.staff, title=form.title, texts=form.text, script_id=script_id)
        uow.commit()
    response = done("")
    response.headers["HX-Trigger"] = "scripts-changed, sheet-done"
    return response


@bp.post("/own-scripts/<int:script_id>/<act>")
def switch_script(script_id: int, act: str) -> Response | str:
    """Take a script of one's own away (with a way back), or bring it back. Raises: NotFound."""
    who = visitor()
    if act not in ("delete", "restore"):
        raise NotFound("没有这个操作")
    with room().db.unit() as uow:
        personal_scripts.switch(uow, who.corp, who.staff, script_id, enabled=act == "restore")
        uow.commit()
    if act == "delete":
        return render_template("sidebar/script_gone.html", script_id=script_id)
    response = Response("")
    response.headers["HX-Trigger"] = "scripts-changed"
    return response


@bp.get("/customers/<external_userid>/materials")
def customer_materials(external_userid: str) -> str:
    """The material tab of a customer."""
    with customer_panels(external_userid) as (panels, external_user):
        return _materials(panels.desk, panels.audience(external_user))


@bp.get("/groups/<chat_id>/materials")
def group_materials(chat_id: str) -> str:
    """The material tab of a group."""
    with group_desk(chat_id) as (desk, chat):
        return _materials(desk, group_audience(desk, chat))


def _materials(desk: Desk, audience: Audience) -> str:
    panel = material_panel(
        desk,
        audience,
        kind=request.args.get("kind", ""),
        folder=number_arg("folder"),
        words=request.args.get("q", "")[:80],
        before=number_arg("before"),
    )
    template = {"list": "material_list", "more": "material_page"}.get(request.args.get("part", ""), "materials")
    return render_template(f"sidebar/{template}.html", materials=panel)
