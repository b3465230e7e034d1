"""The tables of durable work by name, and putting given-up rows back to work. For the command line and the console."""

from collections.abc import Sequence

from bot.wiring import House
from crm_core.db import UnitOfWork
from crm_core.lease import LeaseTable

TABLES = ("inbox", "outbox", "jobs")


def table_of(house: House, name: str) -> LeaseTable:
    """One of ``TABLES``."""
    return {"inbox": house.inbox, "outbox": house.outbox, "jobs": house.jobs}[name]


def replay_rows(
    uow: UnitOfWork, house: House, name: str, ids: Sequence[int] | None, *, states: Sequence[str] | None = None
) -> int:
    """Make given-up rows ready again, by id or by state, and wake who works on them. Answers how many."""
    table = table_of(house, name)
    count = table.replay(uow.session, ids, states=states)
    for lane in {lane for loop in house.loops if loop.table is table for lane in loop.lanes}:
        uow.wake(f"{name}:{lane}")
    return count
