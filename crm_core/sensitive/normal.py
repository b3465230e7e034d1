"""Folds what is written differently into one form, and remembers where it stood. Pure.

A character folds to a few symbols: lower-case Latin letters, digits, simplified characters. Everything that is neither
letter nor digit folds to nothing. Words and texts are folded alike: only what stays different is different.
"""

import html
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import NamedTuple

import opencc

from crm_core.sensitive.look_alikes import LATIN, SIGNS

_TABLED = 0x20000
_BMP_HAN = (range(0x3400, 0x4DC0), range(0x4E00, 0xA000))
_HANGUL = range(0xAC00, 0xD7A4)
_FAR_HAN = range(0x20000, 0x323B0)
_NUMERALS = dict(
    zip("零〇一二三四五六七八九壹贰貳叁叄肆伍陆陸柒捌玖弌弍弎亖幺", "0012345678912233456678912341", strict=True)
)
_SILENT = {"Mn", "Me", "Cf", "Cc", "Cs"}
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z]{2,8});")
OTHER = "\ue000"  # a character nobody needs to tell from others


@cache
def simplified() -> dict[str, str]:
    """Traditional characters and variants → simplified, one to one."""
    known = [chr(code) for part in _BMP_HAN for code in part]
    turned = opencc.OpenCC("t2s").convert("\n".join(known)).split("\n")
    return {one: other for one, other in zip(known, turned, strict=True) if one != other and len(other) == 1}


@lru_cache(maxsize=4096)
def form_of(char: str) -> str:
    """Case, width, style, accents and look-alikes taken away; nothing else. "" for what is no letter or digit."""
    if char in SIGNS:
        return SIGNS[char]
    value = unicodedata.digit(char, None)
    if value is not None:
        return str(value)
    shape = "".join(_bare(one) for one in unicodedata.normalize("NFKC", char))
    return "".join(LATIN.get(one, one) for one in shape.casefold() if one.isalnum() or one in LATIN)


def _bare(char: str) -> str:
    if char in "üÜǖǘǚǜǕǗǙǛ":
        return "v"
    if char.isascii() or "\u3400" <= char <= "\u9fff" or "\uac00" <= char <= "\ud7a3":
        return char
    return "".join(one for one in unicodedata.normalize("NFD", char) if unicodedata.category(one) not in _SILENT)


@lru_cache(maxsize=4096)
def fold_of(char: str) -> str:
    """The symbols a character folds to."""
    told = simplified()
    plain = "".join(told.get(one, one) for one in form_of(char))
    folded = "".join(_NUMERALS.get(one, one) for one in plain)
    return "".join(OTHER if ord(one) in _FAR_HAN else one for one in folded)


def numeral_of(char: str) -> str:
    """A Chinese numeral below ten as its digit; anything else as it is."""
    return _NUMERALS.get(char, char)


def is_silent(char: str) -> bool:
    """Whether a character shows nothing: zero-width, combining, variation selectors."""
    return unicodedata.category(char) in _SILENT and char not in "\n\r\t"


@cache
def translation() -> tuple[str, ...]:
    """``fold_of`` by code, for ``str.translate``; every code is there, because a missing one costs dear."""
    return tuple(chr(code) if code in _HANGUL else fold_of(chr(code)) for code in range(_TABLED))


def is_latin(symbol: str) -> bool:
    """Whether a folded symbol is a letter of the Latin alphabet."""
    return "a" <= symbol <= "z"


def is_han(symbol: str) -> bool:
    """Whether a folded symbol is a Chinese character."""
    return "\u3400" <= symbol <= "\u9fff"


class Run(NamedTuple):
    """The same symbol several times in a row. places: where each stands in the text, as (start, end)."""

    symbol: str
    places: list[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Folded:
    """A text, folded. symbols: one per run."""

    text: str
    runs: list[Run]
    symbols: str

    def between(self, first: tuple[int, int], second: tuple[int, int]) -> str:
        """What stands between two places and shows."""
        if first[1] >= second[0]:
            return ""
        return "".join(char for char in self.text[first[1] : second[0]] if not is_silent(char))


def fold(text: str) -> Folded:
    """A text as runs of symbols with their places."""
    runs: list[Run] = []
    last, places = "", []
    for symbol, place in _with_entities(text) if "&" in text else _symbols(text):
        if symbol == last:
            places.append(place)
        else:
            last, places = symbol, [place]
            runs.append(Run(symbol, places))
    return Folded(text, runs, "".join([run.symbol for run in runs]))


def _symbols(text: str) -> list[tuple[str, tuple[int, int]]]:
    table, made = translation(), []
    for position, char in enumerate(text):
        code = ord(char)
        folded = table[code] if code < _TABLED else fold_of(char)
        if len(folded) == 1:
            made.append((folded, (position, position + 1)))
        elif folded:
            made += [(symbol, (position, position + 1)) for symbol in folded]
    return made


def _with_entities(text: str) -> Iterable[tuple[str, tuple[int, int]]]:
    entities = {found.start(): found for found in _ENTITY.finditer(text)}
    position = 0
    while position < len(text):
        entity = entities.get(position)
        chars, end = (html.unescape(entity[0]), entity.end()) if entity else (text[position], position + 1)
        for char in chars:
            for symbol in fold_of(char):
                yield symbol, (position, end)
        position = end


def flat(text: str) -> str:
    """The text with letters and digits in their plain form, each character at its old place. For expressions."""
    made = text.translate(_flat_table())
    return made if len(made) == len(text) else text


@cache
def _flat_table() -> tuple[str, ...]:
    return tuple(_flat_of(chr(code)) for code in range(_TABLED))


def _flat_of(char: str) -> str:
    if char in _NUMERALS:
        return _NUMERALS[char]
    if char.isascii() or _is_plain_han(ord(char)):
        return char
    made = form_of(char)
    return numeral_of(made) if len(made) == 1 else char


def _is_plain_han(code: int) -> bool:
    return any(code in part for part in _BMP_HAN) or code in _HANGUL
