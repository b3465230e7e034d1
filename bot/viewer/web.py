"""Puts the reading pages into a Flask application: routes, rate limits, security headers."""

from zoneinfo import ZoneInfo

from flask import Flask, Response, render_template, request
from flask_limiter.util import get_remote_address

from bot.viewer import beats, pages, pages_card
from bot.viewer.room import SURFACE, Room, bp, room
from bot.wiring import House
from sidebar import failures, surface
from sidebar.assets import Assets
from sidebar.failures import FailurePages, answer_failures
from sidebar.surface import SAFE_METHODS

VIEWS = (beats, pages, pages_card)
ASSETS = ("tokens.css", "viewer/viewer.css", "viewer/viewer.js", "vendor/icons-viewer.svg")
READS_A_MINUTE, BEATS_A_MINUTE = 1200, 2400  # a whole office, or a mobile network, shares one address
WRONG_A_MINUTE = 30  # addresses that lead nowhere
POSTERS_A_MINUTE = 20
NOT_FOUND = 404


def install(app: Flask, house: House) -> None:
    """Serve ``/v/`` and ``/c/``."""
    limiter = surface.prepare(app, house.settings)
    app.extensions["viewer"] = Room(
        house=house,
        assets=Assets(ASSETS, prefix=f"{SURFACE.prefix}/static"),
        zone=ZoneInfo(house.settings.worktime.time_zone),
    )
    limiter.limit(_allowance, key_func=_who_asks)(bp)
    limiter.limit(f"{WRONG_A_MINUTE}/minute", key_func=_address, deduct_when=_leads_nowhere)(bp)
    app.register_blueprint(bp)


def _address() -> str:
    return f"viewer:wrong:{get_remote_address()}"


def _who_asks() -> str:
    kind = "poster" if _is_poster() else "read" if request.method in SAFE_METHODS else "beat"
    return f"viewer:{kind}:{get_remote_address()}"


def _allowance() -> str:
    if _is_poster():
        return f"{POSTERS_A_MINUTE}/minute"
    return f"{READS_A_MINUTE if request.method in SAFE_METHODS else BEATS_A_MINUTE}/minute"


def _is_poster() -> bool:
    return (request.endpoint or "").endswith(".card_poster")


def _leads_nowhere(response: Response) -> bool:
    return response.status_code == NOT_FOUND


@bp.context_processor
def _for_templates() -> dict[str, object]:
    found = room()
    return {
        "asset": found.assets.url,
        "csrf": lambda: surface.csrf_token(SURFACE),
        "request_id": failures.request_id(),
        "picture": lambda url: surface.picture_url(found.settings, url),
    }


@bp.after_request
def _dress(response: Response) -> Response:
    settings = room().settings
    policy = surface.content_policy(
        pictures=surface.picture_origins(settings), frame_ancestors=surface.wecom_frames(settings)
    )
    return surface.dress(response, policy=policy, request_id=failures.request_id())


def _page(status: int, _code: str, message: str) -> str:
    return render_template("viewer/failure.html", message=message if status != NOT_FOUND else "")


def _part(_status: int, message: str) -> str:
    return message


answer_failures(bp, FailurePages(api=f"{SURFACE.prefix}/api/", page=_page, part=_part))
