"""Callback crypto (回调加解密): signature, AES-256-CBC, padding over 32, receive id.

wechatpy's cipher (a thin face of ``cryptography``) and its padder are sound and used as they are. Its ``PrpCrypto``
is not: it compares the signature with ``!=``, trusts the last byte as padding, draws the random prefix with
``random.sample``, knows one receive id and lets six kinds of exception out. That layer is written here; every refusal
is one ``CallbackRejected``. Source: reference §1.
"""

import base64
import binascii
import re
import secrets
from collections.abc import Collection
from hashlib import sha1
from hmac import compare_digest

from wechatpy.crypto.cryptography import WeChatCipher
from wechatpy.crypto.pkcs7 import PKCS7Encoder

from bot.wecom.envelope import SealedEnvelope
from crm_core.errors import CallbackRejected

BLOCK_BYTES = 32
PREFIX_BYTES = 16
HEAD_BYTES = PREFIX_BYTES + 4
SIGNATURE_CHARS = 40
_KEY = re.compile(r"[0-9A-Za-z]{43}")
_PADDINGS = {count: bytes([count]) * count for count in range(1, BLOCK_BYTES + 1)}


class CallbackCrypto:
    """Opens and seals what one app and WeCom send each other.

    ``receive_ids`` are the acceptable receive ids: the corp id, for provider templates also the provider's own, a suite
    id for command callbacks, ``""`` for AI bots (reference §1.1). Safe to share between threads.
    Raises: ValueError on a key that is not 43 letters and digits, or without any receive id.
    """

    def __init__(self, token: str, encoding_aes_key: str, receive_ids: Collection[str]) -> None:
        if not _KEY.fullmatch(encoding_aes_key):
            raise ValueError("EncodingAESKey 应为 43 位字母数字")
        if not receive_ids or isinstance(receive_ids, str):
            raise ValueError("receive_ids 应为至少一个 receiveid 的集合")
        self._token = token.encode()
        self._cipher = WeChatCipher(base64.b64decode(encoding_aes_key + "="))
        self.receive_ids = tuple(receive_ids)
        self._receive_ids = frozenset(one.encode() for one in receive_ids)

    def signature(self, timestamp: str, nonce: str, encrypted: str) -> str:
        """Lower-case hex SHA-1 of the four sorted strings."""
        return self._sign(timestamp.encode(), nonce.encode(), encrypted.encode())

    def _sign(self, timestamp: bytes, nonce: bytes, encrypted: bytes) -> str:
        parts = sorted((self._token, timestamp, nonce, encrypted))
        return sha1(b"".join(parts), usedforsecurity=False).hexdigest()

    def open(self, msg_signature: str, timestamp: str, nonce: str, encrypted: str | bytes) -> bytes:
        """Verify the signature, decrypt, check padding, length and receive id. Answers the plaintext.

        Raises: CallbackRejected("signature" | "base64" | "length" | "padding" | "receive_id"), nothing else.
        """
        try:
            cipher_text = encrypted.encode("ascii") if isinstance(encrypted, str) else encrypted
            expected = self._sign(timestamp.encode(), nonce.encode(), cipher_text)
        except UnicodeEncodeError:  # a lone surrogate or a letter outside ASCII was never signed by WeCom
            raise CallbackRejected("signature") from None
        if not msg_signature.isascii() or not compare_digest(expected, msg_signature):
            raise CallbackRejected("signature")
        try:
            sealed = binascii.a2b_base64(cipher_text, strict_mode=True)
        except binascii.Error:
            raise CallbackRejected("base64") from None
        if not sealed or len(sealed) % BLOCK_BYTES:
            raise CallbackRejected("length")
        return self._unpack(self._cipher.decrypt(sealed))

    def _unpack(self, padded: bytes) -> bytes:
        padding = _PADDINGS.get(padded[-1])
        if padding is None or not padded.endswith(padding):
            raise CallbackRejected("padding")
        end = len(padded) - len(padding)
        stop = HEAD_BYTES + int.from_bytes(padded[PREFIX_BYTES:HEAD_BYTES], "big")
        if end < HEAD_BYTES or stop > end:
            raise CallbackRejected("length")
        if padded[stop:end] not in self._receive_ids:
            raise CallbackRejected("receive_id")
        return padded[HEAD_BYTES:stop]

    def seal(self, plaintext: bytes, timestamp: str, nonce: str, receive_id: str | None = None) -> SealedEnvelope:
        """Encrypt a passive reply. ``receive_id`` defaults to the first acceptable one."""
        whose = (self.receive_ids[0] if receive_id is None else receive_id).encode()
        head = secrets.token_bytes(PREFIX_BYTES) + len(plaintext).to_bytes(4, "big")
        padded = PKCS7Encoder.encode(head + plaintext + whose)
        encrypted = base64.b64encode(self._cipher.encrypt(padded)).decode()
        return SealedEnvelope(encrypted, self.signature(timestamp, nonce, encrypted), timestamp, nonce)
