"""Whoever calls a service, a port or an event reads its docstring, not its body."""

import ast
from collections.abc import Iterator

import pytest

from tests.architecture.sources import Source, sources

EVERYWHERE = {"service.py", "handlers.py", "runner.py", "model.py", "ports.py", "events.py"}


def concerns(source: Source) -> bool:
    folder, _, name = source.place.rpartition("/")
    return folder == "crm_core" or name in EVERYWHERE or (folder == "bot" and name != "__init__.py")


def public(body: list[ast.stmt], owner: str = "") -> Iterator[tuple[str, ast.FunctionDef | ast.ClassDef]]:
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield owner + node.name, node
            if isinstance(node, ast.ClassDef):
                yield from public(node.body, f"{node.name}.")


@pytest.mark.parametrize("source", [one for one in sources() if concerns(one)], ids=lambda source: source.place)
def test_everything_public_tells_its_effect(source: Source) -> None:
    assert not source.text.strip() or ast.get_docstring(source.tree), source.place
    silent = [name for name, node in public(source.tree.body) if not ast.get_docstring(node)]
    assert silent == []
