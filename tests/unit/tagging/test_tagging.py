"""Corp tags: the library, marks wanted and settled, and keeping in step with WeCom."""

from typing import Any

import pytest
from sqlmodel import select

from crm_core import contact_ways, customers
from crm_core.contact_ways import ContactWayForm
from crm_core.errors import InputInvalid, NotFound
from crm_core.events import StaffUpdated, TagCreated, TagDeleted, TagsFetched, TagsMarked, TagsShuffled, TagUpdated
from crm_core.ids import StaffUserId, TagId
from crm_core.ports import FollowFacts, TagFacts, TagGroupFacts, TagMark
from crm_core.tables import OutboxRow, TimelineRow
from tagging import handlers, service
from tagging import personal as personal_tags
from tagging.tables import FollowTagRow, PersonalTagRow, TagRow
from tests.support.ground import APP, CORP, FRIDAY_MORNING, LI, OTHER_CORP, XIAO, ZHANG, Ground

LEVEL = TagGroupFacts(
    group_id="g_level", name="意向", sort_order=2,
    tags=(TagFacts(tag_id=TagId("t_high"), name="高", sort_order=9), TagFacts(tag_id=TagId("t_low"), name="低")),
)  # fmt: skip
WISH = TagGroupFacts(
    group_id="g_wish", name="需求", sort_order=1, tags=(TagFacts(tag_id=TagId("t_whole"), name="全屋"),)
)


@pytest.fixture
def shelf(ground: Ground) -> Ground:
    """A ground with a tag library."""
    learn(ground, LEVEL, WISH)
    return ground


def learn(ground: Ground, *groups: TagGroupFacts, complete: bool = True) -> None:
    with ground.committed() as uow:
        service.apply_library(uow, CORP, groups, complete=complete)


def library(ground: Ground) -> dict[str, list[str]]:
    with ground.reading() as session:
        return {group.name: [tag.name for tag in group.tags] for group in service.library(session, CORP)}


def want(ground: Ground, *, add: Any = (), remove: Any = (), source: str = "staff", key: str = "", **more: Any) -> bool:
    given = {"corp": CORP, "app": APP, "staff": ZHANG, "external_user": XIAO, **more}
    with ground.committed() as uow:
        return service.request_marks(
            uow, add=add, remove=remove, source=source, dedupe_key=key or f"want-{next(ground.numbers)}", **given
        )


def settle(ground: Ground, *, added: Any = (), removed: Any = (), error: str = "", outcome: str = "") -> None:
    event = TagsMarked(
        **base(f"settle-{next(ground.numbers)}"), kind="mark_tag", outcome=outcome or ("dead" if error else "done"),
        outbox_id=1, error=error, staff=ZHANG, external_user=XIAO, added=tuple(added), removed=tuple(removed),
    )  # fmt: skip
    ground.handle(event, handlers.settle_marks)


def base(key: str = "k") -> dict[str, Any]:
    return {"corp": CORP, "app": APP, "occurred_at": FRIDAY_MORNING, "key": key}


def tags(ground: Ground) -> dict[str, str]:
    with ground.reading() as session:
        return {tag.name: tag.status for tag in service.tags_of(session, CORP, XIAO)}


def personal(ground: Ground, staff: StaffUserId = ZHANG) -> list[str]:
    with ground.reading() as session:
        return [tag.name for tag in personal_tags.of_follow(session, CORP, staff, XIAO)]


def asked(ground: Ground, kind: str = "mark_tag") -> list[dict[str, Any]]:
    return ground.all(select(OutboxRow.payload).where(OutboxRow.kind == kind).order_by(OutboxRow.id))  # type: ignore[arg-type]


def told(ground: Ground) -> list[tuple[str, dict[str, Any]]]:
    return ground.all(select(TimelineRow.kind, TimelineRow.data).order_by(TimelineRow.id))  # type: ignore[arg-type,return-value]


