"""Fetches files of the chat archive chunk by chunk, resumable, and keeps them in a store."""

import base64
import hashlib
import os
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from crm_core.chat import archive_media
from crm_core.chat.archive_media import ArchiveFile, MediaState
from crm_core.chat.archive_port import ArchiveTrouble, ArchiveUnavailable, MessageArchive
from crm_core.config_archive import ArchivePart
from crm_core.db import Database
from crm_core.ids import CorpId
from crm_core.ports import MediaStore

MB = 1 << 20
HASH_BYTES = 1 << 20
GONE = frozenset({10005, 10010, 301_048})  # no longer there: another try would not help
MOST_TRIES = 3
DROP_AT_ONCE = 200


class ArchiveMediaDesk:
    """parts: a folder for files that are still growing; another machine starts such a file anew."""

    def __init__(
        self,
        db: Database,
        store: MediaStore,
        parts: Path,
        archives: Mapping[CorpId, tuple[ArchivePart, MessageArchive]],
    ) -> None:
        self._db = db
        self._store = store
        self._parts = parts
        self._archives = archives

    def fetch(self, payload: Mapping[str, Any], keep_alive: Callable[[], None]) -> None:
        """One file. Goes on where an earlier run was broken off. Raises: ArchiveUnavailable, to be tried again."""
        corp = CorpId(str(payload["corp"]))
        with self._db.reading() as session:
            file = archive_media.get(session, corp, int(payload["media"]))
        found = self._archives.get(corp)
        if found is None or file.state not in {MediaState.WAITING, MediaState.LOADING}:
            return
        try:
            self._load(corp, file, *found, keep_alive)
        except ArchiveUnavailable as error:
            if error.code_seen not in GONE:
                raise
            self._end(file.id, MediaState.FAILED, says=error.message)

    def drop_older(self, corp: CorpId, age: timedelta, keep_alive: Callable[[], None]) -> None:
        """Delete what was kept long enough; the same bytes stay while another message shows them."""
        while True:
            with self._db.unit() as uow:
                before = uow.now() - age
                count, keys = archive_media.drop_older(uow, corp, before, DROP_AT_ONCE)
                uow.commit()
            for key in keys:
                self._store.delete(key)
            keep_alive()
            if not count:
                return

    def _load(
        self,
        corp: CorpId,
        file: ArchiveFile,
        part: ArchivePart,
        archive: MessageArchive,
        keep_alive: Callable[[], None],
    ) -> None:
        place, index, done = self._resume(corp, file)
        is_last = False
        while not is_last:
            chunk = archive.media(file.sdkfileid, index)
            if not chunk.is_last and not chunk.data and chunk.index == index:
                raise ArchiveUnavailable(ArchiveTrouble.BROKEN_ANSWER, "企业微信没有给出文件的下一段")
            done = _append(place, done, chunk.data)
            index, is_last = chunk.index, chunk.is_last
            if done > part.media_most_mb * MB:
                place.unlink(missing_ok=True)
                self._end(file.id, MediaState.TOO_LARGE, says=f"超过 {part.media_most_mb} MB")
                return
            if not is_last:
                with self._db.unit() as uow:
                    archive_media.note_part(
                        uow,
                        file.id,
                        part_name=place.name,
                        bytes_done=done,
                        next_index=base64.b64encode(index).decode(),
                    )
                    uow.commit()
            keep_alive()
        self._finish(corp, file, place)

    def _finish(self, corp: CorpId, file: ArchiveFile, place: Path) -> None:
        """Check and keep what came; what does not match its MD5 is fetched once more."""
        if file.md5 and _md5(place) != file.md5:
            place.unlink()
            says = "收到的内容与 MD5 不符"
            with self._db.unit() as uow:
                tries = archive_media.start_over(uow, file.id, says)
                if tries < MOST_TRIES:
                    archive_media.add_job(uow, corp, file.id, tries)
                else:
                    archive_media.end(uow, file.id, MediaState.FAILED, says=says)
                uow.commit()
            return
        with place.open("rb") as content:
            blob = self._store.put(content)
        self._end(file.id, MediaState.DONE, file_key=blob.key)
        place.unlink()

    def _resume(self, corp: CorpId, file: ArchiveFile) -> tuple[Path, bytes, int]:
        """Where to write, what to ask for and how much is there."""
        folder = self._parts / hashlib.sha256(corp.encode()).hexdigest()[:16]
        folder.mkdir(parents=True, exist_ok=True)
        place = folder / f"{file.id}.part"
        if file.part_name == place.name and place.is_file() and place.stat().st_size >= file.bytes_done > 0:
            return place, base64.b64decode(file.next_index), file.bytes_done
        return place, b"", 0

    def _end(self, media_id: int, state: MediaState, *, file_key: str = "", says: str = "") -> None:
        with self._db.unit() as uow:
            archive_media.end(uow, media_id, state, file_key=file_key, says=says)
            uow.commit()


def _append(place: Path, at: int, data: bytes) -> int:
    """Write behind what is known to be good, on disk when this returns. Answers the new length."""
    with place.open("r+b" if at else "wb") as file:
        file.truncate(at)
        file.seek(at)
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    return at + len(data)


def _md5(place: Path) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    with place.open("rb") as file:
        while part := file.read(HASH_BYTES):
            digest.update(part)
    return digest.hexdigest()
