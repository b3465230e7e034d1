"""One's own business card: what it says, what it shows, who visited it."""

import contextlib
from datetime import timedelta
from typing import Any

from flask import redirect, render_template, request
from flask.typing import ResponseReturnValue
from sqlmodel import Session

from bot.console.room import SURFACE, room
from bot.console.views import page, visitor
from crm_core import contact_ways, staff
from crm_core.contact_ways import ContactWayForm
from crm_core.db import UnitOfWork
from crm_core.errors import InputInvalid, NotFound
from crm_core.ids import AppKey, CorpId, StaffUserId
from materials import cards, material_lists, radar_links, radar_stats, uploads
from materials.cards import BusinessCard
from materials.material_lists import MaterialQuery, Viewer
from materials.radar_model import CARD, NO_PAGE_KINDS, LinkTarget
from materials.radar_stats import StatsScope

VISIT_DAYS = 30
NEW_CODE = "new"


@page("/card", permission="card.own")
def own_card() -> str:
    """The form with one's own card. Raises: InputInvalid (the first admin is no member)."""
    return _show(_saved(), None)


@page("/card", permission="card.own", methods=("POST",))
def save_own_card() -> ResponseReturnValue:
    """Keep one's own card; faults are shown in the form."""
    before = _saved()
    card = _form(before)
    try:
        card = _with_photo(card)
        _save(card)
    except (InputInvalid, NotFound) as fault:
        return _show(card, fault), fault.http_status
    return redirect(f"{SURFACE.prefix}/card")


def _save(card: BusinessCard) -> None:
    corp = visitor().corp
    part = room().settings.corp(corp)
    app = AppKey(part.contact_app if part else "")
    with room().db.unit() as uow:
        card = _with_code(uow, corp, app, card)
        cards.save(uow, corp, card)
        cards.link(uow, corp, app, card.staff)
        cards.open_picks(uow, corp, app, card)
        uow.commit()


def _me() -> StaffUserId:
    who = visitor()
    if who.home != who.corp:
        raise InputInvalid("系统管理员和外企业成员没有名片，请用企业微信登录自己的企业")
    return who.staff


def _saved() -> BusinessCard:
    corp, me = visitor().corp, _me()
    with room().db.reading() as session:
        card = cards.find(session, corp, me)
        if card is not None:
            return card
        name, _ = staff.face(session, corp, me)
    return BusinessCard(staff=me, name=name, company=visitor().corp_name)


def _form(before: BusinessCard) -> BusinessCard:
    said = request.form
    return BusinessCard(
        staff=before.staff,
        name=said.get("name", ""),
        title=said.get("title", ""),
        company=said.get("company", ""),
        intro=said.get("intro", ""),
        mobile=said.get("mobile", ""),
        email=said.get("email", ""),
        address=said.get("address", ""),
        photo_key="" if said.get("no_photo") else before.photo_key,
        picks=tuple(int(pick) for pick in said.getlist("picks") if pick.isdigit()),
        contact_way_id=_code(before),
        published=said.get("published") == "yes",
    )


def _code(before: BusinessCard) -> int:
    wanted = request.form.get("code", "")
    if wanted == NEW_CODE:
        return before.contact_way_id
    return int(wanted) if wanted.isdigit() else 0


def _with_photo(card: BusinessCard) -> BusinessCard:
    """The card with the picture that came with the form, if one did. Raises: InputInvalid."""
    upload = request.files.get("photo")
    if upload is None or not upload.filename:
        return card
    found = uploads.receive(
        room().db,
        room().house.desk.store,
        visitor().corp,
        card.staff,
        upload.stream,
        upload.filename,
        uploads.rules_of(room().settings.materials),
        wanted="image",
    )
    return _changed(card, photo_key=found.file.key)


def _with_code(uow: UnitOfWork, corp: CorpId, app: AppKey, card: BusinessCard) -> BusinessCard:
    """The card with a live code of one's own. Raises: InputInvalid, NotFound."""
    if request.form.get("code") == NEW_CODE and not card.contact_way_id:
        form = ContactWayForm(name=f"名片·{card.name.strip()}"[:30], staff=(card.staff,))
        way = contact_ways.create(uow, corp=corp, app=app, form=form, created_by=card.staff)
        return _changed(card, contact_way_id=way.id)
    if card.contact_way_id and card.staff not in contact_ways.get(uow.session, corp, card.contact_way_id).staff:
        raise InputInvalid("只能选择包含自己的活码", field="code")
    return card


def _changed(card: BusinessCard, **parts: Any) -> BusinessCard:
    fields = {name: getattr(card, name) for name in card.__dataclass_fields__}
    return BusinessCard(**fields | parts)


def _show(card: BusinessCard, fault: InputInvalid | NotFound | None) -> str:
    corp, now = visitor().corp, room().db.clock.now()
    with room().db.reading() as session:
        found = material_lists.listing(
            session, corp, MaterialQuery(viewer=Viewer(staff=card.staff, now=now)), limit=100
        )
        scope = StatsScope(since=now - timedelta(days=VISIT_DAYS), until=now + timedelta(minutes=5))
        visits = radar_stats.card_visits(session, corp, card.staff, scope)
        link = radar_links.living(session, corp, LinkTarget(staff=card.staff, subject=CARD))
        codes = [way for way in contact_ways.listing(session, corp, limit=200) if card.staff in way.staff]
        code = _own_code(session, corp, card)
    return render_template(
        "console/card.html",
        card=card,
        fault=fault,
        offered=[one for one in found.items if one.kind not in NO_PAGE_KINDS],
        visits=visits,
        visit_days=VISIT_DAYS,
        url=radar_links.address(room().settings.server.public_url, link) if link else "",
        codes=codes,
        code=code,
        most_picks=cards.MOST_PICKS,
    )


def _own_code(session: Session, corp: CorpId, card: BusinessCard) -> str:
    """How the live code of the card is doing, "" without one."""
    if card.contact_way_id:
        with contextlib.suppress(NotFound):
            return contact_ways.get(session, corp, card.contact_way_id).status
    return ""
