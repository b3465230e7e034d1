"""Live codes: made at WeCom, recognised by their state."""

from typing import Any

import pytest
from sqlmodel import select

from crm_core import contact_ways, customers, outbox
from crm_core.contact_ways import ContactWayForm
from crm_core.errors import InputInvalid, NotFound
from crm_core.events import ContactWayCreated, OutboundFinished
from crm_core.ports import ContactWayMade, FollowFacts
from crm_core.tables import ContactWayRow, FollowRow, OutboxRow
from tests.support.ground import APP, CORP, LI, OTHER_CORP, XIAO, ZHANG, Ground


def form(**more: Any) -> ContactWayForm:
    return ContactWayForm(**{"name": "门店活码", "staff": (ZHANG,), **more})


def make(ground: Ground, state: str = "", **more: Any) -> int:
    with ground.committed() as uow:
        row = contact_ways.create(uow, corp=CORP, app=APP, form=form(**more), created_by=LI, state=state)
    return row.id or 0


def way(ground: Ground, way_id: int) -> ContactWayRow:
    with ground.reading() as session:
        return contact_ways.get(session, CORP, way_id)


def finished(ground: Ground, way_id: int, outcome: str, **more: Any) -> OutboundFinished:
    kind = ContactWayCreated if "made" in more else OutboundFinished
    given = {
        "kind": "add_contact_way",
        "outcome": outcome,
        "outbox_id": 1,
        "subject": {"contact_way_id": way_id},
        **more,
    }
    return kind(corp=CORP, app=APP, occurred_at=ground.clock.now(), key="f", **given)


def test_a_code_is_written_down_and_asked_for(ground: Ground) -> None:
    welcome = {"text": "您好 {昵称}", "attachments": []}
    way_id = make(
        ground,
        name=" 门店 ",
        memo=" 徐汇 ",
        customer_remark="门店-{昵称}",
        tag_ids=("t1",),
        departments=(2,),
        welcome=welcome,
    )
    row = way(ground, way_id)
    assert (row.name, row.memo, row.status, row.created_by, row.welcome) == ("门店", "徐汇", "creating", LI, welcome)
    assert len(row.state) == contact_ways.STATE_LENGTH
    assert set(row.state) <= set(contact_ways.STATE_ALPHABET)
    [ask] = ground.all(select(OutboxRow))
    assert (ask.kind, ask.lane) == ("add_contact_way", "single")
    assert ask.payload == {
        "contact_way_id": way_id, "staff": [ZHANG], "departments": [2], "state": row.state, "memo": "徐汇",
        "skip_verify": True,
    }  # fmt: skip


def test_without_a_memo_the_name_serves(ground: Ground) -> None:
    assert way(ground, make(ground, name="活" * 40)).memo == "活" * 30
    assert way(ground, make(ground, state="chosen")).state == "chosen"


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"name": "  "}, "name"),
        ({"staff": ()}, "staff"),
        ({"staff": tuple(map(str, range(101)))}, "staff"),
        ({"memo": "备" * 31}, "memo"),
        ({"customer_remark": "注" * 21}, "customer_remark"),
        ({"customer_remark": "注" * 21 + "{昵称}"}, "customer_remark"),
        ({"welcome": {"text": "a" * 4001}}, "welcome"),
    ],
)
def test_what_wecom_would_not_take_is_refused_with_the_field(ground: Ground, more: dict[str, Any], field: str) -> None:
    with ground.unit() as uow, pytest.raises(InputInvalid) as caught:
        contact_ways.create(uow, corp=CORP, app=APP, form=form(**more), created_by=LI)
    assert caught.value.field == field


@pytest.mark.parametrize(
    "more",
    [
        {"staff": tuple(map(str, range(100)))},
        {"staff": (), "departments": (1,)},
        {"memo": "备" * 30},
        {"customer_remark": "注" * 20 + "{昵称}"},
    ],
)
def test_up_to_the_limits_all_is_well(ground: Ground, more: dict[str, Any]) -> None:
    assert make(ground, **more)


def test_wecom_made_it(ground: Ground) -> None:
    way_id = make(ground)
    event = finished(ground, way_id, "done", made=ContactWayMade(config_id="cfg", qr_url="https://qr"))
    ground.handle(event, contact_ways.record_made)
    row = way(ground, way_id)
    assert (row.status, row.config_id, row.qr_url, row.last_error) == ("active", "cfg", "https://qr", "")
    ground.handle(finished(ground, way_id, "dead", error="late news"), contact_ways.record_not_made)
    assert way(ground, way_id).status == "active"


@pytest.mark.parametrize(
    ("outcome", "status", "error"),
    [
        ("unknown", "unknown", "timeout"),
        ("dead", "failed", "timeout"),
        ("expired", "failed", "timeout"),
        ("done", "creating", ""),
    ],
)
def test_wecom_did_not_make_it_or_nobody_knows(ground: Ground, outcome: str, status: str, error: str) -> None:
    way_id = make(ground)
    ground.handle(finished(ground, way_id, outcome, error="timeout"), contact_ways.record_not_made)
    assert (way(ground, way_id).status, way(ground, way_id).last_error) == (status, error)


