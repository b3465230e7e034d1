"""The starter set (起步词库) that comes with the product. Written by us, small on purpose."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from crm_core.sensitive.rulebook import CategoryRules, Detector, Entry, Options, Rulebook

_FILE = Path(__file__).with_name("starter.yaml")


@dataclass(frozen=True, slots=True, kw_only=True)
class StarterCategory:
    """One category of the set. side: staff | customer | both; severity: 1 to 3."""

    key: str
    name: str
    severity: int
    side: str
    note: str
    options: Options
    detectors: tuple[str, ...]
    words: tuple[str, ...]


@cache
def categories() -> tuple[StarterCategory, ...]:
    """All categories of the set."""
    told = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
    return tuple(
        StarterCategory(
            key=one["key"],
            name=one["name"],
            severity=one["severity"],
            side=one["side"],
            note=one["note"],
            options=Options.of(one.get("options")),
            detectors=tuple(one.get("detectors", ())),
            words=tuple(str(word) for word in one["words"]),
        )
        for one in told
    )


def rulebook() -> Rulebook:
    """The whole set as a rulebook; a category's id is its place, from 1."""
    return Rulebook(
        categories=tuple(
            CategoryRules(
                id=number,
                entries=tuple(Entry(place, word) for place, word in enumerate(one.words, start=1)),
                options=one.options,
                detectors=tuple(Detector(kind=kind) for kind in one.detectors),
            )
            for number, one in enumerate(categories(), start=1)
        )
    )
