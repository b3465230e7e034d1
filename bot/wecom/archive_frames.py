"""Messages between the house and its archive process: a head in JSON and, for media, bytes behind it."""

import json
import struct
from collections.abc import Mapping
from typing import Any

LENGTHS = struct.Struct(">II")
MOST_BYTES = 256 * 1024 * 1024  # a longer frame means that the other side is no longer sane


class FrameBroken(Exception):
    """What came is no frame."""


def pack(head: Mapping[str, Any], body: bytes = b"") -> bytes:
    """One frame."""
    text = json.dumps(head).encode()
    return LENGTHS.pack(len(text), len(body)) + text + body


def lengths(prefix: bytes) -> tuple[int, int]:
    """Lengths of head and body. Raises: FrameBroken."""
    head, body = LENGTHS.unpack(prefix)
    if head + body > MOST_BYTES:
        raise FrameBroken(f"a frame of {head + body} bytes")
    return head, body


def unpack(head: bytes, body: bytes) -> tuple[dict[str, Any], bytes]:
    """Head and body. Raises: FrameBroken."""
    try:
        found = json.loads(head)
    except ValueError as error:
        raise FrameBroken("head is no JSON") from error
    if not isinstance(found, dict):
        raise FrameBroken("head is no object")
    return found, body
