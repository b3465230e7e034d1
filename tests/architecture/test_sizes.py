"""Files up to 400 lines, functions up to 60."""

import ast

import pytest

from tests.architecture.sources import OTHER, ROOMS, Source, sources

MOST_LINES = 400
MOST_FUNCTION_LINES = 60
LISTS = {"crm_core/events.py"}  # house style 3.1: every domain event in one file; declarations only


@pytest.mark.parametrize("source", sources(ROOMS + OTHER), ids=lambda source: source.place)
def test_files_and_functions_stay_small(source: Source) -> None:
    if source.place not in LISTS:
        assert source.lines <= MOST_LINES
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno < MOST_FUNCTION_LINES, f"{source.place}: {node.name}"


@pytest.mark.parametrize("place", sorted(LISTS))
def test_a_long_list_holds_nothing_but_declarations(place: str) -> None:
    (source,) = [source for source in sources() if source.place == place]
    assert not [node for node in ast.walk(source.tree) if isinstance(node, ast.FunctionDef | ast.Lambda)]
