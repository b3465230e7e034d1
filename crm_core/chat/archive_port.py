"""The chat archive as a port. Adapters live in ``bot.wecom``. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from crm_core.errors import Retry, ScrmError


class ArchiveTrouble(StrEnum):
    """Why the archive does not answer."""

    LIBRARY_MISSING = "library_missing"  # not there, or not this library
    CRASHED = "crashed"  # the library took its process down
    MEMORY = "memory"  # over the ceiling
    TIMEOUT = "timeout"
    REFUSED = "refused"  # WeCom or the library answered a code
    BROKEN_ANSWER = "broken_answer"


class ArchiveUnavailable(ScrmError):
    """The archive cannot be asked now. code_seen: errcode of WeCom or return code of the library."""

    code = "archive_unavailable"
    http_status = 503
    retry = Retry.LATER

    def __init__(self, trouble: ArchiveTrouble, message: str, *, code_seen: int | None = None) -> None:
        super().__init__(message)
        self.trouble = trouble
        self.code_seen = code_seen


class Unopened(StrEnum):
    """Why a record could not be opened."""

    KEY_MISSING = "key_missing"  # no private key of its version
    BAD_BLOCK = "bad_block"  # the RSA block is damaged, or the key is another one
    BAD_CONTENT = "bad_content"  # the message cipher does not open it
    NOT_A_MESSAGE = "not_a_message"  # what came out is no message
    CRASHES = "crashes"  # the library dies of it


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedRecord:
    """One encrypted record as WeCom gives it. version: which of our public keys sealed it."""

    seq: int
    msgid: str
    version: int
    sealed_key: str
    sealed_message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedRecord:
    """A record with its text, or with why there is none."""

    record: SealedRecord
    text: str = ""
    fault: Unopened | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaPart:
    """A part of a file. index: what to ask for the next one with; b"" asks for the first."""

    data: bytes
    index: bytes
    is_last: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveHealth:
    """How the archive's process is. pid: 0 when none runs; last_end: why the last one ended; bad_keys: versions."""

    pid: int = 0
    restarts: int = 0
    last_end: str = ""
    bad_keys: tuple[str, ...] = ()


class MessageArchive(Protocol):
    """One corp's chat archive. Every method raises ArchiveUnavailable; none takes the house down."""

    def pull(self, after_seq: int, limit: int) -> list[SealedRecord]:
        """Records after a seq, ascending, at most ``limit`` (≤ 1000). The vendor keeps them 5 days."""
        ...

    def open(self, records: Sequence[SealedRecord]) -> list[OpenedRecord]:
        """The same records, opened as far as they can be."""
        ...

    def media(self, file_id: str, index: bytes) -> MediaPart:
        """A part of a file, at most 512 KB."""
        ...

    def key_prints(self) -> dict[int, str]:
        """Fingerprints of the private keys at hand, by version; they are read anew each time."""
        ...

    def health(self) -> ArchiveHealth:
        """How the process is."""
        ...

    def remedy(self, code: int) -> str:
        """What a person can do about a code seen, "" when nothing is known."""
        ...

    def rest(self) -> None:
        """Let go of what is only needed while there is work."""
        ...

    def close(self) -> None:
        """Let go of everything."""
        ...
