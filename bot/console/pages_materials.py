"""The material centre: lists, uploads, the editor, former versions, the recycle bin."""

from datetime import timedelta
from typing import Any

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlmodel import Session

from bot.console import acts
from bot.console.material_form import PLACE_NAMES, draft_from_form
from bot.console.room import room
from bot.console.views import page, visitor
from crm_core import staff
from crm_core.errors import Conflict, InputInvalid, NotFound
from materials import articles, files, folders, library, material_lists
from materials.material_lists import MaterialQuery
from materials.material_model import KINDS, PIECES, Material

READ, WRITE = "materials.read", "materials.write"
NEW_KINDS = ("text", "link", "article", "image", "poster", "file", "video", "miniprogram")


@page("/materials", permission=READ)
def materials() -> ResponseReturnValue:
    """The library, one page of it."""
    return render_template("console/materials/list.html", **_list())


@page("/materials/rows", permission=READ)
def material_rows() -> ResponseReturnValue:
    """The next page of the list."""
    return render_template("console/materials/rows.html", **_list())


def _list() -> dict[str, Any]:
    who, asked = visitor(), request.args
    query = MaterialQuery(
        kind=asked.get("kind", "") if asked.get("kind") in KINDS else "",
        folder_id=acts.number(asked.get("folder")) if asked.get("folder") else None,
        words=asked.get("q", ""),
        tag=asked.get("tag", ""),
        deleted=asked.get("bin") == "1",
    )
    with room().db.reading() as session:
        found = material_lists.listing(session, who.corp, query, before=acts.number(asked.get("before")))
        names = acts.names(session, {one.created_by for one in found.items})
        return {
            "page": found,
            "query": query,
            "kinds": KINDS,
            "new_kinds": NEW_KINDS,
            "counts": material_lists.kind_counts(session, who.corp),
            "folders": folders.tree(session, who.corp),
            "tags": material_lists.all_tags(session, who.corp),
            "names": names,
            "now": room().db.clock.now(),
            "may_write": who.allows(WRITE),
            "is_filtered": bool(query.kind or query.words or query.tag or query.folder_id is not None),
        }


@page("/materials/<int:material_id>", permission=READ)
def material(material_id: int) -> ResponseReturnValue:
    """One material: what it is, who sent it how often, its former versions."""
    who = visitor()
    with room().db.reading() as session:
        found = material_lists.get(session, who.corp, material_id)
        users = material_lists.users_of(session, who.corp, material_id)
        versions = material_lists.versions(session, who.corp, material_id)
        people = {found.created_by, *(one.staff for one in users), *(one.changed_by for one in versions)}
        key = str(found.content.get("file") or "")
        told = {
            "one": found,
            "users": users,
            "versions": versions,
            "names": acts.names(session, people),
            "file": files.get(session, who.corp, key) if key else None,
            "folder": next((one.name for one in folders.tree(session, who.corp) if one.id == found.folder_id), ""),
            "departments": [name for dept, name in _departments(session) if dept in found.departments],
            "article": articles.shown(str(found.content.get("html") or ""), _file_address),
            "now": room().db.clock.now(),
            "when": acts.when,
            "may_write": who.allows(WRITE),
        }
    return render_template("console/materials/one.html", **told)


@page("/materials/new/<kind>", permission=WRITE, methods=("GET", "POST"))
def new_material(kind: str) -> ResponseReturnValue:
    """The editor for a material that is not there yet."""
    if kind not in KINDS:
        raise NotFound("没有这种素材")
    if request.method == "GET":
        return _editor(kind, None, {"folder_id": request.args.get("folder", "")})
    try:
        draft = draft_from_form(kind)
        with room().db.unit() as uow:
            made = library.create(uow, visitor().corp, visitor().actor, draft)
            uow.commit()
    except (InputInvalid, NotFound) as error:
        return _editor(kind, None, request.form, fault=error)
    return redirect(url_for("console.materials", made=made.id))


@page("/materials/<int:material_id>/edit", permission=WRITE, methods=("GET", "POST"))
def edit_material(material_id: int) -> ResponseReturnValue:
    """The editor for a material that is there."""
    who = visitor()
    with room().db.reading() as session:
        found = material_lists.get(session, who.corp, material_id)
    if request.method == "GET":
        return _editor(found.kind, found, _values_of(found))
    try:
        draft, seen = draft_from_form(found.kind), acts.number(request.form.get("version"))
        with room().db.unit() as uow:
            library.change(uow, who.corp, who.actor, material_id, draft, seen=seen)
            uow.commit()
    except (InputInvalid, NotFound, Conflict) as error:
        return _editor(found.kind, found, request.form, fault=error)
    return redirect(url_for("console.materials", made=material_id))


