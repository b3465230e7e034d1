"""Which script answers what a customer said: words and meaning, each over all scripts at once. Pure, in memory.

Words: BM25 over characters and pairs of everything a script has, and once more over its title alone. Meaning: one
vector a script, the middle of its title, its similar questions and its wording, seen from the middle of the library;
so a wrong similar question among ten does little harm, and asking costs one product whatever their number. Both are
put on one scale by how far a script stands out among the others for this very question.
"""

import math
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any

from crm_core.spelling import RUNS, is_han
from materials.model import Script
from materials.search import FILLER

SATURATION, LENGTH_SHARE = 1.2, 0.75  # BM25's k1 and b
TITLE_SHARE = 0.5  # of the title's own BM25
WORDS_SHARE = 0.25  # of words beside meaning, both standardised
WORDING_SHARE = 0.6  # of the wording in a script's vector; title and similar questions count 1 each
SHRINK = 10  # the middle of a few vectors is not yet the middle of a language
MOST_CHARS = 400
MOST_HITS = 3
SAME = 4.0  # what a title or similar question that is the very question gets, in standard deviations


@cache
def numpy() -> Any:
    """NumPy, loaded when the first index is made."""
    return import_module("numpy")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """All scripts of an index against one question. total: what they are ordered by.

    meaning: cosine seen from the middle of the library, None where words alone decide. cover: the share of the question
    that a script's words explain, 0–1. same: places of scripts that hold the question word by word.
    """

    total: Any
    cover: Any
    meaning: Any | None
    same: frozenset[int]


def grams(text: str) -> Counter[str]:
    """Characters and pairs of Chinese, words of anything else."""
    found: Counter[str] = Counter()
    for run in RUNS.findall(text.lower()):
        if is_han(run):
            found.update(run)
            found.update(run[place : place + 2] for place in range(len(run) - 1))
        else:
            found[run] += 1
    return found


def plain(text: str) -> str:
    """What stays of a sentence when punctuation and case do not count."""
    return "".join(RUNS.findall(text.lower()))


@dataclass(frozen=True, slots=True)
class _Counted:
    """The terms of one script. seen: what they were counted from."""

    seen: tuple[str, ...]
    whole: tuple[Any, Any]
    title: tuple[Any, Any]


class Words:
    """BM25 over a library. ``before``: the index it follows; what did not change is not counted again."""

    def __init__(self, scripts: Sequence[Script], before: "Words | None" = None) -> None:
        self.vocabulary: dict[str, int] = before.vocabulary if before else {}
        self.counted: dict[int, _Counted] = {}
        old = before.counted if before else {}
        for script in scripts:
            seen = (script.title, script.keywords, script.text, *script.similar)
            kept = old.get(script.id)
            self.counted[script.id] = kept if kept is not None and kept.seen == seen else self._count(seen)
        each = [self.counted[script.id] for script in scripts]
        self._terms_known = len(self.vocabulary)
        self._whole = _Postings([one.whole for one in each], self._terms_known)
        self._title = _Postings([one.title for one in each], self._terms_known)

    def _count(self, seen: tuple[str, ...]) -> _Counted:
        return _Counted(seen, self._numbers(" ".join(seen)), self._numbers(f"{seen[0]} {seen[1]}"))

    def _numbers(self, text: str) -> tuple[Any, Any]:
        found, known = grams(text), self.vocabulary
        terms = array("i", (known.setdefault(term, len(known)) for term in found))
        np = numpy()
        return np.frombuffer(terms, dtype="int32"), np.fromiter(found.values(), dtype="float32", count=len(found))

    def scores(self, text: str) -> tuple[Any, Any]:
        """(BM25 with the title's, share of the question explained) for every script."""
        asked = [self.vocabulary[term] for term in grams(text[:MOST_CHARS]) if term in self.vocabulary]
        terms = [term for term in asked if term < self._terms_known]
        scores, cover = self._whole.scores(terms, len(grams(text[:MOST_CHARS])))
        return scores + TITLE_SHARE * self._title.scores(terms, 0)[0], cover

    def hits(self, text: str, script: Script) -> tuple[str, ...]:
        """The words of a question that a script has, the telling ones first, none inside another."""
        mine = grams(" ".join((script.title, script.keywords, script.text, *script.similar)))
        pairs = [term for term in grams(text[:MOST_CHARS]) if len(term) > 1 and term in mine and not FILLER & set(term)]
        rarity = {term: self._whole.rarity(self.vocabulary.get(term, -1)) for term in pairs}
        found: list[str] = []
        for term in sorted(pairs, key=lambda one: (-rarity[one], one)):
            joined = next((one for one in found if one[-1] == term[0] or one[0] == term[-1]), None)
            if joined is not None and (merged := _merged(joined, term)) in text.lower():
                found[found.index(joined)] = merged
            elif not any(term in one for one in found):
                found.append(term)
        return tuple(found[:MOST_HITS])


