"""Finds the entries of a rulebook in texts. Pure; made once per rulebook, used for many texts.

One automaton knows all words in their folded form and only says where to look; ``placing`` decides. What is written by
its sound has an automaton of its own over the letters of pinyin.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import ahocorasick_rs
import re2

from crm_core.errors import InputInvalid
from crm_core.sensitive import detectors
from crm_core.sensitive.aliases import other_names, respell, taken_apart
from crm_core.sensitive.normal import Folded, flat, fold, is_han
from crm_core.sensitive.placing import Pattern, pattern_of, place
from crm_core.sensitive.rulebook import CategoryRules, Entry, EntryKind, Found, Options, Rulebook, Way
from crm_core.sensitive.spelled import (
    LEAST_ALIKE,
    LEAST_HAN,
    all_letters,
    chunk_text,
    chunks,
    judge,
    sounded,
    sounds_of,
)

MOST_REGEX_CHARS = 500
MOST_STRETCH = 4  # characters of the text per letter of pinyin
ALLOWED = -1  # the category of allowed phrases that hold for all categories
_PLAIN = Options(pinyin=False, splits=False, wechat=False)


def compile_regex(text: str) -> "re2._Regexp[str]":
    """An expression in RE2's syntax, which cannot be made to run for long. Raises: InputInvalid, in words."""
    if len(text) > MOST_REGEX_CHARS:
        raise InputInvalid(f"正则表达式最多 {MOST_REGEX_CHARS} 个字符", field="text")
    options = re2.Options()
    options.case_sensitive, options.log_errors, options.max_mem = False, False, 1 << 22
    try:
        made = re2.compile(text, options)
    except re2.error as error:
        told = error.args[0].decode(errors="replace") if isinstance(error.args[0], bytes) else str(error.args[0])
        raise InputInvalid(f"正则表达式有误：{told}。不支持前后环视和反向引用", field="text") from None
    if made.search("") is not None:
        raise InputInvalid("这个正则表达式对空文本也会命中，请写得更具体", field="text")
    return made


class Stage:
    """What a text may hit, as bits. Plain numbers: enum flags cost a microsecond each."""

    WORDS = 1
    SOUNDS = 2
    NUMBERS = 4
    EXPRESSIONS = 8
    ALL = 15


