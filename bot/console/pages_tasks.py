"""The task centre: what runs, how far it is, its result, and starting exports and bulk acts."""

from collections.abc import Iterator

from flask import Response, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.http import dump_options_header
from werkzeug.utils import secure_filename

from bot.chat_tag_tasks import BACKFILL
from bot.console import lists
from bot.console.access import Sight, acting, contact_app, looking
from bot.console.list_specs import CUSTOMERS, SPECS, TASKS
from bot.console.list_state import ListState
from bot.console.room import room
from bot.console.views import page, visitor
from crm_core import audit, staff, tasks
from crm_core.customers import STAGES
from crm_core.errors import Conflict, InputInvalid, NotFound
from crm_core.tasks import TaskView
from tagging import service as tagging

KIND_NAMES = {
    "export.customers": "导出客户",
    "export.groups": "导出客户群",
    "export.ways": "导出渠道活码",
    "export.audit": "导出审计日志",
    "export.chats": "导出会话消息",
    "export.replies": "导出回复时效",
    "bulk.tags": "批量改标签",
    "bulk.stage": "批量改阶段",
    "bulk.undo": "撤销批量操作",
    BACKFILL: "聊天标签回溯",
    "import.customers": "导入客户资料",
    "export.hits": "导出敏感词命中",
    "sensitive.trial": "敏感词试运行",
}
EXPORTS = {
    "customers": ("export.customers", "customers.export"),
    "groups": ("export.groups", "customers.export"),
    "ways": ("export.ways", "customers.export"),
    "audit": ("export.audit", "audit.read"),
    "hits": ("export.hits", "hits.read"),
    "chat_search": ("export.chats", "chat.export"),
    "waits": ("export.replies", "customers.export"),
}
UNDOABLE = frozenset({"bulk.tags", "bulk.stage", "import.customers", BACKFILL})
MOST_CHOSEN = 500
FILE_CHUNK = 64 * 1024
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def _seen(sight: Sight, task_id: int) -> TaskView:
    """A task of one's own, or any where one sees the whole corp. Raises: NotFound."""
    task = tasks.get(sight.session, sight.corp, task_id)
    if task.created_by != sight.who.actor and sight.visible is not None:
        raise NotFound("没有这个任务")
    return task


@page("/tasks", permission="tasks.read")
def tasks_page() -> ResponseReturnValue:
    """The task centre."""
    state = ListState.of(TASKS, request.args)
    with looking() as sight:
        own = sight.who.actor if sight.visible is not None or state.one("mine") else ""
        found = tasks.listing(sight.session, sight.corp, created_by=own, cursor=state.after)
        names = staff.names(sight.session, sight.corp, {task.created_by for task in found.items})
    choices = {"mine": [("yes", "只看我发起的")]}
    return lists.show("console/tasks.html", state, found, choices=choices, names=names, kinds=KIND_NAMES)


@page("/tasks/<int:task_id>/card", permission="customers.read")
def task_card(task_id: int) -> str:
    """One task, asking for itself again while it runs. Raises: NotFound."""
    return _card(task_id)


def _card(task_id: int) -> str:
    with looking() as sight:
        task = _seen(sight, task_id)
        failures, _ = tasks.items(sight.session, task_id, outcomes=("failed",), limit=5)
        can_undo = task.kind in UNDOABLE and not task.is_open and task.undone_by_task is None and task.done > 0
        names = staff.names(sight.session, sight.corp, [task.created_by])
    return render_template(
        "console/task_card.html",
        task=task,
        kind_name=KIND_NAMES[task.kind],
        failures=failures,
        can_undo=can_undo,
        by=names[task.created_by],
    )


@page("/tasks/<int:task_id>", permission="customers.read")
def task_page(task_id: int) -> str:
    """One task beside the list. Raises: NotFound."""
    return render_template("console/task_drawer.html", card=_card(task_id))


@page("/tasks/<int:task_id>/cancel", permission="customers.read", methods=("POST",))
def cancel_task(task_id: int) -> str:
    """Stop after the chunk under way. Raises: NotFound, Conflict."""
    with acting() as (uow, sight):
        _seen(sight, task_id)
        tasks.cancel(uow, sight.corp, task_id)
    return _card(task_id)


@page("/tasks/<int:task_id>/retry", permission="customers.read", methods=("POST",))
def retry_task(task_id: int) -> str:
    """Go on, and try what failed again. Raises: NotFound, Conflict."""
    with acting() as (uow, sight):
        _seen(sight, task_id)
        tasks.take_up(uow, sight.corp, task_id)
    return _card(task_id)


@page("/tasks/<int:task_id>/undo", permission="customers.write", methods=("POST",))
def undo_task(task_id: int) -> str:
    """Start a task that takes this one back. Raises: NotFound, Conflict."""
    with acting() as (uow, sight):
        task = _seen(sight, task_id)
        if task.kind not in UNDOABLE or task.is_open:
            raise Conflict("这个任务不能撤销")
        undo_id = tasks.ask(
            uow,
            corp=sight.corp,
            app=contact_app(sight.corp),
            kind="bulk.undo",
            title=f"撤销：{task.title}",
            asked={"task": task_id, "total": task.done},
            scope=sight.visible,
            created_by=sight.who.actor,
        )
        tasks.mark_undone(uow, sight.corp, task_id, undo_id)
    return _card(undo_id)


