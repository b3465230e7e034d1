"""Radar statistics: sends, openers, time, depth, forwards and new follows, per material, staff member or channel.

Everything is counted from views and sends; whose figures somebody sees is decided by who sent.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, Select, String, and_, case, cast, func, literal, or_
from sqlalchemy import select as select_columns
from sqlmodel import Session, col, select

from crm_core.ids import CorpId
from materials.radar_model import HALF, MATERIAL, WHOLE
from materials.radar_tables import RadarLinkRow, RadarReaderRow, RadarSendRow, RadarViewRow

By = Literal["material", "staff", "channel"]
SINGLE, GROUP = "单聊", "客户群"
MOST_ROWS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class StatsScope:
    """What is counted. visible: whose sends, None for everybody's. material_id: None for all of them."""

    since: datetime
    until: datetime
    visible: AbstractSet[str] | None = None
    material_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """The figures of one key (a material's id, a userid, a channel's name).

    opens: views; openers: browsers; seconds, depth: of an average view; halves, finished: views that got there;
    forwards: browsers that came by forwarding; contacts: asked for the staff member's code; follows: new customers
    who came within half an hour of that.
    """

    key: str
    sends: int = 0
    opens: int = 0
    openers: int = 0
    seconds: float = 0
    depth: float = 0
    halves: int = 0
    finished: int = 0
    forwards: int = 0
    contacts: int = 0
    follows: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """One browser on one link. external_user: the customer the link was for. brought: readers it brought."""

    link_id: int
    ref: str
    staff: str
    external_user: str
    chat: str
    channel: str
    forwarded: bool
    brought: int
    opens: int
    seconds: int
    depth: int
    last_at: datetime


def figures(session: Session, corp: CorpId, scope: StatsScope, by: By) -> list[Figures]:
    """The figures per key, the most opened first."""
    sent = {str(key): count for key, count in session.execute(_sends(corp, scope, by)).all()}
    seen = {str(row[0]): row for row in session.execute(_views(corp, scope, by)).all()}
    found = [_figures(key, sent.get(key, 0), seen.get(key)) for key in {**sent, **seen}]
    return sorted(found, key=lambda one: (-one.opens, -one.sends, one.key))[:MOST_ROWS]


def total(session: Session, corp: CorpId, scope: StatsScope) -> Figures:
    """The figures of all keys together."""
    sent = session.execute(_sends(corp, scope, None)).first()
    seen = session.execute(_views(corp, scope, None)).first()
    return _figures("", sent[1] if sent else 0, seen)


def readers(
    session: Session,
    corp: CorpId,
    scope: StatsScope,
    *,
    before: tuple[datetime, str] | None = None,
    limit: int = 50,
) -> list[Reader]:
    """Who read, latest first. ``before`` is (last_at, ref) of the last one already shown."""
    link, reader = RadarLinkRow, RadarReaderRow
    wanted = [
        col(link.corp_id) == corp,
        col(link.subject) == MATERIAL,
        col(reader.last_at) >= scope.since,
        col(reader.last_at) < scope.until,
        *_allowed(col(link.staff_userid), scope),
    ]
    if scope.material_id is not None:
        wanted.append(col(link.material_id) == scope.material_id)
    if before is not None:
        at, ref = before
        wanted.append(or_(col(reader.last_at) < at, and_(col(reader.last_at) == at, col(reader.ref) < ref)))
    rows = session.exec(
        select(reader, link)
        .join(link, col(link.id) == reader.link_id)
        .where(*wanted)
        .order_by(col(reader.last_at).desc(), col(reader.ref).desc())
        .limit(limit)
    ).all()
    got = _readings(session, [row.link_id for row, _ in rows], [row.ref for row, _ in rows])
    brought = _brought(session, [row.link_id for row, _ in rows])
    return [
        Reader(
            link_id=row.link_id,
            ref=row.ref,
            staff=sent.staff_userid,
            external_user=sent.external_userid,
            chat=sent.chat_id,
            channel=sent.channel,
            forwarded=bool(row.parent_ref),
            brought=brought.get((row.link_id, row.ref), 0),
            opens=row.opens,
            seconds=got.get((row.link_id, row.ref), (0, 0))[0],
            depth=got.get((row.link_id, row.ref), (0, 0))[1],
            last_at=row.last_at,
        )
        for row, sent in rows
    ]


