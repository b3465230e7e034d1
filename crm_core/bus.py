"""Events and the callables that react to them. No registry of its own: ``bot.wiring`` holds the one table."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from crm_core.db import UnitOfWork

Handler = Callable[[Any, UnitOfWork], None]
HandlerTable = Mapping[type, Sequence[Handler]]


def handler_name(handler: Handler) -> str:
    """A stable name for handler runs: module and function."""
    return f"{handler.__module__}.{handler.__qualname__}"


def handlers_for(event: object, handlers: HandlerTable) -> tuple[Handler, ...]:
    """The handlers of this event's type, in table order (for reading only; none may rely on it)."""
    return tuple(handlers.get(type(event), ()))
