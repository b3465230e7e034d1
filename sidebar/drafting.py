"""Reply drafts as the sidebar sees them; who words them is outside (``bot/draft_desk.py``)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from crm_core.errors import ScrmError
from materials.model import Script


class DraftFailed(ScrmError):
    """No draft; the message says why."""

    code = "draft_failed"
    http_status = 502


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A proposed answer and the scripts it was made of."""

    text: str
    sources: tuple[Script, ...]


class DraftWriter(Protocol):
    """Words an answer out of scripts."""

    @property
    def is_on(self) -> bool:
        """Whether the company switched drafts on."""
        ...

    def write(self, said: Sequence[str], scripts: Sequence[Script]) -> Draft:
        """A draft grounded on these scripts. Raises: DraftFailed."""
        ...
