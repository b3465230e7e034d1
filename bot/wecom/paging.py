"""Cursor listings: a page ends the listing when its next cursor is empty or missing, never when it is short. Pure.

Source: customer contact §0 (paging at a glance); a bad cursor is 50100.
"""

from collections.abc import Callable, Iterator
from typing import Any

from bot.wecom.loose import as_text
from crm_core.errors import WeComUnavailable

MOST_PAGES = 10_000
BY_OWNER = "owners"


def answers(ask: Callable[[str], dict[str, Any]], call: str) -> Iterator[dict[str, Any]]:
    """Every answer of a listing, first to last.

    Raises: WeComUnavailable when the cursor stops moving (we would ask for ever).
    """
    cursor, seen = "", {""}
    for _ in range(MOST_PAGES):
        answer = ask(cursor)
        yield answer
        cursor = as_text(answer.get("next_cursor"))
        if not cursor:
            return
        if cursor in seen:
            break
        seen.add(cursor)
    raise WeComUnavailable(None, "cursor does not move", call)


def owner_cursor(batch: int, cursor: str) -> str:
    """A cursor of ours: ``cursor`` of WeCom inside the ``batch``-th hundred of owners."""
    return f"{BY_OWNER}:{batch}:{cursor}"


def split_owner_cursor(cursor: str) -> tuple[int, str] | None:
    """The parts of an owner cursor, None for one of WeCom's own."""
    head, _, rest = cursor.partition(":")
    batch, colon, inner = rest.partition(":")
    if head != BY_OWNER or not colon or not (batch.isascii() and batch.isdigit()):
        return None
    return int(batch), inner
