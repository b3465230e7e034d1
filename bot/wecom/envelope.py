"""The outer envelope of a callback (回调信封): where the ciphertext sits, and how a sealed reply is written.

Pure: bytes in, bytes out. The envelope is small and flat, so it is matched against a grammar of its own and never
given to an XML parser: no DTD, entity, comment, attribute or nesting gets through. Source: reference §1.3, §1.4, §1.7.
"""

import json
import re
from dataclasses import dataclass

from crm_core.errors import CallbackRejected

# One flat element: CDATA or plain text, no markup, no entity, no control characters. Possessive, so linear in time.
_OTHER = (
    rb"(?><(?!Encrypt>)([A-Za-z][A-Za-z0-9_]{0,31}+)>"
    rb"(?:<!\[CDATA\[[^\]<>\x00-\x08\x0b\x0c\x0e-\x1f]*+\]\]>|[^<>&\x00-\x08\x0b\x0c\x0e-\x1f]*+)</%b>\s*+)*+"
)
_ENVELOPE = re.compile(
    rb"\s*+(?><\?xml [^<>?\x00]{0,80}+\?>\s*+)?<xml>\s*+"
    + _OTHER % rb"\1"
    + rb"<Encrypt>\s*+(?:<!\[CDATA\[\s*+([A-Za-z0-9+/]++={0,2}+)\s*+\]\]>|([A-Za-z0-9+/]++={0,2}+))\s*+</Encrypt>\s*+"
    + _OTHER % rb"\4"
    + rb"</xml>\s*+"
)


@dataclass(frozen=True, slots=True)
class SealedEnvelope:
    """An encrypted passive reply. ``encrypt`` is base64, ``timestamp`` Unix seconds as digits."""

    encrypt: str
    signature: str
    timestamp: str
    nonce: str

    def xml(self) -> bytes:
        """The XML form (reference §1.4)."""
        return (
            f"<xml><Encrypt><![CDATA[{self.encrypt}]]></Encrypt>"
            f"<MsgSignature><![CDATA[{self.signature}]]></MsgSignature>"
            f"<TimeStamp>{self.timestamp}</TimeStamp><Nonce><![CDATA[{self.nonce}]]></Nonce></xml>"
        ).encode()

    def json(self) -> bytes:
        """The JSON form of AI bots; ``timestamp`` is a number there (reference §1.7)."""
        return json.dumps(
            {
                "encrypt": self.encrypt,
                "msgsignature": self.signature,
                "timestamp": int(self.timestamp),
                "nonce": self.nonce,
            }
        ).encode()


def read_encrypt(body: bytes) -> bytes:
    """The base64 ciphertext of an envelope in XML or JSON.

    Raises: CallbackRejected("envelope") for whatever is not one small flat envelope in UTF-8.
    """
    match = _ENVELOPE.fullmatch(body)
    if match is None:
        return _read_json(body)
    if not body.isascii():
        _check_utf8(body)
    return match[2] or match[3]


def _read_json(body: bytes) -> bytes:
    if not body.lstrip().startswith(b"{"):
        raise CallbackRejected("envelope")
    try:
        content = json.loads(body.decode())
    except (ValueError, RecursionError):
        raise CallbackRejected("envelope") from None
    encrypt = content.get("encrypt")
    if not isinstance(encrypt, str) or not encrypt.isascii():
        raise CallbackRejected("envelope")
    return encrypt.encode()


def _check_utf8(body: bytes) -> None:
    try:
        body.decode()
    except UnicodeDecodeError:
        raise CallbackRejected("envelope") from None
