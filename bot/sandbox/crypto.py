"""WeCom's callback cryptography, written from the vendor's description and independent of the product's.

AES-256-CBC, IV = first 16 bytes of the key, PKCS7 to 32 bytes; plaintext is 16 random bytes, the length as
four big-endian bytes, the message, the receiver id. Source: WeCom doc 90968.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import string

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

_BLOCK = 32
_PREFIX = 16


class CipherTextWrong(ValueError):
    """The ciphertext, its padding, its length or its receiver id is not what it should be."""


def new_aes_key() -> str:
    """A fresh EncodingAESKey: 43 letters and digits that decode to 32 bytes."""
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(43))


def key_bytes(encoding_aes_key: str) -> bytes:
    """The 32-byte AES key behind an EncodingAESKey; ValueError if it is not one."""
    key = base64.b64decode(encoding_aes_key + "=")
    if len(encoding_aes_key) != 43 or len(key) != 32:
        raise ValueError("EncodingAESKey must be 43 letters and digits")
    return key


def signature(token: str, timestamp: str, nonce: str, encrypted: str) -> str:
    """Lower-case hex SHA-1 over the four strings, sorted and joined."""
    return hashlib.sha1("".join(sorted((token, timestamp, nonce, encrypted))).encode()).hexdigest()


def signature_matches(given: str, token: str, timestamp: str, nonce: str, encrypted: str) -> bool:
    """Whether `given` is the right signature; constant time."""
    return hmac.compare_digest(given.encode(), signature(token, timestamp, nonce, encrypted).encode())


def encrypt(encoding_aes_key: str, message: str, receive_id: str, *, prefix: bytes | None = None) -> str:
    """Encrypt `message` for `receive_id`; base64. `prefix` is 16 bytes, fresh random ones unless given."""
    key = key_bytes(encoding_aes_key)
    body = message.encode()
    plain = (prefix or secrets.token_bytes(_PREFIX)) + len(body).to_bytes(4, "big") + body + receive_id.encode()
    fill = _BLOCK - len(plain) % _BLOCK
    encryptor = Cipher(algorithms.AES(key), modes.CBC(key[:16])).encryptor()
    return base64.b64encode(encryptor.update(plain + bytes([fill]) * fill) + encryptor.finalize()).decode()


def decrypt(encoding_aes_key: str, encrypted: str, receive_id: str) -> str:
    """The message inside `encrypted`; CipherTextWrong when anything does not fit."""
    key = key_bytes(encoding_aes_key)
    try:
        decryptor = Cipher(algorithms.AES(key), modes.CBC(key[:16])).decryptor()
        plain = decryptor.update(base64.b64decode(encrypted, validate=True)) + decryptor.finalize()
        fill = plain[-1]
        if not 1 <= fill <= _BLOCK or plain[-fill:] != bytes([fill]) * fill:
            raise CipherTextWrong("padding")
        plain = plain[:-fill]
        length = int.from_bytes(plain[_PREFIX : _PREFIX + 4], "big")
        message = plain[_PREFIX + 4 : _PREFIX + 4 + length]
        if len(message) != length or plain[_PREFIX + 4 + length :] != receive_id.encode():
            raise CipherTextWrong("length or receiver id")
        return message.decode()
    except (ValueError, IndexError) as fault:
        raise CipherTextWrong(str(fault)) from fault


def js_signature(ticket: str, noncestr: str, timestamp: str, url: str) -> str:
    """The JS-SDK signature: SHA-1 hex over the four values in the vendor's order. Source: WeCom doc 90506."""
    signed = f"jsapi_ticket={ticket}&noncestr={noncestr}&timestamp={timestamp}&url={url}"
    return hashlib.sha1(signed.encode()).hexdigest()
