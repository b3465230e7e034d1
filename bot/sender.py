"""Outbox → WeCom. Performs claimed rows outside any transaction, then writes down what became of them.

Acknowledgements of a batch share one commit. A crash in between leaves rows that come back as ``interrupted``: calls
that are safe to repeat are made again, the others are asked about or stand as ``unknown``.
"""

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import Row

from bot.handler_runs import run_handlers, trace_of
from bot.media_desk import MediaDesk
from bot.member_pace import MemberPace
from bot.outbound import LOST_ANSWER_QUERIES, PERFORMERS, finished_event, say_error
from bot.outbound_call import Call, Done, RecentFacts
from crm_core.bus import HandlerTable
from crm_core.clock import to_millis
from crm_core.db import Database, UnitOfWork
from crm_core.errors import DeadlineMissed, LeaseLost, NotReady, ScrmError, WeComError, WeComThrottled, WeComUnavailable
from crm_core.ids import AppKey, CorpId
from crm_core.lease import LeaseTable, WorkState
from crm_core.outbox import KINDS, SEND_APP_MESSAGE, Repeat
from crm_core.ports import Gateways

log = structlog.get_logger()

URGENT_FIRST_WAIT_MS = 300
URGENT_MOST_WAIT_MS = 3_000
HOLD_SECONDS = 0.2  # an acknowledgement older than this waits for no further call


@dataclass(frozen=True, slots=True)
class Settled:
    """A row is at its end."""

    row: Row[Any]
    state: WorkState
    error: str = ""
    done: Done | None = None


@dataclass(frozen=True, slots=True)
class Later:
    """A row is tried again. counted: whether this try counts; wait_ms None: the usual back-off."""

    row: Row[Any]
    error: str
    wait_ms: int | None = None
    counted: bool = True


Outcome = Settled | Later


