"""Nobody asks for the time but the clocks; nobody makes a naive datetime."""

import ast
from collections.abc import Iterator

import pytest

from tests.architecture.sources import Source, sources

CLOCKS = {"crm_core/clock.py", "bot/sandbox/clock.py"}
NOW = {"datetime.now", "datetime.datetime.now", "datetime.utcnow", "datetime.datetime.utcnow", "datetime.today",
       "date.today", "datetime.date.today", "datetime.utcfromtimestamp", "time.localtime"}  # fmt: skip
SYSTEM = {"time.time", "time.time_ns"}
NOW_ALLOWED = {
    "bot/scheduler.py": "when the clock rings; injected in tests",
}
SYSTEM_ALLOWED = {
    "crm_core/db.py": "SQLite's work clock",
    "bot/inbox_store.py": "the work clock of the ingest path",
    "bot/callback.py": "age of a callback's timestamp; injected in tests",
    "bot/wecom/echo_probe.py": "a callback must be signed with the real time; injected in tests",
    "bot/outbound_call.py": "age of kept facts on the work clock",
}


def calls(source: Source) -> Iterator[tuple[str, ast.AST]]:
    """Every mention of a dotted name, whether called or handed on."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Attribute):
            yield ast.unparse(node), node


def using(source: Source, names: set[str]) -> list[str]:
    return [f"{source.place}:{node.lineno} {name}" for name, node in calls(source) if name in names]  # type: ignore[attr-defined]


@pytest.mark.parametrize("source", sources(), ids=lambda source: source.place)
def test_only_the_clocks_know_the_time(source: Source) -> None:
    if source.place in CLOCKS:
        return
    if source.place not in NOW_ALLOWED:
        assert using(source, NOW) == []
    if source.place not in SYSTEM_ALLOWED and not source.place.startswith("bot/sandbox/"):
        assert using(source, SYSTEM) == []


@pytest.mark.parametrize("source", sources(), ids=lambda source: source.place)
def test_every_datetime_knows_its_zone(source: Source) -> None:
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call):
            name, arguments = ast.unparse(node.func), len(node.args) + len(node.keywords)
            assert not (name.endswith("datetime.now") and arguments == 0), f"{source.place}:{node.lineno}"
            assert not (name.endswith("datetime.fromtimestamp") and arguments < 2), f"{source.place}:{node.lineno}"
            assert "utcnow" not in name, f"{source.place}:{node.lineno}"


def test_the_lists_name_only_files_that_need_it() -> None:
    by_place = {source.place: source for source in sources()}
    for allowed, names in ((NOW_ALLOWED, NOW), (SYSTEM_ALLOWED, SYSTEM)):
        for place in allowed:
            assert using(by_place[place], names), place
