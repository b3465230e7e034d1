"""The archive process: loads the native library, pulls, opens and downloads on request; dies alone when it must.

Started by ``bot.wecom.archive_runner`` as ``python -m bot.wecom.archive_child``; speaks frames over its standard
input and what was its standard output. Imports as little as it can: it is started anew after every crash.
"""

import base64
import binascii
import os
import resource
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO, Protocol

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from bot.wecom.archive_frames import LENGTHS, lengths, pack, unpack
from bot.wecom.archive_local import LocalArchive
from bot.wecom.archive_sdk import Chunk, FinanceSdk, LibraryMissing, SdkRefused

LOOK_SECONDS = 2.0
PADDING = padding.PKCS1v15()
Answer = tuple[dict[str, Any], bytes]


class Library(Protocol):
    """What the native library can do; a local WeCom without a compiler does it, too."""

    def pull(self, after_seq: int, limit: int) -> bytes: ...
    def decrypt(self, random_key: bytes, message: bytes) -> bytes: ...
    def media(self, file_id: str, index: bytes) -> Chunk: ...


class Child:
    """Answers one request after the other."""

    def __init__(self) -> None:
        self._library: Library | None = None
        self._keys: dict[str, rsa.RSAPrivateKey] = {}
        self._acts: dict[str, Callable[[Mapping[str, Any]], Answer]] = {
            "start": self._start,
            "pull": self._pull,
            "open": self._open,
            "media": self._media,
        }

    def answer(self, request: Mapping[str, Any]) -> Answer:
        """The answer to a request; faults are answers, too."""
        try:
            return self._acts[request["act"]](request)
        except LibraryMissing as error:
            return {"fault": "library_missing", "says": str(error)[:300]}, b""
        except SdkRefused as error:
            return {"fault": "sdk", "code": error.code, "function": error.function}, b""
        except MemoryError:
            return {"fault": "memory"}, b""

    def _start(self, request: Mapping[str, Any]) -> Answer:
        if memory := request["memory_mb"]:
            resource.setrlimit(resource.RLIMIT_AS, (memory << 20, memory << 20))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        self._keys = {}
        bad = []
        for version, pem in request["keys"].items():
            try:
                key = load_pem_private_key(pem.encode(), None)
            except (ValueError, TypeError, UnsupportedAlgorithm):
                key = None
            if isinstance(key, rsa.RSAPrivateKey):
                self._keys[version] = key
            else:
                bad.append(version)
        if request["with_library"]:
            made = LocalArchive if request["source"] == "local_wecom" else FinanceSdk
            way = {name: request[name] for name in ("proxy", "password", "timeout_seconds")}
            self._library = made(request["library"], request["corp_id"], request["secret"], **way)
        return {"bad_keys": bad}, b""

    def _need(self) -> Library:
        if self._library is None:
            raise LibraryMissing("the library was not asked for")
        return self._library

    def _pull(self, request: Mapping[str, Any]) -> Answer:
        return {}, self._need().pull(request["after"], request["limit"])

    def _open(self, request: Mapping[str, Any]) -> Answer:
        """Texts of records in the same order; a record that cannot be opened has a fault instead."""
        return {"opened": [self._open_one(record) for record in request["records"]]}, b""

    def _open_one(self, record: Mapping[str, Any]) -> dict[str, Any]:
        key = self._keys.get(str(record["version"]))
        if key is None:
            return {"fault": "key_missing"}
        try:
            block = base64.b64decode(record["key"], validate=True)
            random_key = key.decrypt(block, PADDING)
        except (binascii.Error, ValueError):
            return {"fault": "bad_block"}
        try:
            text = self._need().decrypt(random_key, record["message"].encode())
        except SdkRefused as error:
            return {"fault": "bad_block" if error.code == 10008 else "bad_content", "code": error.code}
        return {"text": text.decode("utf-8", "replace")}

    def _media(self, request: Mapping[str, Any]) -> Answer:
        chunk = self._need().media(request["file_id"], base64.b64decode(request["index"]))
        return {"index": base64.b64encode(chunk.index).decode(), "is_last": chunk.is_last}, chunk.data


def serve(incoming: BinaryIO, outgoing: BinaryIO) -> None:
    """Until the other side closes."""
    child = Child()
    while prefix := incoming.read(LENGTHS.size):
        head_length, body_length = lengths(prefix)
        request, _ = unpack(incoming.read(head_length), incoming.read(body_length))
        head, body = child.answer(request)
        outgoing.write(pack(head, body))
        outgoing.flush()


def _leave_with(parent: int) -> None:
    """End when the house is gone, even while the library hangs."""
    while os.getppid() == parent:
        time.sleep(LOOK_SECONDS)
    os._exit(0)


def main() -> None:
    """Keep the standard output for the frames; whatever the library prints goes to the error output."""
    threading.Thread(target=_leave_with, args=(os.getppid(),), daemon=True).start()
    frames = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    serve(sys.stdin.buffer, frames)


if __name__ == "__main__":
    main()
