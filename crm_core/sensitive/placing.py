"""Whether a word really stands where its symbols were found: gaps, repeats, borders, options. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from crm_core.sensitive.normal import Folded, Run, fold, form_of, is_latin, numeral_of, simplified
from crm_core.sensitive.rulebook import Entry, Options, Way

MOST_GAP = 12  # characters between two characters of a word
CLAUSE = frozenset("，。！？；：、\n\r,!?;")  # what ends a thought, and so rarely hides a word
DOUBLED = frozenset("妈爸哥姐弟妹爷奶叔舅婆公天人看想试")  # 妈妈 is a word of its own, no 妈 written twice
ASCII_DIGITS = frozenset("0123456789")


@dataclass(frozen=True, slots=True)
class Pattern:
    """A way to write an entry. counts: how often each symbol stands in a row; raw: the entry's own characters.

    breaks: after which unit the entry itself has a space or sign; literal: what must stand there, "" when any sign may.
    """

    category: int
    entry: Entry
    way: Way
    options: Options
    symbols: str
    counts: tuple[int, ...]
    raw: tuple[str, ...]
    breaks: frozenset[int]
    literal: str
    is_number: bool


def pattern_of(category: int, entry: Entry, way: Way, options: Options, written: str) -> Pattern:
    """An entry as it is ``written``."""
    folded = fold(written)
    places = [place for run in folded.runs for place in run.places]
    breaks = {number for number, (one, two) in enumerate(pairwise(places)) if one[1] < two[0]}
    signs = any(not form_of(char) and not char.isspace() for char in written)
    return Pattern(
        category,
        entry,
        way,
        options,
        folded.symbols,
        tuple(len(run.places) for run in folded.runs),
        tuple(written[run.places[0][0]] for run in folded.runs),
        frozenset(breaks),
        written.casefold() if signs else "",
        all(symbol in ASCII_DIGITS for symbol in folded.symbols),
    )


def place(folded: Folded, pattern: Pattern, first: int) -> tuple[int, int] | None:
    """Where the pattern stands in the text when its symbols begin at run ``first``; None when it does not."""
    runs = folded.runs[first : first + len(pattern.symbols)]
    units = _units(runs, pattern)
    if units is None or not _keeps_options(folded.text, runs, pattern):
        return None
    if not _has_borders(folded, pattern, first, units) or not _has_gaps(folded, pattern, first, units):
        return None
    start, end = units[0][0], units[-1][1]
    if pattern.literal:
        near = folded.text[max(0, start - len(pattern.literal)) : end + len(pattern.literal)]
        at = near.casefold().find(pattern.literal)
        if at < 0:
            return None
        start = max(0, start - len(pattern.literal)) + at
        end = start + len(pattern.literal)
    return start, end


def _units(runs: Sequence[Run], pattern: Pattern) -> list[tuple[int, int]] | None:
    """The places of the word's characters, repeated ones included."""
    most, units = len(runs) - 1, []
    for number, (run, count) in enumerate(zip(runs, pattern.counts, strict=True)):
        there = len(run.places)
        takes_all = pattern.options.repeats and run.symbol not in ASCII_DIGITS
        if run.symbol in DOUBLED and (there, count) == (2, 1):
            return None
        if there < count or (there > count and 0 < number < most and not takes_all):
            return None
        if takes_all or there == count:
            units += run.places
        elif number == 0:
            units += run.places[-count:]
        else:
            units += run.places[:count]
    return units


def _keeps_options(text: str, runs: Sequence[Run], pattern: Pattern) -> bool:
    options = pattern.options
    if options.letters and options.traditional and options.digits:
        return True
    return all(
        _reduced(text[run.places[0][0]], options) == _reduced(char, options)
        for run, char in zip(runs, pattern.raw, strict=True)
    )


def _reduced(char: str, options: Options) -> str:
    made = form_of(char) if options.letters else char
    made = simplified().get(made, made) if options.traditional else made
    return numeral_of(made) if options.digits else made


def _touches(folded: Folded, before: int, after: int) -> bool:
    """Whether two neighbouring runs stand side by side."""
    return not folded.between(folded.runs[before].places[-1], folded.runs[after].places[0])


def _has_borders(folded: Folded, pattern: Pattern, first: int, units: Sequence[tuple[int, int]]) -> bool:
    """A Latin word is not cut out of a longer one, a number not out of a longer one."""
    last = first + len(pattern.symbols) - 1
    options = pattern.options
    for edge, neighbour in ((first, first - 1), (last, last + 1)):
        if not 0 <= neighbour < len(folded.runs):
            continue
        symbol, other = folded.runs[edge].symbol, folded.runs[neighbour].symbol
        is_one = (options.whole_words and is_latin(symbol) and is_latin(other)) or (
            options.whole_numbers and pattern.is_number and other in ASCII_DIGITS
        )
        if is_one and _touches(folded, *sorted((edge, neighbour))):
            return False
    cut = folded.runs[first].places[0] != units[0] or folded.runs[last].places[-1] != units[-1]
    own = folded.runs[first].symbol, folded.runs[last].symbol
    is_cut_word = options.whole_words and any(is_latin(symbol) for symbol in own)
    return not (cut and (is_cut_word or (options.whole_numbers and pattern.is_number)))


def _has_gaps(folded: Folded, pattern: Pattern, first: int, units: Sequence[tuple[int, int]]) -> bool:
    """What stands between the characters may be passed over."""
    gaps = [folded.between(one, two) if one[1] < two[0] else "" for one, two in pairwise(units)]
    filled = [number for number, gap in enumerate(gaps) if gap]
    strange = [number for number in filled if number not in pattern.breaks]
    if not strange:
        return True
    if not pattern.options.symbols or any(len(gaps[number]) > MOST_GAP for number in strange):
        return False
    spells = len(filled) == len(gaps)
    if any(CLAUSE & set(gaps[number]) for number in strange):
        return spells and (len(gaps) > 1 or _stands_alone(folded, pattern, first))
    return spells or not any(gaps[number].isspace() and _is_latin_gap(folded.text, units, number) for number in strange)


def _is_latin_gap(text: str, units: Sequence[tuple[int, int]], number: int) -> bool:
    sides = text[units[number][0]], text[units[number + 1][0]]
    return all(is_latin(form_of(side)[:1] or " ") for side in sides)


def _stands_alone(folded: Folded, pattern: Pattern, first: int) -> bool:
    last = first + len(pattern.symbols) - 1
    is_free_before = first == 0 or not _touches(folded, first - 1, first)
    return is_free_before and (last + 1 == len(folded.runs) or not _touches(folded, last, last + 1))
