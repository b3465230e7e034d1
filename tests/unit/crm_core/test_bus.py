"""Which handlers react to an event, and what they are called."""

from crm_core import bus, customers
from crm_core.events import FollowHalfStarted, FollowStarted
from tests.support.ground import Ground


def test_handlers_are_found_by_the_events_own_type(ground: Ground) -> None:
    table = {FollowStarted: (customers.record_follow,)}
    assert bus.handlers_for(ground.added(), table) == (customers.record_follow,)
    assert bus.handlers_for(ground.half(), table) == ()
    assert bus.handlers_for(ground.half(), {FollowHalfStarted: []}) == ()


def test_a_handler_has_a_stable_name() -> None:
    assert bus.handler_name(customers.record_follow) == "crm_core.customers.record_follow"
