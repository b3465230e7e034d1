"""The read models of the pages that customers open: what one shows, who sent it, which files belong to it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session

from crm_core import contact_ways, staff
from crm_core.errors import InputInvalid, NotFound
from crm_core.ids import CorpId, StaffUserId
from materials import articles, cards, files, material_lists, radar_links
from materials.material_model import Material, StoredFile
from materials.radar_model import CARD, MATERIAL, LinkTarget, RadarLink

AddressOf = Callable[[str], str]
NAMELESS = "您的顾问"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """Who sent a page. card_url: their business card; code_url: the picture of their live code; "" without."""

    name: str
    company: str
    avatar_url: str
    card_url: str = ""
    code_url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One material as a reader sees it. pictures: addresses of a PDF's pages; file: what it is made of, if anything."""

    kind: str
    title: str
    summary: str
    content: dict[str, str]
    cover_key: str
    body: str = ""
    pictures: tuple[str, ...] = ()
    file: StoredFile | None = None


def open_material(session: Session, token: str, now: datetime) -> tuple[RadarLink, Material]:
    """What a token leads to. Raises: NotFound, in the same words whatever is wrong."""
    link = radar_links.find(session, token, MATERIAL, now)
    try:
        return link, material_lists.ready_to_send(session, link.corp, link.target.material_id, now)
    except (NotFound, InputInvalid):
        raise NotFound(radar_links.GONE) from None


def open_card(session: Session, token: str, now: datetime) -> tuple[RadarLink, cards.BusinessCard]:
    """The card a token leads to. Raises: NotFound."""
    link = radar_links.find(session, token, CARD, now)
    return link, cards.published(session, link.corp, StaffUserId(link.target.staff))


def page_of(session: Session, corp: CorpId, material: Material, address_of: AddressOf) -> Page:
    """A material made ready to be shown; ``address_of`` tells where a file's key lives."""
    stored = _stored(session, corp, material)
    content = {name: str(value) for name, value in material.content.items()}
    is_article = material.kind == "article"
    return Page(
        kind=material.kind,
        title=content.get("title") or material.title,
        summary=content.get("desc") or content.get("summary") or "",
        content=content,
        cover_key=cover_key(session, corp, material),
        body=articles.shown(content["html"], address_of) if is_article else "",
        pictures=tuple(address_of(key) for key in stored.page_keys) if stored else (),
        file=stored,
    )


def cover_key(session: Session, corp: CorpId, material: Material) -> str:
    """The picture that stands for a material when it is shared: its own, the first page's, or the article's first."""
    if material.picture:
        return material.picture
    stored = _stored(session, corp, material)
    if stored is not None and stored.page_keys:
        return stored.page_keys[0]
    inside = articles.pictures_of(str(material.content.get("html") or ""))
    return inside[0] if inside else ""


def may_show(session: Session, corp: CorpId, material: Material, key: str) -> StoredFile:
    """A file, if it belongs to this material. Raises: NotFound."""
    own = {str(material.content.get(name) or "") for name in ("file", "cover")}
    own.update(articles.pictures_of(str(material.content.get("html") or "")))
    stored = _stored(session, corp, material)
    if key in own:
        return files.get(session, corp, key)
    if stored is not None and key in stored.page_keys:
        return StoredFile(key=key, kind="image", mime="image/jpeg", filename="page.jpg", size_bytes=0)
    raise NotFound(radar_links.GONE)


def sender_of(session: Session, link: RadarLink, *, company: str, public_url: str) -> Sender | None:
    """Who sent a link; None for a channel of the whole corp."""
    userid = StaffUserId(link.target.staff)
    if not userid:
        return None
    name, avatar_url = staff.face(session, link.corp, userid)
    name = name or NAMELESS
    card = cards.find(session, link.corp, userid)
    if card is None or not card.published:
        return Sender(name=name, company=company, avatar_url=avatar_url)
    way = radar_links.living(session, link.corp, LinkTarget(staff=userid, subject=CARD))
    return Sender(
        name=card.name,
        company=card.company or company,
        avatar_url=avatar_url,
        card_url=radar_links.address(public_url, way) if way else "",
        code_url=code_url(session, link.corp, card),
    )


def code_url(session: Session, corp: CorpId, card: cards.BusinessCard) -> str:
    """The picture of the card's live code, "" while there is none."""
    if not card.contact_way_id:
        return ""
    try:
        return contact_ways.get(session, corp, card.contact_way_id).qr_url
    except NotFound:
        return ""


def _stored(session: Session, corp: CorpId, material: Material) -> StoredFile | None:
    key = str(material.content.get("file") or "")
    return files.get(session, corp, key) if key else None
