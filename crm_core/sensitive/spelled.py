"""Words by their sound: pinyin, mixed pinyin and characters, initials, other characters of the same sound. Pure."""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from pypinyin import Style, lazy_pinyin
from pypinyin.constants import PINYIN_DICT

from crm_core.sensitive.normal import Folded, is_latin
from crm_core.sensitive.rulebook import Way

LEAST_HAN = 2  # characters of a word that is found by pinyin
LEAST_ALIKE = 3  # characters of a word that is found by initials or by characters of the same sound
_LETTERS = re.compile("[a-z]")
MOST_CHUNK = 60  # letters of a chunk that is looked at as pinyin


@cache
def sound(char: str) -> str:
    """The most usual syllable of a character, without tone; "" when it has none."""
    found = lazy_pinyin(char, style=Style.NORMAL, errors="ignore")
    return found[0].replace("ü", "v") if found else ""


@cache
def sound_table() -> dict[str, str]:
    """The usual syllable of every character that has one."""
    known = (chr(code) for part in (range(0x3400, 0x4DC0), range(0x4E00, 0xA000)) for code in part)
    return {char: said for char in known if (said := sound(char))}


@cache
def syllables() -> frozenset[str]:
    """All syllables there are, with v and u for ü."""
    made = {sound(chr(code)) for code in PINYIN_DICT if 0x4E00 <= code < 0xA000}
    made |= {one.replace("v", "u") for one in made}
    return frozenset(one for one in made if len(one) > 1 or one in {"a", "o", "e"})


def sounds_of(word: str) -> set[tuple[str, ...]]:
    """The syllables of a word of characters: as it is read, and character by character."""
    read = tuple(one.replace("ü", "v") for one in lazy_pinyin(word, style=Style.NORMAL, errors="ignore"))
    plain = tuple(sound(char) for char in word)
    return {one for one in (read, plain) if len(one) == len(word) and all(one)}


class Piece(NamedTuple):
    """A part of a text by its sound. is_han: character ``last`` of run ``first``; else the letters of these runs."""

    letters: str
    first: int
    last: int
    is_han: bool


@dataclass(frozen=True, slots=True)
class Sounded:
    """A text written in letters. starts: where in the letters each piece begins."""

    letters: str
    pieces: list[Piece]
    starts: list[int]

    def within(self, start: int, end: int) -> Iterator[tuple[Piece, int, int]]:
        """The pieces that have some of the letters [start, end), each with where it begins and ends."""
        number = bisect_right(self.starts, start) - 1
        while number < len(self.pieces) and self.starts[number] < end:
            begin, piece = self.starts[number], self.pieces[number]
            yield piece, begin, begin + len(piece.letters)
            number += 1

    def stretch(self, folded: Folded, start: int, end: int) -> tuple[int, int]:
        """Where the letters [start, end) stand in the text."""
        places: list[tuple[int, int]] = []
        for piece, begin, _stop in self.within(start, end):
            if piece.is_han:
                places.append(folded.runs[piece.first].places[piece.last])
                continue
            units = [place for run in folded.runs[piece.first : piece.last + 1] for place in run.places]
            places += units[max(0, start - begin) : end - begin]
        return places[0][0], places[-1][1]


def chunks(folded: Folded) -> list[tuple[int, int]]:
    """Letters standing side by side, as first and last run; letters that stand one by one count as one chunk."""
    found: list[tuple[int, int]] = []
    for number, run in enumerate(folded.runs):
        if not is_latin(run.symbol):
            continue
        follows = bool(found) and found[-1][1] == number - 1
        if follows and not folded.between(folded.runs[number - 1].places[-1], run.places[0]):
            found[-1] = found[-1][0], number
        else:
            found.append((number, number))
    made: list[tuple[int, int]] = []
    was_single = False
    for first, last in found:
        is_single = first == last and len(folded.runs[first].places) == 1
        if is_single and was_single and made[-1][1] == first - 1:
            made[-1] = made[-1][0], last
        else:
            made.append((first, last))
        was_single = is_single
    return made


def all_letters(folded: Folded) -> str:
    """The letters of ``sounded`` alone, to see soon whether there is anything in them."""
    sounds = sound_table()
    return "".join([sounds.get(run.symbol, run.symbol) * len(run.places) for run in folded.runs])


def sounded(folded: Folded) -> Sounded:
    """The text in letters, character by character, chunk by chunk. A digit or anything else becomes a bar."""
    ends = dict(chunks(folded)) if folded.symbols.isascii() or _LETTERS.search(folded.symbols) else {}
    sounds = sound_table()
    pieces: list[Piece] = []
    number = 0
    while number < len(folded.runs):
        run = folded.runs[number]
        last = ends.get(number, number)
        if is_latin(run.symbol):
            pieces.append(Piece(chunk_text(folded, number, last), number, last, False))
        else:
            said = sounds.get(run.symbol, "")
            pieces += [Piece(said or "|", number, at, bool(said)) for at in range(len(run.places))]
        number = last + 1
    starts, position = [], 0
    for piece in pieces:
        starts.append(position)
        position += len(piece.letters)
    return Sounded("".join([piece.letters for piece in pieces]), pieces, starts)


def chunk_text(folded: Folded, first: int, last: int) -> str:
    """The letters of a chunk, repeated ones too."""
    return "".join(run.symbol * len(run.places) for run in folded.runs[first : last + 1])


@cache
def can_be_read(letters: str) -> bool:
    """Whether letters are pinyin from the first to the last."""
    if len(letters) > MOST_CHUNK:
        return False
    known, reached = syllables(), {0}
    for position in range(len(letters)):
        if position in reached:
            reached |= {position + size for size in range(1, 7) if letters[position : position + size] in known}
    return len(letters) in reached


def judge(text: Sounded, start: int, end: int, spoken: Iterable[str], word: str, folded: Folded) -> Way | None:
    """Whether the letters [start, end) are the word, syllable by syllable, and how it was written.

    A character stands for exactly one syllable; letters begin and end where syllables do.
    """
    edges, position = [start], start
    for syllable in spoken:
        position += len(syllable)
        edges.append(position)
    wanted = dict(zip(edges, word, strict=False))
    is_spelled = is_alike = False
    for piece, begin, stop in text.within(start, end):
        if piece.is_han:
            if begin not in wanted or stop not in edges or edges.index(stop) != edges.index(begin) + 1:
                return None
            is_alike = is_alike or folded.runs[piece.first].symbol != wanted[begin]
        else:
            is_spelled = True
            before, after = piece.letters[: max(0, start - begin)], piece.letters[max(0, end - begin) :]
            if (begin > start and begin not in wanted) or (stop < end and stop not in wanted):
                return None
            if not (can_be_read(before) and can_be_read(after)):
                return None
    if is_alike:
        return Way.HOMOPHONE
    return Way.PINYIN if is_spelled else None
