"""What hits add up to: per person, department, category and week."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import case, func, select
from sqlmodel import Session

from crm_core import staff
from crm_core.ids import CorpId
from crm_core.sensitive.hits import CONFIRMED, FALSE_ALARM, HANDLED, HITS, OPEN

BY = {"staff": "员工", "department": "部门", "category": "分类", "week": "周"}
_COLUMNS = {"staff": "staff_userid", "department": "department", "category": "category_id", "week": "week"}
MOST_LINES = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of statistics. key: the value to filter the queue by."""

    key: str
    name: str
    total: int
    open: int
    confirmed: int
    false_alarms: int
    handled: int

    @property
    def false_share(self) -> int | None:
        """False alarms out of what was judged, in percent; None while nothing was."""
        judged = self.confirmed + self.false_alarms + self.handled
        return round(self.false_alarms * 100 / judged) if judged else None


def monday(moment: datetime, zone: ZoneInfo) -> str:
    """The Monday of the week of a moment, in the company's time zone: 2026-11-16."""
    day = moment.astimezone(zone).date()
    return (day - timedelta(days=day.weekday())).isoformat()


def weeks_back(now: datetime, zone: ZoneInfo, count: int) -> str:
    """The Monday so many weeks before this one."""
    return (date.fromisoformat(monday(now, zone)) - timedelta(weeks=count)).isoformat()


def lines(session: Session, corp: CorpId, by: str, visible: AbstractSet[str] | None, *, since_week: str) -> list[Line]:
    """Figures since a week, by one of ``BY``: the most hits first, weeks in order."""
    column = HITS.c[_COLUMNS[by]]

    def of(state: str) -> object:
        return func.sum(case((HITS.c.state == state, 1), else_=0))

    wanted = (
        select(column, func.count(), *(of(state) for state in (OPEN, CONFIRMED, FALSE_ALARM, HANDLED)))
        .where(HITS.c.corp_id == corp, HITS.c.week >= since_week)
        .group_by(column)
    )
    if visible is not None:
        wanted = wanted.where(HITS.c.staff_userid.in_(sorted(visible)))
    order = column.desc() if by == "week" else func.count().desc()
    rows = session.connection().execute(wanted.order_by(order, column).limit(MOST_LINES)).all()
    names = _names(session, corp, by, [row[0] for row in rows])
    return [
        Line(
            key=str(row[0]),
            name=names.get(str(row[0]), "") or "（未知）",
            total=row[1],
            open=int(row[2]),
            confirmed=int(row[3]),
            false_alarms=int(row[4]),
            handled=int(row[5]),
        )
        for row in rows
    ]


def _names(session: Session, corp: CorpId, by: str, keys: list[object]) -> dict[str, str]:
    if by == "staff":
        return dict(staff.names(session, corp, {str(key) for key in keys if key}))
    if by == "department":
        return {str(number): name for number, name in staff.department_names(session, corp)}
    if by == "week":
        return {str(key): f"{key} 起的一周" for key in keys}
    newest = select(HITS.c.category_id, func.max(HITS.c.id)).where(HITS.c.corp_id == corp).group_by(HITS.c.category_id)
    last = [row[1] for row in session.connection().execute(newest)]
    known = select(HITS.c.category_id, HITS.c.category_name).where(HITS.c.id.in_(last))
    return {str(category): name for category, name in session.connection().execute(known)}
