"""Small things that pages with acts share: numbers from forms, chosen rows, answers that tell and can be undone."""

import json
from collections.abc import Iterable
from datetime import datetime

from flask import Response, make_response, request
from sqlmodel import Session

from bot.console.room import room
from bot.console.signing import FIRST_ADMIN
from bot.console.views import visitor
from crm_core import staff
from sidebar.sentences import spoken_time

MOST_CHOSEN = 500
MOST_DIGITS = 15


def number(text: str | None) -> int:
    """A whole number from an address or a form, 0 when it is missing or not one."""
    given = text or ""
    return int(given) if given.isascii() and given.isdecimal() and len(given) <= MOST_DIGITS else 0


def chosen() -> list[int]:
    """The rows an act is about: ``ids`` as several fields or one with commas."""
    given = ",".join(request.values.getlist("ids")).split(",")
    return [found for one in given[:MOST_CHOSEN] if (found := number(one))]


def told(body: str, text: str, *, undo: str = "") -> Response:
    """A fragment together with a notice that may offer to undo."""
    response = make_response(body)
    notice = {"text": text} | ({"undo": undo} if undo else {})
    response.headers["HX-Trigger"] = json.dumps({"notice": notice})
    return response


def refreshed() -> Response:
    """Nothing to swap: the page is loaded anew."""
    response = make_response("", 204)
    response.headers["HX-Refresh"] = "true"
    return response


def names(session: Session, userids: Iterable[str]) -> dict[str, str]:
    """Display names of members of the corp on show; the first admin is none of them."""
    wanted = {userid for userid in userids if userid}
    return staff.names(session, visitor().corp, wanted - {FIRST_ADMIN}) | {str(FIRST_ADMIN): "系统管理员"}


def when(moment: datetime) -> str:
    """A moment as people say it here."""
    return spoken_time(moment, room().db.clock.now(), room().zone)
