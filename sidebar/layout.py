"""How a page's sections lie: the default, what a staff member made of it, and what may be asked for. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from crm_core.errors import InputInvalid

CARDS: dict[str, dict[str, str]] = {
    "customer": {"tasks": "今日任务", "follow": "跟进与提醒", "same": "可能是同一人"},
    "start": {"customers": "我的客户", "todos": "待办任务", "reminders": "跟进提醒", "groups": "我的客户群"},
    "group": {"about": "群概况", "members": "群成员", "notes": "群标签与备注"},
}
TABS: dict[str, dict[str, str]] = {
    "customer": {"scripts": "话术", "materials": "素材", "todos": "任务", "timeline": "轨迹", "data": "资料"},
    "start": {},
    "group": {"scripts": "话术", "materials": "素材"},
}
FOLDED_AT_FIRST = {"customer": ["follow"]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One section. folded: only its title shows."""

    key: str
    name: str
    folded: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The sections of a page from top to bottom, and its tabs from left to right as (key, name)."""

    page: str
    cards: tuple[Card, ...]
    tabs: tuple[tuple[str, str], ...]

    @property
    def first_tab(self) -> str:
        """The tab that is open at first, "" on a page without."""
        return self.tabs[0][0] if self.tabs else ""


def read_layout(page: str, kept: Mapping[str, Any]) -> Layout:
    """The layout from what was kept; sections made since then come last, those that are gone are left out."""
    known, tabs = CARDS[page], TABS[page]
    folded = {str(key) for key in kept.get("folded", FOLDED_AT_FIRST.get(page, ()))}
    return Layout(
        page=page,
        cards=tuple(
            Card(key=key, name=known[key], folded=key in folded) for key in _order(kept.get("cards", ()), known)
        ),
        tabs=tuple((key, tabs[key]) for key in _order(kept.get("tabs", ()), tabs)),
    )


def stored_layout(page: str, *, cards: list[str], folded: list[str], tabs: list[str]) -> dict[str, Any]:
    """What is kept of an arrangement. Raises: InputInvalid (a page or section that is none)."""
    if page not in CARDS:
        raise InputInvalid("没有这个页面", field="page")
    known, known_tabs = set(CARDS[page]), set(TABS[page])
    if not (set(cards) <= known and set(folded) <= known and set(tabs) <= known_tabs):
        raise InputInvalid("没有这个区块，请刷新页面后再试", field="cards")
    return {"cards": cards, "folded": folded, "tabs": tabs}


def _order(wanted: Iterable[str], known: Mapping[str, str]) -> list[str]:
    return list(dict.fromkeys([*(str(key) for key in wanted if key in known), *known]))