def fetch(ground: Ground, *names: str, own: tuple[str, ...] = (), ids_only: bool = False) -> None:
    marks = [TagMark(kind=1, name=name, tag_id=TagId(name)) for name in names]
    marks += [TagMark(kind=2, name=name) for name in own]
    event = ground.fetched(FollowFacts(staff=ZHANG, tags=tuple(marks), tag_ids_only=ids_only))
    ground.handle(event, ground.files().record_fetched, handlers.record_fetched)


# --- the library ----------------------------------------------------------------------------------


def test_the_library_is_shown_in_wecoms_order(shelf: Ground) -> None:
    assert library(shelf) == {"意向": ["高", "低"], "需求": ["全屋"]}
    assert list(library(shelf)) == ["意向", "需求"]
    with shelf.reading() as session:
        assert service.library(session, OTHER_CORP) == []


def test_a_complete_listing_forgets_what_is_not_in_it(shelf: Ground) -> None:
    want(shelf, add=["t_low", "t_whole"])
    learn(
        shelf, TagGroupFacts(group_id="g_level", name="意向度", tags=(TagFacts(tag_id=TagId("t_high"), name="很高"),))
    )
    assert library(shelf) == {"意向度": ["很高"]}
    assert shelf.all(select(FollowTagRow)) == []


def test_a_partial_answer_adds_and_renames_only(shelf: Ground) -> None:
    part = TagGroupFacts(group_id="g_level", name="意向", tags=(TagFacts(tag_id=TagId("t_mid"), name="中"),))
    learn(shelf, part, complete=False)
    assert set(library(shelf)["意向"]) == {"高", "中", "低"}


def test_a_tag_that_comes_back_is_there_again(shelf: Ground) -> None:
    learn(shelf)
    assert library(shelf) == {}
    learn(shelf, WISH)
    assert library(shelf) == {"需求": ["全屋"]}


def test_wecoms_orders_go_up_to_the_largest_unsigned_number(ground: Ground) -> None:
    most = 2**32 - 1
    tag = TagFacts(tag_id=TagId("t"), name="顶", sort_order=most)
    learn(ground, TagGroupFacts(group_id="g", name="组", sort_order=most, tags=(tag,)), LEVEL)
    assert list(library(ground)) == ["组", "意向"]


@pytest.mark.parametrize(
    ("kind", "tag_type", "target", "payload"),
    [
        (TagCreated, "tag", "t1", {"tag_ids": ["t1"], "group_ids": []}),
        (TagUpdated, "tag_group", "g1", {"tag_ids": [], "group_ids": ["g1"]}),
        (TagsShuffled, "tag_group", "g1", {"tag_ids": [], "group_ids": ["g1"]}),
        (TagsShuffled, "", "", {"tag_ids": [], "group_ids": []}),
    ],
)
def test_a_change_in_the_library_is_asked_about(
    ground: Ground, kind: Any, tag_type: str, target: str, payload: dict[str, Any]
) -> None:
    for _ in range(2):
        ground.handle(kind(**base(), target_id=target, tag_type=tag_type), handlers.ask_library)
    assert asked(ground, "fetch_tags") == [payload]


@pytest.mark.parametrize(
    ("asked_for", "left"),
    [({}, {"需求"}), ({"asked_tags": ("t",)}, {"意向", "需求"}), ({"asked_groups": ("g",)}, {"意向", "需求"})],
)
def test_only_an_answer_about_everything_is_complete(shelf: Ground, asked_for: Any, left: set[str]) -> None:
    event = TagsFetched(**base(), kind="fetch_tags", outcome="done", outbox_id=1, groups=(WISH,), **asked_for)
    shelf.handle(event, handlers.record_library)
    assert set(library(shelf)) == left


