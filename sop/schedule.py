"""When a step is due. Pure: local calendar in, aware UTC out."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from crm_core.config import WorktimePart
from sop.model import Step, When

MOST_DAYS_AHEAD = 400


@dataclass(frozen=True, slots=True)
class Calendar:
    """Working days and quiet hours of one time zone. Equal quiet times mean no quiet hours."""

    zone: ZoneInfo
    workdays: frozenset[int]
    extra_workdays: frozenset[date]
    holidays: frozenset[date]
    quiet_from: time
    quiet_to: time

    @classmethod
    def from_settings(cls, part: WorktimePart) -> "Calendar":
        """From config.yaml's ``worktime``."""
        return cls(
            zone=ZoneInfo(part.time_zone),
            workdays=frozenset(part.workdays),
            extra_workdays=frozenset(date.fromisoformat(day) for day in part.extra_workdays),
            holidays=frozenset(date.fromisoformat(day) for day in part.holidays),
            quiet_from=time.fromisoformat(part.quiet_from),
            quiet_to=time.fromisoformat(part.quiet_to),
        )

    def is_workday(self, day: date) -> bool:
        """Whether people work on this local day."""
        if day in self.extra_workdays:
            return True
        return day.isoweekday() in self.workdays and day not in self.holidays

    def is_quiet(self, moment: datetime) -> bool:
        """Whether ``moment`` lies inside the quiet hours."""
        now = moment.astimezone(self.zone).timetz().replace(tzinfo=None)
        if self.quiet_from == self.quiet_to:
            return False
        if self.quiet_from < self.quiet_to:
            return self.quiet_from <= now < self.quiet_to
        return now >= self.quiet_from or now < self.quiet_to

    def after_quiet(self, moment: datetime) -> datetime:
        """``moment``, or the end of the quiet hours it lies in. Never earlier."""
        if not self.is_quiet(moment):
            return moment
        today = moment.astimezone(self.zone).date()
        ends = [  # fold: an hour that comes twice when clocks change ends quiet hours both times
            self._at(today + timedelta(days=ahead), self.quiet_to.replace(fold=fold))
            for ahead in (0, 1)
            for fold in (0, 1)
        ]
        end = min(end for end in ends if end > moment)
        while self.is_quiet(end):  # a clock change may move the end back inside
            end += timedelta(minutes=1)
        return end

    def next_workday_at(self, moment: datetime, at: time) -> datetime:
        """``at`` on the first working day after the local day of ``moment``."""
        day = moment.astimezone(self.zone).date()
        for ahead in range(1, MOST_DAYS_AHEAD):
            candidate = day + timedelta(days=ahead)
            if self.is_workday(candidate):
                return self._at(candidate, at)
        raise ValueError("the calendar has no working day in the next 400 days")

    def _at(self, day: date, at: time) -> datetime:
        return datetime.combine(day, at, self.zone).astimezone(UTC)


def due_at(step: Step, after: datetime, calendar: Calendar) -> datetime:
    """When ``step`` is due if the step before it (or the enrolment) was at ``after``. Aware UTC, never earlier.

    A step for a working day that quiet hours push into a free day waits for the next working day.
    """
    moment = _raw_due(step.when, after, calendar)
    if not step.respects_quiet_hours:
        return moment
    moment = calendar.after_quiet(moment)
    while step.when.kind == "next_workday" and not calendar.is_workday(moment.astimezone(calendar.zone).date()):
        moment = calendar.after_quiet(calendar.next_workday_at(moment, calendar.quiet_to))
    return moment


def _raw_due(when: When, after: datetime, calendar: Calendar) -> datetime:
    if when.kind == "delay":
        return after.astimezone(UTC) + timedelta(minutes=when.minutes)
    if when.kind == "next_workday":
        return calendar.next_workday_at(after, time.fromisoformat(when.at))
    return after.astimezone(UTC)
