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
            raise ScrmError("没有能打开这段内容的密钥：SCRM_SECRET_KEY 或 SCRM_DATA_KEYS 是否换过？") from None


def open_cipher(settings: Settings) -> FernetCipher:
    """The cipher of this installation: the data keys in the order given, then one derived from ``SCRM_SECRET_KEY``.

    The derived key seals where no data key is set, and goes on opening what was sealed before one was.
    """
    return FernetCipher((*_derived(settings.data_key_list), *_derived((settings.secret_key.get_secret_value(),))))


def _derived(secrets: tuple[str, ...]) -> list[bytes]:
    def derive(secret: str) -> bytes:
        made = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"scrm chat content 1").derive(secret.encode())
        return base64.urlsafe_b64encode(made)

    return [derive(secret) for secret in secrets]
