"""How the local WeCom seals archive records: a random key per message, RSA for the key, ChaCha20 for the message.

RSA is as at WeCom (2048 bits, PKCS#1 v1.5, doc 91774); the message cipher is our own, because the vendor's is secret.
``archive_lib/finance_sdk.c`` opens it.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from shutil import which
from typing import Any

from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

LIBRARY_SOURCE = Path(__file__).parent / "archive_lib" / "finance_sdk.c"
PLACE = "LOCAL_WECOM_ARCHIVE"  # the environment variable that tells the library where the data is
_MAGIC = b"WXFS"
_NONCE = 12


class ArchiveKey:
    """One version of a corp's key pair; the private half is what the corp keeps to itself."""

    def __init__(self, version: int, pem: str = "") -> None:
        self.version = version
        key = load_pem_private_key(pem.encode(), None) if pem else rsa.generate_private_key(65537, 2048)
        if not isinstance(key, rsa.RSAPrivateKey):
            raise TypeError("not an RSA key")
        self._public = key.public_key()
        self.private_pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()

    def seal(self, seq: int, message: Mapping[str, Any]) -> dict[str, Any]:
        """One record as GetChatData answers it."""
        random_key = os.urandom(32)
        nonce = os.urandom(_NONCE)
        text = json.dumps(message, ensure_ascii=False).encode("utf-8", "surrogatepass")
        stream = Cipher(algorithms.ChaCha20(random_key, bytes(4) + nonce), None).encryptor()
        sealed_key = self._public.encrypt(random_key.hex().encode(), padding.PKCS1v15())
        return {
            "seq": seq,
            "msgid": message.get("msgid", ""),
            "publickey_ver": self.version,
            "encrypt_random_key": base64.b64encode(sealed_key).decode(),
            "encrypt_chat_msg": base64.b64encode(nonce + stream.update(_MAGIC + text)).decode(),
        }


def compiler() -> str:
    """Path of a C compiler, "" when there is none."""
    return which("cc") or which("gcc") or which("clang") or ""


def build_library(folder: Path) -> Path:
    """Compile the library into a folder. Raises: RuntimeError when that is not possible here."""
    program = compiler()
    if not program:
        raise RuntimeError("no C compiler")
    made = folder / "libWeWorkFinanceSdk_local.so"
    done = subprocess.run(  # noqa: S603 - the machine's compiler over our own source
        [program, "-O2", "-shared", "-fPIC", "-o", str(made), str(LIBRARY_SOURCE)],
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return made
