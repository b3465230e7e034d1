"""Tells in one go which messages of a batch are worth a close look. Pure; never misses what ``Matcher.check`` finds.

The whole batch is one array: folded by a table, squeezed, run through the automaton of all words. Sounds are looked up
three syllables at a time. Only messages that stay in the sieve are read closely; that is one in a hundred.
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from functools import cache
from typing import Any

import ahocorasick_rs
import numpy as np
import re2

from crm_core.sensitive.aliases import HINTS
from crm_core.sensitive.detectors import DOMAIN, EMAIL, IPV4, NUMBERS, URL, WECHAT
from crm_core.sensitive.matcher import Matcher, Stage
from crm_core.sensitive.normal import OTHER, flat, fold_of, translation
from crm_core.sensitive.rulebook import Found
from crm_core.sensitive.spelled import can_be_read, sound

BATCH = 500
_DROPPED, _STRANGE, _BORDER = 0, 1, 2  # symbols: nothing, needs a close look, between two messages
_CODES = 0x110000
_SLOTS = 1 << 22
_MIX = np.uint32(0x9E3779B1)
_LETTERS = re.compile("[a-z]+")
_LAST_ASCII = 0x7F
_LEAST_DIGITS, _LEAST_LETTERS = 5, 3
Numbers = Any  # numpy arrays


@cache
def _symbol_table() -> Numbers:
    table = np.full(_CODES, ord(OTHER), dtype=np.uint16)
    table[:0x10000] = np.arange(0x10000, dtype=np.uint16)
    for code, folded in enumerate(translation()):
        is_plain = len(folded) == 1 and ord(folded) < 0x10000
        table[code] = ord(folded) if is_plain else (_STRANGE if folded else _DROPPED)
    for char in HINTS + "&":
        table[ord(char)] = _STRANGE
    for code in (*range(0x2F800, 0x2FA20), *range(0xE0000, 0xE0200)):
        folded = fold_of(chr(code))
        table[code] = ord(folded) if len(folded) == 1 else _DROPPED
    table[0] = _BORDER
    return table


@cache
def _sound_numbers() -> dict[str, int]:
    made = {sound(chr(code)) for code in range(0x4E00, 0xA000)} - {""}
    return {syllable: number for number, syllable in enumerate(sorted(made), start=1)}


@cache
def _sound_table() -> Numbers:
    numbers, table = _sound_numbers(), np.zeros(0x10000, dtype=np.uint32)
    for code in range(0x4E00, 0xA000):
        table[code] = numbers.get(sound(chr(code)), 0)
    return table


def _slots(sounds: Numbers) -> Numbers:
    keys = (sounds[:-2] << np.uint32(18)) + (sounds[1:-1] << np.uint32(9)) + sounds[2:]
    return (keys * _MIX) >> np.uint32(10)


class Sieve:
    """Batches of texts through one matcher."""

    def __init__(self, matcher: Matcher) -> None:
        self._matcher = matcher
        words = [word.encode("utf-16-le") for word in matcher.symbols if _is_wanted(matcher, word)]
        self._words = ahocorasick_rs.BytesAhoCorasick(words, implementation=_implementation(words)) if words else None
        self._by_sound: defaultdict[bytes, set[tuple[int, bytes]]] = defaultdict(set)
        self._alike = self._alike_slots()
        kinds = {one.kind: one for category in matcher.rulebook.categories for one in category.detectors}
        self._least_digits = 0
        if kinds:
            least = kinds[NUMBERS].least if NUMBERS in kinds else _LEAST_DIGITS
            self._least_digits = min(least, 4) if IPV4 in kinds else min(least, _LEAST_DIGITS)
        self._reads_letters = bool({WECHAT, URL, DOMAIN, EMAIL} & kinds.keys())
        self._expressions = self._expression_set()

    def check(self, texts: Sequence[str]) -> list[tuple[int, list[Found]]]:
        """The hits of each text that has any, by its number."""
        found = []
        for start in range(0, len(texts), BATCH):
            for number, stages in sorted(self.suspects(texts[start : start + BATCH]).items()):
                hits = self._matcher.check(texts[start + number], stages)
                if hits:
                    found.append((start + number, hits))
        return found

    def suspects(self, texts: Sequence[str]) -> dict[int, int]:
        """The texts that may have a hit, by number, with where to look."""
        joined = _joined(texts)
        codes = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), np.uint32)
        folded = _symbol_table()[codes]
        kept = np.flatnonzero(folded)
        symbols = folded[kept]
        ends = np.cumsum(np.fromiter(map(len, texts), np.int64, len(texts)) + 1)
        found: defaultdict[int, int] = defaultdict(int)

        def note(places: Numbers, stage: int, least: int = 1) -> None:
            if len(places):
                numbers, counts = np.unique(np.searchsorted(ends, places, side="right"), return_counts=True)
                for number in numbers[counts >= least].tolist():
                    found[number] |= stage

        note(kept[symbols == _STRANGE], Stage.ALL)
        if self._words is not None:
            note(self._of_words(symbols, kept), Stage.WORDS)
        if self._alike is not None and len(symbols) > 2:
            note(self._of_sounds(symbols, kept), Stage.SOUNDS)
        if self._least_digits:
            note(kept[(symbols >= 48) & (symbols <= 57)], Stage.NUMBERS, self._least_digits)
        letters = kept[(symbols >= 97) & (symbols <= 122)]
        self._note_letters(texts, letters, codes, ends, found)
        for number in self._with_expressions(texts):
            found[number] |= Stage.EXPRESSIONS
        return found

    def _of_words(self, symbols: Numbers, kept: Numbers) -> Numbers:
        changed = np.empty(len(symbols), dtype=bool)
        changed[:1] = True
        np.not_equal(symbols[1:], symbols[:-1], out=changed[1:])
        squeezed = symbols[changed]
        matches = self._words.find_matches_as_indexes(squeezed.tobytes(), overlapping=True)  # type: ignore[union-attr]
        firsts = [start >> 1 for _word, start, _end in matches if not start & 1]
        return kept[changed][firsts] if firsts else kept[:0]

    def _of_sounds(self, symbols: Numbers, kept: Numbers) -> Numbers:
        sounds = _sound_table()[symbols]
        firsts = []
        for first in np.flatnonzero(self._alike[_slots(sounds)]).tolist():  # type: ignore[index]
            known = self._by_sound.get(sounds[first : first + 3].tobytes(), ())
            if any(sounds[first : first + size].tobytes() == whole for size, whole in known):
                firsts.append(first)
        return kept[firsts] if firsts else kept[:0]

    def _note_letters(
        self, texts: Sequence[str], places: Numbers, codes: Numbers, ends: Numbers, found: dict[int, int]
    ) -> None:
        """Texts with letters that can be read as pinyin, or enough of them for an address."""
        if not len(places) or not (self._matcher.wants_sounds or self._reads_letters):
            return
        whose: Numbers = np.searchsorted(ends, places, side="right")
        numbers, counts = np.unique(whose, return_counts=True)
        styled = {int(number) for number in whose[codes[places] > _LAST_ASCII]}
        for number, count in zip(numbers.tolist(), counts.tolist(), strict=True):
            if self._reads_letters and count >= _LEAST_LETTERS:
                found[number] |= Stage.NUMBERS
            if self._matcher.wants_sounds and (number in styled or self._may_be_sounds(texts[number].lower())):
                found[number] |= Stage.SOUNDS

    def _may_be_sounds(self, folded: str) -> bool:
        read = _LETTERS.findall(folded)
        if len(read) > 1 and sum(len(chunk) == 1 for chunk in read) > 1:
            return True
        return any(can_be_read(chunk) or self._matcher.is_initials(chunk) for chunk in read)

    def _alike_slots(self) -> Numbers | None:
        numbers = _sound_numbers()
        table = np.zeros(_SLOTS, dtype=bool)
        for spoken, _pattern in self._matcher.alike:
            whole = np.array([numbers.get(syllable, 0) for syllable in spoken], dtype=np.uint32)
            table[_slots(whole[:3])] = True
            self._by_sound[whole[:3].tobytes()].add((len(whole), whole.tobytes()))
        return table if self._by_sound else None

    def _expression_set(self) -> "re2.Set | None":
        if not self._matcher.expressions:
            return None
        options = re2.Options()
        options.case_sensitive, options.log_errors = False, False
        made = re2.Set.SearchSet(options)
        for _category, _entry, expression in self._matcher.expressions:
            made.Add(expression.pattern)
        made.Compile()
        return made

    def _with_expressions(self, texts: Sequence[str]) -> list[int]:
        if self._expressions is None:
            return []
        return [number for number, text in enumerate(texts) if self._has_expression(text)]

    def _has_expression(self, text: str) -> bool:
        plain = flat(text)
        return bool(self._expressions.Match(plain)) or (plain != text and bool(self._expressions.Match(text)))  # type: ignore[union-attr]


def _joined(texts: Sequence[str]) -> str:
    """One text with a border after each but the last."""
    joined = "\0".join(texts)
    if joined.count("\0") < len(texts):
        return joined
    return "\0".join(text.replace("\0", " ") for text in texts)


def _is_wanted(matcher: Matcher, word: str) -> bool:
    return any(pattern.entry.id for pattern in matcher.patterns(word))


def _implementation(words: Sequence[bytes]) -> Any:
    """The fast automaton while it stays small."""
    small = sum(map(len, words)) < 100_000
    return ahocorasick_rs.Implementation.DFA if small else ahocorasick_rs.Implementation.ContiguousNFA
