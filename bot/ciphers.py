"""Sealing of text at rest."""

import base64

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from crm_core.config import Settings
from crm_core.errors import ScrmError


class FernetCipher:
    """``TextCipher`` by Fernet (AES-128-CBC with HMAC-SHA256). The first key seals, each of them opens."""

    def __init__(self, keys: tuple[bytes, ...]) -> None:
        self._fernet = MultiFernet([Fernet(key) for key in keys])

    def seal(self, text: str) -> bytes:
        """The text, sealed with the first key."""
        return self._fernet.encrypt(text.encode("utf-8", "surrogatepass"))

    def unseal(self, sealed: bytes) -> str:
        """What was sealed. Raises: ScrmError when no key opens it."""
        try:
            return self._fernet.decrypt(sealed).decode("utf-8", "surrogatepass")
        except InvalidToken:
            raise ScrmError("没有能打开这段内容的密钥：SCRM_SECRET_KEY 是否换过？") from None


def open_cipher(settings: Settings) -> FernetCipher:
    """The cipher of this installation; its key is derived from ``SCRM_SECRET_KEY`` for this purpose alone."""
    derive = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"scrm chat content 1")
    key = derive.derive(settings.secret_key.get_secret_value().encode())
    return FernetCipher((base64.urlsafe_b64encode(key),))