@page("/tasks/<int:task_id>/file", permission="tasks.read")
def task_file(task_id: int) -> Response:
    """The result of an export, with an audit row. Raises: NotFound."""
    with acting() as (uow, sight):
        task = _seen(sight, task_id)
        if not task.file_key:
            raise NotFound("文件已过期删除，请重新导出")
        audit.record(
            uow,
            corp=sight.corp,
            actor=sight.who.actor,
            act="export.downloaded",
            object_kind="task",
            object_id=str(task_id),
            data={"file": task.file_name},
        )
    content = room().house.tasks.store.open(task.file_key)

    def chunks() -> Iterator[bytes]:
        with content:
            while part := content.read(FILE_CHUNK):
                yield part

    return attachment(Response(chunks(), mimetype=XLSX, direct_passthrough=True), task.file_name)


def attachment(response: Response, name: str) -> Response:
    """The response as a file to save under a name that may be Chinese."""
    given = {"filename": secure_filename(name) or "export", "filename*": f"UTF-8''{_quoted(name)}"}
    response.headers["Content-Disposition"] = dump_options_header("attachment", given)
    return response


def _quoted(name: str) -> str:
    return "".join(f"%{byte:02X}" if byte > 126 or byte < 46 else chr(byte) for byte in name.encode())


@page("/tasks/<int:task_id>/failures", permission="customers.read")
def task_failures(task_id: int) -> Response:
    """The rows that failed and why, as a CSV that Excel opens. Raises: NotFound."""
    lines, after = ["对象,原因"], 0
    with looking() as sight:
        _seen(sight, task_id)
        while True:
            some, after = tasks.items(sight.session, task_id, outcomes=("failed",), after=after)
            lines += [f"{_cell(one.item)},{_cell(one.message)}" for one in some]
            if not after:
                break
    return attachment(Response("\ufeff" + "\r\n".join(lines), mimetype="text/csv"), f"失败明细-{task_id}.csv")


def _cell(text: str) -> str:
    safe = f"'{text}" if text.startswith(("=", "+", "-", "@")) else text
    return '"' + safe.replace('"', '""') + '"'


@page("/tasks/export/<what>", permission="tasks.read", methods=("POST",))
def start_export(what: str) -> ResponseReturnValue:
    """Start an export of what the visitor sees, with an audit row. Raises: NotFound, NotAllowed."""
    if what not in EXPORTS:
        raise NotFound("没有这种导出")
    kind, permission = EXPORTS[what]
    visitor().grant.require(permission)
    query = ListState.of(SPECS[what], request.form).query if what in SPECS else ""
    with acting() as (uow, sight):
        if what == "audit" and sight.visible is not None:
            raise NotFound("没有这种导出")
        task_id = tasks.ask(
            uow,
            corp=sight.corp,
            app=contact_app(sight.corp),
            kind=kind,
            title=KIND_NAMES[kind],
            asked={"query": query, "whole_mobiles": what == "customers" and sight.who.allows("mobile.reveal")},
            scope=sight.visible,
            created_by=sight.who.actor,
        )
        audit.record(
            uow,
            corp=sight.corp,
            actor=sight.who.actor,
            act="export.asked",
            object_kind="task",
            object_id=str(task_id),
            data={"what": what, "query": query},
        )
    return render_template("console/task_drawer.html", card=_card(task_id))


def _chosen() -> dict[str, object]:
    """Whom a bulk act is about: the picked ones, or all that fit the filters. Raises: InputInvalid."""
    if request.values.get("all"):
        return {"query": ListState.of_query(CUSTOMERS, request.values.get("query", "")).query}
    who = list(dict.fromkeys(request.values.getlist("who")))
    if not who:
        raise InputInvalid("请先选择客户")
    if len(who) > MOST_CHOSEN:
        raise InputInvalid(f"一次最多勾选 {MOST_CHOSEN} 位，更多请用“全部符合条件”")
    return {"who": who}


@page("/customers/bulk/<what>", permission="customers.write")
def bulk_form(what: str) -> str:
    """Ask what to do with the picked customers. Raises: NotFound, InputInvalid."""
    if what not in ("tags", "stage"):
        raise NotFound("没有这种批量操作")
    chosen = _chosen()
    with looking() as sight:
        library = tagging.library(sight.session, sight.corp)
    return render_template("console/bulk_form.html", what=what, chosen=chosen, library=library, stages=STAGES)


@page("/customers/bulk/<what>", permission="customers.write", methods=("POST",))
def start_bulk(what: str) -> str:
    """Start a bulk act. Raises: NotFound, InputInvalid."""
    asked = _chosen()
    if what == "tags":
        add, remove = request.form.getlist("add"), request.form.getlist("remove")
        if not add and not remove:
            raise InputInvalid("请选择要添加或移除的标签")
        if set(add) & set(remove):
            raise InputInvalid("同一个标签不能同时添加和移除")
        asked |= {"add": add, "remove": remove}
        kind, title = "bulk.tags", "批量改标签"
    elif what == "stage" and request.form.get("stage", "") in STAGES:
        asked |= {"stage": request.form["stage"]}
        kind, title = "bulk.stage", f"批量改阶段为“{STAGES[request.form['stage']]}”"
    else:
        raise InputInvalid("请选择阶段")
    with acting() as (uow, sight):
        task_id = tasks.ask(
            uow,
            corp=sight.corp,
            app=contact_app(sight.corp),
            kind=kind,
            title=title,
            asked=asked,
            scope=sight.visible,
            created_by=sight.who.actor,
        )
        audit.record(
            uow,
            corp=sight.corp,
            actor=sight.who.actor,
            act=kind,
            object_kind="task",
            object_id=str(task_id),
            data={key: value for key, value in asked.items() if key != "who"},
        )
    return render_template("console/task_drawer.html", card=_card(task_id))
