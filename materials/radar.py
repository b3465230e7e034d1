"""Recording what readers do: beacons of reading pages become views, readers and events."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, update
from sqlmodel import col, select

from crm_core.clock import to_millis
from crm_core.db import UnitOfWork
from crm_core.events import Event, FollowStarted, RadarForwarded, RadarOpened, RadarProgressed, StaffUpdated
from crm_core.ids import AppKey, CorpId
from materials import radar_rules
from materials.radar_links import to_link
from materials.radar_model import CARD, Beacon, Reading, folded, reached
from materials.radar_tables import BusinessCardRow, RadarLinkRow, RadarReaderRow, RadarViewRow
from materials.tables import MaterialRow

CARD_TITLE = "名片"
CONVERSION_WINDOW = timedelta(minutes=30)
PURGE_BATCH = 1000


@dataclass(slots=True)
class _Batch:
    """What one call of ``record`` works on."""

    uow: UnitOfWork
    links: dict[int, RadarLinkRow]
    views: dict[str, RadarViewRow]
    titles: dict[int, str]
    events: list[Event] = field(default_factory=list)
    touched: dict[tuple[str, str, int], RadarLinkRow] = field(default_factory=dict)


def record(uow: UnitOfWork, beacons: Iterable[Beacon]) -> list[Event]:
    """Write down what pages told, and answer what that means. Repeated, late and reordered beacons change nothing.

    Beacons of links that were revoked or have expired since the page was opened are dropped.
    """
    wanted = folded(beacons)
    link_ids = sorted({beacon.link_id for beacon in wanted})
    for link_id in link_ids:
        uow.lock(f"radar_link:{link_id}")
    session = uow.session
    links = {row.id or 0: row for row in session.exec(select(RadarLinkRow).where(col(RadarLinkRow.id).in_(link_ids)))}
    view_ids = [beacon.view_id for beacon in wanted]
    views = {
        row.view_id: row for row in session.exec(select(RadarViewRow).where(col(RadarViewRow.view_id).in_(view_ids)))
    }
    material_ids = {row.material_id for row in links.values()}
    titles = dict(
        session.exec(select(MaterialRow.id, MaterialRow.title).where(col(MaterialRow.id).in_(material_ids))).all()
    )
    batch = _Batch(uow, links, views, {material: title for material, title in titles.items() if material is not None})
    for beacon in wanted:
        link = links.get(beacon.link_id)
        if link is not None and to_link(link).is_open(beacon.at):
            _take(batch, link, beacon)
    session.flush()
    for (corp, external_user, material_id), link in batch.touched.items():
        batch.events += radar_rules.evaluate(
            uow, CorpId(corp), AppKey(link.app_key), link.staff_userid, external_user, material_id
        )
    return batch.events


def _take(batch: _Batch, link: RadarLinkRow, beacon: Beacon) -> None:
    view = batch.views.get(beacon.view_id)
    if view is None:
        view = _open(batch, link, beacon)
    elif view.link_id != link.id or view.ref != beacon.ref:
        return  # somebody put tickets of two pages together
    before = Reading(active_ms=view.active_ms, depth=view.depth, page=view.page)
    view.active_ms, view.depth = max(view.active_ms, beacon.active_ms), max(view.depth, beacon.depth)
    view.page, view.pages = max(view.page, beacon.page), max(view.pages, beacon.pages)
    view.last_at = max(view.last_at, beacon.at)
    if beacon.wants_contact and view.contact_at is None:
        view.contact_at = beacon.at
    batch.uow.session.add(view)
    after = Reading(active_ms=view.active_ms, depth=view.depth, page=view.page)
    for milestone in reached(before, after):
        batch.events.append(
            RadarProgressed(
                **_facts(batch, link, view, key=f"{milestone}:{view.view_id}", at=beacon.at),
                milestone=milestone.value,
                depth=view.depth,
                page=view.page,
                pages=view.pages,
                active_seconds=view.active_ms // 1000,
            )
        )
    if link.external_userid and link.staff_userid:
        batch.touched[link.corp_id, link.external_userid, link.material_id] = link


def _open(batch: _Batch, link: RadarLinkRow, beacon: Beacon) -> RadarViewRow:
    """A view begins: who reads, and were they brought by somebody?"""
    session = batch.uow.session
    reader = session.get(RadarReaderRow, (link.id, beacon.ref))
    is_new = reader is None
    if reader is None:
        reader = RadarReaderRow(
            link_id=link.id or 0,
            ref=beacon.ref,
            corp_id=link.corp_id,
            parent_ref=_parent(batch, link, beacon),
            first_at=beacon.opened_at,
            last_at=beacon.opened_at,
        )
    reader.opens += 1
    reader.last_at = max(reader.last_at, beacon.opened_at)
    session.add(reader)
    session.flush()
    view = RadarViewRow(
        view_id=beacon.view_id,
        corp_id=link.corp_id,
        link_id=link.id or 0,
        ref=beacon.ref,
        forwarded=bool(reader.parent_ref),
        material_id=link.material_id,
        staff_userid=link.staff_userid,
        external_userid=link.external_userid,
        channel=link.channel,
        opened_at=beacon.opened_at,
        last_at=beacon.opened_at,
    )
    batch.views[view.view_id] = view
    batch.events.append(
        RadarOpened(**_facts(batch, link, view, key=f"opened:{view.view_id}", at=beacon.opened_at), times=reader.opens)
    )
    if is_new and reader.parent_ref:
        brought = select(func.count()).where(RadarReaderRow.link_id == link.id, RadarReaderRow.parent_ref != "")
        batch.events.append(
            RadarForwarded(
                **_facts(batch, link, view, key=f"forwarded:{view.view_id}", at=beacon.opened_at),
                readers=session.exec(brought).one(),
            )
        )
    return view


def _parent(batch: _Batch, link: RadarLinkRow, beacon: Beacon) -> str:
    """Who brought a new reader. "" means: it was sent to them.

    The address a reader passes on carries their ``ref``. A message that is passed on inside WeChat keeps the address it
    was sent with; so on a link for one customer every further browser counts as brought by the first one.
    """
    session = batch.uow.session
    if beacon.came_from and beacon.came_from != beacon.ref:
        known = session.get(RadarReaderRow, (link.id, beacon.came_from))
        if known is not None:
            return known.ref
    if not link.external_userid:
        return ""
    first = select(RadarReaderRow.ref).where(RadarReaderRow.link_id == link.id, RadarReaderRow.parent_ref == "")
    return session.exec(first.order_by(col(RadarReaderRow.first_at)).limit(1)).first() or ""


def _facts(batch: _Batch, link: RadarLinkRow, view: RadarViewRow, *, key: str, at: datetime) -> dict[str, Any]:
    return {
        "corp": CorpId(link.corp_id),
        "app": AppKey(link.app_key),
        "occurred_at": at,
        "key": f"radar:{key}",
        "received_ms": to_millis(at),
        "staff": link.staff_userid,
        "external_user": link.external_userid,
        "link_id": link.id or 0,
        "view_id": view.view_id,
        "subject": link.subject,
        "material_id": link.material_id,
        "title": CARD_TITLE if link.subject == CARD else batch.titles.get(link.material_id, "素材"),
        "forwarded": view.forwarded,
        "chat": link.chat_id,
        "channel": link.channel,
    }


def forget_reader(uow: UnitOfWork, link_id: int, ref: str) -> int:
    """Delete what a link recorded of one browser: the reader objects to it. Answers how many views went."""
    uow.lock(f"radar_link:{link_id}")
    gone = uow.session.execute(
        delete(RadarViewRow)
        .where(col(RadarViewRow.link_id) == link_id, col(RadarViewRow.ref) == ref)
        .returning(col(RadarViewRow.view_id))
    ).all()
    uow.session.execute(
        delete(RadarReaderRow).where(col(RadarReaderRow.link_id) == link_id, col(RadarReaderRow.ref) == ref)
    )
    return len(gone)


def record_conversion(event: FollowStarted, uow: UnitOfWork) -> None:
    """A new follow through the live code of a card: the reader who asked for that code last brought it about.

    Counts only where the same staff member's code was asked for within ``CONVERSION_WINDOW`` before.
    """
    if not event.state:
        return
    view = uow.session.exec(
        select(RadarViewRow)
        .where(
            RadarViewRow.corp_id == event.corp,
            RadarViewRow.staff_userid == event.staff,
            col(RadarViewRow.contact_at) >= event.occurred_at - CONVERSION_WINDOW,
            col(RadarViewRow.contact_at) <= event.occurred_at + timedelta(minutes=1),
            col(RadarViewRow.converted_at).is_(None),
        )
        .order_by(col(RadarViewRow.contact_at).desc())
        .limit(1)
    ).first()
    if view is not None:
        view.converted_at = event.occurred_at
        uow.session.add(view)


def rename_staff(event: StaffUpdated, uow: UnitOfWork) -> None:
    """A changed userid is carried through links, views and the card."""
    if event.new_staff is None or event.new_staff == event.staff:
        return
    for table in (RadarLinkRow, RadarViewRow):
        uow.session.execute(
            update(table)
            .where(col(table.corp_id) == event.corp, col(table.staff_userid) == event.staff)
            .values(staff_userid=event.new_staff)
        )
    card = uow.session.get(BusinessCardRow, (event.corp, event.staff))
    if card is not None:
        uow.session.add(BusinessCardRow(**{**card.model_dump(), "staff_userid": event.new_staff}))
        uow.session.delete(card)


def purge(uow: UnitOfWork, *, before: datetime) -> int:
    """Delete views and readers whose last news is older than ``before``, at most a batch. Answers how many views."""
    old: Sequence[str] = uow.session.exec(
        select(RadarViewRow.view_id).where(col(RadarViewRow.last_at) < before).limit(PURGE_BATCH)
    ).all()
    uow.session.execute(delete(RadarViewRow).where(col(RadarViewRow.view_id).in_(old)))
    if len(old) < PURGE_BATCH:
        uow.session.execute(delete(RadarReaderRow).where(col(RadarReaderRow.last_at) < before))
    return len(old)
