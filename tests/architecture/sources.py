"""The product's own source files, read as text and as syntax trees."""

import ast
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("bot", "sidebar", "sop", "materials", "tagging", "crm_core")
OTHER = ("tests", "benchmarks", "docs")


@dataclass(frozen=True)
class Source:
    """One file. place: its path from the root; tree: its syntax."""

    place: str
    text: str
    tree: ast.Module

    @property
    def lines(self) -> int:
        return self.text.count("\n")


@functools.cache
def sources(folders: tuple[str, ...] = ROOMS) -> tuple[Source, ...]:
    """Every Python file below ``folders`` but migrations, which are history."""
    return tuple(_read(folders))


def _read(folders: tuple[str, ...]) -> Iterator[Source]:
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            place = path.relative_to(ROOT).as_posix()
            if not place.startswith("crm_core/migrations/"):
                text = path.read_text("utf-8")
                yield Source(place, text, ast.parse(text))
