"""Lists that go on from where they stand (keyset), so that page 20,000 costs what page 1 costs. Pure but for counting.

A list is ordered by a few columns that no two rows share; a cursor holds their values of the last row shown.
"""

import base64
import binascii
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, Select, and_, func, literal, or_, select
from sqlmodel import Session

from crm_core.errors import InputInvalid

T = TypeVar("T")
PAGE_ROWS = 50
MOST_COUNTED = 10_000
MOST_CURSOR_CHARS = 600


def batches(values: Iterable[T], size: int = 500) -> Iterator[list[T]]:
    """Values without doubles, in lists short enough for one IN."""
    some = list(dict.fromkeys(values))
    for start in range(0, len(some), size):
        yield some[start : start + size]


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed(Generic[T]):
    """One page. next_cursor: "" on the last one."""

    items: tuple[T, ...]
    next_cursor: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """How many rows, up to ``MOST_COUNTED``; has_more: there are more than that."""

    value: int
    has_more: bool = False

    def __str__(self) -> str:
        return f"{self.value:,}{'+' if self.has_more else ''}"


def cursor_of(values: Sequence[object]) -> str:
    """A cursor over these values: datetimes, whole numbers and texts."""
    told = [{"t": value.isoformat()} if isinstance(value, datetime) else value for value in values]
    return base64.urlsafe_b64encode(json.dumps(told, ensure_ascii=False).encode()).decode().rstrip("=")


def values_of(cursor: str, kinds: Sequence[type]) -> tuple[Any, ...] | None:
    """The values of a cursor, None for "". Raises: InputInvalid, when it is not one of this list's."""
    if not cursor:
        return None
    try:
        told = json.loads(base64.urlsafe_b64decode(cursor[:MOST_CURSOR_CHARS] + "=" * (-len(cursor) % 4)))
        values = tuple(datetime.fromisoformat(one["t"]) if isinstance(one, dict) else one for one in told)
    except (ValueError, TypeError, KeyError, binascii.Error):
        values = ()
    naive = any(isinstance(value, datetime) and value.tzinfo is None for value in values)
    if naive or [type(value) for value in values] != list(kinds):
        raise InputInvalid("翻页位置已失效，请回到第一页", field="after")
    return values


def beyond(columns: Sequence[ColumnElement[Any]], values: Sequence[object], *, descending: bool) -> ColumnElement[bool]:
    """What comes after ``values`` in the order of ``columns``.

    Spelled so that both databases seek in an index over them: the first column bounds the walk.
    """

    def past(column: ColumnElement[Any], value: object) -> ColumnElement[bool]:
        return column < literal(value, column.type) if descending else column > literal(value, column.type)

    first, bound = columns[0], literal(values[0], columns[0].type)
    steps = [
        and_(
            *(columns[at] == literal(values[at], columns[at].type) for at in range(depth)), past(column, values[depth])
        )
        for depth, column in enumerate(columns)
    ]
    return and_(first <= bound if descending else first >= bound, or_(*steps))


def page_of(
    session: Session,
    statement: Select[Any],
    *,
    keys: Sequence[Any],
    kinds: Sequence[type],
    descending: bool,
    cursor: str,
    tell: Callable[[Any], T],
    key_of: Callable[[Any], Sequence[object]],
    limit: int = PAGE_ROWS,
) -> Listed[T]:
    """One page of ``statement``, ordered by ``keys``. Raises: InputInvalid."""
    values = values_of(cursor, kinds)
    if values is not None:
        statement = statement.where(beyond(keys, values, descending=descending))
    ordered = statement.order_by(*(key.desc() if descending else key.asc() for key in keys)).limit(limit + 1)
    rows = session.connection().execute(ordered).all()
    shown = rows[:limit]
    following = cursor_of(key_of(shown[-1])) if len(rows) > limit else ""
    return Listed(items=tuple(tell(row) for row in shown), next_cursor=following)


def counted(session: Session, statement: Select[Any], most: int = MOST_COUNTED) -> Count:
    """How many rows ``statement`` has; stops counting at ``most``."""
    found = session.connection().execute(
        select(func.count()).select_from(statement.order_by(None).limit(most + 1).subquery())
    )
    value = int(found.scalar_one())
    return Count(value=min(value, most), has_more=value > most)
