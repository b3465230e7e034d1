"""收件、发件、内部任务: what waits, what gave up, and putting it back to work."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from flask import render_template, request
from sqlalchemy import Row
from werkzeug.wrappers import Response

from bot.callback import callback_fields
from bot.console import health, masking, work_words
from bot.console.room import room
from bot.console.views import number_of, page, told, visitor
from bot.replaying import TABLES, replay_rows, table_of
from crm_core import audit, work_list
from crm_core.clock import from_millis
from crm_core.errors import CallbackAnomalous, InputInvalid, NotFound
from crm_core.lease import REPLAYABLE_STATES
from crm_core.work_list import WorkFilter

PERIODS = {"": "全部时间", "1h": "最近 1 小时", "24h": "最近 24 小时", "7d": "最近 7 天"}
PERIOD_LENGTHS = {"1h": timedelta(hours=1), "24h": timedelta(hours=24), "7d": timedelta(days=7)}
GIVEN_UP = "given_up"
MOST_REPLAYED = 200


@page("/system", permission="system.read")
def system() -> str:
    """How the work stands, table by table."""
    who = visitor()
    with room().db.reading() as session:
        found = health.look(room().house, session, who.corp)
    return render_template("console/system.html", health=found, words=work_words)


@page("/system/<table>", permission="system.read")
def work_rows(table: str) -> str:
    """One page of rows."""
    _known(table)
    who, columns = visitor(), table_of(room().house, table)
    before = number_of(request.args.get("before", ""))
    with room().db.reading() as session:
        counts = work_list.counts(session, columns.table, who.corp)
        rows, older = work_list.page(session, columns.table, who.corp, _wanted(columns.now_ms(session)), before=before)
        kinds = work_list.kinds(session, columns.table)
    return render_template(
        "console/work_rows.html",
        table=table,
        rows=[_line(row) for row in rows],
        older=older,
        before=before,
        counts=counts,
        kinds=kinds,
        periods=PERIODS,
        words=work_words,
        most_counted=work_list.MOST_COUNTED,
    )


@page("/system/<table>/<int:row_id>", permission="system.read")
def work_row(table: str, row_id: int) -> str:
    """One row with what may be shown of it."""
    return _detail(table, row_id, reveal=False)


@page("/system/<table>/<int:row_id>/reveal", permission="content.reveal", methods=("POST",))
def reveal_work_row(table: str, row_id: int) -> str:
    """The same with the wording in it; leaves an audit row."""
    _known(table)
    who = visitor()
    with room().db.unit() as uow:
        work_list.get(uow.session, table_of(room().house, table).table, who.corp, row_id)
        _audit(uow, "content.revealed", table, row_id, {})
        uow.commit()
    return _detail(table, row_id, reveal=True)


@page("/system/<table>/replay", permission="system.replay", methods=("POST",))
def replay_work(table: str) -> Response:
    """Put rows back to work: the ticked ones, or one."""
    _known(table)
    ids = [number for text in request.form.getlist("id") if (number := number_of(text)) is not None]
    if not ids or len(ids) > MOST_REPLAYED:
        raise InputInvalid(f"请选择要重放的行，一次最多 {MOST_REPLAYED} 行")
    house = room().house
    with room().db.unit() as uow:
        mine = work_list.ids_to_replay(uow.session, table_of(house, table).table, visitor().corp, ids)
        count = replay_rows(uow, house, table, mine) if mine else 0
        for row_id in mine:
            _audit(uow, "work.replayed", table, row_id, {})
        uow.commit()
    said = f"已重新排队 {count} 行" if count else "没有可重放的行，可能刚刚被处理过"
    return told(said, "work-changed", "close-drawer")


@page("/system/<table>/<int:row_id>/checked", permission="system.replay", methods=("POST",))
def check_work_row(table: str, row_id: int) -> Response:
    """A person has looked at a given-up row. Raises: NotFound, Conflict."""
    _known(table)
    with room().db.unit() as uow:
        before = work_list.mark_checked(uow, table_of(room().house, table).table, visitor().corp, row_id)
        _audit(uow, "work.checked", table, row_id, {"state": before})
        uow.commit()
    return told("已标记为已核对", "work-changed", "close-drawer")


def _known(table: str) -> None:
    if table not in TABLES:
        raise NotFound("没有这张表")


def _audit(uow: Any, act: str, table: str, row_id: int, data: dict[str, Any]) -> None:
    who = visitor()
    audit.record(uow, corp=who.corp, actor=who.actor, act=act, object_kind=table, object_id=str(row_id), data=data)


def _wanted(now_ms: int) -> WorkFilter:
    state, length = request.args.get("state", ""), PERIOD_LENGTHS.get(request.args.get("period", ""))
    states = REPLAYABLE_STATES if state == GIVEN_UP else (state,) if state in work_words.STATES else ()
    return WorkFilter(
        states=states,
        lane=request.args.get("lane", ""),
        kind=request.args.get("kind", ""),
        since_ms=now_ms - int(length.total_seconds() * 1000) if length else None,
    )


def _line(row: Row[Any]) -> dict[str, Any]:
    kind = row.kind if hasattr(row, "kind") else row.event_name
    return {
        "id": row.id,
        "kind": work_words.kind_name(kind),
        "lane": work_words.LANES.get(row.lane, row.lane),
        "state": work_words.STATES[row.state],
        "can_replay": row.state in REPLAYABLE_STATES,
        "at": from_millis(row.created_ms),
        "run_at": from_millis(row.run_at) if row.state == "ready" else None,
        "finished_at": from_millis(row.finished_ms) if row.finished_ms else None,
        "attempts": row.attempts,
        "error": masking.without_mobiles((row.last_error or "").strip()),
    }


def _detail(table: str, row_id: int, *, reveal: bool) -> str:
    _known(table)
    who, house = visitor(), room().house
    with room().db.reading() as session:
        row = work_list.get(session, table_of(house, table).table, who.corp, row_id)
    content, fault = _content(row)
    return render_template(
        "console/work_row.html",
        table=table,
        row=_line(row),
        raw=row,
        words=work_words,
        fields=list(masking.masked(content, reveal=reveal)),
        fault=fault,
        hides_text=not reveal and masking.has_text(content),
    )


def _content(row: Row[Any]) -> tuple[Mapping[str, Any], str]:
    """The row's content, and why it cannot be shown."""
    if not hasattr(row, "body"):
        return row.payload, ""
    try:
        return callback_fields(row.body), ""
    except CallbackAnomalous as error:
        return {}, f"{error.message}，共 {len(row.body)} 字节"
