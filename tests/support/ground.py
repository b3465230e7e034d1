"""The ground floor on a real database, with clocks that only the test moves, and makers of events."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from sqlalchemy import ColumnElement, make_url
from sqlmodel import Session

from crm_core.config import IdentityPart, Settings
from crm_core.customers import CustomerFiles
from crm_core.db import NOW_MS, Database, UnitOfWork, open_engine
from crm_core.events import (
    CustomerFetched,
    FollowEdited,
    FollowEndedByCustomer,
    FollowEndedByStaff,
    FollowHalfStarted,
    FollowStarted,
)
from crm_core.ids import AppKey, CorpId, ExternalUserId, StaffUserId
from crm_core.lease import Backoff, LeaseTable
from crm_core.outbox import OUTBOX
from crm_core.ports import CustomerFacts, FollowFacts
from crm_core.turn import WriteTurn
from tests.fakes import FrozenClock, SilentWaker

CORP = CorpId("ww0000000000000001")
OTHER_CORP = CorpId("ww0000000000000002")
APP = AppKey("main")
ZHANG = StaffUserId("zhang")
LI = StaffUserId("li")
XIAO = ExternalUserId("wm_xiao")
FRIDAY_MORNING = datetime(2026, 11, 20, 2, 0, tzinfo=UTC)  # 10:00 in Shanghai
START_MS = 1_800_000_000_000


class HandClock:
    """A work clock that only the test moves; milliseconds."""

    def __init__(self, ms: int = START_MS) -> None:
        self.ms = ms

    def expression(self, dialect: str) -> ColumnElement[int]:
        return NOW_MS

    def parameters(self, dialect: str) -> dict[str, int]:
        return {"now_ms": self.ms}

    def advance(self, ms: int) -> None:
        self.ms += ms


@dataclass
class Ground:
    """A database with clocks and wakers that tell."""

    db: Database
    clock: FrozenClock
    work_clock: HandClock
    waker: SilentWaker
    settings: Settings
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def unit(self) -> UnitOfWork:
        return self.db.unit()

    @contextmanager
    def committed(self) -> Iterator[UnitOfWork]:
        """A unit that commits at the end."""
        with self.db.unit() as uow:
            yield uow
            uow.commit()

    @contextmanager
    def reading(self) -> Iterator[Session]:
        with self.db.reading() as session:
            yield session

    def handle(self, event: Any, *handlers: Callable[[Any, UnitOfWork], None]) -> None:
        """Each handler in a unit of its own, as the dispatcher does."""
        for handler in handlers:
            with self.committed() as uow:
                handler(event, uow)

    def all(self, statement: Any) -> list[Any]:
        with self.reading() as session:
            return list(session.exec(statement).all())

    def lease_table(self, *, lease_seconds: float = 30, **backoff: Any) -> LeaseTable:
        return LeaseTable(OUTBOX, self.work_clock, lease_seconds=lease_seconds, backoff=Backoff(**backoff))

    def files(self, **identity: bool) -> CustomerFiles:
        return CustomerFiles(IdentityPart(**identity))

    def at(self, seconds: float) -> datetime:
        return FRIDAY_MORNING + timedelta(seconds=seconds)

    def _of_follow(self, seconds: float, staff: str, external_user: str, key: str) -> dict[str, Any]:
        return {
            "corp": CORP,
            "app": APP,
            "occurred_at": self.at(seconds),
            "key": key or f"event-{next(self.numbers)}",
            "staff": StaffUserId(staff),
            "external_user": ExternalUserId(external_user),
        }

    def added(
        self, seconds: float = 0, *, staff: str = ZHANG, who: str = XIAO, state: str = "", key: str = ""
    ) -> FollowStarted:
        return FollowStarted(**self._of_follow(seconds, staff, who, key), state=state)

    def half(
        self, seconds: float = 0, *, staff: str = ZHANG, who: str = XIAO, state: str = "", key: str = ""
    ) -> FollowHalfStarted:
        return FollowHalfStarted(**self._of_follow(seconds, staff, who, key), state=state)

    def edited(self, seconds: float = 0, *, staff: str = ZHANG, who: str = XIAO, key: str = "") -> FollowEdited:
        return FollowEdited(**self._of_follow(seconds, staff, who, key))

    def dropped(
        self, seconds: float = 0, *, staff: str = ZHANG, who: str = XIAO, source: str = "", key: str = ""
    ) -> FollowEndedByStaff:
        return FollowEndedByStaff(**self._of_follow(seconds, staff, who, key), source=source)

    def left(self, seconds: float = 0, *, staff: str = ZHANG, who: str = XIAO, key: str = "") -> FollowEndedByCustomer:
        return FollowEndedByCustomer(**self._of_follow(seconds, staff, who, key))

    def fetched(
        self, *follows: FollowFacts, staff: str = ZHANG, who: str = XIAO, name: str = "小测试", **facts: Any
    ) -> CustomerFetched:
        """WeCom told about a customer, as an answer to a question about ``staff``."""
        return CustomerFetched(
            corp=CORP,
            app=APP,
            occurred_at=self.clock.now(),
            key=f"fetched-{next(self.numbers)}",
            kind="fetch_customer",
            outcome="done",
            outbox_id=next(self.numbers),
            subject={"staff": staff, "external_user": who},
            facts=CustomerFacts(external_user=ExternalUserId(who), name=name, follows=follows, **facts),
        )


@contextmanager
def ground_on(url: str, **settings: Any) -> Iterator[Ground]:
    """A ground over a migrated database."""
    clock, waker, work_clock = FrozenClock(FRIDAY_MORNING), SilentWaker(), HandClock()
    engine = open_engine(url)
    turn = WriteTurn(Path(make_url(url).database or "")) if engine.dialect.name == "sqlite" else None
    db = Database(engine, clock, waker, work_clock, turn)
    try:
        yield Ground(db, clock, work_clock, waker, Settings(secret_key=SecretStr("k" * 32), **settings))
    finally:
        db.close()
        if turn is not None:
            turn.close()
