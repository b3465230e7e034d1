"""What of a text can be searched: its characters and pairs of characters, after spellings are made alike. Pure."""

import functools
import itertools
import unicodedata

MOST_PAIRS_ASKED = 24  # pairs of one searched word; more would only cost
FIRST_HAN, LAST_HAN = 0x3400, 0x9FFF


@functools.cache
def _simplified() -> dict[int, str]:
    """Traditional characters by code point, each with its simplified form."""
    import opencc  # noqa: PLC0415 - its dictionaries are only read where somebody writes or searches messages

    known = [chr(code) for code in range(FIRST_HAN, LAST_HAN + 1)]
    turned = opencc.OpenCC("t2s").convert("\n".join(known)).split("\n")
    return {ord(one): other for one, other in zip(known, turned, strict=True) if one != other and len(other) == 1}


def alike(text: str) -> str:
    """The text as it is compared: full and half width, case, traditional and simplified characters are one."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFKC", text).lower().translate(_simplified())


def pieces(text: str) -> set[str]:
    """Every character and every pair of neighbours of a text; white space parts them."""
    found: set[str] = set()
    for run in alike(text).split():
        found.update(run)
        found.update(map("".join, itertools.pairwise(run)))
    return found


def words_asked(query: str) -> tuple[str, ...]:
    """The words of a search, as they are compared; a message must hold each of them."""
    return tuple(dict.fromkeys(alike(query).split()))


def pieces_asked(words: tuple[str, ...]) -> set[str]:
    """Which pieces a message must have to hold all these words; it may have them and still not hold the words."""
    found: set[str] = set()
    for word in words:
        pairs = ["".join(pair) for pair in itertools.pairwise(word)]
        step = max(1, -(-len(pairs) // MOST_PAIRS_ASKED))
        found.update(pairs[::step] or word)
    return found


def holds(text: str, words: tuple[str, ...]) -> bool:
    """Whether the text holds every word."""
    compared = alike(text)
    return all(word in compared for word in words)
