"""Text as counts of its character n-grams: needs no word list, and bears typing errors. Pure, numpy only."""

from collections import Counter
from collections.abc import Iterable, Sequence
from importlib import import_module
from math import log
from typing import Any

SHORTEST, LONGEST = 1, 4
MOST_CHARS = 300
MANY_TEXTS = 1000  # from here on an n-gram that occurs in one text alone is left out
Sparse = tuple[list[int], Any]


def grams(text: str) -> Counter[str]:
    """The n-grams of a text, within its ends."""
    folded = f" {' '.join(text.lower().split())[:MOST_CHARS]} "
    size = len(folded)
    return Counter(
        [folded[at : at + length] for length in range(SHORTEST, LONGEST + 1) for at in range(size - length + 1)]
    )


class Vocabulary:
    """Which n-grams are known and how telling each is (inverse document frequency)."""

    def __init__(self, terms: Sequence[str], weights: Any) -> None:
        self.terms = list(terms)
        self.weights = weights
        self._numpy: Any = import_module("numpy")
        self._place = {term: at for at, term in enumerate(self.terms)}

    def __len__(self) -> int:
        return len(self.terms)

    def row(self, text: str) -> Sparse:
        """A text as places and values; the vector has length 1, or no entry at all."""
        numpy, known = self._numpy, self._place
        found = [(known[gram], count) for gram, count in grams(text).items() if gram in known]
        if not found:
            return [], numpy.zeros(0, dtype="float32")
        places = [place for place, _ in found]
        counts = numpy.array([count for _, count in found], dtype="float32")
        values = (1 + numpy.log(counts)) * self.weights[places]
        return places, values / numpy.sqrt((values * values).sum())


def learn_vocabulary(texts: Iterable[str]) -> Vocabulary:
    """The vocabulary of these texts."""
    numpy: Any = import_module("numpy")
    seen: Counter[str] = Counter()
    total = 0
    for text in texts:
        total += 1
        seen.update(grams(text).keys())
    least = 2 if total >= MANY_TEXTS else 1
    terms = sorted(term for term, count in seen.items() if count >= least)
    weights = numpy.array([log((1 + total) / (1 + seen[term])) + 1 for term in terms], dtype="float32")
    return Vocabulary(terms, weights)
