"""``MessageArchive`` over the native library: processes, private keys, codes, records that make the library crash."""

import base64
import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from bot.wecom.archive_codes import explain
from bot.wecom.archive_keys import KeyRing
from bot.wecom.archive_runner import ArchiveRunner
from crm_core.chat.archive_port import (
    ArchiveHealth,
    ArchiveTrouble,
    ArchiveUnavailable,
    MediaPart,
    OpenedRecord,
    SealedRecord,
    Unopened,
)
from crm_core.config_archive import ArchivePart

SPARE_SECONDS = 15.0  # over the library's own time-out
WORTH_SPLITTING = 64  # records; fewer are not worth a second process
MOST_SEQ = 1 << 63


class LibraryArchive:
    """One corp's archive. secret: of the chat archive; proxy_password: ``user:pass``."""

    def __init__(
        self, corp_id: str, part: ArchivePart, secret: str, keys: KeyRing, *, proxy_password: str = ""
    ) -> None:
        self._part = part
        self._keys = keys
        self._base = {
            "with_library": True,
            "source": part.source,
            "library": part.library,
            "corp_id": corp_id,
            "secret": secret,
            "proxy": part.proxy,
            "password": proxy_password,
            "timeout_seconds": part.timeout_seconds,
            "memory_mb": part.memory_mb,
        }
        self._crew = [ArchiveRunner(self._start()) for _ in range(part.processes)]

    def pull(self, after_seq: int, limit: int) -> list[SealedRecord]:
        """Records after a seq, ascending. Raises: ArchiveUnavailable."""
        _, body = self._crew[0].ask({"act": "pull", "after": after_seq, "limit": limit}, seconds=self._patience())
        try:
            page = json.loads(body)
            code = int(page.get("errcode", 0))
            rows = page.get("chatdata") or []
        except (ValueError, TypeError, AttributeError) as error:
            raise ArchiveUnavailable(ArchiveTrouble.BROKEN_ANSWER, "企业微信的应答无法读懂") from error
        if code:
            raise ArchiveUnavailable(ArchiveTrouble.REFUSED, explain(code).says, code_seen=code)
        records = [made for row in rows if (made := _record(row)) is not None and made.seq > after_seq]
        return sorted(records, key=lambda record: record.seq)

    def open(self, records: Sequence[SealedRecord]) -> list[OpenedRecord]:
        """Opened in all processes side by side. Raises: ArchiveUnavailable (not for single records)."""
        for runner in self._crew:
            runner.renew(self._start())
        shares = min(len(self._crew), max(1, len(records) // WORTH_SPLITTING))
        if shares == 1:
            return self._open_in(self._crew[0], records)
        size = -(-len(records) // shares)
        parts = [records[at : at + size] for at in range(0, len(records), size)]
        with ThreadPoolExecutor(len(parts)) as threads:
            return [one for done in threads.map(self._open_in, self._crew, parts) for one in done]

    def media(self, file_id: str, index: bytes) -> MediaPart:
        """A part of a file, by the last process, so that pulling need not wait. Raises: ArchiveUnavailable."""
        request = {"act": "media", "file_id": file_id, "index": base64.b64encode(index).decode()}
        head, body = self._crew[-1].ask(request, seconds=self._patience())
        return MediaPart(data=body, index=base64.b64decode(head["index"]), is_last=head["is_last"])

    def key_prints(self) -> dict[int, str]:
        """Fingerprints of the private keys at runner."""
        return self._keys.prints()

    def health(self) -> ArchiveHealth:
        """How the processes are."""
        return ArchiveHealth(
            pid=self._crew[0].pid,
            restarts=sum(max(0, runner.starts - 1) for runner in self._crew[:1]),
            last_end=next((runner.last_end for runner in self._crew if runner.last_end), ""),
            bad_keys=self._crew[0].bad_keys,
        )

    def remedy(self, code: int) -> str:
        """What a person can do about a code of the library or of WeCom."""
        return explain(code).remedy

    def rest(self) -> None:
        """Keep one process, end the others."""
        for runner in self._crew[1:]:
            if not runner.is_busy:
                runner.stop()

    def close(self) -> None:
        """End all processes."""
        for runner in self._crew:
            runner.stop()

    def _start(self) -> dict[str, Any]:
        return {**self._base, "keys": {str(version): pem for version, pem in self._keys.pems().items()}}

    def _patience(self) -> float:
        return self._part.timeout_seconds + SPARE_SECONDS

    def _open_in(self, runner: ArchiveRunner, records: Sequence[SealedRecord]) -> list[OpenedRecord]:
        """All of them; when the library dies of one, halves until that one stands alone."""
        if not records:
            return []
        request = {"act": "open", "records": [_asked(record) for record in records]}
        try:
            head, _ = runner.ask(request, seconds=self._patience())
        except ArchiveUnavailable as error:
            if error.trouble not in {ArchiveTrouble.CRASHED, ArchiveTrouble.MEMORY, ArchiveTrouble.TIMEOUT}:
                raise
            if len(records) == 1:
                return [OpenedRecord(record=records[0], fault=Unopened.CRASHES)]
            half = len(records) // 2
            return [*self._open_in(runner, records[:half]), *self._open_in(runner, records[half:])]
        return [_opened(record, told) for record, told in zip(records, head["opened"], strict=True)]


def _record(row: object) -> SealedRecord | None:
    if not isinstance(row, Mapping):
        return None
    seq, version = row.get("seq"), row.get("publickey_ver", 0)
    if not isinstance(seq, int) or not 0 < seq < MOST_SEQ:
        return None
    return SealedRecord(
        seq=seq,
        msgid=str(row.get("msgid") or ""),
        version=version if isinstance(version, int) and 0 <= version < MOST_SEQ else 0,
        sealed_key=str(row.get("encrypt_random_key") or ""),
        sealed_message=str(row.get("encrypt_chat_msg") or ""),
    )


def _asked(record: SealedRecord) -> dict[str, Any]:
    return {"version": record.version, "key": record.sealed_key, "message": record.sealed_message}


def _opened(record: SealedRecord, told: Mapping[str, Any]) -> OpenedRecord:
    fault = told.get("fault")
    return OpenedRecord(record=record, text=str(told.get("text", "")), fault=Unopened(fault) if fault else None)
