"""When a step is due: working days, quiet hours, clock changes."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest

from crm_core.config import WorktimePart
from crm_core.ports import OutboundMessage
from sop.model import Step, When
from sop.schedule import Calendar, due_at

FRIDAY = datetime(2026, 11, 20, 2, 0, tzinfo=UTC)  # 10:00 in Shanghai


def calendar(**part: Any) -> Calendar:
    return Calendar.from_settings(WorktimePart(**part))


def a_step(when: When, *, respects_quiet_hours: bool = True) -> Step:
    return Step(
        key="a", title="a", when=when, respects_quiet_hours=respects_quiet_hours, message=OutboundMessage(text="x")
    )


def local(moment: datetime, of: Calendar) -> str:
    return moment.astimezone(of.zone).strftime("%m-%d %H:%M")


def test_at_once_and_delays_count_from_the_step_before() -> None:
    assert due_at(a_step(When(kind="at_once")), FRIDAY, calendar()) == FRIDAY
    assert due_at(a_step(When(kind="delay", minutes=90)), FRIDAY, calendar()) == FRIDAY + timedelta(minutes=90)


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ({}, "11-23 10:00"),
        ({"holidays": ("2026-11-23", "2026-11-24")}, "11-25 10:00"),
        ({"extra_workdays": ("2026-11-21",)}, "11-21 10:00"),
        ({"extra_workdays": ("2026-11-21",), "holidays": ("2026-11-21",)}, "11-21 10:00"),
        ({"workdays": (7,)}, "11-22 10:00"),
    ],
)
def test_the_next_working_day_over_weekends_and_holidays(part: dict[str, Any], expected: str) -> None:
    of = calendar(**part)
    assert local(due_at(a_step(When(kind="next_workday", at="10:00")), FRIDAY, of), of) == expected


def test_the_next_working_day_counts_local_days() -> None:
    late = datetime(2026, 11, 18, 16, 30, tzinfo=UTC)  # 00:30 on the 19th in Shanghai
    of = calendar()
    assert local(of.next_workday_at(late, time(9, 0)), of) == "11-20 09:00"


def test_a_calendar_without_working_days_within_reach_says_so() -> None:
    every = tuple(str(date(2026, 11, 20) + timedelta(days=ahead)) for ahead in range(500))
    with pytest.raises(ValueError, match="no working day"):
        due_at(a_step(When(kind="next_workday", at="10:00")), FRIDAY, calendar(holidays=every))


@pytest.mark.parametrize(
    ("clock", "expected"),
    [
        ("08:29", "08:30"),
        ("08:30", "08:30"),
        ("21:29", "21:29"),
        ("21:30", "+08:30"),
        ("23:59", "+08:30"),
        ("00:00", "08:30"),
    ],
)
def test_quiet_hours_across_midnight(clock: str, expected: str) -> None:
    of = calendar()
    asked = datetime.fromisoformat(f"2026-11-20T{clock}+08:00")
    day = "11-21" if expected.startswith("+") else "11-20"
    assert local(due_at(a_step(When(kind="at_once")), asked, of), of) == f"{day} {expected.lstrip('+')}"
    assert due_at(a_step(When(kind="at_once"), respects_quiet_hours=False), asked, of) == asked


def test_quiet_hours_within_a_day_and_none_at_all() -> None:
    noon = calendar(quiet_from="12:00", quiet_to="13:30")
    asked = datetime.fromisoformat("2026-11-20T12:10+08:00")
    assert local(due_at(a_step(When(kind="at_once")), asked, noon), noon) == "11-20 13:30"
    none = calendar(quiet_from="12:00", quiet_to="12:00")
    assert due_at(a_step(When(kind="at_once")), asked, none) == asked


def test_a_step_for_a_working_day_that_quiet_hours_push_on_still_comes_on_a_working_day() -> None:
    of = calendar()
    wednesday = datetime.fromisoformat("2026-11-18T10:00+08:00")
    thursday = datetime.fromisoformat("2026-11-19T10:00+08:00")
    late = a_step(When(kind="next_workday", at="22:00"))
    assert local(due_at(late, wednesday, of), of) == "11-20 08:30"
    assert local(due_at(late, thursday, of), of) == "11-23 08:30"


def test_quiet_hours_that_end_in_the_hour_that_comes_twice_end_the_same_night() -> None:
    """Berlin, 25 October 2026: 02:00–03:00 comes twice. 02:10 the second time is 01:10 UTC."""
    of = calendar(time_zone="Europe/Berlin", quiet_from="22:00", quiet_to="02:30")
    second_time = datetime(2026, 10, 25, 1, 10, tzinfo=UTC)
    assert of.is_quiet(second_time)
    assert of.after_quiet(second_time) == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)


def test_quiet_hours_that_end_in_the_hour_that_is_left_out_end_after_it() -> None:
    """Berlin, 29 March 2026: 02:00 is followed by 03:00."""
    of = calendar(time_zone="Europe/Berlin", quiet_from="22:00", quiet_to="02:30")
    end = of.after_quiet(datetime(2026, 3, 29, 0, 30, tzinfo=UTC))
    assert not of.is_quiet(end)
    assert datetime(2026, 3, 29, 1, 0, tzinfo=UTC) <= end <= datetime(2026, 3, 29, 1, 30, tzinfo=UTC)


def test_quiet_hours_whose_end_lands_inside_others_are_waited_out() -> None:
    """02:30 is left out that night: read as 01:30 it is still quiet, so the wait goes on until 03:00, 01:00 UTC."""
    of = calendar(time_zone="Europe/Berlin", quiet_from="22:00", quiet_to="02:30")
    assert of.after_quiet(datetime(2026, 3, 29, 0, 10, tzinfo=UTC)) == datetime(2026, 3, 29, 1, 0, tzinfo=UTC)


def test_quiet_hours_that_begin_in_the_hour_that_comes_twice_are_not_left_at_their_first_end() -> None:
    of = calendar(time_zone="Europe/Berlin", quiet_from="02:30", quiet_to="02:15")
    moment = datetime(2026, 10, 24, 12, 0, tzinfo=UTC)
    end = of.after_quiet(moment)
    assert end > moment
    assert not of.is_quiet(end)