def test_a_deleted_tag_leaves_every_follow(shelf: Ground) -> None:
    want(shelf, add=["t_high", "t_low"])
    want(shelf, add=["t_high"], staff=LI)
    shelf.handle(TagDeleted(**base(), target_id="t_high", tag_type="tag"), handlers.record_deleted)
    assert library(shelf)["意向"] == ["低"]
    assert shelf.all(select(FollowTagRow.tag_id)) == ["t_low"]


def test_a_deleted_group_takes_its_tags_along(shelf: Ground) -> None:
    want(shelf, add=["t_high", "t_low", "t_whole"])
    for group_id in ("g_level", "g_unknown"):
        shelf.handle(TagDeleted(**base(), target_id=group_id, tag_type="tag_group"), handlers.record_deleted)
    assert library(shelf) == {"需求": ["全屋"]}
    assert tags(shelf) == {"全屋": "adding"}
    assert set(shelf.all(select(TagRow.tag_id).where(TagRow.deleted.is_(True)))) == {"t_high", "t_low"}  # type: ignore[attr-defined]


# --- wanting and settling -------------------------------------------------------------------------


def test_wanted_tags_are_shown_at_once_and_written_after_the_commit(shelf: Ground) -> None:
    assert want(shelf, add=["t_high"], key="w1", cause="sop:1")
    assert tags(shelf) == {"高": "adding"}
    [row] = shelf.all(select(OutboxRow))
    assert (row.kind, row.dedupe_key, row.cause) == ("mark_tag", "w1", "sop:1")
    assert row.payload == {"staff": ZHANG, "external_user": XIAO, "add": ["t_high"], "remove": []}
    assert told(shelf) == []
    settle(shelf, added=["t_high"])
    assert tags(shelf) == {"高": "set"}
    assert told(shelf) == [("tag.added", {"tags": ["高"], "source": "staff"})]


def test_nothing_to_do_is_not_asked_for(shelf: Ground) -> None:
    want(shelf, add=["t_high"])
    assert not want(shelf, add=["t_high"])
    settle(shelf, added=["t_high"])
    assert not want(shelf, add=["t_high"])
    assert not want(shelf, remove=["t_low"])
    assert not want(shelf)
    assert len(asked(shelf)) == 1


def test_both_at_once_and_there_and_back(shelf: Ground) -> None:
    want(shelf, add=["t_high", "t_whole"])
    settle(shelf, added=["t_high", "t_whole"])
    assert want(shelf, add=["t_low"], remove=["t_high"])
    assert tags(shelf) == {"高": "removing", "低": "adding", "全屋": "set"}
    assert not want(shelf, remove=["t_high"])
    settle(shelf, added=["t_low"], removed=["t_high"])
    assert tags(shelf) == {"低": "set", "全屋": "set"}
    assert [kind for kind, _ in told(shelf)] == ["tag.added", "tag.added", "tag.removed"]


def test_a_removal_can_be_thought_better_of(shelf: Ground) -> None:
    want(shelf, add=["t_high"])
    settle(shelf, added=["t_high"])
    want(shelf, remove=["t_high"])
    assert want(shelf, add=["t_high"])
    assert asked(shelf)[-1]["add"] == ["t_high"]


def test_the_same_tag_twice_in_one_wish_is_one(shelf: Ground) -> None:
    assert want(shelf, add=["t_high", "t_high"])
    settle(shelf, added=["t_high"])
    assert want(shelf, remove=["t_high", "t_high"])
    assert [(ask["add"], ask["remove"]) for ask in asked(shelf)] == [(["t_high"], []), ([], ["t_high"])]


def test_the_same_tag_cannot_be_set_and_taken(shelf: Ground) -> None:
    with pytest.raises(InputInvalid):
        want(shelf, add=["t_high"], remove=["t_high"])