class Sender:
    """Performs outbox rows."""

    def __init__(
        self,
        db: Database,
        table: LeaseTable,
        gateways: Gateways,
        handlers: HandlerTable,
        *,
        dedupe_seconds: int,
        pace: MemberPace,
        desk: MediaDesk,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._db = db
        self._table = table
        self._gateways = gateways
        self._handlers = handlers
        self._dedupe_ms = dedupe_seconds * 1000
        self._monotonic = monotonic
        self._recent = RecentFacts()
        self._pace = pace
        self._desk = desk
        self._patience = table.lease_ms / 3000

    def claim(self, lanes: Collection[str], owner: str, limit: int) -> list[Row[Any]]:
        """Take up to ``limit`` due rows."""
        with self._db.unit() as uow:
            rows = self._table.claim(uow.session, lanes=list(lanes), owner=owner, limit=limit)
            uow.commit()
        return rows

    def perform(self, rows: Sequence[Row[Any]]) -> None:
        """Make the calls one after the other; acknowledge in groups, between calls every ``HOLD_SECONDS``."""
        claimed = self._monotonic()
        held: list[Outcome] = []
        held_since = claimed
        for row in rows:
            if self._monotonic() - claimed > self._patience:
                self._acknowledge(held)
                held = []
                if not self._renew(row):
                    continue
            now_ms = row.lease_until - self._table.lease_ms + int((self._monotonic() - claimed) * 1000)
            outcome = self._outcome(row, now_ms)
            held_since = self._monotonic() if not held else held_since
            held.append(outcome)
            if self._monotonic() - held_since > HOLD_SECONDS:
                self._acknowledge(held)
                held = []
        self._acknowledge(held)

    def _renew(self, row: Row[Any]) -> bool:
        try:
            with self._db.unit() as uow:
                self._table.renew(uow.session, row)
                uow.commit()
        except LeaseLost:
            log.warning("outbox_lease_lost", outbox_id=row.id, kind=row.kind)
            return False
        return True

    def _outcome(self, row: Row[Any], now_ms: int) -> Outcome:
        """Make one call. ``now_ms``: the work clock."""
        if row.deadline_at is not None and now_ms >= row.deadline_at:
            return Settled(row, WorkState.EXPIRED, "超过时限，未发送")
        if row.kind == SEND_APP_MESSAGE.name:
            wait = self._pace.wait_seconds(row.corp_id, row.app_key, row.payload["staff"])
            if wait > 0:
                return Later(row, "该成员一分钟内的应用消息已达上限，稍后发送", int(wait * 1000) + 1, counted=False)
        try:
            gateway = self._gateways.of(CorpId(row.corp_id), AppKey(row.app_key))
        except ScrmError as error:
            return Settled(row, WorkState.DEAD, say_error(error))
        call = Call(row, gateway, self._db, self._recent, self._desk, now_ms)
        if row.interrupted and not self._may_repeat(row, now_ms):
            return self._ask(call, "上一个执行者在调用途中失联，无法确认是否已执行")
        try:
            done = PERFORMERS[row.kind](call)
        except Exception as error:  # noqa: BLE001 - every fault is classified and kept on the row
            return self._judge(call, error, now_ms)
        return Settled(row, WorkState.DONE, done.note, done)

    def _may_repeat(self, row: Row[Any], now_ms: int) -> bool:
        repeat = KINDS[row.kind].repeat
        if repeat is Repeat.VENDOR_DEDUPES:
            return bool(now_ms - row.created_ms < self._dedupe_ms)
        return repeat is Repeat.SAFE

    def _judge(self, call: Call, error: Exception, now_ms: int) -> Outcome:
        row, said = call.row, say_error(error)
        if isinstance(error, DeadlineMissed):
            return Settled(row, WorkState.EXPIRED, said)
        if isinstance(error, WeComThrottled | NotReady):
            return Later(row, said, int(error.wait_seconds * 1000), counted=False)
        if isinstance(error, WeComUnavailable):
            ambiguous = error.sent and error.errcode is None
            if ambiguous and not self._may_repeat(row, now_ms):
                return self._ask(call, said)
            return self._again(row, said)
        if isinstance(error, ScrmError):
            return Settled(row, WorkState.DEAD, said)
        return self._again(row, trace_of(error))

    def _ask(self, call: Call, said: str) -> Settled:
        """Nobody knows whether the act happened: ask WeCom where it can tell, else it stands as unknown."""
        query = LOST_ANSWER_QUERIES.get(call.row.kind)
        if query is None:
            return Settled(call.row, WorkState.UNKNOWN, said)
        try:
            done = query(call)
        except WeComError as error:
            return Settled(call.row, WorkState.UNKNOWN, f"{said}；查询失败：{say_error(error)}")
        if done is None:
            return Settled(call.row, WorkState.UNKNOWN, f"{said}；企业微信中没有查到")
        return Settled(call.row, WorkState.DONE, "回答丢失，已向企业微信查到结果", done)

    def _again(self, row: Row[Any], said: str) -> Outcome:
        if row.attempts >= self._table.backoff.max_attempts:
            return Settled(row, WorkState.DEAD, said)
        if row.deadline_at is None:
            return Later(row, said)
        return Later(row, said, min(URGENT_MOST_WAIT_MS, URGENT_FIRST_WAIT_MS * 2 ** (row.attempts - 1)))

    def _acknowledge(self, outcomes: Sequence[Outcome]) -> None:
        """Write outcomes down: all in one commit; when that fails, one by one with each handler by itself."""
        if not outcomes:
            return
        try:
            with self._db.unit() as uow:
                for outcome in outcomes:
                    self._write(uow, outcome, apart=False)
                uow.commit()
        except Exception as error:  # noqa: BLE001 - a lost lease or a failing handler: find it
            log.info("outbox_batch_apart", rows=len(outcomes), error=type(error).__name__)
            for outcome in outcomes:
                self._acknowledge_one(outcome)

    def _acknowledge_one(self, outcome: Outcome) -> None:
        try:
            with self._db.unit() as uow:
                self._write(uow, outcome, apart=True)
                uow.commit()
        except LeaseLost:
            log.warning("outbox_lease_lost", outbox_id=outcome.row.id, kind=outcome.row.kind)
        except Exception:
            log.exception("outbox_not_acknowledged", outbox_id=outcome.row.id, kind=outcome.row.kind)

    def _write(self, uow: UnitOfWork, outcome: Outcome, *, apart: bool) -> None:
        row = outcome.row
        if isinstance(outcome, Later):
            if outcome.counted:
                self._table.retry(uow.session, row, error=outcome.error, wait_ms=outcome.wait_ms)
            else:
                self._table.postpone(uow.session, row, wait_ms=outcome.wait_ms or 0, error=outcome.error)
            return
        self._table.finish(uow.session, row, outcome.state, error=outcome.error or None)
        now = uow.now()
        event = finished_event(
            row, outcome=outcome.state.value, done=outcome.done, error=outcome.error, now=now, now_ms=to_millis(now)
        )
        run_handlers(uow, event, self._handlers, apart=apart)
        if outcome.state is not WorkState.DONE:
            log.warning("outbox_settled", outbox_id=row.id, kind=row.kind, state=outcome.state.value)
