"""Scan a live code: customer, follow, tags, welcome, enrolment — through inbox, handlers and the local WeCom."""

import random

import pytest
from sqlmodel import select

from bot.bootstrap import install_defaults
from bot.demo_company import furnish
from crm_core import contact_ways, profile, timeline
from crm_core.ids import ExternalUserId, StaffUserId
from crm_core.tables import CustomerRow, FollowRow, OutboxRow
from sop import service as sop
from sop.tables import EnrolmentRow
from tagging import service as tagging
from tests.support.product import InProcess, admin


@pytest.fixture
def shop(product: InProcess) -> InProcess:
    """The product, synced, with the demo's live codes made at WeCom and nothing left to do."""
    install_defaults(product.house)
    furnish(product.house)
    product.work()
    return product


def scan(shop: InProcess, name: str = "小测试") -> tuple[str, str, str]:
    """Scan the first live code; answers staff, external user and the callback as WeCom would send it."""
    with shop.house.db.reading() as session:
        way = contact_ways.listing(session, shop.corp)[-1]
    done = admin(shop.wecom, "scan", {"corp_id": shop.corp, "config_id": way.config_id, "name": name})
    xml = shop.add_xml(done["userid"], done["external_userid"], state=done["state"], code=done["welcome_code"])
    return done["userid"], done["external_userid"], xml


def test_a_scan_becomes_a_greeted_tagged_followed_up_customer(shop: InProcess) -> None:
    staff, external_user, xml = scan(shop)
    shop.receive(xml)
    shop.work()
    with shop.house.db.reading() as session:
        seen = profile.read(session, shop.corp, ExternalUserId(external_user))
        tags = tagging.tags_of(session, shop.corp, ExternalUserId(external_user))
        entries = [entry.kind for entry in timeline.read(session, shop.corp, ExternalUserId(external_user))]
        todos = sop.todos(session, shop.corp, StaffUserId(staff))
    assert seen.name == "小测试"
    assert seen.follows[0].source == "门店活码·徐汇"
    assert {tag.name for tag in tags} == {"中意向", "全屋定制"}
    assert {tag.status for tag in tags} == {"set"}
    assert {"follow.started", "welcome.sent", "tag.added"} <= set(entries)
    assert [todo.title for todo in todos] == ["加好友后的第一句"]
    assert "小测试" in todos[0].message["text"]


@pytest.mark.parametrize("copies", [4, 64])
def test_the_same_callback_many_times_and_out_of_order_counts_once(shop: InProcess, copies: int) -> None:
    scans = [scan(shop, f"客户{number}") for number in range(3)]
    bodies = [xml for _, _, xml in scans for _ in range(copies)]
    random.Random(7).shuffle(bodies)
    for xml in bodies:
        shop.receive(xml)
    shop.work()
    ids = [external_user for _, external_user, _ in scans]
    with shop.house.db.reading() as session:
        follows = session.exec(select(FollowRow).where(FollowRow.external_userid.in_(ids))).all()  # type: ignore[attr-defined]
        enrolments = session.exec(select(EnrolmentRow)).all()
        welcomes = session.exec(select(OutboxRow).where(OutboxRow.kind == "send_welcome")).all()
    assert len(follows) == len(enrolments) == len(welcomes) == 3
    assert {row.state for row in welcomes} == {"done"}


def test_a_late_add_does_not_revive_a_follow_that_is_over(shop: InProcess) -> None:
    staff, external_user, xml = scan(shop)
    shop.clock.advance(seconds=30)
    shop.receive(shop.contact_xml("del_follow_user", staff, external_user))
    shop.work()
    shop.receive(xml)
    shop.work()
    with shop.house.db.reading() as session:
        assert session.exec(select(FollowRow.status).where(FollowRow.external_userid == external_user)).one() == "ended"
        assert session.exec(select(EnrolmentRow)).all() == []


def test_losing_a_customer_stops_the_sop_and_tells_the_staff_member(shop: InProcess) -> None:
    staff, external_user, xml = scan(shop)
    shop.receive(xml)
    shop.work()
    shop.clock.advance(minutes=5)
    shop.receive(shop.contact_xml("del_follow_user", staff, external_user))
    shop.work()
    with shop.house.db.reading() as session:
        assert session.exec(select(EnrolmentRow.status)).one() == "stopped"
        assert sop.todos(session, shop.corp, StaffUserId(staff)) == []
        titles = [
            row.payload["body"]["textcard"]["title"]
            for row in session.exec(
                select(OutboxRow).where(OutboxRow.kind == "send_app_message").order_by(OutboxRow.id)  # type: ignore[arg-type]
            )
        ]
    assert titles[-1] == "小测试 删除了你"


def test_one_person_under_two_staff_is_one_customer(shop: InProcess) -> None:
    first = scan(shop)
    again = admin(
        shop.wecom,
        "scan",
        {"corp_id": shop.corp, "state": _last_state(shop), "customer": first[1]},
    )
    assert again["external_userid"] == first[1]
    shop.receive(first[2])
    shop.receive(
        shop.add_xml(again["userid"], again["external_userid"], state=again["state"], code=again["welcome_code"])
    )
    shop.work()
    with shop.house.db.reading() as session:
        seen = profile.read(session, shop.corp, ExternalUserId(first[1]))
        assert len(seen.follows) == 2
        assert len(session.exec(select(CustomerRow).where(CustomerRow.id == seen.customer_id)).all()) == 1


def _last_state(shop: InProcess) -> str:
    with shop.house.db.reading() as session:
        return contact_ways.listing(session, shop.corp)[0].state