def test_unknown_tags_are_refused_to_a_person_and_left_out_by_a_rule(shelf: Ground) -> None:
    shelf.handle(TagDeleted(**base(), target_id="t_low", tag_type="tag"), handlers.record_deleted)
    for unknown in ("t_low", "t_never"):
        with pytest.raises(NotFound):
            want(shelf, add=["t_high", unknown])
    assert tags(shelf) == {}
    assert not want(shelf, add=["t_low", "t_never"], source="rule")
    assert want(shelf, add=["t_high", "t_low"], source="rule")
    assert asked(shelf) == [{"staff": ZHANG, "external_user": XIAO, "add": ["t_high"], "remove": []}]


def test_a_refusal_is_shown_with_its_reason_and_can_be_tried_again(shelf: Ground) -> None:
    want(shelf, add=["t_high"])
    settle(shelf, added=["t_high"], error="81205 无权限")
    assert tags(shelf) == {"高": "failed"}
    assert shelf.all(select(FollowTagRow.last_error)) == ["81205 无权限"]
    assert told(shelf) == []
    assert want(shelf, add=["t_high"])
    assert tags(shelf) == {"高": "adding"}
    assert shelf.all(select(FollowTagRow.last_error)) == [""]


def test_a_failed_tag_can_be_taken_off(shelf: Ground) -> None:
    want(shelf, add=["t_high"])
    settle(shelf, added=["t_high"], error="x")
    assert want(shelf, remove=["t_high"])
    settle(shelf, removed=["t_high"])
    assert tags(shelf) == {}


def test_a_removal_that_wecom_refused_leaves_the_tag(shelf: Ground) -> None:
    want(shelf, add=["t_high"])
    settle(shelf, added=["t_high"])
    want(shelf, remove=["t_high"])
    settle(shelf, removed=["t_high"], error="x")
    assert tags(shelf) == {"高": "set"}


def test_an_error_that_did_not_hinder_is_no_failure(shelf: Ground) -> None:
    want(shelf, add=["t_high"])
    settle(shelf, added=["t_high"], error="first try timed out", outcome="done")
    assert tags(shelf) == {"高": "set"}


def test_settling_what_is_gone_or_settled_already(shelf: Ground) -> None:
    want(shelf, add=["t_high"])
    for _ in range(2):
        settle(shelf, added=["t_high", "t_low"])
    assert tags(shelf) == {"高": "set"}
    settle(shelf, removed=["t_whole"])


def test_the_same_request_delivered_again_after_a_refusal_does_not_wait_for_ever(shelf: Ground) -> None:
    want(shelf, add=["t_high"], source="channel", key="channel_tags:e1")
    settle(shelf, added=["t_high"], error="x")
    assert not want(shelf, add=["t_high"], source="channel", key="channel_tags:e1")
    assert tags(shelf) == {"高": "failed"}


# --- what a live code brings ----------------------------------------------------------------------


def _way(ground: Ground, *tag_ids: str) -> None:
    with ground.committed() as uow:
        form = ContactWayForm(name="门店", staff=(ZHANG,), tag_ids=tag_ids)
        contact_ways.create(uow, corp=CORP, app=APP, form=form, created_by=LI, state="abc")


def test_a_live_codes_tags_are_put_on_the_follow_once(shelf: Ground) -> None:
    _way(shelf, "t_high", "t_whole", "t_gone")
    for _ in range(3):
        shelf.handle(shelf.added(0, state="abc", key="e1"), handlers.apply_contact_way_tags)
    assert tags(shelf) == {"高": "adding", "全屋": "adding"}
    assert len(asked(shelf)) == 1
    assert set(shelf.all(select(FollowTagRow.source))) == {"channel"}


def test_no_code_no_tags_or_no_follow_any_more(shelf: Ground) -> None:
    _way(shelf)
    for state in ("", "unknown", "abc"):
        shelf.handle(shelf.added(0, state=state), handlers.apply_contact_way_tags)
    assert asked(shelf) == []


def test_a_late_add_of_a_follow_that_is_over_gets_no_tags(shelf: Ground) -> None:
    _way(shelf, "t_high")
    shelf.handle(shelf.left(10), customers.record_follow_ended)
    shelf.handle(shelf.added(0, state="abc"), handlers.apply_contact_way_tags)
    assert tags(shelf) == {}


