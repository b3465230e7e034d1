"""One way to read a decrypted callback, whether it came as XML or as JSON. Pure.

Every element holds text or named children, and children of one name are always a tuple: a list that happens to have
one item looks like a list (the trap of XML→dict libraries). Reading a required field that is absent or makes no sense
raises CallbackAnomalous, which names the field and never its value.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any
from xml.parsers import expat

from crm_core.errors import CallbackAnomalous

MAX_BYTES = 2 * 1024 * 1024
MAX_DEPTH = 24
MAX_ELEMENTS = 50_000
MAX_ID_CHARS = 1024

# Elements that WeCom repeats; ``plain`` shows them as lists even when there is one.
REPEATING = frozenset(
    {
        "Item",
        "item",
        "PicList",
        "SelectedItem",
        "OptionId",
        "OpitonId",
        "AuthAddOpenKfId",
        "AuthDelOpenKfId",
        "SpRecord",
        "Details",
        "Notifyer",
        "NodeList",
        "SubNodeList",
        "Comments",
        "Attach",
        "ApprovalNode",
        "NotifyNode",
        "MediaIds",
        "msg_item",
    }
)


@dataclass(frozen=True, slots=True)
class Element:
    """Text, or children by name in order of appearance."""

    text_value: str = ""
    children: Mapping[str, tuple["Element", ...]] = field(default_factory=lambda: MappingProxyType({}))

    def has(self, name: str) -> bool:
        """Whether a child of this name is there, empty or not."""
        return name in self.children

    def child(self, name: str) -> "Element":
        """The first child of this name; an empty element when there is none."""
        return self.children[name][0] if name in self.children else NOTHING

    def each(self, name: str) -> tuple["Element", ...]:
        """All children of this name."""
        return self.children.get(name, ())

    def raw(self, name: str) -> str:
        """The child's text as sent (message contents keep their spaces); "" when absent."""
        return self.child(name).text_value

    def text(self, name: str) -> str:
        """The child's text without surrounding blanks; "" when absent."""
        return self.raw(name).strip()

    def texts(self, name: str) -> tuple[str, ...]:
        """The texts of all children of this name, empty ones left out."""
        return tuple(text for one in self.each(name) if (text := one.text_value.strip()))

    def parts(self, name: str) -> tuple[str, ...]:
        """A comma-separated text as a tuple."""
        return tuple(part for piece in self.text(name).split(",") if (part := piece.strip()))

    def need(self, name: str) -> str:
        """A text that must be there. Raises: CallbackAnomalous."""
        value = self.text(name)
        if not value or len(value) > MAX_ID_CHARS:
            raise CallbackAnomalous(f"缺少必填字段 {name}" if not value else f"字段 {name} 过长")
        return value

    def number(self, name: str) -> int | None:
        """A whole number, None when absent or not a number."""
        value = self.text(name)
        if len(value) > 20 or not value.isascii() or not value.removeprefix("-").isdigit():
            return None
        return int(value)

    def need_number(self, name: str) -> int:
        """A whole number that must be there. Raises: CallbackAnomalous."""
        value = self.number(name)
        if value is None:
            raise CallbackAnomalous(f"字段 {name} 不是整数")
        return value

    def decimal(self, name: str) -> float | None:
        """A finite decimal number, None when absent or not a number."""
        try:
            value = float(self.text(name))
        except ValueError:
            return None
        return value if math.isfinite(value) else None

    def need_decimal(self, name: str) -> float:
        """A finite decimal number that must be there. Raises: CallbackAnomalous."""
        value = self.decimal(name)
        if value is None:
            raise CallbackAnomalous(f"字段 {name} 不是数字")
        return value

    def plain(self, skip: frozenset[str] = frozenset()) -> dict[str, Any]:
        """Children as dicts, lists and texts under WeCom's names, without those in ``skip``."""
        return {name: _plain(name, several) for name, several in self.children.items() if name not in skip}


NOTHING = Element()


def _plain(name: str, several: tuple[Element, ...]) -> Any:
    values = [one.plain() if one.children else one.text_value for one in several]
    return values if name in REPEATING or len(values) > 1 else values[0]


def read_body(body: bytes) -> Element:
    """Read a decrypted callback body, XML or JSON.

    Raises: CallbackAnomalous when it is neither, too large (2 MiB), too deep, or carries a DTD.
    """
    if len(body) > MAX_BYTES:
        raise CallbackAnomalous("正文过大")
    return _read_json(body) if body.lstrip()[:1] == b"{" else _read_xml(body)


class _Builder:
    """Collects what expat tells; expat itself never meets an entity because a DTD ends the reading."""

    def __init__(self) -> None:
        self.root: Element | None = None
        self._open: list[tuple[str, list[str], dict[str, list[Element]]]] = []
        self._count = 0

    def doctype(self, *_declared: object) -> None:
        raise CallbackAnomalous("正文含有 DTD")

    def start(self, name: str, _attributes: object) -> None:
        self._count += 1
        if len(self._open) >= MAX_DEPTH or self._count > MAX_ELEMENTS:
            raise CallbackAnomalous("正文嵌套过深或元素过多")
        self._open.append((name, [], {}))

    def text(self, piece: str) -> None:
        self._open[-1][1].append(piece)

    def end(self, _name: str) -> None:
        name, pieces, children = self._open.pop()
        element = Element("" if children else "".join(pieces), _frozen(children))
        if self._open:
            self._open[-1][2].setdefault(name, []).append(element)
        else:
            self.root = element


def _frozen(children: dict[str, list[Element]]) -> Mapping[str, tuple[Element, ...]]:
    return MappingProxyType({name: tuple(several) for name, several in children.items()})


def _read_xml(body: bytes) -> Element:
    builder = _Builder()
    parser = expat.ParserCreate("UTF-8")
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = builder.doctype
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.text
    try:
        parser.Parse(body, True)
    except expat.ExpatError:
        raise CallbackAnomalous("正文不是合法的 XML") from None
    if builder.root is None:
        raise CallbackAnomalous("正文不是合法的 XML")
    return builder.root


def _read_json(body: bytes) -> Element:
    try:
        content = json.loads(body.decode("utf-8"))
        if not isinstance(content, dict):
            raise CallbackAnomalous("正文不是 JSON 对象")
        return _element(content, 0)
    except (ValueError, RecursionError):
        raise CallbackAnomalous("正文不是合法的 JSON") from None


def _element(value: Any, depth: int) -> Element:
    if depth >= MAX_DEPTH:
        raise CallbackAnomalous("正文嵌套过深或元素过多")
    if isinstance(value, dict):
        several = {name: one if isinstance(one, list) else [one] for name, one in value.items() if one != []}
        children = {_scalar(name): [_element(one, depth + 1) for one in many] for name, many in several.items()}
        return Element("", _frozen(children))
    if isinstance(value, list):
        return Element("", _frozen({"item": [_element(one, depth + 1) for one in value]}))
    return Element(_scalar(value))


def _scalar(value: Any) -> str:
    """Text as XML could have carried it. Raises: CallbackAnomalous for what no database text can hold."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "1" if value else "0"
    text = str(value)
    if "\x00" in text or (not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text)):
        raise CallbackAnomalous("正文含有非法字符")
    return text