@page("/materials/<int:material_id>/restore/<int:version>", permission=WRITE, methods=("POST",))
def restore_material(material_id: int, version: int) -> ResponseReturnValue:
    """Make a former version the present one."""
    with room().db.unit() as uow:
        library.restore_version(uow, visitor().corp, visitor().actor, material_id, version)
        uow.commit()
    return acts.refreshed()


@page("/materials/delete", permission=WRITE, methods=("POST",))
def delete_materials() -> ResponseReturnValue:
    """Put the chosen ones into the recycle bin; can be undone from the notice."""
    ids = acts.chosen()
    with room().db.unit() as uow:
        count = library.delete(uow, visitor().corp, visitor().actor, ids)
        uow.commit()
    undo = url_for("console.undelete_materials", ids=",".join(map(str, ids)))
    return acts.told(render_template("console/materials/rows.html", **_list()), f"已删除 {count} 个素材", undo=undo)


@page("/materials/undelete", permission=WRITE, methods=("POST",))
def undelete_materials() -> ResponseReturnValue:
    """Bring the chosen ones back."""
    with room().db.unit() as uow:
        library.undelete(uow, visitor().corp, acts.chosen())
        uow.commit()
    return acts.refreshed()


@page("/materials/move", permission=WRITE, methods=("POST",))
def move_materials() -> ResponseReturnValue:
    """Put the chosen ones into a folder."""
    with room().db.unit() as uow:
        count = library.move(uow, visitor().corp, acts.chosen(), acts.number(request.form.get("to")))
        uow.commit()
    return acts.told(render_template("console/materials/rows.html", **_list()), f"已移动 {count} 个素材")


@page("/materials/folders", permission=WRITE, methods=("GET", "POST"))
def material_folders() -> ResponseReturnValue:
    """The tree of folders: add, rename, order, delete."""
    fault = ""
    if request.method == "POST":
        try:
            _change_folder(request.form.get("act", ""))
            return redirect(url_for("console.material_folders"))
        except (InputInvalid, NotFound, Conflict) as error:
            fault = error.message
    with room().db.reading() as session:
        tree = folders.tree(session, visitor().corp)
    return render_template("console/materials/folders.html", folders=tree, fault=fault)


def _change_folder(act: str) -> None:
    corp, form = visitor().corp, request.form
    folder_id, name = acts.number(form.get("id")), form.get("name", "")
    with room().db.unit() as uow:
        if act == "create":
            folders.create(uow, corp, name, parent_id=acts.number(form.get("parent")))
        elif act == "rename":
            folders.rename(uow, corp, folder_id, name)
        elif act == "up":
            _move_up(uow.session, uow, folder_id)
        elif act == "delete":
            folders.delete(uow, corp, folder_id)
        uow.commit()


def _move_up(session: Session, uow: Any, folder_id: int) -> None:
    tree = folders.tree(session, visitor().corp)
    parent = next((one.parent_id for one in tree if one.id == folder_id), None)
    order = [one.id for one in tree if one.parent_id == parent]
    place = order.index(folder_id) if folder_id in order else 0
    if place:
        order[place - 1], order[place] = order[place], order[place - 1]
        folders.sort(uow, visitor().corp, order)


def _editor(kind: str, found: Material | None, values: Any, *, fault: Any = None) -> ResponseReturnValue:
    with room().db.reading() as session:
        told = {
            "kind": kind,
            "kind_name": KINDS[kind],
            "pieces": PIECES[kind],
            "places": PLACE_NAMES,
            "one": found,
            "values": values,
            "fault": fault,
            "folders": folders.tree(session, visitor().corp),
            "departments": _departments(session),
            "chosen_departments": {acts.number(one) for one in _several(values, "departments")},
            "article": articles.shown(articles.clean(str(values.get("html") or "")), _file_address),
        }
    return render_template("console/materials/edit.html", **told), 422 if fault else 200


def _values_of(found: Material) -> dict[str, Any]:
    last_day = found.expires_at.astimezone(room().zone) - timedelta(days=1) if found.expires_at else None
    return {
        **found.content,
        "name": found.title,
        "folder_id": str(found.folder_id),
        "tags": " ".join(found.tags),
        "departments": [str(one) for one in found.departments],
        "expires": last_day.strftime("%Y-%m-%d") if last_day else "",
        "version": found.version,
    }


def _several(values: Any, name: str) -> list[str]:
    return list(values.getlist(name)) if hasattr(values, "getlist") else list(values.get(name) or [])


def _departments(session: Session) -> list[tuple[int, str]]:
    return staff.department_names(session, visitor().corp)


def _file_address(key: str) -> str:
    return url_for("console.whole_file", key=key)
