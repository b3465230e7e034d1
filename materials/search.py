"""Finding a script by words, by what the customer said, by pinyin or its first letters. Pure, in memory.

Characters, character pairs and jieba words are all indexed: pairs carry phrases, words carry product terms, single
characters only help to order what a pair or word has found. Rare terms weigh more; a hit in title or keywords weighs
more than one in the text.
"""

import itertools
import logging
import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from functools import cache

import jieba

from crm_core.spelling import RUNS, is_han, spell
from materials.model import Script

TITLE_WEIGHT, KEYWORD_WEIGHT, QUESTION_WEIGHT, TEXT_WEIGHT = 3.0, 2.5, 1.5, 1.0
CHARACTER_WEIGHT, LOOSE_PAIR_WEIGHT, WORD_WEIGHT, PAIR_WEIGHT = 0.25, 0.3, 0.6, 1.0
SATURATION = 1.2
MOST_QUERY_CHARS = 80
LEAST_COVER = 0.18  # a hit must explain this share of the best hit's score, else it is noise
FILLER = frozenset("的了吗呢啊吧呀嘛是我你您他在和就都也还有请这那个么哦嗯怎能会要")


@cache
def tokenizer() -> jieba.Tokenizer:
    """The word splitter; its dictionary takes most of a second to load, so it is loaded once."""
    jieba.setLogLevel(logging.WARNING)
    splitter = jieba.Tokenizer()
    splitter.initialize()
    return splitter


def _terms(text: str) -> dict[str, float]:
    """Every term of ``text`` with the weight of its kind."""
    found: dict[str, float] = {}
    for run in RUNS.findall(text.lower()):
        if not is_han(run):
            found[run] = PAIR_WEIGHT
            continue
        for character in run:
            if character not in FILLER:
                found[character] = CHARACTER_WEIGHT
        for first, second in itertools.pairwise(run):
            fillers = (first in FILLER) + (second in FILLER)
            if fillers < 2:
                found[first + second] = LOOSE_PAIR_WEIGHT if fillers else PAIR_WEIGHT
        for word in tokenizer().cut_for_search(run):
            if len(word) > 1 and found.get(word, 0) < WORD_WEIGHT:
                found[word] = WORD_WEIGHT
    return found


class ScriptIndex:
    """An index over the scripts of one corp. Built once per change of the library; asking does not change it."""

    def __init__(self, scripts: Iterable[Script]) -> None:
        self._scripts: list[Script] = list(scripts)
        self._by_id = {script.id: script for script in self._scripts}
        self._postings: dict[str, list[tuple[int, float]]] = defaultdict(list)
        self._whole_initials: dict[str, set[int]] = defaultdict(set)
        sounds: dict[str, set[int]] = defaultdict(set)
        letters: dict[str, set[int]] = defaultdict(set)
        for number, script in enumerate(self._scripts):
            weights: dict[str, float] = defaultdict(float)
            for text, weight in (
                (script.title, TITLE_WEIGHT),
                (script.keywords, KEYWORD_WEIGHT),
                (script.text, TEXT_WEIGHT),
                *((question, QUESTION_WEIGHT) for question in script.similar),
            ):
                for term in _terms(text):
                    weights[term] += weight
            for term, weight in weights.items():
                self._postings[term].append((number, weight))
            for word in [script.title, *script.keywords.split()]:
                syllables, initials = spell(word)
                for tail in _tails(syllables.split()):
                    sounds[tail].add(number)
                for start in range(len(initials)):
                    letters[initials[start:]].add(number)
                self._whole_initials[initials].add(number)
        self._sounds, self._letters = _Beginnings(sounds), _Beginnings(letters)

    def __len__(self) -> int:
        return len(self._scripts)

    def several(self, ids: Iterable[int]) -> list[Script]:
        """The scripts with these ids, in that order; ids it does not have are passed over."""
        return [self._by_id[script_id] for script_id in ids if script_id in self._by_id]

    def rank(self, query: str, *, limit: int = 20, folders: AbstractSet[int] | None = None) -> list[Script]:
        """The scripts that fit ``query``, best first; none for an empty query or one that nothing fits.

        folders: only from these.
        """
        scores: dict[int, float] = defaultdict(float)
        wanted = query.lower()[:MOST_QUERY_CHARS]
        self._score_terms(_terms(wanted), scores)
        for run in RUNS.findall(wanted):
            if run.isascii() and run.isalpha():
                self._score_pinyin(run, scores)
        self._score_titles(wanted.strip(), scores)
        if folders is not None:
            scores = {number: score for number, score in scores.items() if self._scripts[number].group_id in folders}
        if not scores:
            return []
        floor = max(scores.values()) * LEAST_COVER
        order = sorted(scores, key=lambda number: (-scores[number], number))
        return [self._scripts[number] for number in order[:limit] if scores[number] >= floor]

    def _score_terms(self, terms: dict[str, float], scores: dict[int, float]) -> None:
        total = max(len(self._scripts), 1)
        firm: set[int] = set()
        for term, kind_weight in terms.items():
            hits = self._postings.get(term, ())
            if not hits:
                continue
            rarity = math.log(1 + (total - len(hits) + 0.5) / (len(hits) + 0.5))
            if kind_weight >= WORD_WEIGHT:
                firm.update(number for number, _ in hits)
            for number, weight in hits:
                scores[number] += kind_weight * rarity * weight / (weight + SATURATION)
        if any(weight >= WORD_WEIGHT for weight in terms.values()):
            for number in [number for number in scores if number not in firm]:
                del scores[number]

    def _score_pinyin(self, letters: str, scores: dict[int, float]) -> None:
        if len(letters) < 2:
            return
        whole = self._whole_initials.get(letters, set())
        for number in self._letters.having(letters):
            scores[number] += 6.0 if number in whole else 3.0
        for number in self._sounds.having(letters):
            scores[number] += 3.0 + len(letters) / 4

    def _score_titles(self, wanted: str, scores: dict[int, float]) -> None:
        if len(wanted) < 2:
            return
        for number, script in enumerate(self._scripts):
            if wanted in script.title.lower():
                scores[number] += 4.0
            if wanted in script.keywords.lower().split():
                scores[number] += 3.0


class _Beginnings:
    """Words in order, so that those with a given beginning lie side by side."""

    def __init__(self, numbers: dict[str, set[int]]) -> None:
        self._words = sorted(numbers)
        self._numbers = [numbers[word] for word in self._words]

    def having(self, beginning: str) -> set[int]:
        """The scripts with a word that begins like this."""
        first = bisect_left(self._words, beginning)
        last = bisect_left(self._words, beginning + "\uffff", lo=first)
        return set().union(*self._numbers[first:last])


def _tails(syllables: Sequence[str]) -> list[str]:
    """What unspaced pinyin may begin with: the word from each of its syllables on."""
    return ["".join(syllables[start : start + 8]) for start in range(len(syllables))]
