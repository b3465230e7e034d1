"""Running the handlers of an event: each by itself, a failing one tried again by itself.

All handlers of an event run inside the unit of work that also acknowledges where the event came from. When one
fails, the unit is rolled back and done again with each handler behind its own savepoint; the failing one then leaves
a job ``handler_run`` in the same commit, which is its own retry, its own dead letter and its own replay. Nothing is
lost and no good neighbour runs twice.
"""

import traceback
from collections.abc import Callable, Mapping
from typing import Any

import structlog
from pydantic import TypeAdapter
from sqlalchemy import Row

from crm_core import events, outbox
from crm_core.bus import Handler, HandlerTable, handler_name, handlers_for
from crm_core.db import UnitOfWork
from crm_core.errors import ScrmError

log = structlog.get_logger()

HANDLER_RUN = "handler_run"
TRACE_CHARS = 4000


def run_handlers(uow: UnitOfWork, event: events.Event, handlers: HandlerTable, *, apart: bool) -> int:
    """Run every handler of ``event``. Answers how many failed.

    apart: each behind a savepoint, failures become jobs in the same unit. Otherwise together, the fast way: the
    first failure is raised, and the caller rolls back and comes again with ``apart``; handlers only write to the
    database, so nothing has happened.
    """
    failed = 0
    for handler in handlers_for(event, handlers):
        if not apart:
            handler(event, uow)
            continue
        try:
            with uow.session.begin_nested():
                handler(event, uow)
        except Exception as error:  # noqa: BLE001 - kept on the job row with its trace
            failed += 1
            uow.forget()
            _keep_for_later(uow, event, handler, error)
    return failed


def _keep_for_later(uow: UnitOfWork, event: events.Event, handler: Handler, error: Exception) -> None:
    name = handler_name(handler)
    log.warning("handler_failed", handler=name, event_name=type(event).__name__, error=type(error).__name__)
    outbox.add_job(
        uow,
        HANDLER_RUN,
        dedupe_key=f"{HANDLER_RUN}:{event.key}:{type(event).__name__}:{name}",
        payload={"event": type(event).__name__, "data": freeze(event), "handler": name, "error": trace_of(error)},
        corp=event.corp,
    )


def freeze(event: events.Event) -> dict[str, Any]:
    """The event as JSON-able data."""
    frozen: dict[str, Any] = TypeAdapter(type(event)).dump_python(event, mode="json")
    return frozen


def thaw(name: str, data: Mapping[str, Any]) -> events.Event:
    """The event that ``freeze`` froze. Raises: ScrmError when this version no longer knows its kind."""
    kind = getattr(events, name, None)
    if not isinstance(kind, type) or not issubclass(kind, events.Event):
        raise ScrmError(f"未知的事件类型 {name}")
    return TypeAdapter(kind).validate_python(data)


def run_again(uow: UnitOfWork, payload: Mapping[str, Any], handlers: HandlerTable) -> None:
    """Run the one handler of a ``handler_run`` job. Raises whatever the handler raises."""
    event = thaw(payload["event"], payload["data"])
    for handler in handlers_for(event, handlers):
        if handler_name(handler) == payload["handler"]:
            handler(event, uow)
            return
    raise ScrmError(f"处理程序 {payload['handler']} 已不存在")


def again_with(handlers: HandlerTable) -> Callable[[UnitOfWork, Row[Any]], None]:
    """The body of ``handler_run`` jobs, run in the unit that ends the job."""

    def again(uow: UnitOfWork, row: Row[Any]) -> None:
        run_again(uow, row.payload, handlers)

    return again


def trace_of(error: BaseException) -> str:
    """The end of the traceback, for the row. Frames and message only: no local values."""
    return "".join(traceback.format_exception(error))[-TRACE_CHARS:]
