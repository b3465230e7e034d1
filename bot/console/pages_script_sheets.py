"""Scripts from a file into the library, in two steps, and the library as a file."""

import io
from contextlib import closing
from urllib.parse import quote

from flask import Response, render_template, request
from flask.typing import ResponseReturnValue
from itsdangerous import BadSignature, URLSafeTimedSerializer

from bot.console import acts
from bot.console.room import room
from bot.console.views import page, visitor
from crm_core import audit
from crm_core.errors import InputInvalid
from materials import script_desk, script_import, script_sheets
from materials.script_desk import ScriptQuery
from materials.script_model import ManagedScript

KEPT_SECONDS = 3600
SHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
SHOWN_ROWS = 500


@page("/scripts/import", permission="scripts.write", methods=("GET", "POST"))
def import_scripts() -> ResponseReturnValue:
    """Choose a file, then see what becomes of each row; nothing is changed yet."""
    if request.method == "GET":
        return render_template("console/scripts/import.html", fault="")
    try:
        data, filename = _uploaded()
        rows = script_sheets.read(io.BytesIO(data), filename)
    except InputInvalid as error:
        return render_template("console/scripts/import.html", fault=error.message), 422
    with room().db.reading() as session:
        found = script_import.preview(session, visitor().corp, rows)
    key = room().house.desk.store.put(io.BytesIO(data)).key
    counts = {state: sum(row.state == state for row in found) for state in ("new", "changed", "same", "faulty")}
    return render_template(
        "console/scripts/import_preview.html",
        rows=found[:SHOWN_ROWS],
        left_out=max(0, len(found) - SHOWN_ROWS),
        counts=counts,
        filename=filename,
        ticket=_tickets().dumps([visitor().corp, visitor().staff, key, filename]),
        may_approve=visitor().allows("scripts.approve"),
    )


@page("/scripts/import/apply", permission="scripts.write", methods=("POST",))
def apply_import() -> ResponseReturnValue:
    """Take over what the preview showed."""
    who = visitor()
    key, filename = _opened(request.form.get("ticket", ""))
    with room().house.desk.store.open(key) as content:
        rows = script_sheets.read(content, filename)
    with room().db.unit() as uow:
        done = script_import.apply(
            uow,
            who.corp,
            who.staff,
            rows,
            may_approve=who.allows("scripts.approve"),
            change=request.form.get("change") == "1",
        )
        uow.commit()
    return render_template("console/scripts/import_done.html", done=done, filename=filename)


@page("/scripts/import/template.xlsx", permission="scripts.write")
def import_template() -> ResponseReturnValue:
    """An empty sheet with the right columns."""
    return _sheet(script_sheets.template(), "话术导入模板.xlsx")


@page("/scripts/export.xlsx", permission="scripts.read")
def export_scripts() -> ResponseReturnValue:
    """All scripts that fit the list's filter, as a sheet that can be imported again."""
    who = visitor()
    query = ScriptQuery(group_id=acts.number(request.args.get("folder")), words=request.args.get("q", ""))
    found: list[ManagedScript] = []
    before = 0
    with room().db.reading() as session:
        while True:
            part = script_desk.listing(session, who.corp, query, before=before, limit=500)
            found += part.items
            before = part.next_before
            if not before:
                break
    with room().db.unit() as uow:
        audit.record(
            uow,
            corp=who.corp,
            actor=who.actor,
            act="scripts.exported",
            object_kind="scripts",
            object_id="all",
            data={"count": len(found)},
        )
        uow.commit()
    return _sheet(script_sheets.write(found), "话术.xlsx")


def _uploaded() -> tuple[bytes, str]:
    given = request.files.get("file")
    if given is None or not given.filename:
        raise InputInvalid("请选择 Excel、Word 或 CSV 文件", field="file")
    with closing(given):
        return given.stream.read(script_sheets.MOST_BYTES + 1), given.filename


def _sheet(content: bytes, filename: str) -> Response:
    response = Response(content, content_type=SHEET)
    response.headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(filename)}"
    return response


def _tickets() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(room().settings.secret_key.get_secret_value(), salt="script-import")


def _opened(ticket: str) -> tuple[str, str]:
    """Raises: InputInvalid when the ticket is not of this person, or too old."""
    try:
        corp, staff, key, filename = _tickets().loads(ticket, max_age=KEPT_SECONDS)
    except (BadSignature, ValueError) as error:
        raise InputInvalid("预览已过期，请重新上传文件") from error
    if (corp, staff) != (visitor().corp, visitor().staff):
        raise InputInvalid("预览已过期，请重新上传文件")
    return str(key), str(filename)
