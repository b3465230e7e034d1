"""When the sender of a tracked link hears of it: at once, then at most every so often with what happened since."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import col, select

from crm_core.db import UnitOfWork
from materials.radar_links import to_link
from materials.radar_model import CARD, Milestone, RadarLink
from materials.radar_tables import RadarLinkRow, RadarViewRow
from materials.tables import MaterialRow

ORDER = tuple(Milestone)


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """What a sender hears. milestones: since they heard last; the rest is the state of the last view.

    turn: names this telling, so that it happens once.
    """

    link: RadarLink
    title: str
    milestones: tuple[Milestone, ...]
    turn: str
    depth: int = 0
    page: int = 0
    pages: int = 0
    active_seconds: int = 0


def may_tell(uow: UnitOfWork, link_id: int, milestone: Milestone, *, pause: timedelta) -> bool:
    """Whether the sender hears of this at once; if not, it is kept for ``due``. Opening again is not kept."""
    row = uow.session.get(RadarLinkRow, link_id)
    if row is None:
        return False
    now = uow.now()
    if row.told_at is None or now - row.told_at >= pause:
        row.told_at, row.tell_at, row.pending = now, None, []
        uow.session.add(row)
        return True
    if milestone is not Milestone.OPENED and milestone not in row.pending:
        row.pending = [*row.pending, milestone.value]
        row.tell_at = row.told_at + pause
        uow.session.add(row)
    return False


def due(uow: UnitOfWork, *, limit: int = 200) -> list[Telling]:
    """What was kept and may be told now; it counts as told when the unit is committed."""
    now = uow.now()
    rows = uow.session.exec(
        select(RadarLinkRow)
        .where(col(RadarLinkRow.tell_at) <= now)
        .order_by(col(RadarLinkRow.tell_at))
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    tellings = [_telling(uow, row, now) for row in rows]
    for row in rows:
        row.told_at, row.tell_at, row.pending = now, None, []
        uow.session.add(row)
    return tellings


def _telling(uow: UnitOfWork, row: RadarLinkRow, now: datetime) -> Telling:
    view = uow.session.exec(
        select(RadarViewRow)
        .where(RadarViewRow.link_id == row.id, col(RadarViewRow.forwarded).is_(False))
        .order_by(col(RadarViewRow.last_at).desc())
        .limit(1)
    ).first()
    material = uow.session.get(MaterialRow, row.material_id) if row.material_id else None
    return Telling(
        link=to_link(row),
        title="名片" if row.subject == CARD or material is None else material.title,
        milestones=tuple(milestone for milestone in ORDER if milestone in row.pending),
        turn=f"{row.id}:{int(now.timestamp() * 1000)}",
        depth=view.depth if view else 0,
        page=view.page if view else 0,
        pages=view.pages if view else 0,
        active_seconds=view.active_ms // 1000 if view else 0,
    )