class Matcher:
    """One rulebook, ready. prefers_short: of overlapping hits the shorter one counts."""

    def __init__(self, rulebook: Rulebook, *, prefers_short: bool = False) -> None:
        self.rulebook = rulebook
        self._prefers_short = prefers_short
        self._by_symbols: dict[str, list[Pattern]] = defaultdict(list)
        self._by_sound: dict[str, list[tuple[tuple[str, ...], Pattern]]] = defaultdict(list)
        self._by_initials: dict[str, list[Pattern]] = defaultdict(list)
        self.expressions: list[tuple[int, Entry, re2._Regexp[str]]] = []
        for category in rulebook.categories:
            self._take(category)
        for phrase in rulebook.allowed:
            self._take_allowed(ALLOWED, phrase)
        self.symbols = list(self._by_symbols)
        self.sounds = list(self._by_sound)
        self._words = ahocorasick_rs.AhoCorasick(self.symbols)
        self._sounds = ahocorasick_rs.AhoCorasick(self.sounds) if self.sounds else None
        self.alike = [one for known in self._by_sound.values() for one in known if _is_alike(one[1])]
        self.wants_sounds = bool(self._by_sound or self._by_initials)
        self._allows = bool(rulebook.allowed) or any(category.exceptions for category in rulebook.categories)
        self.wants_numbers = any(category.detectors for category in rulebook.categories)

    def _take(self, category: CategoryRules) -> None:
        for entry in category.entries:
            if entry.kind is EntryKind.REGEX:
                self.expressions.append((category.id, entry, compile_regex(entry.text)))
            else:
                self._take_word(category, entry)
        for phrase in category.exceptions:
            self._take_allowed(category.id, phrase)

    def _take_word(self, category: CategoryRules, entry: Entry) -> None:
        options = category.options
        made = self._add(pattern_of(category.id, entry, Way.WORD, options, entry.text))
        if made is None:
            self.expressions.append((category.id, entry, compile_regex(re2.escape(entry.text))))
            return
        word = "".join(symbol * count for symbol, count in zip(made.symbols, made.counts, strict=True))
        if made.literal:
            return
        if options.splits:
            for written in taken_apart(entry.text):
                self._add(pattern_of(category.id, entry, Way.SPLIT, options, written))
        if options.wechat:
            for written in other_names(word):
                self._add(pattern_of(category.id, entry, Way.ALIAS, options, written))
        if all(is_han(char) for char in entry.text):
            self._take_sounds(made, entry.text)

    def _take_sounds(self, made: Pattern, word: str) -> None:
        options, size = made.options, len(word)
        for spoken in sounds_of(word):
            if size >= LEAST_HAN and (options.pinyin or (options.homophones and size >= LEAST_ALIKE)):
                self._by_sound["".join(spoken)].append((spoken, made))
            if options.initials and size >= LEAST_ALIKE:
                self._by_initials["".join(syllable[0] for syllable in spoken)].append(made)

    def _take_allowed(self, category: int, phrase: str) -> None:
        self._add(pattern_of(category, Entry(0, phrase), Way.WORD, _PLAIN, phrase))

    def _add(self, pattern: Pattern) -> Pattern | None:
        if not pattern.symbols:
            return None
        self._by_symbols[pattern.symbols].append(pattern)
        return pattern

    def patterns(self, symbols: str) -> list[Pattern]:
        """What is written with these symbols."""
        return self._by_symbols[symbols]

    def is_initials(self, letters: str) -> bool:
        """Whether these letters are the initials of a word."""
        return letters in self._by_initials

    def check(self, text: str, stages: int = Stage.ALL) -> list[Found]:
        """All hits, by category and place; of overlapping ones of a category the first, longest.

        stages: where hits are possible (``sieve``).
        """
        text = respell(text)
        folded = fold(text) if stages & (Stage.WORDS | Stage.SOUNDS) else None
        found: list[Found] = []
        allowed: list[tuple[int, int, int]] = []
        if folded is not None and stages & Stage.WORDS:
            found, allowed = self._found_words(folded)
        if folded is not None and stages & Stage.SOUNDS and self.wants_sounds:
            found += self._found_sounds(folded)
        if stages & Stage.EXPRESSIONS and self.expressions:
            found += self._found_expressions(text)
        if stages & Stage.NUMBERS and self.wants_numbers:
            found += detectors.find_all(text, self.rulebook.categories)
        if not found:
            return []
        if self._allows and not stages & Stage.WORDS:
            allowed = self._found_words(folded or fold(text))[1]
        return self._chosen([one for one in found if not _is_allowed(one, allowed)])

    def _found_words(self, folded: Folded) -> tuple[list[Found], list[tuple[int, int, int]]]:
        found: list[Found] = []
        allowed: list[tuple[int, int, int]] = []
        for number, first, _last in self._words.find_matches_as_indexes(folded.symbols, overlapping=True):
            for pattern in self._by_symbols[self.symbols[number]]:
                span = place(folded, pattern, first)
                if span is None:
                    continue
                if pattern.entry.id == 0:
                    allowed.append((pattern.category, *span))
                else:
                    found.append(_found(pattern, *span, pattern.way))
        return found, allowed

    def _found_sounds(self, folded: Folded) -> list[Found]:
        found = list(self._found_initials(folded)) if self._by_initials else []
        if self._sounds is None or not self._sounds.find_matches_as_indexes(all_letters(folded)):
            return found
        text = sounded(folded)
        for number, start, end in self._sounds.find_matches_as_indexes(text.letters, overlapping=True):
            for spoken, pattern in self._by_sound[self.sounds[number]]:
                way = judge(text, start, end, spoken, _whole(pattern), folded)
                options = pattern.options
                is_wanted = (way is Way.PINYIN and options.pinyin) or (way is Way.HOMOPHONE and _is_alike(pattern))
                if way is not None and is_wanted:
                    span = text.stretch(folded, start, end)
                    if span[1] - span[0] <= (end - start) * MOST_STRETCH:
                        found.append(_found(pattern, *span, way))
        return found

    def _found_initials(self, folded: Folded) -> Iterator[Found]:
        for first, last in chunks(folded):
            for pattern in self._by_initials.get(chunk_text(folded, first, last), ()):
                span = folded.runs[first].places[0][0], folded.runs[last].places[-1][1]
                yield _found(pattern, *span, Way.INITIALS)

    def _found_expressions(self, text: str) -> list[Found]:
        found = []
        plain = flat(text)
        for category, entry, expression in self.expressions:
            for read in {text, plain}:
                for match in expression.finditer(read):
                    start, end = match.span()
                    if end > start:
                        told = {"entry_id": entry.id, "name": entry.text, "start": start, "end": end}
                        found.append(Found(category=category, way=Way.REGEX, **told))
        return found

    def _chosen(self, found: Sequence[Found]) -> list[Found]:
        def rank(one: Found) -> tuple[int, int, int, str]:
            size = one.end - one.start
            return one.category, one.start, size if self._prefers_short else -size, one.way.value

        chosen: list[Found] = []
        for one in sorted(found, key=rank):
            if chosen and chosen[-1].category == one.category and chosen[-1].end > one.start:
                continue
            chosen.append(one)
        return chosen


def _is_alike(pattern: Pattern) -> bool:
    return pattern.options.homophones and len(pattern.symbols) >= LEAST_ALIKE


def _whole(pattern: Pattern) -> str:
    return "".join(symbol * count for symbol, count in zip(pattern.symbols, pattern.counts, strict=True))


def _found(pattern: Pattern, start: int, end: int, way: Way) -> Found:
    entry = pattern.entry
    return Found(category=pattern.category, entry_id=entry.id, name=entry.text, start=start, end=end, way=way)


def _is_allowed(one: Found, allowed: Sequence[tuple[int, int, int]]) -> bool:
    return any(
        category in (ALLOWED, one.category) and start <= one.start and one.end <= end
        for category, start, end in allowed
    )
