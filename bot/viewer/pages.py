"""The pages that customers open: a material by ``/v/<token>``, its files and its cover."""

from flask import Response, render_template, request
from flask import session as cookie
from markupsafe import Markup

from bot.viewer import reading, serving, tickets
from bot.viewer.beats import objects
from bot.viewer.crawlers import is_crawler
from bot.viewer.room import bp, room
from crm_core.errors import NotFound
from materials.radar_model import RadarLink

STAFF_SURFACES = ("sidebar", "console")
REF_CHARS = tickets.REF_CHARS


@bp.get("/v/<token>")
def material(token: str) -> str:
    """A material. Raises: NotFound."""
    found, now = room(), room().db.clock.now()
    with found.db.reading() as session:
        link, shown = reading.open_material(session, token, now)
        page = reading.page_of(session, link.corp, shown, lambda key: f"/v/{token}/file/{key}")
        sender = reading.sender_of(session, link, company=company_of(link), public_url=found.settings.server.public_url)
    return render_template(
        "viewer/material.html",
        page=page,
        body=Markup(page.body),  # noqa: S704 - cleaned by materials.articles when it was stored
        sender=sender,
        token=token,
        **recording(link),
        share=f"{found.settings.server.public_url}/v/{token}",
    )


@bp.get("/v/<token>/file/<key>")
def material_file(token: str, key: str) -> Response:
    """A file of a material. Raises: NotFound."""
    with room().db.reading() as session:
        link, shown = reading.open_material(session, token, room().db.clock.now())
        stored = reading.may_show(session, link.corp, shown, key)
    return serving.send_file(stored, filename=str(shown.content.get("filename") or ""))


@bp.get("/v/<token>/cover")
def material_cover(token: str) -> Response:
    """The picture of a share card. Raises: NotFound."""
    with room().db.reading() as session:
        link, shown = reading.open_material(session, token, room().db.clock.now())
        key = reading.cover_key(session, link.corp, shown)
    return serving.send_cover(key)


@bp.get("/v/static/<digest>/<path:name>")
def static_file(digest: str, name: str) -> Response:
    """A static file under its content's hash."""
    return room().assets.serve(request, digest, name)


@bp.route("/v/", defaults={"rest": ""})
@bp.route("/v/<path:rest>")
@bp.route("/c/", defaults={"rest": ""})
@bp.route("/c/<path:rest>")
def nowhere(rest: str) -> str:
    """Any other address. Raises: NotFound."""
    raise NotFound(f"没有这个页面：{rest[:40]}")


def recording(link: RadarLink) -> dict[str, object]:
    """Whether and how this page view is recorded: no ticket, no record."""
    found, now = room(), room().db.clock.now()
    preview = is_staff(link)
    came_from = request.args.get("f", "")
    known = came_from if len(came_from) == REF_CHARS and came_from.isalnum() else ""
    counted = not (preview or objects() or is_crawler(request.user_agent.string))
    return {
        "ticket": tickets.issue(found.settings, link, known, now) if counted else "",
        "consent": found.settings.radar.consent,
        "is_preview": preview,
        "objects": objects(),
    }


def is_staff(link: RadarLink) -> bool:
    """Whether a colleague of the sender looks, signed in to sidebar or console: their looking does not count."""
    for name in STAFF_SURFACES:
        kept = cookie.get(name)
        if isinstance(kept, dict) and kept.get("corp") == link.corp:
            return float(kept.get("until", 0)) > room().db.clock.now().timestamp()
    return False


def company_of(link: RadarLink) -> str:
    """What the sender's corp is called."""
    part = room().settings.corp(link.corp)
    return part.name if part else ""
