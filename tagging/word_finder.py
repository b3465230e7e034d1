"""Which of many words occur in a text, in one pass (Aho–Corasick). Pure."""

import unicodedata
from collections import deque
from collections.abc import Iterable


def fold(text: str) -> str:
    """The form in which words are compared: full width and case make no difference."""
    return unicodedata.normalize("NFKC", text).casefold()


class WordFinder:
    """An automaton over folded words."""

    def __init__(self, words: Iterable[str]) -> None:
        self._next: list[dict[str, int]] = [{}]
        self._ends: list[frozenset[str]] = [frozenset()]
        for word in dict.fromkeys(words):
            self._add(word)
        self._link()

    def _add(self, word: str) -> None:
        state = 0
        for letter in word:
            if letter not in self._next[state]:
                self._next[state][letter] = len(self._next)
                self._next.append({})
                self._ends.append(frozenset())
            state = self._next[state][letter]
        if state:
            self._ends[state] |= {word}

    def _link(self) -> None:
        """Where to go on when a word breaks off, told in breadth: shorter words are linked first."""
        self._fail = [0] * len(self._next)
        waiting = deque(self._next[0].values())
        while waiting:
            state = waiting.popleft()
            for letter, following in self._next[state].items():
                waiting.append(following)
                back = self._fail[state]
                while back and letter not in self._next[back]:
                    back = self._fail[back]
                self._fail[following] = self._next[back].get(letter, 0)
                self._ends[following] |= self._ends[self._fail[following]]

    def found(self, folded: str) -> set[str]:
        """The words that occur in a folded text."""
        state, seen = 0, set[str]()
        following, fail, ends = self._next, self._fail, self._ends
        for letter in folded:
            while state and letter not in following[state]:
                state = fail[state]
            state = following[state].get(letter, 0)
            if ends[state]:
                seen |= ends[state]
        return seen
