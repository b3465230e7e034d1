"""The business card that customers open: ``/c/<token>``, with address-book entry and poster."""

from urllib.parse import quote

from flask import Response, render_template

from bot.viewer import posters, reading, serving
from bot.viewer.pages import company_of, recording
from bot.viewer.room import bp, room
from crm_core import staff
from crm_core.errors import NotFound
from materials import cards, files, radar_links
from materials.cards import BusinessCard


@bp.get("/c/<token>")
def card(token: str) -> str:
    """A staff member's card. Raises: NotFound."""
    found, now = room(), room().db.clock.now()
    with found.db.reading() as session:
        link, shown = reading.open_card(session, token, now)
        picks = cards.picks(session, link.corp, shown, now)
        code = reading.code_url(session, link.corp, shown)
        _, avatar = staff.face(session, link.corp, shown.staff)
    public = found.settings.server.public_url
    return render_template(
        "viewer/card.html",
        card=shown,
        company=shown.company or company_of(link),
        photo=f"/c/{token}/photo" if shown.photo_key else avatar,
        code_url=code,
        picks=[(radar_links.address(public, way), title, kind) for way, title, kind in picks],
        token=token,
        share=radar_links.address(public, link),
        **recording(link),
    )


@bp.get("/c/<token>/photo")
def card_photo(token: str) -> Response:
    """The card's photo. Raises: NotFound."""
    with room().db.reading() as session:
        link, shown = reading.open_card(session, token, room().db.clock.now())
        if not shown.photo_key:
            raise NotFound("没有照片")
        stored = files.get(session, link.corp, shown.photo_key)
    return serving.send_file(stored)


@bp.get("/c/<token>/contact.vcf")
def card_contact(token: str) -> Response:
    """The card for the phone's address book. Raises: NotFound."""
    with room().db.reading() as session:
        link, shown = reading.open_card(session, token, room().db.clock.now())
    text = cards.vcard(shown, radar_links.address(room().settings.server.public_url, link))
    response = Response(text, mimetype="text/vcard")
    response.headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(shown.name)}.vcf"
    return response


@bp.get("/c/<token>/poster.png")
def card_poster(token: str) -> Response:
    """The card as a picture to pass on. Raises: NotFound."""
    with room().db.reading() as session:
        link, shown = reading.open_card(session, token, room().db.clock.now())
    url = radar_links.address(room().settings.server.public_url, link)
    picture = poster_of(shown, company=shown.company or company_of(link), url=url)
    response = Response(picture, mimetype="image/png")
    response.headers["Cache-Control"] = serving.KEEP
    return response


def poster_of(shown: BusinessCard, *, company: str, url: str) -> bytes:
    """The poster of a card. Raises: NotFound (its photo is gone)."""
    photo = None
    if shown.photo_key:
        with room().house.desk.store.open(shown.photo_key) as content:
            photo = content.read()
    return posters.draw(
        posters.PosterText(name=shown.name, title=shown.title, company=company, intro=shown.intro),
        url=url,
        photo=photo,
        font_file=room().settings.radar.poster_font,
    )
