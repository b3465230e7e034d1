"""The customer list: which rows, in which order, page by page, along an index."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from crm_core import customer_list, customers, listing
from crm_core.customer_list import CustomerFilter, Order
from crm_core.errors import InputInvalid
from crm_core.ports import FollowFacts
from tests.support.ground import CORP, LI, OTHER_CORP, ZHANG, Ground


@pytest.fixture
def hundred(ground: Ground) -> Ground:
    """A hundred customers of two staff, one a minute; every tenth is followed by both and every twentieth was lost."""
    files = ground.files()
    with ground.committed() as uow:
        for number in range(100):
            who = f"wm_{number:03}"
            staff = [ZHANG, LI] if number % 10 == 0 else [ZHANG if number % 2 else LI]
            for place, userid in enumerate(staff):
                customers.record_follow(ground.added(number * 60 + place, staff=userid, who=who), uow)
            follows = tuple(FollowFacts(staff=userid, remark=f"备注{number}") for userid in staff)
            files.record_fetched(ground.fetched(*follows, who=who, name=f"客户{number:03}"), uow)
        for number in range(0, 100, 20):
            customers.record_follow_ended(ground.left(9000 + number, staff=ZHANG, who=f"wm_{number:03}"), uow)
    return ground


def walk(ground: Ground, wanted: CustomerFilter, *, order: Order = Order.NEWEST, limit: int = 7) -> list[str]:
    found: list[str] = []
    cursor = ""
    with ground.reading() as session:
        while True:
            page = customer_list.page(session, CORP, wanted, order=order, cursor=cursor, limit=limit)
            found += [line.external_user for line in page.items]
            cursor = page.next_cursor
            if not cursor:
                return found


def test_pages_hold_every_customer_once_in_order(hundred: Ground) -> None:
    newest = walk(hundred, CustomerFilter())
    assert newest == [f"wm_{number:03}" for number in range(99, -1, -1)]
    assert walk(hundred, CustomerFilter(), order=Order.OLDEST) == newest[::-1]


def test_filters_look_at_the_follows_in_sight(hundred: Ground) -> None:
    of_zhang = walk(hundred, CustomerFilter(visible=frozenset({ZHANG})))
    assert of_zhang == [f"wm_{number:03}" for number in range(99, -1, -1) if number % 2 or number % 10 == 0]
    lost = CustomerFilter(visible=frozenset({LI}), status="ended")
    assert walk(hundred, lost) == []
    gone = CustomerFilter(lost_from=hundred.at(9000), lost_until=hundred.at(9050))
    assert walk(hundred, gone, order=Order.LOST) == ["wm_040", "wm_020", "wm_000"]
    assert walk(hundred, CustomerFilter(visible=frozenset())) == []
    since, until = hundred.at(600), hundred.at(600) + timedelta(minutes=2)
    assert walk(hundred, CustomerFilter(added_from=since, added_until=until)) == ["wm_011", "wm_010"]
    assert walk(hundred, CustomerFilter(words="客户042")) == ["wm_042"]
    assert walk(hundred, CustomerFilter(words="备注42")) == ["wm_042"]


def test_another_corp_has_its_own_list(hundred: Ground) -> None:
    with hundred.reading() as session:
        assert customer_list.page(session, OTHER_CORP, CustomerFilter()).items == ()


def test_counting_stops_at_a_limit(hundred: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    with hundred.reading() as session:
        assert str(customer_list.count(session, CORP, CustomerFilter())) == "100"
        statement = customer_list.shown(CORP, CustomerFilter(), Order.NEWEST)
        assert str(listing.counted(session, statement, most=30)) == "30+"


@pytest.mark.parametrize("cursor", ["x", "W10", listing.cursor_of([1, 2]), "a" * 900])
def test_a_cursor_of_something_else_is_refused(hundred: Ground, cursor: str) -> None:
    with hundred.reading() as session, pytest.raises(InputInvalid):
        customer_list.page(session, CORP, CustomerFilter(), cursor=cursor)


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        (CustomerFilter(), "ix_follows_started"),
        (CustomerFilter(staff=frozenset({ZHANG})), "ix_follows_staff_started"),
        (CustomerFilter(contact_way=1), "ix_follows_contact_way"),
    ],
)
def test_a_page_walks_an_index_and_sorts_nothing(hundred: Ground, wanted: CustomerFilter, index: str) -> None:
    if not hundred.db.is_sqlite:
        pytest.skip(
            "PostgreSQL chooses by statistics that a hundred rows do not give; benchmarks/customer_list.py looks"
        )
    with hundred.reading() as session:
        keys = customer_list.KEYS[Order.NEWEST]
        statement = customer_list.shown(CORP, wanted, Order.NEWEST).order_by(*(key.desc() for key in keys)).limit(50)
        compiled = statement.compile(session.connection(), compile_kwargs={"literal_binds": True})
        plan = [row[3] for row in session.connection().execute(text(f"EXPLAIN QUERY PLAN {compiled}"))]
    assert any(index in step for step in plan), plan
    (rival,) = [step for step in plan if "follows_1" in step]
    assert rival.endswith("(corp_id=? AND external_userid=?)"), plan
    assert not any("TEMP B-TREE" in step for step in plan), plan
    assert not any(step.startswith("SCAN") for step in plan), plan