def _readings(session: Session, links: list[int], refs: list[str]) -> dict[tuple[int, str], tuple[int, int]]:
    rows = session.execute(
        select_columns(
            col(RadarViewRow.link_id),
            col(RadarViewRow.ref),
            func.sum(RadarViewRow.active_ms),
            func.max(RadarViewRow.depth),
        )
        .where(col(RadarViewRow.link_id).in_(links), col(RadarViewRow.ref).in_(refs))
        .group_by(col(RadarViewRow.link_id), col(RadarViewRow.ref))
    ).all()
    return {(link, ref): (int(active_ms or 0) // 1000, depth or 0) for link, ref, active_ms, depth in rows}


def _brought(session: Session, links: list[int]) -> dict[tuple[int, str], int]:
    rows = session.exec(
        select(RadarReaderRow.link_id, RadarReaderRow.parent_ref, func.count())
        .where(col(RadarReaderRow.link_id).in_(links), RadarReaderRow.parent_ref != "")
        .group_by(col(RadarReaderRow.link_id), col(RadarReaderRow.parent_ref))
    ).all()
    return {(link, ref): count for link, ref, count in rows}


def _sends(corp: CorpId, scope: StatsScope, by: By | None) -> Select[Any]:
    key = _key(by, RadarLinkRow)
    wanted = [
        col(RadarSendRow.corp_id) == corp,
        col(RadarSendRow.sent_at) >= scope.since,
        col(RadarSendRow.sent_at) < scope.until,
        *_allowed(col(RadarLinkRow.staff_userid), scope),
        col(RadarLinkRow.subject) == MATERIAL,
    ]
    if scope.material_id is not None:
        wanted.append(col(RadarSendRow.material_id) == scope.material_id)
    return (
        select_columns(key, func.count())
        .select_from(RadarSendRow)
        .join(RadarLinkRow, col(RadarLinkRow.id) == RadarSendRow.link_id)
        .where(*wanted)
        .group_by(key)
    )


def _views(corp: CorpId, scope: StatsScope, by: By | None) -> Select[Any]:
    view = RadarViewRow
    browser = cast(col(view.link_id), String) + ":" + col(view.ref)
    key = _key(by, RadarLinkRow)

    def share(condition: ColumnElement[bool]) -> ColumnElement[int]:
        return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)

    wanted = [
        col(view.corp_id) == corp,
        col(view.opened_at) >= scope.since,
        col(view.opened_at) < scope.until,
        *_allowed(col(view.staff_userid), scope),
        col(RadarLinkRow.subject) == MATERIAL,
    ]
    if scope.material_id is not None:
        wanted.append(col(view.material_id) == scope.material_id)
    return (
        select_columns(
            key,
            func.count(),
            func.count(func.distinct(browser)),
            func.avg(view.active_ms),
            func.avg(view.depth),
            share(col(view.depth) >= HALF),
            share(col(view.depth) >= WHOLE),
            func.count(func.distinct(case((col(view.forwarded).is_(True), browser)))),
            share(col(view.contact_at).is_not(None)),
            share(col(view.converted_at).is_not(None)),
        )
        .select_from(view)
        .join(RadarLinkRow, col(RadarLinkRow.id) == view.link_id)
        .where(*wanted)
        .group_by(key)
    )


def _key(by: By | None, link: type[RadarLinkRow]) -> Any:
    if by == "material":
        return col(link.material_id)
    if by == "staff":
        return col(link.staff_userid)
    if by == "channel":
        return case(
            (col(link.channel) != "", col(link.channel)),
            (col(link.chat_id) != "", literal(GROUP)),
            else_=literal(SINGLE),
        )
    return col(link.subject)


def _allowed(staff: Any, scope: StatsScope) -> list[ColumnElement[bool]]:
    return [] if scope.visible is None else [staff.in_(sorted(scope.visible))]


def _figures(key: str, sends: int, row: Any) -> Figures:
    if row is None:
        return Figures(key=key, sends=sends)
    _, opens, openers, active_ms, depth, halves, finished, forwards, contacts, follows = row
    return Figures(
        key=key,
        sends=sends,
        opens=opens,
        openers=openers,
        seconds=round(float(active_ms or 0) / 1000, 1),
        depth=round(float(depth or 0), 1),
        halves=halves,
        finished=finished,
        forwards=forwards,
        contacts=contacts,
        follows=follows,
    )


def card_visits(session: Session, corp: CorpId, staff: str, scope: StatsScope) -> Mapping[str, int]:
    """Visits of a staff member's card: opens, openers, contacts, follows."""
    view = RadarViewRow
    row = session.execute(
        select_columns(
            func.count(),
            func.count(func.distinct(view.ref)),
            func.count(col(view.contact_at)),
            func.count(col(view.converted_at)),
        )
        .select_from(view)
        .join(RadarLinkRow, col(RadarLinkRow.id) == view.link_id)
        .where(
            col(view.corp_id) == corp,
            col(view.staff_userid) == staff,
            col(view.material_id) == 0,
            col(view.opened_at) >= scope.since,
            col(view.opened_at) < scope.until,
        )
    ).one()
    return dict(zip(("opens", "openers", "contacts", "follows"), row, strict=True))
