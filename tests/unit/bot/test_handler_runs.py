"""Handlers of one event: together when all is well, apart when one fails; the failing one has a life of its own."""

import dataclasses
import inspect
import json
import types
import typing
from datetime import UTC, datetime
from typing import Any

import pytest

from bot.handler_runs import HANDLER_RUN, again_with, freeze, run_again, run_handlers, thaw, trace_of
from bot.jobs import JobRunner
from bot.wiring import handler_table, urgent_handler_table
from crm_core import events, outbox
from crm_core.bus import HandlerTable, handler_name
from crm_core.db import UnitOfWork
from crm_core.errors import ScrmError
from crm_core.events import GroupCreated
from crm_core.ids import AppKey, ChatId, CorpId
from tests.support.bench import WORKER, Bench, Heard

MOMENT = datetime(2026, 11, 20, 2, 0, 0, 123456, UTC)
ALL_KINDS = [
    kind
    for _, kind in inspect.getmembers(events, inspect.isclass)
    if issubclass(kind, events.Event) and kind.__module__ == events.__name__
]


def sample(kind: Any) -> Any:
    """A value of a type that differs from every default."""
    origin, parts = typing.get_origin(kind), typing.get_args(kind)
    if hasattr(kind, "__supertype__"):
        return sample(kind.__supertype__)
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        return kind(**{field.name: sample(hints[field.name]) for field in dataclasses.fields(kind)})  # type: ignore[operator]
    if origin in (typing.Union, types.UnionType):
        return sample(next(part for part in parts if part is not type(None)))
    if origin is tuple:
        return (sample(parts[0]), sample(parts[0]))
    if origin is dict:
        return {"键": sample(parts[1])}
    plain = {str: "样本 & <x>", int: 41, float: 1.5, bool: True, datetime: MOMENT, Any: [1, None, {"a": "b"}]}
    return plain[kind]


@pytest.mark.parametrize("kind", ALL_KINDS, ids=lambda kind: kind.__name__)
def test_every_event_survives_being_kept_as_json(kind: type[events.Event]) -> None:
    full = sample(kind)
    bare = kind(**{
        field.name: getattr(full, field.name)
        for field in dataclasses.fields(kind)
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    })  # fmt: skip
    for event in (full, bare):
        assert thaw(kind.__name__, json.loads(json.dumps(freeze(event)))) == event


@pytest.mark.parametrize("name", ["NoSuchEvent", "datetime", "dataclass", "__doc__"])
def test_an_event_that_this_version_does_not_know_says_so(name: str) -> None:
    with pytest.raises(ScrmError, match="未知的事件类型"):
        thaw(name, {})


def group_created(chat: str = "wr1") -> GroupCreated:
    return GroupCreated(corp=CorpId("ww1"), app=AppKey("main"), occurred_at=MOMENT, key=f"k:{chat}", chat=ChatId(chat))


def write(event: GroupCreated, uow: UnitOfWork) -> None:
    payload = {"chat": event.chat}
    outbox.add(uow, outbox.FETCH_GROUP, corp=event.corp, app=event.app, payload=payload, dedupe_key=f"w:{event.chat}")


def write_more(event: GroupCreated, uow: UnitOfWork) -> None:
    write(dataclasses.replace(event, chat=ChatId("more")), uow)


class Shaky:
    """Writes, then fails until mended."""

    def __init__(self) -> None:
        self.mended = False
        self.runs = 0

    def handle(self, event: GroupCreated, uow: UnitOfWork) -> None:
        self.runs += 1
        write(dataclasses.replace(event, chat=ChatId("shaky")), uow)
        if not self.mended:
            raise RuntimeError("not yet")


@pytest.fixture
def shaky() -> Shaky:
    return Shaky()


@pytest.fixture
def table(shaky: Shaky) -> HandlerTable:
    return {GroupCreated: (write, shaky.handle, write_more)}


def written(bench: Bench) -> list[str]:
    return [row.payload["chat"] for row in bench.rows(bench.house.outbox)]


def run_apart(bench: Bench, event: GroupCreated, table: HandlerTable) -> int:
    with bench.unit() as uow:
        failed = run_handlers(uow, event, table, apart=True)
        uow.commit()
    return failed


def work_jobs(bench: Bench, runner: JobRunner) -> None:
    runner.perform(runner.claim(("default",), WORKER, 10))


def test_together_the_first_failure_is_raised_and_nothing_is_kept(bench: Bench, table: HandlerTable) -> None:
    with pytest.raises(RuntimeError, match="not yet"), bench.unit() as uow:
        run_handlers(uow, group_created(), table, apart=False)
    assert written(bench) == []


