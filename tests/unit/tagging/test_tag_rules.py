"""Rules that tag by themselves."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from sqlmodel import select

from crm_core.errors import InputInvalid, NotFound
from crm_core.events import GroupFetched
from crm_core.ids import ChatId, TagId
from crm_core.ports import CustomerGroupFacts, FollowFacts, GroupMemberFacts, TagFacts, TagGroupFacts
from tagging import rules, service
from tagging.rules import RuleDesk, RuleForm
from tagging.tables import FollowTagRow
from tests.support.ground import APP, CORP, ZHANG, Ground

ZONE = ZoneInfo("Asia/Shanghai")
DESK = RuleDesk(ZONE)


def at(day: int, hour: int) -> datetime:
    return datetime(2026, 11, day, hour, tzinfo=ZONE)


def rule(ground: Ground, about: str, **conditions: object) -> int:
    with ground.committed() as uow:
        tags = (TagFacts(tag_id=TagId("et_a"), name="甲"),)
        service.apply_library(uow, CORP, [TagGroupFacts(group_id="g", name="组", tags=tags)], complete=True)
        return rules.create(
            uow, CORP, RuleForm(name="规则", kind=about, tag_ids=("et_a",), conditions=conditions), actor="test"
        )


def marked(ground: Ground) -> list[tuple[str, str, str]]:
    return [(row.staff_userid, row.external_userid, row.source) for row in ground.all(select(FollowTagRow))]


@pytest.mark.parametrize(
    ("conditions", "moment", "fits"),
    [
        ({"from_hour": 18, "until_hour": 9}, at(20, 23), True),
        ({"from_hour": 18, "until_hour": 9}, at(20, 8), True),
        ({"from_hour": 18, "until_hour": 9}, at(20, 9), False),
        ({"from_hour": 9, "until_hour": 18}, at(20, 9), True),
        ({"from_hour": 9, "until_hour": 18}, at(20, 18), False),
        ({"from_hour": 0, "until_hour": 0, "weekend": "only"}, at(21, 12), True),
        ({"from_hour": 0, "until_hour": 0, "weekend": "only"}, at(20, 12), False),
        ({"from_hour": 0, "until_hour": 0, "weekend": "never"}, at(21, 12), False),
    ],
)
def test_hours_reach_over_midnight_and_weekends_count_in_the_companys_time(
    conditions: dict[str, object], moment: datetime, fits: bool
) -> None:
    assert rules.fits_moment(conditions, moment, ZONE) is fits


def test_a_rule_about_the_time_tags_the_new_follow_once(ground: Ground) -> None:
    rule_id = rule(ground, "added", from_hour=9, until_hour=18)
    event = ground.added()
    ground.handle(event, DESK.on_added, DESK.on_added)
    assert marked(ground) == [(ZHANG, "wm_xiao", "rule")]
    with ground.reading() as session:
        assert [(one.id, one.marked) for one in rules.listing(session, CORP)] == [(rule_id, 1)]
    with ground.committed() as uow:
        assert rules.switch(uow, CORP, rule_id) is False
    ground.handle(ground.added(who="wm_other"), DESK.on_added)
    assert len(marked(ground)) == 1


def test_a_rule_about_the_customer_tags_fresh_follows_alone(ground: Ground) -> None:
    rule(ground, "attribute", gender=2, kind=0, words="妈")
    now = int(ground.clock.now().timestamp())
    fresh, old = FollowFacts(staff=ZHANG, created_at=now - 60), FollowFacts(staff=ZHANG, created_at=now - 999_999)
    ground.handle(ground.fetched(fresh, who="wm_1", name="豆豆妈", gender=2), DESK.on_fetched)
    ground.handle(ground.fetched(fresh, who="wm_2", name="豆豆妈", gender=1), DESK.on_fetched)
    ground.handle(ground.fetched(fresh, who="wm_3", name="豆豆爸", gender=2), DESK.on_fetched)
    ground.handle(ground.fetched(old, who="wm_4", name="豆豆妈", gender=2), DESK.on_fetched)
    assert [who for _, who, _ in marked(ground)] == ["wm_1"]


def test_a_rule_about_groups_tags_contacts_who_joined_lately(ground: Ground) -> None:
    from crm_core import customers

    rule(ground, "joined_group", words="团购")
    ground.handle(ground.added(), customers.record_follow)
    now = int(ground.clock.now().timestamp())
    members = (
        GroupMemberFacts(member_id="wm_xiao", kind=2, joined_at=now),
        GroupMemberFacts(member_id="wm_stranger", kind=2, joined_at=now),
    )
    for name in ("浦东团购群", "别的群"):
        facts = CustomerGroupFacts(chat_id=ChatId(name), name=name, members=members)
        event = GroupFetched(corp=CORP, app=APP, occurred_at=ground.clock.now(), key=name, kind="fetch_group",
                             outcome="done", outbox_id=1, subject={}, facts=facts)  # fmt: skip
        ground.handle(event, DESK.on_group)
    assert marked(ground) == [(ZHANG, "wm_xiao", "rule")]


def test_a_rule_without_a_condition_or_tag_is_refused(ground: Ground) -> None:
    with pytest.raises(InputInvalid):
        rule(ground, "attribute", gender=0, kind=0, words="")
    assert set(rules.faults(RuleForm(name="", kind="joined_group", tag_ids=()))) == {"name", "tags", "conditions"}
    with ground.committed() as uow, pytest.raises(NotFound):
        rules.delete(uow, CORP, 99)
