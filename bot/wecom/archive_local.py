"""The local WeCom's archive without a native library: for a demo on a machine without a C compiler.

Runs in the archive process in place of the library and speaks to the local WeCom over HTTP. It reads only the local
WeCom's own message cipher and can open nothing of the real WeCom.
"""

import base64
import binascii
import os
import urllib.error
import urllib.parse
import urllib.request

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms

from bot.wecom.archive_sdk import Chunk, LibraryMissing, SdkRefused

PLACE = "LOCAL_WECOM_ARCHIVE"
MAGIC = b"WXFS"
NO_NETWORK, BAD_FILE_ID, CANNOT_DECRYPT, BAD_KEY = 10001, 10005, 10006, 10008
NONCE, KEY_DIGITS = 12, 64


class LocalArchive:
    """Answers like the library. library, proxy and password are not used."""

    def __init__(
        self, library: str, corp_id: str, secret: str, *, proxy: str, password: str, timeout_seconds: int
    ) -> None:
        del library, proxy, password
        self._base = os.environ.get(PLACE, "")
        if not self._base.startswith("http://"):
            raise LibraryMissing(f"{PLACE} names no local WeCom")
        self._who = {"corpid": corp_id, "secret": secret}
        self._seconds = timeout_seconds

    def pull(self, after_seq: int, limit: int) -> bytes:
        """The page after a seq. Raises: SdkRefused."""
        return self._ask("GetChatData", "pull", {"seq": str(after_seq), "limit": str(limit)})

    def decrypt(self, random_key: bytes, message: bytes) -> bytes:
        """A message's text. Raises: SdkRefused."""
        try:
            key, sealed = bytes.fromhex(random_key.decode("ascii")), base64.b64decode(message, validate=True)
        except (binascii.Error, ValueError) as error:
            raise SdkRefused("DecryptData", BAD_KEY) from error
        if len(random_key) != KEY_DIGITS or len(sealed) < NONCE + len(MAGIC):
            raise SdkRefused("DecryptData", BAD_KEY if len(random_key) != KEY_DIGITS else CANNOT_DECRYPT)
        stream = Cipher(algorithms.ChaCha20(key, bytes(4) + sealed[:NONCE]), None).decryptor()
        plain = stream.update(sealed[NONCE:])
        if not plain.startswith(MAGIC):
            raise SdkRefused("DecryptData", CANNOT_DECRYPT)
        return plain[len(MAGIC) :]

    def media(self, file_id: str, index: bytes) -> Chunk:
        """A part of a file. Raises: SdkRefused."""
        answer = self._ask("GetMediaData", "media", {"sdkfileid": file_id, "offset": index.decode() or "0"})
        head, _, data = answer.partition(b"\n")
        finished, _, following = head.partition(b" ")
        if int(following) < int(index or b"0"):
            raise SdkRefused("GetMediaData", BAD_FILE_ID)
        return Chunk(data=data, index=following, is_last=finished == b"1")

    def _ask(self, function: str, path: str, fields: dict[str, str]) -> bytes:
        form = urllib.parse.urlencode({**self._who, **fields}).encode()
        try:
            with urllib.request.urlopen(  # noqa: S310 - the scheme was checked
                f"{self._base}/sandbox/archive/{path}", form, timeout=self._seconds
            ) as answer:
                return bytes(answer.read())
        except (urllib.error.URLError, OSError) as error:
            raise SdkRefused(function, NO_NETWORK) from error
