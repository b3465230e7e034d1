"""Beacons and milestones, without a database."""

import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_core.errors import InputInvalid
from materials.radar_model import (
    MOST_VIEW_MS,
    SLACK_MS,
    TOKEN,
    Beacon,
    Behaviour,
    Milestone,
    Reading,
    capped,
    check_channel,
    folded,
    new_token,
    reached,
)

NOON = datetime(2026, 11, 20, 4, 0, tzinfo=UTC)


def beacon(view: str = "v", after: float = 60, **more: int | bool) -> Beacon:
    at = NOON + timedelta(seconds=after)
    return Beacon(link_id=1, view_id=view, ref="r", came_from="", opened_at=NOON, at=at, **more)


BEACONS = st.builds(
    beacon,
    view=st.sampled_from(["a", "b"]),
    after=st.integers(0, 4000),
    active_ms=st.integers(-5, 5_000_000),
    depth=st.integers(-5, 500),
    page=st.integers(-1, 50),
    pages=st.just(20),
    wants_contact=st.booleans(),
)


@given(st.lists(BEACONS, max_size=12), st.integers(0, 1000))
def test_the_order_and_number_of_beacons_do_not_matter(beacons: list[Beacon], seed: int) -> None:
    shuffled = [*beacons, *beacons]
    random.Random(seed).shuffle(shuffled)
    assert folded(shuffled) == folded(beacons)
    half = len(shuffled) // 2
    assert folded([*folded(shuffled[:half]), *folded(shuffled[half:])]) == folded(beacons)


@given(BEACONS)
def test_nothing_passes_its_limits(one: Beacon) -> None:
    kept = capped(one)
    assert 0 <= kept.depth <= 100
    assert 0 <= kept.page <= kept.pages
    assert 0 <= kept.active_ms <= min(MOST_VIEW_MS, (one.at - one.opened_at).total_seconds() * 1000 + SLACK_MS)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (Reading(), Reading(page=1), []),
        (Reading(page=1), Reading(page=4), [Milestone.PAGE]),
        (Reading(page=2), Reading(page=9), []),
        (Reading(depth=10), Reading(depth=50), [Milestone.HALF]),
        (Reading(depth=60), Reading(depth=99), []),
        (Reading(depth=10), Reading(depth=100), [Milestone.FINISHED]),
        (Reading(depth=100), Reading(depth=100), []),
    ],
)
def test_milestones_lie_between_two_states(before: Reading, after: Reading, expected: list[Milestone]) -> None:
    assert reached(before, after) == expected


def test_tokens_are_long_and_never_alike() -> None:
    made = {new_token() for _ in range(2000)}
    assert len(made) == 2000
    assert all(TOKEN.fullmatch(token) for token in made)


def test_a_behaviour_meets_what_it_reaches() -> None:
    one = Behaviour(opens=2, seconds=60, depth=80, forwards=0)
    assert [one.meets(name, 60) for name in ("opens", "seconds", "depth", "forwards")] == [False, True, True, False]


def test_a_channel_has_a_short_name() -> None:
    assert check_channel("  公众号   菜单 ") == "公众号 菜单"
    with pytest.raises(InputInvalid):
        check_channel("长" * 31)
