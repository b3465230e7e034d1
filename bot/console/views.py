"""Small things every view of the console needs."""

import json
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec
from urllib.parse import urlencode

from flask import Response, g, request
from flask.typing import ResponseReturnValue

from bot.console.room import bp
from bot.console.signing import Visitor
from crm_core.errors import NotAuthenticated

P = ParamSpec("P")
View = Callable[P, ResponseReturnValue]

# Which permission each view asks for; a test walks every route as every role against this table.
PERMISSION_OF: dict[str, str] = {}


def visitor() -> Visitor:
    """Who is signed in. Raises: NotAuthenticated."""
    found = g.get("visitor")
    if not isinstance(found, Visitor):
        raise NotAuthenticated("请先登录")
    return found


def page(rule: str, *, permission: str, methods: tuple[str, ...] = ("GET",)) -> Callable[[View[P]], View[P]]:
    """Register a view below ``/console`` for those who hold ``permission``. Raises (in the view): NotAllowed."""

    def register(view: View[P]) -> View[P]:
        @wraps(view)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
            visitor().grant.require(permission)
            return view(*args, **kwargs)

        PERMISSION_OF[f"{bp.name}.{view.__name__}"] = permission
        bp.add_url_rule(rule, view_func=guarded, methods=list(methods))
        return guarded

    return register


def address(**changed: object) -> str:
    """The address of this page with some arguments changed; an empty value takes its argument away, and so a cursor."""
    kept = {name: value for name, value in request.args.items() if name != "before"}
    wanted = {name: str(value) for name, value in {**kept, **changed}.items() if value not in ("", None)}
    return f"{request.path}?{urlencode(wanted)}" if wanted else request.path


def number_of(text: str) -> int | None:
    """A number from an address; None where it is none."""
    return int(text) if text.isdecimal() and len(text) < 19 else None


def counted(number: int, most: int = 10_000) -> str:
    """A count for people; one that was cut off after ``most`` says so: 10,000+."""
    return f"{most:,}+" if number > most else f"{number:,}"


def is_fragment() -> bool:
    """Whether htmx asks for a part of a page."""
    return request.headers.get("HX-Request") == "true"


def told(text: str, *events: str, undo: str = "") -> Response:
    """An answer that swaps nothing: one notice, and events for the page (e.g. ``close-drawer``). undo: an address."""
    notice = {"text": text} | ({"undo": undo} if undo else {})
    answer = Response(status=204)
    answer.headers["HX-Trigger"] = json.dumps({"notice": notice} | dict.fromkeys(events, ""))
    return answer
