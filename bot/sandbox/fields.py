"""Reading a caller's parameters the way WeCom does: lenient on types (with a warning), strict on limits."""

from __future__ import annotations

import json
from typing import Any

from bot.sandbox.refusal import Refusal, too_long, wrong_field


class Fields:
    """The parameters of one call, read field by field.

    A value of another type is used when it can be understood and left out when it cannot; either way `warned`
    turns true and the answer's errmsg carries `Warning: wrong json format.`
    """

    def __init__(self, values: dict[str, Any], *, parent: Fields | None = None) -> None:
        self.values = values
        self._root: Fields = parent._root if parent else self  # noqa: SLF001  the same class
        self._warned = False

    @classmethod
    def from_body(cls, raw: bytes) -> Fields:
        """Parse a raw request body, whatever its Content-Type; a body that is no object counts as empty."""
        if not raw:
            return cls({})
        try:
            parsed = json.loads(raw)
        except ValueError:
            parsed = None
        fields = cls(parsed if isinstance(parsed, dict) else {})
        if not isinstance(parsed, dict):
            fields.warn()
        return fields

    @property
    def warned(self) -> bool:
        """Whether some value had the wrong type."""
        return self._root._warned  # noqa: SLF001  the same class

    def warn(self) -> None:
        """Note a type mismatch."""
        self._root._warned = True  # noqa: SLF001  the same class

    def has(self, name: str) -> bool:
        """Whether the caller gave `name` at all (null counts as not given)."""
        return self.values.get(name) is not None

    def text(
        self,
        name: str,
        default: str = "",
        *,
        chars: int | None = None,
        size: int | None = None,
        code: int = 40058,
    ) -> str:
        """A string of at most `chars` characters and `size` UTF-8 bytes; Refusal `code` when longer."""
        value = self.values.get(name)
        if value is None:
            return default
        if isinstance(value, bool | list | dict):
            self.warn()
            return default
        if not isinstance(value, str):
            self.warn()
            value = str(value)
        if chars is not None and len(value) > chars:
            raise too_long(name, chars, code=code)
        if size is not None and len(value.encode("utf-8", "surrogatepass")) > size:
            raise too_long(name, size, code=code)
        return value

    def need_text(
        self,
        name: str,
        *,
        missing: int = 40058,
        chars: int | None = None,
        size: int | None = None,
        code: int = 40058,
    ) -> str:
        """A string that must not be empty; Refusal `missing` when it is."""
        value = self.text(name, chars=chars, size=size, code=code)
        if not value:
            raise wrong_field(name, code=missing)
        return value

    def whole(self, name: str, default: int = 0) -> int:
        """An integer; a string of digits is understood, with a warning."""
        value = self.values.get(name)
        if value is None:
            return default
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        self.warn()
        try:
            return int(value)
        except (TypeError, ValueError):
            return default

    def flag(self, name: str, *, default: bool = False) -> bool:
        """A boolean; 0, 1 and their strings are understood, with a warning."""
        value = self.values.get(name)
        if value is None or isinstance(value, bool):
            return default if value is None else value
        self.warn()
        return str(value).lower() in {"1", "true"} if str(value).lower() in {"0", "1", "true", "false"} else default

    def texts(self, name: str, *, most: int | None = None, code: int = 40058) -> list[str]:
        """A list of strings; a stringified list is refused (40058), as users report.
        Refusal `code` over `most`.
        """
        value = self.values.get(name)
        if value is None:
            return []
        if not isinstance(value, list):
            raise too_long(name, 64)
        if most is not None and len(value) > most:
            raise too_long(name, most, code=code)
        if any(not isinstance(item, str) for item in value):
            self.warn()
        return [str(item) for item in value if isinstance(item, str | int) and not isinstance(item, bool)]

    def numbers(self, name: str, *, most: int | None = None) -> list[int]:
        """A list of integers."""
        value = self.values.get(name)
        if value is None:
            return []
        if not isinstance(value, list):
            raise wrong_field(name)
        if most is not None and len(value) > most:
            raise too_long(name, most)
        kept = [int(item) for item in value if str(item).lstrip("-").isdigit() and not isinstance(item, bool)]
        if any(not isinstance(item, int) for item in value) or len(kept) != len(value):
            self.warn()
        return kept

    def child(self, name: str) -> Fields | None:
        """A nested object, None when absent or not an object."""
        value = self.values.get(name)
        if isinstance(value, dict):
            return Fields(value, parent=self)
        if value is not None:
            self.warn()
        return None

    def need_child(self, name: str) -> Fields:
        """A nested object that must be there."""
        found = self.child(name)
        if found is None:
            raise wrong_field(name)
        return found

    def children(self, name: str, *, most: int | None = None, code: int = 40058) -> list[Fields]:
        """A list of objects; Refusal `code` over `most`."""
        value = self.values.get(name)
        if value is None:
            return []
        if not isinstance(value, list):
            self.warn()
            return []
        if most is not None and len(value) > most:
            raise Refusal(code, f"field `{name}` exceed max length {most}. ")
        if any(not isinstance(item, dict) for item in value):
            self.warn()
        return [Fields(item, parent=self) for item in value if isinstance(item, dict)]
