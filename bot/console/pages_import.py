"""Importing customers' data: give a file, say what its columns mean, watch it being worked off."""

from typing import Any

from flask import redirect, render_template, request
from flask import session as cookie
from flask.typing import ResponseReturnValue

from bot import customer_import
from bot.console.access import acting, contact_app, looking
from bot.console.room import room
from bot.console.views import page, visitor
from bot.spreadsheets import MOST_FILE_BYTES
from crm_core import audit, tasks
from crm_core.errors import InputInvalid, ScrmError

KEPT = "console_import"


@page("/tasks/import", permission="tasks.read")
def import_form() -> str:
    """Where a file is given."""
    visitor().grant.require("customers.write")
    return render_template("console/import.html", fields=_columns())


@page("/tasks/import", permission="tasks.read", methods=("POST",))
def import_preview() -> ResponseReturnValue:
    """Keep the file, show its first rows and what its columns seem to mean."""
    visitor().grant.require("customers.write")
    given = request.files.get("file")
    try:
        if given is None or not given.filename:
            raise InputInvalid("请选择要导入的文件", field="file")
        if (request.content_length or 0) > MOST_FILE_BYTES + 100_000:
            raise InputInvalid(f"文件超过 {MOST_FILE_BYTES // 1_000_000} MB，请拆开再导入", field="file")
        blob = room().house.tasks.store.put(given.stream)  # type: ignore[arg-type]
        draft = customer_import.draft_of(room().house.tasks.store, blob.key, given.filename, _columns())
    except ScrmError as error:
        return render_template("console/import.html", fields=_columns(), said=error.message), 422
    cookie[KEPT] = {"key": blob.key, "name": given.filename[:120], "count": draft.count}
    return _preview(given.filename, draft, draft.mapping)


def _columns() -> dict[str, str]:
    with looking() as sight:
        return customer_import.columns(sight.session, sight.corp)


def _preview(filename: str, draft: Any, mapping: Any, said: str = "") -> str:
    return render_template(
        "console/import_preview.html",
        filename=filename,
        draft=draft,
        mapping=mapping,
        fields=_columns(),
        said=said,
    )


@page("/tasks/import/start", permission="tasks.read", methods=("POST",))
def start_import() -> ResponseReturnValue:
    """Start the import with the columns as chosen. Raises: InputInvalid (no file was given)."""
    visitor().grant.require("customers.write")
    kept = cookie.get(KEPT)
    if not isinstance(kept, dict):
        raise InputInvalid("请先选择要导入的文件")
    mapping = request.form.getlist("column")
    try:
        customer_import.check_mapping(mapping, _columns())
    except InputInvalid as error:
        draft = customer_import.draft_of(room().house.tasks.store, kept["key"], kept["name"], _columns())
        return _preview(kept["name"], draft, mapping, error.message), 422
    with acting() as (uow, sight):
        task_id = tasks.ask(
            uow,
            corp=sight.corp,
            app=contact_app(sight.corp),
            kind="import.customers",
            title=f"导入客户资料：{kept['name']}",
            asked={"file_key": kept["key"], "filename": kept["name"], "mapping": mapping, "count": kept["count"]},
            scope=sight.visible,
            created_by=sight.who.actor,
        )
        audit.record(
            uow,
            corp=sight.corp,
            actor=sight.who.actor,
            act="import.asked",
            object_kind="task",
            object_id=str(task_id),
            data={"file": kept["name"], "rows": kept["count"]},
        )
    cookie.pop(KEPT, None)
    return redirect("/console/tasks")
