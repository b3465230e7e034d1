"""Identifiers in the shapes WeCom gives them. The product must never parse one;
the prefixes are for honesty.
"""

from __future__ import annotations

import secrets
import string

_LETTERS = string.ascii_letters + string.digits


def letters(count: int) -> str:
    """`count` random ASCII letters and digits."""
    return "".join(secrets.choice(_LETTERS) for _ in range(count))


def external_user_id(kind: int) -> str:
    """A customer's id: `wm…` for a WeChat user (kind 1), `wo…` for a WeCom user (kind 2)."""
    return ("wm" if kind == 1 else "wo") + letters(30)


def config_id() -> str:
    """Id of a contact-me or join code: 32 hex digits."""
    return secrets.token_hex(16)


def corp_id() -> str:
    """A corp's id: `ww` and 16 hex digits."""
    return "ww" + secrets.token_hex(8)


def secret() -> str:
    """An app's secret, 43 URL-safe characters."""
    return secrets.token_urlsafe(32)


def callback_token() -> str:
    """A callback token: up to 32 letters and digits; 24 here."""
    return letters(24)


def opaque(prefix: str, count: int = 30) -> str:
    """Any other id: the vendor's prefix and random letters."""
    return prefix + letters(count)


def nonce() -> str:
    """A callback nonce: ten digits."""
    return str(secrets.randbelow(9_000_000_000) + 1_000_000_000)


def message_id() -> str:
    """A 64-bit message id in decimal."""
    return str(secrets.randbelow(1 << 62) + (1 << 62))