def test_together_all_run_in_one_unit_without_savepoints(bench: Bench, shaky: Shaky, table: HandlerTable) -> None:
    shaky.mended = True
    with bench.unit() as uow:
        assert run_handlers(uow, group_created(), table, apart=False) == 0
        uow.commit()
    assert written(bench) == ["wr1", "shaky", "more"]


def test_apart_the_good_ones_are_kept_and_the_failing_one_leaves_only_a_job(bench: Bench, table: HandlerTable) -> None:
    assert run_apart(bench, group_created(), table) == 1
    assert written(bench) == ["wr1", "more"]
    (job,) = bench.rows(bench.house.jobs)
    assert job.kind == "handler_run"
    assert job.payload["handler"] == "tests.unit.bot.test_handler_runs.Shaky.handle"
    assert "RuntimeError: not yet" in job.payload["error"]


def test_the_same_failure_twice_is_one_job(bench: Bench, table: HandlerTable) -> None:
    run_apart(bench, group_created(), table)
    run_apart(bench, group_created(), table)
    run_apart(bench, group_created("wr2"), table)
    assert len(bench.rows(bench.house.jobs)) == 2


def test_what_a_rolled_back_handler_remembered_is_forgotten(bench: Bench) -> None:
    found: list[int] = []

    def remember_and_fail(event: GroupCreated, uow: UnitOfWork) -> None:
        uow.remember(("it",), lambda: found.append(1))
        raise RuntimeError

    def remember_again(event: GroupCreated, uow: UnitOfWork) -> None:
        uow.remember(("it",), lambda: found.append(2))

    run_apart(bench, group_created(), {GroupCreated: (remember_and_fail, remember_again)})
    assert found == [1, 2]


def test_the_failing_one_is_tried_again_alone(bench: Bench, shaky: Shaky, table: HandlerTable) -> None:
    runner = JobRunner(bench.house.db, bench.house.jobs, {}, {HANDLER_RUN: again_with(table)})
    run_apart(bench, group_created(), table)
    work_jobs(bench, runner)
    (job,) = bench.rows(bench.house.jobs)
    assert (job.state, job.attempts, shaky.runs) == ("ready", 1, 2)
    assert "not yet" in job.last_error
    shaky.mended = True
    bench.clock.advance(seconds=2)
    work_jobs(bench, runner)
    assert bench.rows(bench.house.jobs)[0].state == "done"
    assert written(bench) == ["wr1", "more", "shaky"]


def test_after_all_its_tries_it_is_dead_and_can_be_replayed(bench: Bench, shaky: Shaky, table: HandlerTable) -> None:
    runner = JobRunner(bench.house.db, bench.house.jobs, {}, {HANDLER_RUN: again_with(table)})
    run_apart(bench, group_created(), table)
    for _ in range(8):
        work_jobs(bench, runner)
        bench.clock.advance(minutes=15)
    (job,) = bench.rows(bench.house.jobs)
    assert (job.state, job.attempts) == ("dead", 8)
    work_jobs(bench, runner)
    assert shaky.runs == 9
    shaky.mended = True
    with bench.unit() as uow:
        assert bench.house.jobs.replay(uow.session) == 1
        uow.commit()
    work_jobs(bench, runner)
    assert bench.rows(bench.house.jobs)[0].state == "done"
    assert written(bench) == ["wr1", "more", "shaky"]


def test_a_handler_that_is_gone_says_so(bench: Bench, heard: Heard) -> None:
    payload = {"event": "GroupCreated", "data": freeze(group_created()), "handler": "bot.gone.handler"}
    with pytest.raises(ScrmError, match="bot.gone.handler"), bench.unit() as uow:
        run_again(uow, payload, heard.table(GroupCreated))
    assert heard.events == []


def test_a_trace_is_cut_at_its_beginning() -> None:
    try:
        raise RuntimeError("x" * 10_000 + "the end")
    except RuntimeError as error:
        trace = trace_of(error)
    assert len(trace) == 4000
    assert trace.endswith("the end\n")


def test_no_two_handlers_of_an_event_share_a_name(bench: Bench) -> None:
    house = bench.house
    usual, urgent = (
        handler_table(house.settings, house.files, house.sop, house.chat),
        urgent_handler_table(house.settings),
    )
    for kind in {*usual, *urgent}:
        names = [handler_name(handler) for handler in (*urgent.get(kind, ()), *usual.get(kind, ()))]
        assert len(set(names)) == len(names), kind
