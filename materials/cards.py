"""智能名片: the page by which a staff member introduces themself. Staff keep their own."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session

from crm_core.db import UnitOfWork
from crm_core.errors import InputInvalid, NotFound
from crm_core.ids import AppKey, CorpId, StaffUserId
from materials import files, material_lists, radar_links
from materials.material_lists import Viewer
from materials.radar_model import CARD, NO_PAGE_KINDS, LinkTarget, RadarLink
from materials.radar_tables import BusinessCardRow

MOST_PICKS = 8
LIMITS = {"name": 20, "title": 40, "company": 60, "intro": 500, "mobile": 20, "email": 80, "address": 100}
LABELS = {
    "name": "姓名",
    "title": "职位",
    "company": "公司",
    "intro": "简介",
    "mobile": "电话",
    "email": "邮箱",
    "address": "地址",
}
MOBILE = re.compile(r"\+?[0-9][0-9 -]{4,18}")
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
CARD_CHANNEL = "名片"
FOR_EVER = timedelta(days=3650)  # what a card shows lives as long as the card; taking the card down closes it


@dataclass(frozen=True, slots=True, kw_only=True)
class BusinessCard:
    """A card as it is kept. picks: ids of materials; contact_way_id: the live code it shows, 0 = none."""

    staff: StaffUserId
    name: str
    title: str = ""
    company: str = ""
    intro: str = ""
    mobile: str = ""
    email: str = ""
    address: str = ""
    photo_key: str = ""
    picks: tuple[int, ...] = ()
    contact_way_id: int = 0
    published: bool = False
    changed_at: datetime | None = None


def find(session: Session, corp: CorpId, staff: StaffUserId) -> BusinessCard | None:
    """The card of a staff member, published or not; None while they have none."""
    row = session.get(BusinessCardRow, (corp, staff))
    return None if row is None else _card(row)


def published(session: Session, corp: CorpId, staff: StaffUserId) -> BusinessCard:
    """The card that strangers may see. Raises: NotFound."""
    card = find(session, corp, staff)
    if card is None or not card.published:
        raise NotFound(radar_links.GONE)
    return card


def save(uow: UnitOfWork, corp: CorpId, card: BusinessCard) -> None:
    """Keep a card. The picks must be materials this staff member may send. Raises: InputInvalid, NotFound."""
    values = {name: _checked(name, getattr(card, name)) for name in LIMITS}
    if not values["name"]:
        raise InputInvalid("请填写姓名", field="name")
    if values["mobile"] and not MOBILE.fullmatch(values["mobile"]):
        raise InputInvalid("电话只能有数字、空格和连字符", field="mobile")
    if values["email"] and not EMAIL.fullmatch(values["email"]):
        raise InputInvalid("邮箱格式不正确", field="email")
    if len(card.picks) > MOST_PICKS:
        raise InputInvalid(f"名片上最多放 {MOST_PICKS} 个素材", field="picks")
    viewer = Viewer(staff=card.staff, now=uow.now())
    for material_id in card.picks:
        if material_lists.get(uow.session, corp, material_id, viewer=viewer).kind in NO_PAGE_KINDS:
            raise InputInvalid("文本素材没有阅读页，不能放在名片上", field="picks")
    if card.photo_key and files.get(uow.session, corp, card.photo_key).kind != "image":
        raise InputInvalid("照片应为图片", field="photo")
    row = uow.session.get(BusinessCardRow, (corp, card.staff)) or BusinessCardRow(
        corp_id=corp, staff_userid=card.staff, name="", changed_at=uow.now()
    )
    for name, value in values.items():
        setattr(row, name, value)
    row.photo_key, row.picks = card.photo_key, list(dict.fromkeys(card.picks))
    row.contact_way_id, row.published, row.changed_at = card.contact_way_id, card.published, uow.now()
    uow.session.add(row)
    uow.session.flush()


def link(uow: UnitOfWork, corp: CorpId, app: AppKey, staff: StaffUserId, *, external_user: str = "") -> RadarLink:
    """The address of a staff member's card, for everybody or for one customer."""
    target = LinkTarget(staff=staff, subject=CARD, external_user=external_user)
    return radar_links.link_for(uow, corp, app, target, lasts=FOR_EVER)


def open_picks(uow: UnitOfWork, corp: CorpId, app: AppKey, card: BusinessCard) -> None:
    """Make the tracked links by which a card's materials open."""
    for material_id in card.picks:
        target = LinkTarget(staff=card.staff, material_id=material_id, channel=CARD_CHANNEL)
        radar_links.link_for(uow, corp, app, target, lasts=FOR_EVER)


def picks(session: Session, corp: CorpId, card: BusinessCard, now: datetime) -> list[tuple[RadarLink, str, str]]:
    """What a card shows now: (link, title, kind in Chinese), without what was deleted or has expired."""
    found = []
    for material_id in card.picks:
        try:
            material = material_lists.ready_to_send(session, corp, material_id, now)
        except (NotFound, InputInvalid):
            continue
        target = LinkTarget(staff=card.staff, material_id=material_id, channel=CARD_CHANNEL)
        way = radar_links.living(session, corp, target)
        if way is not None and way.is_open(now):
            found.append((way, material.title, material.kind_name))
    return found


def vcard(card: BusinessCard, url: str) -> str:
    """The card as vCard 3.0, which every phone reads. Source: RFC 2426."""
    lines = [
        "BEGIN:VCARD",
        "VERSION:3.0",
        f"N:{_escaped(card.name)};;;;",
        f"FN:{_escaped(card.name)}",
        *([f"ORG:{_escaped(card.company)}"] if card.company else []),
        *([f"TITLE:{_escaped(card.title)}"] if card.title else []),
        *([f"TEL;TYPE=CELL:{_escaped(card.mobile)}"] if card.mobile else []),
        *([f"EMAIL;TYPE=INTERNET:{_escaped(card.email)}"] if card.email else []),
        *([f"ADR;TYPE=WORK:;;{_escaped(card.address)};;;;"] if card.address else []),
        f"URL:{_escaped(url)}",
        "END:VCARD",
    ]
    return "\r\n".join(_cut(line) for line in lines) + "\r\n"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace(";", "\\;").replace(",", "\\,")


def _cut(line: str) -> str:
    """Long lines go on after a line break and a space, at most 75 bytes each (RFC 2426, 2.6)."""
    parts, part = [], ""
    for character in line:
        if len((part + character).encode()) > 74:
            parts.append(part)
            part = ""
        part += character
    return "\r\n ".join([*parts, part])


def _checked(name: str, value: str) -> str:
    kept = value.strip() if name == "intro" else " ".join(value.split())
    kept = kept.replace("\r\n", "\n")
    if len(kept) > LIMITS[name]:
        raise InputInvalid(f"{LABELS[name]}最多 {LIMITS[name]} 个字", field=name)
    return kept


def _card(row: BusinessCardRow) -> BusinessCard:
    return BusinessCard(
        staff=StaffUserId(row.staff_userid),
        name=row.name,
        title=row.title,
        company=row.company,
        intro=row.intro,
        mobile=row.mobile,
        email=row.email,
        address=row.address,
        photo_key=row.photo_key,
        picks=tuple(row.picks),
        contact_way_id=row.contact_way_id,
        published=row.published,
        changed_at=row.changed_at,
    )
