"""Steps are never early and never in quiet hours, whatever zone, hours and holidays."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from crm_core.ports import Attachment, OutboundMessage
from sop.model import Plan, Step, When, dump_plan, parse_plan
from sop.schedule import Calendar, due_at

ZONES = ("Asia/Shanghai", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC")
CHANGES = [  # the nights in which clocks change, in UTC
    datetime(2026, 3, 29, 0, 0, tzinfo=UTC), datetime(2026, 10, 25, 0, 0, tzinfo=UTC),
    datetime(2026, 3, 8, 6, 0, tzinfo=UTC), datetime(2026, 11, 1, 5, 0, tzinfo=UTC),
    datetime(2026, 4, 4, 14, 0, tzinfo=UTC), datetime(2026, 10, 3, 15, 0, tzinfo=UTC),
]  # fmt: skip
LONGEST_CHANGE = timedelta(hours=1)

days = st.dates(date(2026, 1, 1), date(2027, 12, 31))
minutes_of_day = st.integers(0, 1439).map(lambda minute: time(minute // 60, minute % 60))
anywhere = st.datetimes(datetime(2026, 1, 1), datetime(2027, 6, 30), timezones=st.just(UTC))
near_a_change = st.builds(
    lambda change, minutes, seconds: change + timedelta(minutes=minutes, seconds=seconds),
    st.sampled_from(CHANGES), st.integers(-300, 300), st.sampled_from([0, 0, 1, 59.999999]),
)  # fmt: skip
moments = anywhere | near_a_change
calendars = st.builds(
    Calendar,
    zone=st.sampled_from(ZONES).map(ZoneInfo),
    workdays=st.frozensets(st.integers(1, 7), min_size=1),
    extra_workdays=st.frozensets(days, max_size=5),
    holidays=st.frozensets(days, max_size=40),
    quiet_from=minutes_of_day,
    quiet_to=minutes_of_day | st.sampled_from([time(2, 0), time(2, 30), time(3, 0), time(1, 30)]),
)
whens = (
    st.just(When(kind="at_once"))
    | st.integers(1, 527_040).map(lambda minutes: When(kind="delay", minutes=minutes))
    | minutes_of_day.map(lambda at: When(kind="next_workday", at=at.strftime("%H:%M")))
)


def a_step(when: When, *, quiet: bool) -> Step:
    return Step(key="a", title="a", when=when, respects_quiet_hours=quiet, message=OutboundMessage(text="x"))


def quiet_length(of: Calendar) -> timedelta:
    begin = timedelta(hours=of.quiet_from.hour, minutes=of.quiet_from.minute)
    end = timedelta(hours=of.quiet_to.hour, minutes=of.quiet_to.minute)
    return (end - begin) % timedelta(days=1)


@settings(max_examples=400)
@given(of=calendars, when=whens, after=moments)
def test_a_step_is_never_early_and_never_in_quiet_hours(of: Calendar, when: When, after: datetime) -> None:
    plain = due_at(a_step(when, quiet=False), after, of)
    due = due_at(a_step(when, quiet=True), after, of)
    assert after <= plain <= due
    assert due.utcoffset() == timedelta()
    assert not of.is_quiet(due)
    if when.kind == "delay":
        assert plain - after == timedelta(minutes=when.minutes)


@settings(max_examples=400)
@given(of=calendars, moment=moments)
def test_nobody_waits_longer_than_the_quiet_hours_last(of: Calendar, moment: datetime) -> None:
    assume(quiet_length(of) <= timedelta(hours=22))  # else a clock change may leave out all others
    wait = of.after_quiet(moment) - moment
    assert wait <= quiet_length(of) + LONGEST_CHANGE
    assert of.after_quiet(of.after_quiet(moment)) == of.after_quiet(moment)


@settings(max_examples=400)
@given(of=calendars, at=minutes_of_day, after=moments, quiet=st.booleans())
def test_the_next_working_day_is_a_working_day_after_today(
    of: Calendar, at: time, after: datetime, *, quiet: bool
) -> None:
    due = due_at(a_step(When(kind="next_workday", at=at.strftime("%H:%M")), quiet=quiet), after, of).astimezone(of.zone)
    assert of.is_workday(due.date())
    assert due.date() > after.astimezone(of.zone).date()


texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
keys = texts.filter(lambda text: text.strip() == text)
attachments = st.builds(
    Attachment, msgtype=st.sampled_from(["video", "file", "image"]), body=st.fixed_dictionaries({"media_id": texts})
)
messages = st.builds(OutboundMessage, text=texts, attachments=st.lists(attachments, max_size=9).map(tuple))


@st.composite
def plans(draw: Any) -> Plan:
    names = draw(st.lists(keys, min_size=1, max_size=6, unique=True))
    steps = [
        Step(key=name, title=draw(texts), when=draw(whens), respects_quiet_hours=draw(st.booleans()),
             message=draw(messages))
        for name in names
    ]  # fmt: skip
    return Plan(key=draw(keys), name=draw(keys), trigger="follow_started", steps=tuple(steps))


@given(plan=plans())
def test_a_plan_that_is_stored_is_read_back_the_same(plan: Plan) -> None:
    assert parse_plan(dump_plan(plan)) == plan
    assert dump_plan(parse_plan(dump_plan(plan))) == dump_plan(plan)
