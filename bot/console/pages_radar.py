"""Radar: who opens what was sent, per material, staff member and channel, down to single readers."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from flask import redirect, render_template, request
from flask.typing import ResponseReturnValue
from sqlmodel import Session

from bot.console.room import SURFACE, room
from bot.console.views import page, visitor
from crm_core import customers, groups, staff
from crm_core.errors import InputInvalid, NotAllowed
from crm_core.ids import AppKey, ChatId, StaffUserId
from materials import material_lists, radar_links, radar_rules, radar_stats
from materials.radar_model import LinkTarget, RadarLink
from materials.radar_stats import By, Figures, Reader, StatsScope
from sidebar.sentences import spoken_time

PERIODS = {7: "近 7 天", 30: "近 30 天", 90: "近 90 天"}
TABS: dict[str, str] = {"material": "按素材", "staff": "按员工", "channel": "按渠道", "customer": "高兴趣客户"}
MOST_REFERENCE = 40
PAGE_SIZE = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedFigures:
    """A row of the list: figures with what their key is called, and where they lead to ("" nowhere)."""

    name: str
    path: str
    figures: Figures


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedReader:
    """A row of the reader list. name: the customer, or where a stranger came from; path: their page, "" without."""

    name: str
    path: str
    staff: str
    when: str
    reader: Reader


@page("/radar", permission="radar.read")
def radar_page() -> str:
    """The figures of everything."""
    by = request.args.get("by", "material")
    by = by if by in TABS else "material"
    with room().db.reading() as session:
        scope = scope_of(session)
        total = radar_stats.total(session, visitor().corp, scope)
        rows = [] if by == "customer" else _rows(session, scope, by)  # type: ignore[arg-type]  # checked above
        keen = _keen(session, scope) if by == "customer" else []
    return render_template(
        "console/radar.html", total=total, rows=rows, keen=keen, by=by, tabs=TABS, periods=PERIODS, days=_days()
    )


@page("/radar/<int:material_id>", permission="radar.read")
def radar_material(material_id: int) -> str:
    """One material: its funnel, its channel links, its readers. Raises: NotFound."""
    who = visitor()
    with room().db.reading() as session:
        material = material_lists.get(session, who.corp, material_id)
        scope = scope_of(session, material_id)
        total = radar_stats.total(session, who.corp, scope)
        found = radar_stats.readers(session, who.corp, scope, before=_before(), limit=PAGE_SIZE + 1)
        links = [
            (link, radar_links.address(room().settings.server.public_url, link), staff_name)
            for link, staff_name in _links(session, scope, material_id)
        ]
        readers = _named(session, found[:PAGE_SIZE])
    more = _after(found[PAGE_SIZE - 1]) if len(found) > PAGE_SIZE else ""
    return render_template(
        "console/radar_material.html",
        material=material,
        total=total,
        links=links,
        readers=readers,
        more=more,
        periods=PERIODS,
        days=_days(),
        now=room().db.clock.now(),
    )


@page("/radar/<int:material_id>/links", permission="materials.write", methods=("POST",))
def make_channel_link(material_id: int) -> ResponseReturnValue:
    """A link for a channel: a leaflet, an official account, a shop window. Raises: InputInvalid, NotFound."""
    who, settings = visitor(), room().settings
    channel = request.form.get("channel", "").strip()
    if not channel:
        raise InputInvalid("请填写渠道名称，如“公众号菜单”", field="channel")
    part = settings.corp(who.corp)
    target = LinkTarget(staff=StaffUserId(request.form.get("staff", "")), material_id=material_id, channel=channel)
    with room().db.unit() as uow:
        _require_visible(uow.session, target.staff)
        app = AppKey(part.contact_app if part else "")
        radar_links.link_for(uow, who.corp, app, target, lasts=timedelta(days=settings.radar.link_days))
        uow.commit()
    return redirect(f"{SURFACE.prefix}/radar/{material_id}#links")


@page("/radar/links/<int:link_id>/revoke", permission="materials.write", methods=("POST",))
def revoke_link(link_id: int) -> ResponseReturnValue:
    """Let a link stop working. Raises: NotFound, NotAllowed."""
    who = visitor()
    with room().db.unit() as uow:
        link = radar_links.get(uow.session, who.corp, link_id)
        _require_visible(uow.session, link.target.staff)
        radar_links.revoke(uow, who.corp, link_id, actor=who.actor)
        uow.commit()
    return redirect(f"{SURFACE.prefix}/radar/{link.target.material_id}#links")


@page("/radar/<int:material_id>/revoke", permission="materials.write", methods=("POST",))
def revoke_material(material_id: int) -> ResponseReturnValue:
    """Let every link of a material stop working. Raises: NotFound, NotAllowed."""
    who = visitor()
    with room().db.unit() as uow:
        if who.visible_staff(uow.session) is not None:
            raise NotAllowed("收回一个素材的全部链接，需要“本企业”的数据范围")
        material_lists.get(uow.session, who.corp, material_id)
        radar_links.revoke_all(uow, who.corp, material_id, actor=who.actor)
        uow.commit()
    return redirect(f"{SURFACE.prefix}/radar/{material_id}#links")


def scope_of(session: Session, material_id: int | None = None) -> StatsScope:
    """What this visitor may see, in the period they chose."""
    now = room().db.clock.now()
    return StatsScope(
        since=now - timedelta(days=_days()),
        until=now + timedelta(minutes=5),
        visible=visitor().visible_staff(session),
        material_id=material_id,
    )


def _days() -> int:
    text = request.args.get("days", "30")
    return int(text) if text.isdigit() and int(text) in PERIODS else 30


def _rows(session: Session, scope: StatsScope, by: By) -> list[NamedFigures]:
    corp = visitor().corp
    found = radar_stats.figures(session, corp, scope, by)
    keys = [row.key for row in found]
    if by == "material":
        titles = material_lists.titles(session, corp, [int(key) for key in keys])
        return [
            NamedFigures(name=titles.get(int(row.key), "已删除的素材"), path=f"/console/radar/{row.key}", figures=row)
            for row in found
        ]
    names = staff.names(session, corp, keys) if by == "staff" else {}
    return [NamedFigures(name=names.get(row.key, row.key) or "全企业", path="", figures=row) for row in found]


def _keen(session: Session, scope: StatsScope) -> list[tuple[str, str, int]]:
    """Customers by interest: (name, path, points)."""
    corp = visitor().corp
    found = radar_rules.keenest(session, corp, visible=scope.visible)
    names = customers.display_names(session, corp, [who for who, _ in found])
    return [(names[who] or "未同步的客户", f"/console/customers/{who}", points) for who, points in found]


def _links(session: Session, scope: StatsScope, material_id: int) -> list[tuple[RadarLink, str]]:
    corp = visitor().corp
    found = [
        link
        for link in radar_links.links_of(session, corp, material_id)
        if scope.visible is None or link.target.staff in scope.visible
    ]
    names = staff.names(session, corp, [link.target.staff for link in found if link.target.staff])
    return [(link, names.get(link.target.staff, "全企业")) for link in found]


def _named(session: Session, found: list[Reader]) -> list[NamedReader]:
    corp, now = visitor().corp, room().db.clock.now()
    people = customers.display_names(session, corp, [one.external_user for one in found if one.external_user])
    chats = groups.names(session, corp, [ChatId(one.chat) for one in found if one.chat])
    names = staff.names(session, corp, [one.staff for one in found if one.staff])
    return [
        NamedReader(
            name=_reader_name(one, people, chats),
            path=f"/console/customers/{one.external_user}" if one.external_user else "",
            staff=names.get(one.staff, "全企业"),
            when=spoken_time(one.last_at, now, room().zone),
            reader=one,
        )
        for one in found
    ]


def _reader_name(one: Reader, people: dict[str, str], chats: dict[str, str]) -> str:
    if one.external_user:
        name = people.get(one.external_user) or "一位客户"
        return f"{name} 转发来的读者" if one.forwarded else name
    place = f"群“{chats.get(one.chat) or '客户群'}”" if one.chat else f"渠道“{one.channel}”"
    return f"{place}{'转发来' if one.forwarded else ''}的读者"


def _require_visible(session: Session, userid: str) -> None:
    """Links go out in the name of staff in sight; in nobody's name only for the whole corp. Raises: NotAllowed."""
    visible = visitor().visible_staff(session)
    if visible is not None and userid not in visible:
        raise NotAllowed("只能管理您数据范围内员工的链接")


def _before() -> tuple[datetime, str] | None:
    """The last reader already shown, from the address."""
    at, _, ref = request.args.get("before", "").partition("~")
    if not at or len(ref) > MOST_REFERENCE:
        return None
    try:
        moment = datetime.fromisoformat(at)
    except ValueError:
        return None
    return (moment, ref) if moment.tzinfo is not None else None


def _after(reader: Reader) -> str:
    return f"{reader.last_at.isoformat()}~{reader.ref}"
