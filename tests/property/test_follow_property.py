"""Callbacks come late, twice and in any order; the record ends the same."""

import itertools
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import select

from crm_core import contact_ways, customers
from crm_core.contact_ways import ContactWayForm
from crm_core.tables import FollowRow, TimelineRow
from sop import service
from sop.engine import SopEngine
from sop.handlers import SopReactions
from sop.model import parse_plan
from sop.tables import EnrolmentRow
from tests.support.ground import APP, CORP, Ground

NEXT = {  # what WeCom may tell next, by what was last told
    "": ["half", "added"],
    "half": ["added", "left", "dropped"],
    "added": ["edited", "left", "dropped"],
    "edited": ["edited", "left", "dropped"],
    "left": ["half", "added"],
    "dropped": ["half", "added"],
}
PLAN = {
    "key": "p", "name": "p", "trigger": "follow_started",
    "steps": [{"key": "a", "when": {"kind": "delay", "minutes": 60}, "message": {"text": "x"}}],
}  # fmt: skip
people = itertools.count(1)


@st.composite
def lives(draw: Any) -> list[str]:
    """The life of one follow, event after event."""
    life: list[str] = []
    for _ in range(draw(st.integers(1, 6))):
        life.append(draw(st.sampled_from(NEXT[life[-1] if life else ""])))
    return life


@st.composite
def deliveries(draw: Any) -> tuple[list[str], list[int]]:
    """A life and the order in which its events are delivered, each at least once."""
    life = draw(lives())
    places = list(range(len(life)))
    again = draw(st.lists(st.sampled_from(places), max_size=6))
    return life, draw(st.permutations(places + again))


@pytest.fixture
def reactions(ground: Ground) -> SopReactions:
    with ground.committed() as uow:
        service.install_plan(uow, CORP, parse_plan(PLAN))
        form = ContactWayForm(name="门店", staff=("zhang",))
        contact_ways.create(uow, corp=CORP, app=APP, form=form, created_by="li", state="abc")
    return SopReactions(SopEngine(ground.settings))


def deliver(ground: Ground, reactions: SopReactions, who: str, life: list[str], order: list[int]) -> None:
    started = (customers.record_follow, contact_ways.attach_follow, reactions.enrol_new_follow)
    ended = (customers.record_follow_ended, reactions.stop_for_follow)
    handlers = {
        "added": started, "half": started[:2], "edited": (customers.record_follow_edited,), "left": ended,
        "dropped": ended,
    }  # fmt: skip
    for place in order:
        kind = life[place]
        more = {"state": "abc"} if kind in ("added", "half") else {}
        event = getattr(ground, kind)(place * 10, who=who, key=f"{who}-{place}", **more)
        ground.handle(event, *handlers[kind])  # type: ignore[arg-type]


def outcome(ground: Ground, who: str, life: list[str]) -> tuple[Any, ...]:
    """What must not depend on the order. Half news never weaken a follow: a life that ends half may show whole."""
    rows = ground.all(select(FollowRow).where(FollowRow.external_userid == who))
    assert len(rows) <= 1
    told = ground.all(select(TimelineRow.kind, TimelineRow.at).where(TimelineRow.external_userid == who))
    active = [
        row.status
        for row in ground.all(select(EnrolmentRow).where(EnrolmentRow.external_userid == who))
        if row.status == "active"
    ]
    assert len(active) <= 1
    follow = [
        (row.status == "ended", row.changed_at, row.ended_at, row.ended_by, row.state, row.contact_way_id is not None)
        for row in rows
    ]
    whole = [] if "half" in life[-1:] else [[row.status for row in rows], active]
    return follow, sorted(told), whole


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(delivery=deliveries())
def test_any_order_with_repeats_ends_like_the_right_order_once(
    ground: Ground, reactions: SopReactions, delivery: tuple[list[str], list[int]]
) -> None:
    life, order = delivery
    straight, jumbled = f"wm_{next(people)}", f"wm_{next(people)}"
    deliver(ground, reactions, straight, life, list(range(len(life))))
    deliver(ground, reactions, jumbled, life, order)
    assert outcome(ground, jumbled, life) == outcome(ground, straight, life)
