"""What staff read when something happens to their customers."""

from datetime import UTC, datetime
from typing import Any

import pytest

from bot.notices import NoticeDesk
from crm_core.events import FollowEndedByCustomer, FollowEndedByStaff, TransferFailed
from crm_core.ids import AppKey, ExternalUserId, StaffUserId
from tests.support.bench import Bench
from tests.support.product import APP

STAFF = "zhang.san"


def cards(bench: Bench) -> list[Any]:
    return [row.payload for row in bench.rows(bench.house.outbox)]


def tell(bench: Bench, kind: Any, external_user: str = "wm-unknown", **more: Any) -> None:
    event = kind(
        corp=bench.corp,
        app=AppKey(APP),
        occurred_at=datetime(2026, 11, 20, 2, 0, tzinfo=UTC),
        key=f"k:{external_user}",
        staff=StaffUserId(STAFF),
        external_user=ExternalUserId(external_user),
        **more,
    )
    desk = NoticeDesk(bench.house.settings)
    with bench.unit() as uow:
        (desk.tell_transfer_failed if kind is TransferFailed else desk.tell_churn)(event, uow)
        uow.commit()


def test_a_customer_who_left_is_named_and_linked(synced: Bench) -> None:
    customer = synced.somebody(STAFF)
    name = synced.house.gateways.of(synced.corp).get_customer(ExternalUserId(customer)).name
    tell(synced, FollowEndedByCustomer, customer)
    (payload,) = cards(synced)
    card = payload["body"]["textcard"]
    assert payload["staff"] == [STAFF]
    assert card["title"] == f"{name} 删除了你"
    assert card["url"] == f"http://127.0.0.1:8700/sidebar/?external_userid={customer}"
    assert "11-20 02:00 UTC" in card["description"]
    assert "挽回" in card["description"]


@pytest.mark.parametrize(
    ("kind", "more", "title"),
    [
        (FollowEndedByCustomer, {}, "一位客户 删除了你"),
        (FollowEndedByStaff, {}, "你删除了客户 一位客户"),
        (TransferFailed, {"reason": "customer_refused"}, "一位客户 未能接替给你"),
    ],
)
def test_an_unknown_customer_is_somebody(bench: Bench, kind: Any, more: dict[str, str], title: str) -> None:
    tell(bench, kind, **more)
    assert [payload["body"]["textcard"]["title"] for payload in cards(bench)] == [title]


def test_a_transfer_is_no_news_to_the_one_who_gave(bench: Bench) -> None:
    tell(bench, FollowEndedByStaff, source="DELETE_BY_TRANSFER")
    assert cards(bench) == []


@pytest.mark.parametrize(
    ("reason", "words"),
    [("customer_refused", "客户拒绝了"), ("customer_limit_exceed", "客户数已达上限"), ("new_reason", "new_reason")],
)
def test_the_reason_of_a_failed_transfer_is_told(bench: Bench, reason: str, words: str) -> None:
    tell(bench, TransferFailed, reason=reason)
    assert words in cards(bench)[0]["body"]["textcard"]["description"]


def test_the_same_event_is_told_once(bench: Bench) -> None:
    tell(bench, FollowEndedByCustomer)
    tell(bench, FollowEndedByCustomer)
    assert len(cards(bench)) == 1
