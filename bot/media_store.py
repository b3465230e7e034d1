"""File contents in a folder, named by their SHA-256: ``<folder>/ab/cd/abcd…``."""

import contextlib
import hashlib
import os
import re
import tempfile
from pathlib import Path
from typing import BinaryIO

from crm_core.errors import NotFound
from crm_core.ports import StoredBlob

CHUNK = 256 * 1024
KEY = re.compile(r"[0-9a-f]{64}")


class FolderStore:
    """``crm_core.ports.MediaStore`` over a folder, which several hosts may share."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, content: BinaryIO) -> StoredBlob:
        """Keep the rest of ``content``: written beside its place, synced, then moved there in one step."""
        self._folder.mkdir(parents=True, exist_ok=True)
        digest, size = hashlib.sha256(), 0
        handle, name = tempfile.mkstemp(prefix="incoming-", dir=self._folder)
        draft = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                while chunk := content.read(CHUNK):
                    digest.update(chunk)
                    size += len(chunk)
                    file.write(chunk)
                file.flush()
                os.fsync(file.fileno())
            key = digest.hexdigest()
            place = self._place(key)
            place.parent.mkdir(parents=True, exist_ok=True)
            draft.replace(place)
            self._sync(place.parent)
        finally:
            draft.unlink(missing_ok=True)
        return StoredBlob(key=key, size_bytes=size)

    def open(self, key: str) -> BinaryIO:
        """The bytes behind ``key``. Raises: NotFound."""
        if not KEY.fullmatch(key):
            raise NotFound("没有这个文件")
        try:
            return self._place(key).open("rb")
        except FileNotFoundError as error:
            raise NotFound("文件内容不见了，请重新上传") from error

    def delete(self, key: str) -> None:
        """Forget the bytes; nothing happens when they are not there."""
        if KEY.fullmatch(key):
            with contextlib.suppress(FileNotFoundError):
                self._place(key).unlink()

    def _place(self, key: str) -> Path:
        return self._folder / key[:2] / key[2:4] / key

    @staticmethod
    def _sync(folder: Path) -> None:
        """Make the new name itself durable."""
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
