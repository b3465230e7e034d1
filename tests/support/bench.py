"""A workbench for the front's own parts: a house whose work clock (leases, retries, deadlines) a test moves."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import ColumnElement, Row, select, text, update

from bot.member_pace import MemberPace
from bot.sandbox.faults import Rule
from bot.sandbox.server import SandboxServer
from bot.sender import Sender
from bot.wecom.gateways import GatewaySet
from bot.wiring import INBOX, House, build
from bot.worker import Loop
from crm_core import outbox
from crm_core.bus import HandlerTable
from crm_core.clock import to_millis
from crm_core.db import NOW_MS, UnitOfWork
from crm_core.events import CustomerFetched, OutboundFinished, TagsFetched, TagsMarked
from crm_core.ids import AppKey
from crm_core.lease import LeaseTable, insert_work
from crm_core.outbox import OutboundKind
from tests.support.product import APP, InProcess, SetClock, make_settings

WORKER = "worker-of-this-test"
FINISHED = (OutboundFinished, CustomerFetched, TagsMarked, TagsFetched)


class SetWorkClock:
    """The work clock of a test, on both databases: whatever the business clock says."""

    def __init__(self, clock: SetClock) -> None:
        self._clock = clock

    def expression(self, dialect: str) -> ColumnElement[int]:
        return NOW_MS

    def parameters(self, dialect: str) -> dict[str, int]:
        return {"now_ms": to_millis(self._clock.now())}


class Heard:
    """A handler that remembers events, and fails while told to."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.failing = False

    def note(self, event: Any, uow: UnitOfWork) -> None:
        if self.failing:
            raise RuntimeError("this handler fails")
        self.events.append(event)

    def table(self, *kinds: type) -> HandlerTable:
        return dict.fromkeys(kinds, (self.note,))


class Bench(InProcess):
    """Puts rows into the work tables, runs single loops, reads rows back."""

    @property
    def now_ms(self) -> int:
        return to_millis(self.clock.now())

    def unit(self) -> UnitOfWork:
        return self.house.db.unit()

    def loop(self, name: str) -> Loop:
        return next(loop for loop in self.house.loops if loop.name == name)

    def put(self, kind: OutboundKind, payload: dict[str, Any], **more: Any) -> int:
        """A row in the outbox."""
        given = {"corp": self.corp, "app": AppKey(APP), "dedupe_key": f"test:{kind.name}:{payload}"} | more
        with self.unit() as uow:
            row_id = outbox.add(uow, kind, payload=payload, **given)
            uow.commit()
        assert row_id is not None
        return row_id

    def put_callback(self, xml: str, *, lane: str = "default", app: str = APP, key: str = "") -> int:
        """A row in the inbox, by the test's work clock."""
        values = {"corp_id": self.corp, "app_key": app, "dedupe_key": key or xml, "lane": lane, "body": xml.encode()}
        with self.unit() as uow:
            row_id = insert_work(uow.session, uow.work_clock, INBOX, {**values, "event_name": ""})
            uow.commit()
        assert row_id is not None
        return row_id

    def put_job(self, kind: str, payload: dict[str, Any] | None = None, *, key: str = "one") -> int:
        with self.unit() as uow:
            row_id = outbox.add_job(uow, kind, dedupe_key=f"test:{kind}:{key}", payload=payload)
            uow.commit()
        assert row_id is not None
        return row_id

    def read(self, table: LeaseTable, row_id: int) -> Row[Any]:
        with self.house.db.reading() as session:
            return session.execute(select(table.table).where(table.table.c.id == row_id)).one()

    def rows(self, table: LeaseTable) -> Sequence[Row[Any]]:
        with self.house.db.reading() as session:
            return session.execute(select(table.table).order_by(table.table.c.id)).all()

    def change(self, table: LeaseTable, row_id: int, **values: Any) -> None:
        with self.unit() as uow:
            uow.session.execute(update(table.table).where(table.table.c.id == row_id).values(**values))
            uow.commit()

    def sender(self, handlers: HandlerTable | None = None, **more: Any) -> Sender:
        """A sender with handlers of the test's own."""
        table = self.house.handlers if handlers is None else handlers
        return Sender(
            self.house.db,
            self.house.outbox,
            self.house.gateways,
            table,
            dedupe_seconds=1800,
            pace=MemberPace(30, 1000),
            desk=self.house.desk,
            **more,
        )

    def send(self, sender: Sender, *, limit: int = 20, owner: str = WORKER) -> list[Row[Any]]:
        """Claim what is due in every lane and perform it."""
        rows = sender.claim(("welcome", "default", "message", "single", "media"), owner, limit)
        sender.perform(rows)
        return rows

    @contextmanager
    def without_table(self, name: str) -> Iterator[None]:
        """The database refuses everything that needs this table."""
        with self.unit() as uow:
            uow.session.execute(text(f"ALTER TABLE {name} RENAME TO {name}_away"))
            uow.commit()
        try:
            yield
        finally:
            with self.unit() as uow:
                uow.session.execute(text(f"ALTER TABLE {name}_away RENAME TO {name}"))
                uow.commit()

    def fault(self, match: str, kind: str, **more: Any) -> Rule:
        return self.wecom.world.faults.add({"match": match, "kind": kind, **more})

    def called(self, path: str) -> int:
        """How often the local WeCom was asked for ``path``."""
        return sum(1 for call in self.wecom.world.api_log if call["path"] == path)

    def somebody(self, staff: str) -> str:
        """The external user id of one customer of ``staff``."""
        return next(iter(self.house.gateways.of(self.corp).list_external_users(staff)))  # type: ignore[arg-type]


@contextmanager
def bench_over(wecom: SandboxServer, url: str, **more: Any) -> Iterator[Bench]:
    """A house whose repeats inside a call do not wait."""
    clock = SetClock(wecom)
    settings = make_settings(wecom, url, **more)
    gateways = GatewaySet(settings, clock=clock, sleep=lambda _seconds: None)
    house: House = build(settings, clock=clock, work_clock=SetWorkClock(clock), gateways=gateways)
    try:
        yield Bench(house, wecom, clock)
    finally:
        house.close()
        gateways.close()
