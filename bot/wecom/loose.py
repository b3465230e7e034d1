"""Reads WeCom's JSON leniently: numbers may come as strings, lists and objects may be missing. Pure.

Source: protocol notes, customer contact §16 (4).
"""

from collections.abc import Mapping
from typing import Any


def as_int(value: object, default: int = 0) -> int:
    """A whole number from an int, a float without fraction, or a decimal string; else ``default``."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return int(value) if value.is_integer() else default
    if isinstance(value, str) and len(value) <= 20 and value.isascii() and value.removeprefix("-").isdigit():
        return int(value)
    return default


def as_text(value: object) -> str:
    """A string, or a number as one; "" for anything else."""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else ""


def as_list(value: object) -> list[Any]:
    """A list, [] for anything else."""
    return value if isinstance(value, list) else []


def as_dict(value: object) -> Mapping[str, Any]:
    """An object, empty for anything else."""
    return value if isinstance(value, dict) else {}


def dicts(value: object) -> list[Mapping[str, Any]]:
    """The objects of a list; anything else in it is left out."""
    return [one for one in as_list(value) if isinstance(one, dict)]


def texts(value: object) -> tuple[str, ...]:
    """The non-empty strings of a list."""
    return tuple(text for one in as_list(value) if (text := as_text(one)))


def ints(value: object) -> tuple[int, ...]:
    """The whole numbers of a list."""
    return tuple(as_int(one) for one in as_list(value))
