"""One API call as its endpoint sees it, and the paging all lists share."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from bot.sandbox.corp import Corp
from bot.sandbox.fields import Fields
from bot.sandbox.model import App
from bot.sandbox.refusal import Refusal
from bot.sandbox.world import World

Answer = dict[str, Any]
Item = TypeVar("Item")
_CURSOR_KEY = secrets.token_bytes(16)


@dataclass(slots=True)
class FileAnswer:
    """An answer that is a file, not JSON."""

    content: bytes
    filename: str
    mimetype: str


@dataclass(slots=True)
class Call:
    """A call that passed the gate: who calls (`corp`, `app`), with what (`query`, `body`, `upload`).

    Endpoints run under the world's lock and answer a dict without errcode, or raise Refusal.
    """

    world: World
    corp: Corp
    app: App
    path: str
    query: Fields
    body: Fields
    ip: str
    upload: tuple[str, bytes] | None = None

    @property
    def now(self) -> int:
        """Whole seconds on the sandbox clock."""
        return self.world.clock.stamp()


@dataclass(slots=True, frozen=True)
class Endpoint:
    """An API: its code and which kind of token may call it.

    needs: `nothing`, `token` (any), `app` (a self-built app's), `customers` (an app listed for customer
    contact), `archive` (the chat archive's secret) or `contacts` (the directory-sync secret). locked: False when
    the endpoint takes the lock itself.
    """

    run: Callable[[Call], Answer | FileAnswer]
    needs: str = "app"
    locked: bool = True


def page_of(
    call: Call,
    items: Sequence[Item],
    seq: Callable[[Item], int],
    limit: int,
    question: object,
) -> tuple[list[Item], str]:
    """One page of `items` (ascending by `seq`) and the cursor of the next; "" when there is none.

    The cursor is bound to corp, API and `question`: used with another one it is refused with 50100. A full
    page always has a cursor, so the last page may be empty. With the option short_pages every second one
    lacks an item.
    """
    cursor = call.query.text("cursor") or call.body.text("cursor")
    after, number = open_cursor(call, cursor, question) if cursor else (0, 0)
    rest = [item for item in items if seq(item) > after]
    size = limit - 1 if call.world.options.short_pages and number % 2 == 1 and limit > 1 else limit
    page = rest[:size]
    if len(page) < size or not page:
        return page, ""
    return page, seal_cursor(call, seq(page[-1]), number + 1, question)


def _sign(call: Call, question: object, told: str) -> str:
    text = json.dumps([call.corp.corp_id, call.path, question, told], ensure_ascii=False)
    return hmac.new(_CURSOR_KEY, text.encode(), hashlib.sha256).hexdigest()[:24]


def seal_cursor(call: Call, after: int, number: int, question: object) -> str:
    """A cursor behind item `after`, bound to corp, API and question; at most 64 bytes."""
    told = f"{after}.{number}"
    return base64.urlsafe_b64encode(f"{told}.{_sign(call, question, told)}".encode()).decode()


def open_cursor(call: Call, cursor: str, question: object) -> tuple[int, int]:
    """Where a cursor points and the number of its page; Refusal 50100 for a foreign one."""
    try:
        after, number, seal = base64.urlsafe_b64decode(cursor).decode().split(".")
    except (ValueError, binascii.Error) as fault:
        raise Refusal(50100) from fault
    if not hmac.compare_digest(seal, _sign(call, question, f"{after}.{number}")):
        raise Refusal(50100)
    return int(after), int(number)
