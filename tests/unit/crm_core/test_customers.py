"""Who knows whom: follows out of any order of news."""

import itertools
from datetime import timedelta

import pytest
from sqlmodel import select

from crm_core import customers, timeline
from crm_core.errors import InputInvalid, NotFound
from crm_core.ids import ExternalUserId
from crm_core.ports import CustomerFacts, FollowFacts
from crm_core.tables import ExternalUserRow, FollowRow, OutboxRow, TimelineRow
from tests.support.ground import CORP, FRIDAY_MORNING, LI, OTHER_CORP, XIAO, ZHANG, Ground

SECOND = timedelta(seconds=1)


def follow(ground: Ground) -> FollowRow:
    [row] = ground.all(select(FollowRow))
    return row


def kinds(ground: Ground) -> list[str]:
    return ground.all(select(TimelineRow.kind).order_by(TimelineRow.id))  # type: ignore[arg-type]


def tell(ground: Ground, *events: object) -> None:
    for event in events:
        ended = type(event).__name__.startswith("FollowEnded")
        edited = type(event).__name__ == "FollowEdited"
        record = customers.record_follow_edited if edited else customers.record_follow
        ground.handle(event, customers.record_follow_ended if ended else record)


def apply(ground: Ground, *follows: FollowFacts, **facts: object) -> None:
    with ground.committed() as uow:
        ground.files().apply_facts(uow, CORP, CustomerFacts(external_user=XIAO, follows=follows, **facts))  # type: ignore[arg-type]


def test_a_first_add_makes_customer_follow_timeline_and_asks_wecom(ground: Ground) -> None:
    tell(ground, ground.added(0, state="abc", key="k1"))
    row = follow(ground)
    assert (row.status, row.state, row.started_at, row.changed_at) == ("active", "abc", ground.at(0), ground.at(0))
    [entry] = ground.all(select(TimelineRow))
    assert (entry.kind, entry.staff_userid, entry.data) == ("follow.started", ZHANG, {"state": "abc"})
    [ask] = ground.all(select(OutboxRow))
    assert (ask.kind, ask.dedupe_key) == ("fetch_customer", "fetch_customer:k1")
    assert ask.payload == {"staff": ZHANG, "external_user": XIAO, "since_ms": 0}
    with ground.reading() as session:
        assert customers.is_following(session, CORP, ZHANG, XIAO)
        assert not customers.is_following(session, CORP, LI, XIAO)
        assert not customers.is_following(session, OTHER_CORP, ZHANG, XIAO)
        assert customers.display_name(session, CORP, XIAO) == ""
        assert customers.display_name(session, CORP, ExternalUserId("nobody")) == ""


def test_a_half_follow_becomes_whole_and_keeps_its_beginning(ground: Ground) -> None:
    tell(ground, ground.half(0, state="abc"))
    assert follow(ground).status == "half"
    tell(ground, ground.added(60))
    row = follow(ground)
    assert (row.status, row.state, row.started_at) == ("active", "abc", ground.at(0))
    assert kinds(ground) == ["follow.half_started", "follow.started"]


@pytest.mark.parametrize("seconds", [-5, 0, 5])
def test_a_half_event_never_weakens_a_whole_follow(ground: Ground, seconds: int) -> None:
    tell(ground, ground.added(0), ground.half(seconds))
    assert follow(ground).status == "active"


def test_an_end_that_comes_after_news_of_a_newer_half_follow_does_not_end_it(ground: Ground) -> None:
    tell(ground, ground.added(0), ground.half(20), ground.left(10))
    assert follow(ground).status == "active"


def test_an_end_tells_who_ended_it(ground: Ground) -> None:
    for event, by in (
        (ground.left(1), "customer"),
        (ground.dropped(2), "staff"),
        (ground.dropped(3, source="DELETE_BY_TRANSFER"), "transfer"),
    ):
        tell(ground, event)
        row = follow(ground)
        assert (row.status, row.ended_by, row.ended_at) == ("ended", by, event.occurred_at)
    assert kinds(ground) == ["follow.ended"] * 3
    with ground.reading() as session:
        assert not customers.is_following(session, CORP, ZHANG, XIAO)


def test_a_follow_begun_again_is_a_new_one(ground: Ground) -> None:
    tell(ground, ground.added(0, state="first"), ground.left(10), ground.added(20, state="second"))
    row = follow(ground)
    assert (row.status, row.started_at, row.ended_at, row.ended_by) == ("active", ground.at(20), None, "")
    assert row.state == "second"


def test_old_news_changes_nothing_in_whatever_order_it_comes(ground: Ground) -> None:
    for number, order in enumerate(itertools.permutations(range(4))):
        who = f"wm_{number}"
        events = [
            ground.half(0, who=who),
            ground.added(10, who=who),
            ground.left(20, who=who),
            ground.added(30, who=who),
        ]
        tell(ground, *(events[place] for place in order))
        [row] = ground.all(select(FollowRow).where(FollowRow.external_userid == who))
        assert (row.status, row.changed_at, row.ended_at) == ("active", ground.at(30), None), order


def test_an_old_end_does_not_end_a_newer_follow_but_is_remembered(ground: Ground) -> None:
    tell(ground, ground.added(10), ground.dropped(5))
    assert follow(ground).status == "active"
    assert sorted(kinds(ground)) == ["follow.ended", "follow.started"]


def test_the_state_of_a_late_add_is_kept_when_nothing_newer_is_known(ground: Ground) -> None:
    tell(ground, ground.left(30), ground.added(0, state="abc"))
    assert (follow(ground).status, follow(ground).state) == ("ended", "abc")
    tell(ground, ground.added(40, state="new"), ground.added(1, state="old"))
    assert follow(ground).state == "new"


