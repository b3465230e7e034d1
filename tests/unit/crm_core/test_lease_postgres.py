"""Claims on PostgreSQL: several workers at once, and whatever plan the server makes."""

from typing import Any

import pytest
from sqlalchemy import Row, text

from crm_core import outbox
from crm_core.db import UnitOfWork
from crm_core.lease import LeaseTable
from tests.support.ground import APP, CORP, Ground, ground_on

LANES = ("default",)


def put(ground: Ground, number: int) -> None:
    with ground.committed() as uow:
        outbox.add(uow, outbox.MARK_TAG, corp=CORP, app=APP, payload={}, dedupe_key=f"row{number}")


def take(ground: Ground, table: LeaseTable) -> list[Row[Any]]:
    with ground.committed() as uow:
        return table.claim(uow.session, lanes=LANES, owner="c", limit=10)


def keys(rows: list[Row[Any]]) -> list[str]:
    return [row.dedupe_key for row in rows]


@pytest.mark.postgres
def test_two_workers_claim_at_once_without_waiting_for_each_other(postgres_url: str) -> None:
    with ground_on(postgres_url) as ground:
        table = ground.lease_table()
        for number in range(4):
            put(ground, number)
        with ground.unit() as one, ground.unit() as two:
            first = table.claim(one.session, lanes=LANES, owner="a", limit=2)
            second = table.claim(two.session, lanes=LANES, owner="b", limit=10)
            assert keys(first) == ["row0", "row1"]
            assert keys(second) == ["row2", "row3"]
            two.commit()
            one.commit()
        assert take(ground, table) == []


@pytest.mark.postgres
@pytest.mark.parametrize("plans", ["enable_hashjoin", "enable_hashagg"])
def test_a_claim_takes_no_more_than_asked_for_whatever_plan_the_server_makes(postgres_url: str, plans: str) -> None:
    """A LIMIT in a sub-select that a nested loop runs again and again would lock other rows each time."""
    with ground_on(postgres_url) as ground:
        table = ground.lease_table()
        for number in range(8):
            put(ground, number)
        with ground.committed() as uow:
            _forbid(uow, plans, "enable_mergejoin", "enable_material", "enable_hashjoin", "enable_sort")
            taken = table.claim(uow.session, lanes=LANES, owner="a", limit=2)
        assert keys(taken) == ["row0", "row1"]


def _forbid(uow: UnitOfWork, *plans: str) -> None:
    for plan in plans:
        uow.session.execute(text(f"SET LOCAL {plan} = off"))
