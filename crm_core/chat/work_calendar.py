"""Working time: how much of it lies between two moments, and when so much of it has passed. Pure."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

MOST_DAYS_AHEAD = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkCalendar:
    """Working hours of one time zone. work_from < work_to, or equal: around the clock."""

    zone: ZoneInfo
    workdays: frozenset[int]
    work_from: time
    work_to: time
    extra_workdays: frozenset[date] = frozenset()
    holidays: frozenset[date] = frozenset()

    def is_workday(self, day: date) -> bool:
        """Whether people work on this local day."""
        if day in self.extra_workdays:
            return True
        return day.isoweekday() in self.workdays and day not in self.holidays

    def worked_seconds(self, since: datetime, until: datetime) -> int:
        """Seconds of working time in [since, until); 0 when there is none."""
        if until <= since:
            return 0
        day, last = since.astimezone(self.zone).date(), until.astimezone(self.zone).date()
        last = min(last, day + timedelta(days=MOST_DAYS_AHEAD))
        total = timedelta()
        while day <= last:
            begin, end = self._hours(day)
            total += max(min(end, until) - max(begin, since), timedelta())
            day += timedelta(days=1)
        return int(total.total_seconds())

    def after(self, since: datetime, minutes: float) -> datetime | None:
        """When so many minutes of working time have passed since then; None when that never comes."""
        left = timedelta(minutes=minutes)
        day = since.astimezone(self.zone).date()
        for ahead in range(MOST_DAYS_AHEAD):
            begin, end = self._hours(day + timedelta(days=ahead))
            begin = max(begin, since)
            if end > begin and end - begin >= left:
                return begin + left
            left -= max(end - begin, timedelta())
        return None

    def _hours(self, day: date) -> tuple[datetime, datetime]:
        """The working hours of a local day, as [begin, end) in UTC; empty on a free day."""
        if not self.is_workday(day):
            moment = self._at(day, time())
            return moment, moment
        if self.work_from == self.work_to:
            return self._at(day, time()), self._at(day + timedelta(days=1), time())
        return self._at(day, self.work_from), self._at(day, self.work_to)

    def _at(self, day: date, at: time) -> datetime:
        return datetime.combine(day, at, self.zone).astimezone(UTC)
