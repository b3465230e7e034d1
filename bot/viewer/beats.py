"""What reading pages tell: that they run, how far the reader got, that the reader objects."""

import json
from collections.abc import Mapping
from typing import Any

from flask import Response, jsonify, redirect, render_template, request
from werkzeug.wrappers import Response as WerkzeugResponse

from bot.viewer import tickets
from bot.viewer.crawlers import is_crawler, is_prefetch
from bot.viewer.room import SURFACE, bp, room
from bot.viewer.tickets import Ticket
from crm_core.errors import InputInvalid
from materials import radar, radar_links
from materials.radar_model import Beacon
from sidebar import surface

READER_COOKIE, OBJECTION_COOKIE = "scrm_reader", "scrm_no_record"
YEAR_SECONDS = 365 * 86400
MOST_BODY = 4096
SETTLE_SECONDS = 3.0
NOT_COUNTED = 204


@bp.post("/v/open")
def open_view() -> Response:
    """The page's script runs in a browser that somebody looks at: the view counts from now on.

    Answers the pass for beacons and the browser's ``ref`` for the address. Raises: InputInvalid, StoreUnavailable.
    """
    if objects() or is_crawler(request.user_agent.string) or is_prefetch(request.headers.get):
        return Response(status=NOT_COUNTED)
    found, now = room(), room().db.clock.now()
    ticket = tickets.read(found.settings, str(_body().get("t", "")), now)
    with found.db.reading() as session:
        corp = radar_links.corp_of(session, ticket.link_id)
    reader = request.cookies.get(READER_COOKIE) or tickets.new_reader()
    ref = tickets.ref_of(found.settings, corp, reader)
    found.house.beacons.add(
        Beacon(
            link_id=ticket.link_id,
            view_id=ticket.view_id,
            ref=ref,
            came_from=ticket.came_from,
            opened_at=ticket.opened_at,
            at=now,
        )
    )
    response = jsonify({"pass": tickets.make_pass(found.settings, ticket, ref), "ref": ref})
    _keep(response, READER_COOKIE, reader)
    return response


@bp.post("/v/beat")
def beat() -> Response:
    """How far the reader got, in totals since the page was opened. Raises: InputInvalid, StoreUnavailable."""
    if objects():
        return Response(status=NOT_COUNTED)
    found, now, body = room(), room().db.clock.now(), _body()
    ticket = _passed(body)
    found.house.beacons.add(
        Beacon(
            link_id=ticket.link_id,
            view_id=ticket.view_id,
            ref=ticket.ref,
            came_from=ticket.came_from,
            opened_at=ticket.opened_at,
            at=now,
            active_ms=_number(body, "a"),
            depth=_number(body, "d"),
            page=_number(body, "n"),
            pages=_number(body, "m"),
            wants_contact=bool(body.get("c")),
        )
    )
    return Response(status=204)


@bp.post("/v/forget")
def forget() -> Response:
    """The reader of an open page does not want to be recorded: delete what this link knows of the browser, and stop."""
    body = _body()
    if body.get("p"):
        ticket, found = _passed(body), room()
        found.house.beacons.settle(SETTLE_SECONDS)
        with found.db.unit() as uow:
            radar.forget_reader(uow, ticket.link_id, ticket.ref)
            uow.commit()
    response = Response(status=204)
    _object(response)
    return response


@bp.get("/v/privacy")
def privacy() -> str:
    """What is recorded, why, how long, and how to object."""
    return render_template("viewer/privacy.html", objects=objects(), radar=room().settings.radar)


@bp.post("/v/objection")
def change_objection() -> WerkzeugResponse:
    """Switch recording off or on for this browser. Raises: InputInvalid."""
    surface.check_csrf(SURFACE)
    response = redirect(f"{SURFACE.prefix}/privacy")
    if request.form.get("record") == "no":
        _object(response)
    else:
        response.delete_cookie(OBJECTION_COOKIE)
    return response


def objects() -> bool:
    """Whether this browser objects to being recorded."""
    return request.cookies.get(OBJECTION_COOKIE) == "1"


def _object(response: WerkzeugResponse) -> None:
    _keep(response, OBJECTION_COOKIE, "1")
    response.delete_cookie(READER_COOKIE)


def _keep(response: WerkzeugResponse, name: str, value: str) -> None:
    secure = room().settings.server.public_url.startswith("https://")
    response.set_cookie(name, value, max_age=YEAR_SECONDS, httponly=True, samesite="Lax", secure=secure)


def _passed(body: Mapping[str, Any]) -> Ticket:
    ticket = tickets.read(room().settings, str(body.get("p", "")), room().db.clock.now())
    if not ticket.ref:
        raise InputInvalid("页面已过期，请重新打开")
    return ticket


def _body() -> Mapping[str, Any]:
    if (request.content_length or 0) > MOST_BODY:
        raise InputInvalid("内容太大")
    try:
        body = json.loads(request.get_data(cache=False) or b"{}")
    except ValueError:
        raise InputInvalid("请求不正确") from None
    if not isinstance(body, dict):
        raise InputInvalid("请求不正确")
    return body


def _number(body: Mapping[str, Any], name: str) -> int:
    value = body.get(name, 0)
    return int(value) if isinstance(value, int | float) and 0 <= value < 1e9 else 0
