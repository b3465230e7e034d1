"""A corp's chat archive (会话内容存档): what was said, sealed record by record. Knows no conversation and no clock."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

from bot.sandbox import ids
from bot.sandbox.archive_seal import ArchiveKey

CHUNK = 512 * 1024
_PAGE = 1000


@dataclass(slots=True)
class Consent:
    """A customer's decision towards one member. status: Agree | Disagree | Default_Agree."""

    status: str
    changed: int


@dataclass(slots=True)
class ArchiveBook:
    """Sealed records in order, files by sdkfileid, consents by (userid, external_userid)."""

    key: ArchiveKey
    records: list[dict[str, Any]] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    consents: dict[tuple[str, str], Consent] = field(default_factory=dict)
    told_at: float = 0.0  # when apps were last told that there is something new

    def add(self, message: dict[str, Any]) -> None:
        """Seal a message behind the others."""
        self.records.append(self.key.seal(len(self.records) + 1, message))

    def page(self, after: int, limit: int) -> list[dict[str, Any]]:
        """Records after a seq."""
        start = max(0, after)
        return self.records[start : start + min(limit, _PAGE)]

    def keep_file(self, content: bytes) -> dict[str, Any]:
        """Give a file an id; the fields that messages carry."""
        file_id = ids.opaque("CtY", 60)
        self.files[file_id] = content
        return {
            "sdkfileid": file_id,
            "md5sum": hashlib.md5(content, usedforsecurity=False).hexdigest(),
            "filesize": len(content),
        }
