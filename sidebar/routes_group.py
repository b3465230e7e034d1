"""The group page: what staff see beside a customer group."""

from typing import Any

from flask import render_template

from crm_core import group_records
from crm_core.errors import NotFound
from crm_core.ids import ChatId
from sidebar.desk import Desk
from sidebar.group_panel import group_panel, notes_panel
from sidebar.material_panel import material_panel
from sidebar.room import bp
from sidebar.routes_fragments import script_tab
from sidebar.schemas import NameForm, NoteForm, read_form
from sidebar.script_panel import group_audience, script_panel
from sidebar.views import group_desk, group_unit, layout_for, visitor


def group_parts(desk: Desk, chat: ChatId) -> dict[str, Any]:
    """What the group page shows."""
    layout, audience = layout_for(desk, "group"), group_audience(desk, chat)
    parts = {"chat": chat, "layout": layout, "group": group_panel(desk, chat)}
    if layout.first_tab == "materials":
        return parts | {"materials": material_panel(desk, audience)}
    return parts | {"scripts": script_panel(desk, audience)}


@bp.get("/groups/<chat_id>")
def group(chat_id: str) -> str:
    """All that the page shows of one group."""
    with group_desk(chat_id) as (desk, chat):
        return render_template("sidebar/group.html", **group_parts(desk, chat))


@bp.get("/groups/<chat_id>/scripts")
def group_scripts(chat_id: str) -> str:
    """The scripts of the group page, or only the list while somebody types."""
    with group_desk(chat_id) as (desk, chat):
        return script_tab(desk, group_audience(desk, chat))


@bp.post("/groups/<chat_id>/tags/<act>")
def change_group_tags(chat_id: str, act: str) -> str:
    """Put a tag on the group or take it off; answers tags and notes. Raises: NotFound."""
    form = read_form(NameForm)
    with group_unit(chat_id) as (uow, chat):
        if act == "add":
            group_records.add_tag(uow, visitor().corp, chat, form.name, by=visitor().staff)
        elif act == "remove":
            group_records.remove_tag(uow, visitor().corp, chat, form.name)
        else:
            raise NotFound("没有这个操作")
    return _notes(chat_id)


@bp.post("/groups/<chat_id>/notes")
def add_group_note(chat_id: str) -> str:
    """Write a note; answers tags and notes."""
    form = read_form(NoteForm)
    with group_unit(chat_id) as (uow, chat):
        group_records.add_note(uow, visitor().corp, chat, form.text, by=visitor().staff, key=form.key)
    return _notes(chat_id)


@bp.post("/groups/<chat_id>/notes/<int:note_id>/<act>")
def settle_group_note(chat_id: str, note_id: int, act: str) -> str:
    """Take one's own note away (with a way back) or bring it back; answers tags and notes. Raises: NotFound."""
    if act not in ("delete", "restore"):
        raise NotFound("没有这个操作")
    with group_unit(chat_id) as (uow, chat):
        group_records.hide_note(uow, visitor().corp, chat, note_id, by=visitor().staff, hidden=act == "delete")
    return _notes(chat_id, gone=note_id if act == "delete" else 0)


def _notes(chat_id: str, *, gone: int = 0) -> str:
    with group_desk(chat_id) as (desk, chat):
        return render_template("sidebar/group_notes.html", chat=chat, notes=notes_panel(desk, chat), gone=gone)