def test_news_of_other_kinds_or_of_codes_that_are_gone_change_nothing(ground: Ground) -> None:
    way_id = make(ground)
    ground.handle(finished(ground, way_id, "dead", kind="mark_tag", subject={}), contact_ways.record_not_made)
    ground.handle(finished(ground, 999, "dead"), contact_ways.record_not_made)
    made = ContactWayMade(config_id="c", qr_url="q")
    ground.handle(finished(ground, 999, "done", made=made), contact_ways.record_made)
    assert way(ground, way_id).status == "creating"


def test_a_follow_knows_the_code_that_brought_it(ground: Ground) -> None:
    way_id = make(ground, state="abc")
    ground.handle(ground.added(0, state="abc"), customers.record_follow, contact_ways.attach_follow)
    ground.handle(ground.added(0, who="wm_2", state="unknown"), contact_ways.attach_follow)
    ground.handle(ground.half(0, who="wm_3", state="abc"), contact_ways.attach_follow)
    with ground.reading() as session:
        found = contact_ways.of_follow(session, CORP, ZHANG, XIAO)
        assert found is not None
        assert found.id == way_id
        assert contact_ways.of_follow(session, CORP, LI, XIAO) is None
        assert contact_ways.find_by_state(session, CORP, "") is None
        assert contact_ways.find_by_state(session, OTHER_CORP, "abc") is None
        assert contact_ways.customer_counts(session, CORP, [way_id, 99]) == {way_id: 2}
        assert contact_ways.customer_counts(session, CORP, []) == {}


def test_a_follow_without_a_code(ground: Ground) -> None:
    ground.handle(ground.added(0), customers.record_follow, contact_ways.attach_follow)
    with ground.reading() as session:
        assert contact_ways.of_follow(session, CORP, ZHANG, XIAO) is None


def test_a_late_add_does_not_put_an_old_code_on_a_newer_follow(ground: Ground) -> None:
    make(ground, state="old")
    new = make(ground, state="new")
    for event in (ground.added(100, state="new"), ground.added(0, state="old")):
        ground.handle(event, customers.record_follow, contact_ways.attach_follow)
    assert ground.all(select(FollowRow.contact_way_id)) == [new]
    ground.handle(ground.added(0, who="wm_2"), customers.record_follow)
    ground.handle(ground.half(-5, who="wm_2", state="new"), contact_ways.attach_follow)
    assert ground.all(select(FollowRow.contact_way_id)) == [new, new]


def _scan(ground: Ground, remark: str) -> int:
    way_id = make(ground, state="abc", customer_remark=remark)
    ground.handle(ground.added(0, state="abc"), customers.record_follow, contact_ways.attach_follow)
    return way_id


def _offer(ground: Ground, *follows: FollowFacts, **more: Any) -> list[dict[str, Any]]:
    ground.handle(ground.fetched(*follows, **more), ground.files().record_fetched, contact_ways.offer_remark)
    return ground.all(select(OutboxRow.payload).where(OutboxRow.kind == outbox.SET_REMARK.name))


def test_the_codes_remark_is_written_once_the_name_is_known(ground: Ground) -> None:
    _scan(ground, "门店活动报名客户-{昵称}")
    payload = {
        "staff": ZHANG,
        "external_user": XIAO,
        "fields": {"remark": "门店活动报名客户-爱新觉罗·玄烨大帝万岁"[:20]},
    }
    for _ in range(2):
        assert _offer(ground, name="爱新觉罗·玄烨大帝万岁") == [payload]


@pytest.mark.parametrize(("remark", "count"), [("", 1), ("小测试", 1), ("王总", 0)])
def test_a_remark_that_staff_wrote_is_left_alone(ground: Ground, remark: str, count: int) -> None:
    _scan(ground, "店-{昵称}")
    assert len(_offer(ground, FollowFacts(staff=ZHANG, remark=remark))) == count


def test_nothing_to_offer(ground: Ground) -> None:
    assert _offer(ground, staff="") == []
    assert _offer(ground, staff=LI) == []
    _scan(ground, "")
    assert _offer(ground) == []
    ground.handle(ground.left(5), customers.record_follow_ended)
    assert _offer(ground) == []
    ground.handle(ground.added(0, staff=LI), customers.record_follow)
    assert _offer(ground, staff=LI) == []


def test_codes_are_listed_newest_first_in_pages_and_by_name(ground: Ground) -> None:
    ids = [make(ground, name=name) for name in ("Store A", "store 100%", "工厂")]
    with ground.reading() as session:

        def listed(**more: Any) -> list[int | None]:
            return [row.id for row in contact_ways.listing(session, CORP, **more)]

        assert listed() == ids[::-1]
        assert listed(limit=2) == ids[:0:-1]
        assert listed(before_id=ids[1]) == [ids[0]]
        assert listed(words="STORE") == [ids[1], ids[0]]
        assert listed(words="0%") == [ids[1]]
        assert listed(words="%") == [ids[1]]
        assert contact_ways.listing(session, OTHER_CORP) == []
        with pytest.raises(NotFound):
            contact_ways.get(session, OTHER_CORP, ids[0])
        with pytest.raises(NotFound):
            contact_ways.get(session, CORP, 999)