def test_an_edit_asks_wecom_what_changed(ground: Ground) -> None:
    tell(ground, ground.edited(0, key="e1"))
    [ask] = ground.all(select(OutboxRow))
    assert ask.dedupe_key == "fetch_customer:e1"
    assert ground.all(select(FollowRow)) == []
    assert len(ground.all(select(ExternalUserRow))) == 1


def test_one_unit_looks_a_follow_up_once_per_event(ground: Ground) -> None:
    event = ground.added(0)
    with ground.unit() as uow:
        assert customers.ensure_follow(uow, event) is customers.ensure_follow(uow, event)


def test_what_wecom_tells_fills_the_record_and_gaps_keep_what_we_know(ground: Ground) -> None:
    tell(ground, ground.added(0, state="abc"))
    told = FollowFacts(
        staff=ZHANG, remark="王总", description="量房", created_at=1_795_000_000, add_way=1, oper_userid=ZHANG,
        remark_corp_name="云帆", remark_mobiles=("138",),
    )  # fmt: skip
    ground.handle(
        ground.fetched(told, name="小王", gender=1, unionid="u", position="经理"), ground.files().record_fetched
    )
    apply(ground, told)
    [user] = ground.all(select(ExternalUserRow))
    assert (user.name, user.gender, user.unionid, user.position) == ("小王", 1, "u", "经理")
    assert user.fetched_at == ground.clock.now()
    row = follow(ground)
    assert (row.remark, row.description, row.remark_mobiles, row.state) == ("王总", "量房", ["138"], "abc")
    assert (row.started_at, row.synced_at) == (ground.at(0), ground.clock.now())
    with ground.reading() as session:
        assert customers.display_name(session, CORP, XIAO) == "小王"


def test_a_follow_that_we_never_heard_of_begins_when_wecom_says(ground: Ground) -> None:
    apply(ground, FollowFacts(staff=ZHANG, created_at=1_795_000_000), FollowFacts(staff=LI))
    begun = {row.staff_userid: (row.started_at.timestamp(), row.status) for row in ground.all(select(FollowRow))}
    assert begun == {ZHANG: (1_795_000_000, "active"), LI: (FRIDAY_MORNING.timestamp(), "active")}


@pytest.mark.parametrize(("seconds", "status"), [(-1, "ended"), (10, "ended"), (11, "active")])
def test_an_ended_follow_lives_again_only_if_wecom_says_it_began_later(
    ground: Ground, seconds: int, status: str
) -> None:
    tell(ground, ground.added(0), ground.left(10))
    apply(ground, FollowFacts(staff=ZHANG, created_at=int(ground.at(seconds).timestamp())))
    assert follow(ground).status == status


def test_a_full_listing_ends_what_it_does_not_list(ground: Ground) -> None:
    for who in ("wm_a", "wm_b", "wm_c"):
        tell(ground, ground.added(0, who=who))
    tell(ground, ground.added(100, who="wm_new"), ground.half(0, who="wm_half"), ground.added(0, staff=LI, who="wm_a"))
    with ground.committed() as uow:
        ended = customers.end_missing_follows(uow, CORP, ZHANG, listing_began=ground.at(50), listed={"wm_a"})
    assert ended == 2
    states = {(row.staff_userid, row.external_userid): row.status for row in ground.all(select(FollowRow))}
    assert states == {
        (ZHANG, "wm_a"): "active", (ZHANG, "wm_b"): "ended", (ZHANG, "wm_c"): "ended",
        (ZHANG, "wm_new"): "active", (ZHANG, "wm_half"): "half", (LI, "wm_a"): "active",
    }  # fmt: skip
    with ground.reading() as session:
        assert customers.active_external_users(session, CORP, ZHANG) == {"wm_a", "wm_new"}
        [entry, _] = timeline.read(session, CORP, ExternalUserId("wm_b"))
    assert (entry.kind, entry.data) == ("follow.ended", {"ended_by": "staff", "found_by": "sync"})
    with ground.committed() as uow:
        assert customers.end_missing_follows(uow, CORP, ZHANG, listing_began=ground.at(50), listed={"wm_a"}) == 0


def test_without_names_a_listing_goes_by_when_a_follow_was_last_seen(ground: Ground) -> None:
    tell(ground, ground.added(0), ground.added(0, who="wm_gone"))
    ground.clock.move(seconds=60)
    apply(ground, FollowFacts(staff=ZHANG))
    with ground.committed() as uow:
        assert customers.end_missing_follows(uow, CORP, ZHANG, listing_began=ground.at(60)) == 1
        assert customers.end_missing_follows(uow, CORP, ZHANG, listing_began=ground.at(61)) == 1


def test_moving_to_another_stage_is_told_once(ground: Ground) -> None:
    tell(ground, ground.added(0))
    for _ in range(2):
        with ground.committed() as uow:
            customers.change_stage(uow, CORP, XIAO, stage="won", staff=ZHANG, note="签约")
    [entry] = ground.all(select(TimelineRow).where(TimelineRow.kind == "stage.changed"))
    assert entry.data == {"from": "new", "to": "won", "note": "签约"}
    assert ground.all(select(ExternalUserRow.lifecycle_stage)) == ["won"]


def test_a_stage_or_customer_that_is_not_there(ground: Ground) -> None:
    with ground.unit() as uow:
        with pytest.raises(InputInvalid) as caught:
            customers.change_stage(uow, CORP, XIAO, stage="married", staff=ZHANG)
        assert caught.value.field == "stage"
        with pytest.raises(NotFound):
            customers.change_stage(uow, CORP, XIAO, stage="won", staff=ZHANG)
