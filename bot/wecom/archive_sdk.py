"""The customer's native archive library (会话内容存档 Finance SDK) through ctypes.

Only ``bot.wecom.archive_child`` may call it: a fault inside the library ends the process it runs in. One handle, one
thread. Source: protocol notes 8.1.
"""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes import c_char_p, c_int, c_uint, c_ulonglong, c_void_p
from dataclasses import dataclass
from typing import Any

# Pointers as c_void_p throughout: ctypes' default int would cut them to 32 bits.
SIGNATURES: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "NewSdk": (c_void_p, ()),
    "Init": (c_int, (c_void_p, c_char_p, c_char_p)),
    "DestroySdk": (None, (c_void_p,)),
    "GetChatData": (c_int, (c_void_p, c_ulonglong, c_uint, c_char_p, c_char_p, c_int, c_void_p)),
    "DecryptData": (c_int, (c_char_p, c_char_p, c_void_p)),
    "GetMediaData": (c_int, (c_void_p, c_char_p, c_char_p, c_char_p, c_char_p, c_int, c_void_p)),
    "NewSlice": (c_void_p, ()),
    "FreeSlice": (None, (c_void_p,)),
    "GetContentFromSlice": (c_void_p, (c_void_p,)),
    "GetSliceLen": (c_int, (c_void_p,)),
    "NewMediaData": (c_void_p, ()),
    "FreeMediaData": (None, (c_void_p,)),
    "GetOutIndexBuf": (c_void_p, (c_void_p,)),
    "GetIndexLen": (c_int, (c_void_p,)),
    "GetData": (c_void_p, (c_void_p,)),
    "GetDataLen": (c_int, (c_void_p,)),
    "IsMediaDataFinish": (c_int, (c_void_p,)),
}


class LibraryMissing(Exception):
    """The library cannot be loaded, or is not the archive library."""


class SdkRefused(Exception):
    """The library answered a code that is not 0."""

    def __init__(self, function: str, code: int) -> None:
        super().__init__(f"{function} answered {code}")
        self.function = function
        self.code = code


@dataclass(frozen=True, slots=True)
class Chunk:
    """A part of a media file. index: what to ask the next one with."""

    data: bytes
    index: bytes
    is_last: bool


class FinanceSdk:
    """One handle of the library. proxy: "" for none; password: ``user:pass`` of the proxy."""

    def __init__(
        self, library: str, corp_id: str, secret: str, *, proxy: str, password: str, timeout_seconds: int
    ) -> None:
        self._lib = _load(library)
        self._way = (proxy.encode(), password.encode(), timeout_seconds)
        self._sdk = self._lib.NewSdk()
        if not self._sdk:
            raise SdkRefused("NewSdk", 0)
        self._check("Init", self._lib.Init(self._sdk, corp_id.encode(), secret.encode()))

    def pull(self, after_seq: int, limit: int) -> bytes:
        """The page after a seq, as JSON text. Raises: SdkRefused."""
        with self._slice() as content:
            self._check("GetChatData", self._lib.GetChatData(self._sdk, after_seq, limit, *self._way, content))
            return self._bytes(self._lib.GetContentFromSlice(content), self._lib.GetSliceLen(content))

    def decrypt(self, random_key: bytes, message: bytes) -> bytes:
        """A message's text. random_key: what RSA gave. Raises: SdkRefused."""
        with self._slice() as content:
            self._check("DecryptData", self._lib.DecryptData(random_key, message, content))
            return self._bytes(self._lib.GetContentFromSlice(content), self._lib.GetSliceLen(content))

    def media(self, file_id: str, index: bytes) -> Chunk:
        """The part of a file that ``index`` asks for; b"" asks for the first. Raises: SdkRefused."""
        lib, media = self._lib, self._lib.NewMediaData()
        try:
            self._check("GetMediaData", lib.GetMediaData(self._sdk, index, file_id.encode(), *self._way, media))
            return Chunk(
                data=self._bytes(lib.GetData(media), lib.GetDataLen(media)),
                index=self._bytes(lib.GetOutIndexBuf(media), lib.GetIndexLen(media)),
                is_last=bool(lib.IsMediaDataFinish(media)),
            )
        finally:
            lib.FreeMediaData(media)

    def close(self) -> None:
        """Give the handle back."""
        if self._sdk:
            self._lib.DestroySdk(self._sdk)
            self._sdk = None

    @contextmanager
    def _slice(self) -> Iterator[int]:
        held = self._lib.NewSlice()
        try:
            yield held
        finally:
            self._lib.FreeSlice(held)

    @staticmethod
    def _bytes(start: int | None, length: int) -> bytes:
        """A copy; contents may hold NUL, so only the length counts."""
        return ctypes.string_at(start, length) if start and length > 0 else b""

    @staticmethod
    def _check(function: str, code: int) -> None:
        if code != 0:
            raise SdkRefused(function, code)


def _load(library: str) -> Any:
    try:
        lib = ctypes.CDLL(library)
        for name, (answers, takes) in SIGNATURES.items():
            function = getattr(lib, name)
            function.restype, function.argtypes = answers, list(takes)
    except (OSError, AttributeError) as error:
        raise LibraryMissing(str(error)) from error
    return lib