# --- keeping in step ------------------------------------------------------------------------------


def test_wecoms_tags_are_taken_over(shelf: Ground) -> None:
    fetch(shelf, "t_high", "t_whole")
    assert tags(shelf) == {"高": "set", "全屋": "set"}
    assert told(shelf) == [("tag.added", {"tags": ["高", "全屋"], "source": "wecom"})]
    fetch(shelf, "t_whole")
    assert tags(shelf) == {"全屋": "set"}
    assert told(shelf)[-1] == ("tag.removed", {"tags": ["高"], "source": "wecom"})
    fetch(shelf, "t_whole")
    assert len(told(shelf)) == 2


def test_what_we_are_just_writing_is_left_alone(shelf: Ground) -> None:
    fetch(shelf, "t_high")
    want(shelf, add=["t_low"], remove=["t_high"])
    fetch(shelf, "t_high")
    assert tags(shelf) == {"高": "removing", "低": "adding"}


def test_what_wecom_shows_already_is_set(shelf: Ground) -> None:
    want(shelf, add=["t_high", "t_low", "t_whole"])
    settle(shelf, added=["t_low", "t_whole"], error="x")
    fetch(shelf, "t_high", "t_low")
    assert tags(shelf) == {"高": "set", "低": "set", "全屋": "failed"}


def test_a_tag_we_do_not_know_yet_shows_once_the_library_is_read(shelf: Ground) -> None:
    fetch(shelf, "t_new")
    assert tags(shelf) == {}
    assert told(shelf) == [("tag.added", {"tags": ["t_new"], "source": "wecom"})]
    group = TagGroupFacts(group_id="g_new", name="新", tags=(TagFacts(tag_id=TagId("t_new"), name="新标签"),))
    learn(shelf, group, complete=False)
    assert tags(shelf) == {"新标签": "set"}


def test_personal_tags_are_shown_and_never_written(shelf: Ground) -> None:
    fetch(shelf, own=("爱砍价", "养猫"))
    assert set(personal(shelf)) == {"养猫", "爱砍价"}
    fetch(shelf, own=("养猫", "养狗"))
    assert set(personal(shelf)) == {"养猫", "养狗"}
    fetch(shelf, ids_only=True)
    assert set(personal(shelf)) == {"养猫", "养狗"}
    assert personal(shelf, LI) == []
    assert asked(shelf) == []
    fetch(shelf)
    assert personal(shelf) == []


def test_a_changed_userid_is_carried_through_the_tags(shelf: Ground) -> None:
    fetch(shelf, "t_high", own=("养猫",))
    event = StaffUpdated(**base(), staff=ZHANG, new_staff=StaffUserId("zhang.new"))
    for _ in range(2):
        shelf.handle(event, handlers.rename_staff)
    assert shelf.all(select(FollowTagRow.staff_userid)) == ["zhang.new"]
    assert personal(shelf, StaffUserId("zhang.new")) == ["养猫"]
    shelf.handle(StaffUpdated(**base(), staff=StaffUserId("zhang.new")), handlers.rename_staff)
    assert shelf.all(select(PersonalTagRow.staff_userid)) == ["zhang.new"]


def test_tags_that_a_sync_has_found_under_the_new_userid_are_not_doubled(shelf: Ground) -> None:
    fetch(shelf, "t_high", "t_low", own=("养猫",))
    want(shelf, add=["t_high"], staff=StaffUserId("zhang.new"))
    shelf.handle(StaffUpdated(**base(), staff=ZHANG, new_staff=StaffUserId("zhang.new")), handlers.rename_staff)
    rows = {(row.staff_userid, row.tag_id) for row in shelf.all(select(FollowTagRow))}
    assert rows == {("zhang.new", "t_high"), ("zhang.new", "t_low")}
    assert personal(shelf, StaffUserId("zhang.new")) == ["养猫"]
