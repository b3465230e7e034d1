"""How well words are found: tables of evasion cases, and how many harmless messages are hit. Pure."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from crm_core.sensitive import detectors, starter
from crm_core.sensitive.matcher import Matcher
from crm_core.sensitive.rulebook import CategoryRules, Detector, Entry, Found, Options, Rulebook
from crm_core.sensitive.sieve import Sieve

STARTER = "(system list)"
EXAMPLES = 5
_LEAST = re.compile(r"len\s*>=\s*(\d+)")
_SWITCHES = {
    "ignoreCase": "letters",
    "ignoreWidth": "letters",
    "ignoreChineseStyle": "traditional",
    "ignoreNumStyle": "digits",
    "ignoreEnglishStyle": "letters",
    "ignoreRepeat": "repeats",
}
_KINDS = {
    "emailCheck": detectors.EMAIL,
    "ipv4Check": detectors.IPV4,
    "phoneCheck": detectors.PHONE,
    "idCardCheck": detectors.ID_CARD,
    "bankCardCheck": detectors.BANK_CARD,
    "qqCheck": detectors.QQ,
    "wechatCheck": detectors.WECHAT,
}
_ASKED = {"homophone": "homophones", "谐音": "homophones", "initial": "initials", "首字母": "initials"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One line of a table of evasion cases. expected: the parts of the text that must be found, in order."""

    id: str
    kind: str
    words: tuple[str, ...]
    options: str
    text: str
    expected: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of a case."""

    case: Case
    found: tuple[str, ...]

    @property
    def is_right(self) -> bool:
        """Whether exactly what was expected was found."""
        return self.found == self.case.expected


def case_of(row: Mapping[str, str]) -> Case:
    """A line of a table with the columns id, kind, dictionary, options, input, expected."""
    return Case(
        id=row["id"],
        kind=row["kind"],
        words=tuple(word for word in row["dictionary"].split("|") if word),
        options=row.get("options") or "",
        text=row["input"],
        expected=tuple(part for part in (row.get("expected") or "").split("|") if part),
    )


def options_of(case: Case) -> Options:
    """The product's defaults, and what the case asks for; a kind that says "option off" leaves symbols and repeats."""
    asked = case.options
    made = Options()
    if "option off" in case.kind:
        made = replace(made, symbols=False, repeats=False)
    for switch, name in _SWITCHES.items():
        if switch in asked:
            made = replace(made, **{name: f"{switch}=false" not in asked})
    for mark, name in _ASKED.items():
        if mark in asked or mark in case.kind:
            made = replace(made, **{name: True})
    if "englishWordMatch" in asked:
        made = replace(made, whole_words=True, whole_numbers=False)
    for name in Options.__dataclass_fields__:
        if re.search(rf"\b{name}=false\b", asked):
            made = replace(made, **{name: False})
    return made


def detectors_of(asked: str) -> tuple[Detector, ...]:
    """The detectors that a case asks for."""
    passed = re.search(r"charIgnore ([^\w\s]+)", asked)
    made = [Detector(kind=kind) for switch, kind in _KINDS.items() if switch in asked]
    if "urlCheck" in asked:
        made.append(Detector(kind=detectors.DOMAIN if "noPrefix" in asked else detectors.URL))
    if "numCheck" in asked:
        least = _LEAST.search(asked)
        size = int(least[1]) if least else 8
        made.append(Detector(kind=detectors.NUMBERS, least=size, passed=passed[1] if passed else ""))
    return tuple(made)


def answer(case: Case) -> Answer:
    """Run one case."""
    allowed = tuple(re.findall(r"allow=([^\s,]+)", case.options))
    if case.words == (STARTER,):
        book = starter.rulebook()
    else:
        entries = tuple(Entry(number, word) for number, word in enumerate(case.words, start=1))
        rules = CategoryRules(id=1, entries=entries, options=options_of(case), detectors=detectors_of(case.options))
        book = Rulebook(categories=(rules,), allowed=allowed)
    found = Matcher(book, prefers_short="failFast" in case.options).check(case.text)
    return Answer(case=case, found=tuple(case.text[one.start : one.end] for one in found))


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryAlarms:
    """Messages hit by one category. examples: message, the part that was hit, the entry."""

    name: str
    messages: int
    examples: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarms:
    """How many messages of a set are hit."""

    messages: int
    hit: int
    categories: tuple[CategoryAlarms, ...]
    words: tuple[tuple[str, int], ...]

    @property
    def share(self) -> float:
        """Hit messages out of all, 0 to 1."""
        return self.hit / self.messages if self.messages else 0.0


def alarms(texts: Sequence[str], book: Rulebook, names: Mapping[int, str]) -> Alarms:
    """How many texts a rulebook hits, by category, with examples."""
    found = Sieve(Matcher(book)).check(texts)
    hit: Counter[int] = Counter()
    words: Counter[str] = Counter()
    examples: dict[int, list[tuple[str, str, str]]] = {}
    for number, hits in found:
        hit.update({one.category for one in hits})
        words.update({one.name for one in hits})
        for one in _first_of_each(hits):
            kept = examples.setdefault(one.category, [])
            if len(kept) < EXAMPLES:
                kept.append((texts[number], texts[number][one.start : one.end], one.name))
    told = tuple(
        CategoryAlarms(name=names.get(category, str(category)), messages=count, examples=tuple(examples[category]))
        for category, count in hit.most_common()
    )
    return Alarms(messages=len(texts), hit=len(found), categories=told, words=tuple(words.most_common(20)))


def _first_of_each(hits: Iterable[Found]) -> list[Found]:
    seen: dict[int, Found] = {}
    for one in hits:
        seen.setdefault(one.category, one)
    return list(seen.values())
