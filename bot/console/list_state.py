"""What a list is and what its address says of it. Pure, so that workers can read an address too."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import parse_qsl, urlencode

from werkzeug.datastructures import MultiDict

PREFIX = "/console"
MOST_VALUE_CHARS = 200
MOST_VALUES = 50
SORT, AFTER = "sort", "after"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column. is_usual: shown until somebody chooses; sort: the value of ``sort`` its head asks for."""

    key: str
    name: str
    is_usual: bool = True
    is_number: bool = False
    sort: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """One filter. is_first: stands in the bar itself, not behind 更多筛选; help: a placeholder for searches."""

    key: str
    name: str
    kind: Literal["search", "choice", "several", "date", "hidden"]
    is_first: bool = False
    help: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListSpec:
    """One list. sorts: the first is the usual one; path: below ``/console``; bulk, export: what its rows allow."""

    key: str
    path: str
    permission: str
    columns: tuple[Column, ...]
    filters: tuple[Filter, ...]
    sorts: tuple[tuple[str, str], ...] = ()
    has_bulk: bool = False

    @property
    def address(self) -> str:
        """Where the list lives."""
        return f"{PREFIX}{self.path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListState:
    """What the address says of a list. values: by filter key, empty ones left out."""

    spec: ListSpec
    values: Mapping[str, tuple[str, ...]]
    sort: str
    after: str

    @classmethod
    def of(cls, spec: ListSpec, args: MultiDict[str, str]) -> "ListState":
        """Read an address; what the list does not know is left out."""
        values: dict[str, tuple[str, ...]] = {}
        for one in spec.filters:
            told = [text.strip()[:MOST_VALUE_CHARS] for text in args.getlist(one.key)[:MOST_VALUES]]
            kept = tuple(dict.fromkeys(text for text in told if text))
            if kept:
                values[one.key] = kept if one.kind == "several" else kept[:1]
        sorts = [value for value, _ in spec.sorts]
        wanted = args.get(SORT, "")
        usual = sorts[0] if sorts else ""
        return cls(spec=spec, values=values, sort=wanted if wanted in sorts else usual, after=args.get(AFTER, "")[:600])

    @classmethod
    def of_query(cls, spec: ListSpec, query: str) -> "ListState":
        """Read what stands behind the ``?`` of an address."""
        return cls.of(spec, MultiDict(parse_qsl(query.removeprefix("?"))))

    def one(self, key: str) -> str:
        """The value of a filter, "" when it is not set."""
        return next(iter(self.values.get(key, ())), "")

    def several(self, key: str) -> tuple[str, ...]:
        """All values of a filter."""
        return self.values.get(key, ())

    def number(self, key: str) -> int:
        """A whole number, 0 when it is missing or not one."""
        text = self.one(key)
        return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else 0

    @property
    def query(self) -> str:
        """The filters and the order as they stand in an address, without the place in the list."""
        return self._query(dict(self.values), self.sort, "")

    def _query(self, values: Mapping[str, Sequence[str]], sort: str, after: str) -> str:
        parts = [(one.key, text) for one in self.spec.filters for text in values.get(one.key, ())]
        if self.spec.sorts and sort != self.spec.sorts[0][0]:
            parts.append((SORT, sort))
        if after:
            parts.append((AFTER, after))
        return urlencode(parts)

    def url(self, *, drop: str = "", value: str = "", sort: str = "", after: str = "") -> str:
        """The address of this list with a filter (or one value of it) dropped, ordered anew, or further on."""
        values: dict[str, Sequence[str]] = dict(self.values)
        if drop:
            values[drop] = [text for text in values.get(drop, ()) if value and text != value]
        query = self._query(values, sort or self.sort, after)
        return f"{self.spec.address}?{query}" if query else self.spec.address
