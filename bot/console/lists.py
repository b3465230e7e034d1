"""The one list of the console: columns to choose, filters in the address, saved filters, keyset paging.

A page names its list in a ``ListSpec``, reads ``ListState.of(request.args)``, asks a service for one page, and renders
a template that extends ``console/list_page.html`` and defines the macro ``cell(row, column)``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flask import render_template, request
from flask.typing import ResponseReturnValue

from bot.console.list_state import Column, ListSpec, ListState
from bot.console.room import room
from bot.console.views import visitor
from crm_core import saved_lists
from crm_core.listing import Count, Listed
from crm_core.saved_lists import SavedFilter


@dataclass(frozen=True, slots=True, kw_only=True)
class Chip:
    """A filter that is set, in words, with the address that drops it."""

    name: str
    value: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListView:
    """All a template needs to draw a list. choices: (value, name) by filter key."""

    spec: ListSpec
    state: ListState
    found: Listed[Any]
    count: Count | None
    columns: tuple[Column, ...]
    saved: tuple[SavedFilter, ...]
    choices: Mapping[str, Sequence[tuple[str, str]]]
    notes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def rows(self) -> tuple[Any, ...]:
        """The rows of this page."""
        return self.found.items

    @property
    def next_url(self) -> str:
        """The address of the next page, "" on the last."""
        return self.state.url(after=self.found.next_cursor) if self.found.next_cursor else ""

    @property
    def chips(self) -> list[Chip]:
        """What is set, except the words in the search field."""
        told = []
        for one in self.spec.filters:
            names = dict(self.choices.get(one.key, ()))
            for value in self.state.values.get(one.key, ()) if one.kind != "search" else ():
                url = self.state.url(drop=one.key, value=value)
                told.append(Chip(name=one.name, value=names.get(value, value), url=url))
        return told

    @property
    def current_saved(self) -> int:
        """The saved filter that this state is, 0 for none of them."""
        return next((one.id for one in self.saved if one.query == self.state.query), 0)


def is_part() -> bool:
    """Whether the page asks for the list alone (htmx), not for the whole page."""
    return request.headers.get("HX-Target", "") == "list"


def show(
    template: str,
    state: ListState,
    found: Listed[Any],
    *,
    count: Count | None = None,
    choices: Mapping[str, Sequence[tuple[str, str]]] | None = None,
    notes: Mapping[str, Any] | None = None,
    **more: object,
) -> ResponseReturnValue:
    """The page, or the list alone where htmx asks for it; the address bar follows the state."""
    who, spec = visitor(), state.spec
    with room().db.reading() as session:
        chosen = saved_lists.columns(session, who.corp, who.actor, spec.key)
        saved = saved_lists.saved(session, who.corp, who.actor, spec.key)
    wanted = [one for one in spec.columns if (one.key in chosen if chosen else one.is_usual)]
    view = ListView(
        spec=spec,
        state=state,
        found=found,
        count=count,
        columns=tuple(wanted or spec.columns),
        saved=tuple(saved),
        choices=choices or {},
        notes=notes or {},
    )
    body = render_template(template, view=view, is_part=is_part(), **more)
    return body, ({"HX-Push-Url": state.url(after=state.after)} if is_part() else {})
