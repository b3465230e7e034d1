"""Figures of one corp by day, for those customers somebody may see."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, case
from sqlalchemy import select as sa_select
from sqlmodel import Session, col, func, select

from crm_core.clock import midnight_of
from crm_core.ids import CorpId
from crm_core.tables import FollowRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Today:
    """Counts since midnight in the company's time zone. new and lost count follows, customers distinct people."""

    customers: int
    new: int
    lost: int


def today(session: Session, corp: CorpId, visible: AbstractSet[str] | None, now: datetime, zone: ZoneInfo) -> Today:
    """The figures at ``now`` (aware). visible: whose customers count, None for everybody's."""
    midnight = midnight_of(now, zone)
    mine: list[ColumnElement[bool]] = [col(FollowRow.corp_id) == corp]
    if visible is not None:
        mine.append(col(FollowRow.staff_userid).in_(visible))
    people = func.count(func.distinct(col(FollowRow.external_userid)))
    return Today(
        customers=session.exec(select(people).where(*mine, FollowRow.status != "ended")).one(),
        new=session.exec(
            select(func.count()).select_from(FollowRow).where(*mine, FollowRow.started_at >= midnight)
        ).one(),
        lost=session.exec(
            select(func.count()).select_from(FollowRow).where(*mine, col(FollowRow.ended_at) >= midnight)
        ).one(),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """One day in the company's time zone: follows that began and that ended on it."""

    day: date
    new: int
    lost: int


def days(
    session: Session, corp: CorpId, visible: AbstractSet[str] | None, now: datetime, zone: ZoneInfo, number: int
) -> list[Day]:
    """The last ``number`` days up to today, oldest first. visible: whose customers count, None for everybody's."""
    today_there = now.astimezone(zone).date()
    dates = [today_there - timedelta(days=back) for back in range(number - 1, -1, -1)]
    edges = [datetime.combine(day, time(), tzinfo=zone) for day in (*dates, today_there + timedelta(days=1))]
    new = _by_day(session, corp, visible, col(FollowRow.started_at), edges)
    lost = _by_day(session, corp, visible, col(FollowRow.ended_at), edges)
    return [Day(day=day, new=new[at], lost=lost[at]) for at, day in enumerate(dates)]


def _by_day(
    session: Session,
    corp: CorpId,
    visible: AbstractSet[str] | None,
    column: Any,
    edges: Sequence[datetime],
) -> list[int]:
    """How many follows have ``column`` between each edge and the next; one walk over the days in question."""
    clauses: list[ColumnElement[bool]] = [col(FollowRow.corp_id) == corp, column >= edges[0], column < edges[-1]]
    if visible is not None:
        clauses.append(col(FollowRow.staff_userid).in_(visible))
    sums = [func.sum(case(((column >= first) & (column < last), 1), else_=0)) for first, last in pairwise(edges)]
    return [int(value or 0) for value in session.execute(sa_select(*sums).where(*clauses)).one()]