def _merged(one: str, other: str) -> str:
    return one + other[1:] if one[-1] == other[0] else other + one[1:]


class _Postings:
    """Who has which term how much, as one sorted table."""

    def __init__(self, documents: Sequence[tuple[Any, Any]], terms: int) -> None:
        np = numpy()
        self._documents = len(documents)
        lengths = np.array([counts.sum() for _, counts in documents], dtype="float32")
        sizes = [len(found) for found, _ in documents]
        if not sum(sizes):
            self._starts, self._rarity = np.zeros(terms + 1, "int64"), np.zeros(terms, "float32")
            self._owners, self._weights = np.zeros(0, "int64"), np.zeros(0, "float32")
            return
        found = np.concatenate([one for one, _ in documents])
        counts = np.concatenate([one for _, one in documents])
        owners = np.repeat(np.arange(self._documents), sizes)
        order = np.argsort(found, kind="stable")
        self._owners = owners[order]
        self._starts = np.searchsorted(found[order], np.arange(terms + 1))
        having = np.diff(self._starts)
        self._rarity = np.log(1 + (self._documents - having + 0.5) / (having + 0.5)).astype("float32")
        share = 1 - LENGTH_SHARE + LENGTH_SHARE * lengths[self._owners] / max(float(lengths.mean()), 1.0)
        heard = counts[order]
        self._weights = heard * (SATURATION + 1) / (heard + SATURATION * share)

    def rarity(self, term: int) -> float:
        """How telling a term is; 0 for an unknown one."""
        return float(self._rarity[term]) if 0 <= term < len(self._rarity) else 0.0

    def scores(self, terms: Sequence[int], asked: int) -> tuple[Any, Any]:
        """(BM25, share explained) for every document. asked: how many terms the question has, unknown ones too."""
        np = numpy()
        scores, cover = np.zeros(self._documents, "float32"), np.zeros(self._documents, "float32")
        unknown = math.log(2 * self._documents + 2) * max(asked - len(terms), 0)
        mass = unknown
        for term in terms:
            first, last = self._starts[term], self._starts[term + 1]
            rarity, owners = self._rarity[term], self._owners[first:last]
            scores[owners] += rarity * self._weights[first:last]
            if asked:
                cover[owners] += rarity
                mass += float(rarity)
        return scores, cover / max(mass, 1e-6)


