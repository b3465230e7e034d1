"""Words that no identifier may hold (house style 3.10): they hide what a thing is."""

import ast
import re
from collections.abc import Iterator

import pytest

from tests.architecture.sources import ROOMS, Source, sources

BANNED = frozenset({"process", "processing", "processed", "manager", "util", "utils", "helper", "helpers", "common"})
OF_OTHERS = frozenset({"process_bind_param", "process_result_value", "manager"})  # SQLAlchemy's, Flask-Login's names
BANNED_NAMES = re.compile(r"handle_data")
PREFIX = re.compile(r"^_*(We(?!Com\b|Com[A-Z_]|b|ek|lcome|ight|ather|nt|st)|Qw)[A-Z]")
PARTS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")


def names(source: Source) -> Iterator[tuple[str, int]]:
    """Every name that this file gives to something."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name, node.lineno
        elif isinstance(node, ast.arg):
            yield node.arg, node.lineno
        elif isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.id if isinstance(node, ast.Name) else node.attr, node.lineno
        elif isinstance(node, ast.alias) and node.asname:
            yield node.asname, 0
    for part in source.place.removesuffix(".py").split("/"):
        yield part, 0


def faults(name: str) -> bool:
    if name in OF_OTHERS:
        return False
    words = {part.lower() for part in PARTS.findall(name)}
    return bool(words & BANNED or BANNED_NAMES.search(name) or PREFIX.match(name))


@pytest.mark.parametrize("source", sources(ROOMS), ids=lambda source: source.place)
def test_no_identifier_hides_what_it_is(source: Source) -> None:
    assert [f"{source.place}:{line} {name}" for name, line in names(source) if faults(name)] == []


@pytest.mark.parametrize(
    "name",
    ["process", "process_row", "rowProcess", "StaffManager", "util", "date_utils", "TestHelper", "common", "WeXUser",
     "QwUser", "_QwUser", "handle_data", "handle_data_of"],
)  # fmt: skip
def test_the_scan_sees_what_it_should(name: str) -> None:
    assert faults(name)


@pytest.mark.parametrize(
    "name",
    ["processes", "subprocess", "run_processes", "WeComGateway", "HttpWeComGateway", "WeCom", "WebGate", "WelcomeDesk",
     "commonly", "uncommon", "process_bind_param", "utility", "WEEK"],
)  # fmt: skip
def test_the_scan_lets_be_what_it_should(name: str) -> None:
    assert not faults(name)