class Meanings:
    """One vector a script under one model. ``middle`` stays as it was when the first vectors came."""

    def __init__(self, model: str, middle: Any, own: dict[int, tuple[object, Any]] | None = None) -> None:
        self.model = model
        self._middle = middle
        self._own = own or {}

    @classmethod
    def around(cls, model: str, sample: Sequence[bytes]) -> "Meanings":
        """The middle of some vectors of a library; a small library moves it less."""
        np = numpy()
        vectors = np.frombuffer(b"".join(sample), dtype="float32").reshape(len(sample), -1)
        return cls(model, vectors.mean(axis=0) * (len(sample) / (len(sample) + SHRINK)))

    def seen_from_middle(self, vectors: Any) -> Any:
        """Unit vectors as seen from the middle of the library."""
        np = numpy()
        moved = vectors - self._middle
        return moved / np.maximum(np.linalg.norm(moved, axis=-1, keepdims=True), 1e-6)

    def copied(self) -> "Meanings":
        """The same, to be changed while this one goes on answering."""
        return Meanings(self.model, self._middle, dict(self._own))

    def marks(self) -> dict[int, object]:
        """What each script's vector was made from."""
        return {script_id: mark for script_id, (mark, _) in self._own.items()}

    def put(self, script_id: int, mark: object, places: Mapping[int, bytes]) -> None:
        """The vectors of a script: place 0 the wording, 1 the title, then the similar questions."""
        np = numpy()
        ordered = sorted(places)
        rows = np.frombuffer(b"".join(places[place] for place in ordered), dtype="float32").reshape(len(ordered), -1)
        shares = np.array([WORDING_SHARE if place == 0 else 1.0 for place in ordered], dtype="float32")
        middle = (self.seen_from_middle(rows) * shares[:, None]).sum(axis=0)
        self._own[script_id] = (mark, middle / max(float(np.linalg.norm(middle)), 1e-6))

    def drop(self, script_ids: Iterable[int]) -> None:
        """Forget scripts."""
        for script_id in script_ids:
            self._own.pop(script_id, None)

    def matrix(self, script_ids: Sequence[int]) -> tuple[Any, Any]:
        """(a row for each script, whether it has one)."""
        np = numpy()
        found = np.zeros((len(script_ids), len(self._middle)), dtype="float32")
        has = np.zeros(len(script_ids), dtype=bool)
        for place, script_id in enumerate(script_ids):
            kept = self._own.get(script_id)
            if kept is not None:
                found[place], has[place] = kept[1], True
        return found, has


class Ranker:
    """The scripts of one corp, ready to be asked. Asking changes nothing."""

    def __init__(
        self, scripts: Sequence[Script], *, before: "Ranker | None" = None, meanings: Meanings | None = None
    ) -> None:
        np = numpy()
        self.scripts = list(scripts)
        self.words: Words = Words(self.scripts, before.words if before else None)
        self.meanings = meanings
        self.folders = np.array([script.group_id for script in self.scripts], dtype="int64")
        self.places = {script.id: place for place, script in enumerate(self.scripts)}
        self._exact: dict[str, set[int]] = {}
        for place, script in enumerate(self.scripts):
            for sentence in (script.title, *script.similar):
                self._exact.setdefault(plain(sentence), set()).add(place)
        self._matrix: Any = None
        self._has: Any = None
        if meanings is not None:
            self._matrix, self._has = meanings.matrix([script.id for script in self.scripts])

    def __len__(self) -> int:
        return len(self.scripts)

    def seen_in(self, folders: AbstractSet[int] | None) -> Any:
        """Which scripts lie in these folders; all for None."""
        np = numpy()
        if folders is None:
            return np.ones(len(self.scripts), dtype=bool)
        return np.isin(self.folders, np.fromiter(folders, dtype="int64", count=len(folders)))

    def scores(self, text: str, asked: Any | None = None) -> Scores:
        """Every script against a question. asked: the question's vector; without it words alone decide."""
        np = numpy()
        said, cover = self.words.scores(text)
        total = standardised(said)
        meaning = None
        if asked is not None and self._matrix is not None and self.meanings is not None and self._has.any():
            near = self._matrix @ self.meanings.seen_from_middle(np.asarray(asked, dtype="float32"))
            meaning = np.where(self._has, near, 0.0)
            apart = np.where(self._has, standardised(meaning, self._has), total)
            total = apart + WORDS_SHARE * total
        same = frozenset(self._exact.get(plain(text), ())) if plain(text) else frozenset()
        for place in same:
            total[place] += SAME
        return Scores(total=total, cover=cover, meaning=meaning, same=same)


def standardised(values: Any, chosen: Any | None = None) -> Any:
    """How far each value stands out, in standard deviations of the chosen ones."""
    known = values if chosen is None else values[chosen]
    if not len(known):
        return values
    return (values - known.mean()) / max(float(known.std()), 1e-4)


def nearness(cosine: float) -> int:
    """A cosine seen from the middle as a percentage that people read as likeness."""
    return round(100 * math.sqrt(min(max(cosine, 0.0), 1.0)))
