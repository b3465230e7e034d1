"""Rules that tell tags from what is said in chats: what they ask for, what is wrong with them, whom they fit. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Self

from tagging import patterns
from tagging.word_finder import WordFinder, fold

WORDS, MEANING = "words", "meaning"
KINDS = {WORDS: "按词和表达式", MEANING: "按意思（例句）"}
SUGGEST, APPLY = "suggest", "apply"
MODES = {SUGGEST: "建议，员工确认后打上", APPLY: "直接打上，可撤销"}
CUSTOMER, STAFF, ANYBODY = "customer", "staff", "any"
SPEAKERS = {CUSTOMER: "客户", STAFF: "员工", ANYBODY: "客户或员工"}
NAME_CHARS, WORD_CHARS, SENTENCE_CHARS = 30, 30, 100
MOST_WORDS, MOST_PATTERNS, MOST_SENTENCES = 200, 20, 50
MOST_TIMES, MOST_DAYS = 50, 365
LEAST_EXAMPLES = 3
ALL_OF = "+"  # 预算+装修: both must be said


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What a rule asks for.

    words: any of them, ``a+b`` wants both; unless: none of them; patterns: regular expressions, any of them.
    examples, counters: sentences that mean it, and sentences that do not. at_least: how many messages within
    within_days days. stages: only customers in one of these; empty: whatever stage.
    """

    words: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()
    counters: tuple[str, ...] = ()
    speaker: str = CUSTOMER
    at_least: int = 1
    within_days: int = 7
    stages: tuple[str, ...] = ()

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Self:
        """From how they are stored."""
        given: dict[str, Any] = {name: tuple(one) if isinstance(one, list) else one for name, one in stored.items()}
        return cls(**given)

    def stored(self) -> dict[str, Any]:
        """As they are stored."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRule:
    """A rule at work. version: grows whenever its conditions change. confidence: how sure a hit is, 0 to 1."""

    id: int
    version: int
    kind: str
    tag_id: str
    mode: str
    conditions: Conditions
    confidence: float

    @property
    def source(self) -> str:
        """What tells its suggestions from others'."""
        return f"rule:{self.id}"


def faults(name: str, kind: str, tag_id: str, mode: str, wanted: Conditions, stages: Iterable[str]) -> dict[str, str]:
    """What is wrong with a rule, by field."""
    found: dict[str, str] = {}
    if not 0 < len(name.strip()) <= NAME_CHARS:
        found["name"] = f"请填写规则名称，最多 {NAME_CHARS} 个字"
    if not tag_id:
        found["tag"] = "请选择要打的标签"
    if mode not in MODES:
        found["mode"] = "请选择建议或直接打上"
    if kind not in KINDS:
        found["kind"] = "请选择规则类型"
    elif kind == WORDS:
        found |= _word_faults(wanted)
    else:
        found |= _sentence_faults(wanted)
    if wanted.speaker not in SPEAKERS:
        found["speaker"] = "请选择由谁说"
    if not 1 <= wanted.at_least <= MOST_TIMES or not 1 <= wanted.within_days <= MOST_DAYS:
        found["count"] = f"次数应为 1–{MOST_TIMES}，天数应为 1–{MOST_DAYS}"
    if not set(wanted.stages) <= set(stages):
        found["stages"] = "没有这个客户阶段"
    return found


def _word_faults(wanted: Conditions) -> dict[str, str]:
    found: dict[str, str] = {}
    if not wanted.words and not wanted.patterns:
        found["words"] = "请至少填写一个词或一个表达式"
    for name, given in (("words", wanted.words), ("unless", wanted.unless)):
        if len(given) > MOST_WORDS:
            found[name] = f"最多 {MOST_WORDS} 个词"
        long = next((word for word in given if len(word) > WORD_CHARS), "")
        if long:
            found[name] = f"“{long[:10]}…”超过 {WORD_CHARS} 个字"
        if any(not all(part.strip() for part in fold(word).split(ALL_OF)) for word in given):
            found[name] = "加号两边都要有词，例如：预算+装修"
    if len(wanted.patterns) > MOST_PATTERNS:
        found["patterns"] = f"最多 {MOST_PATTERNS} 个表达式"
    wrong = next((said for said in map(patterns.fault, wanted.patterns[:MOST_PATTERNS]) if said), "")
    if wrong:
        found["patterns"] = wrong
    return found


def _sentence_faults(wanted: Conditions) -> dict[str, str]:
    found: dict[str, str] = {}
    if len(set(wanted.examples)) < LEAST_EXAMPLES:
        found["examples"] = f"请至少写 {LEAST_EXAMPLES} 句不同的例句，每行一句"
    for name, given in (("examples", wanted.examples), ("counters", wanted.counters)):
        if len(given) > MOST_SENTENCES:
            found[name] = f"最多 {MOST_SENTENCES} 句"
        long = next((one for one in given if len(one) > SENTENCE_CHARS), "")
        if long:
            found[name] = f"“{long[:10]}…”超过 {SENTENCE_CHARS} 个字"
    if set(wanted.examples) & set(wanted.counters):
        found["counters"] = "同一句不能既是例句又是反例"
    return found


def tell(kind: str, wanted: Conditions, stages: Mapping[str, str]) -> str:
    """A rule's conditions in words."""
    parts = [f"{SPEAKERS.get(wanted.speaker, '')}说到"]
    if kind == WORDS:
        said = [*wanted.words, *(f"/{one}/" for one in wanted.patterns)]
        parts.append(_some(said, "、", 6))
        if wanted.unless:
            parts.append(f"，且没有说 {_some(wanted.unless, '、', 4)}")
    else:
        parts.append(f"类似“{_some(wanted.examples, '”“', 2)}”的话")
    if wanted.at_least > 1:
        parts.append(f"，{wanted.within_days} 天内至少 {wanted.at_least} 次")
    if wanted.stages:
        parts.append(f"，客户阶段是{'、'.join(stages.get(one, one) for one in wanted.stages)}")
    return "".join(parts)


def _some(given: Sequence[str], apart: str, most: int) -> str:
    more = f" 等 {len(given)} 个" if len(given) > most else ""
    return apart.join(given[:most]) + more


class WordRules:
    """All word rules of a corp as one automaton."""

    def __init__(self, rules: Iterable[ChatRule]) -> None:
        self.rules = [rule for rule in rules if rule.kind == WORDS]
        self._wanted = [
            (rule, _alternatives(rule.conditions.words), _alternatives(rule.conditions.unless)) for rule in self.rules
        ]
        words = {word for _, some, none in self._wanted for each in (*some, *none) for word in each}
        self._finder = WordFinder(words)
        self._patterned = {at for at, rule in enumerate(self.rules) if rule.conditions.patterns}
        self._by_word: dict[str, set[int]] = {}
        for at, (_, some, _none) in enumerate(self._wanted):
            for word in {word for each in some for word in each}:
                self._by_word.setdefault(word, set()).add(at)

    def hits(self, text: str, speaker: str) -> list[ChatRule]:
        """The rules that a message fits, by who says it and what is said."""
        said = self._finder.found(fold(text))
        worth = self._patterned.union(*(self._by_word.get(word, ()) for word in said))
        return [
            rule
            for rule, wanted, unwanted in (self._wanted[at] for at in sorted(worth))
            if rule.conditions.speaker in (speaker, ANYBODY)
            and (any(each <= said for each in wanted) or _fits(rule.conditions.patterns, text))
            and not any(each <= said for each in unwanted)
        ]


def _alternatives(words: Iterable[str]) -> list[frozenset[str]]:
    return [frozenset(part.strip() for part in fold(word).split(ALL_OF) if part.strip()) for word in words]


def _fits(given: Sequence[str], text: str) -> bool:
    return any(patterns.found(pattern, text) for pattern in given)


def is_often_enough(wanted: Conditions, moments: Iterable[datetime]) -> bool:
    """Whether ``at_least`` of the moments lie within ``within_days`` days, in whatever order they are told."""
    told = sorted(moments)
    span, count = timedelta(days=wanted.within_days), wanted.at_least
    return any(told[at + count - 1] - told[at] <= span for at in range(len(told) - count + 1))


def lines_of(text: str, apart: Callable[[str], list[str]] = str.splitlines) -> tuple[str, ...]:
    """What stands on the lines of a field, each once, without empty ones."""
    return tuple(dict.fromkeys(line.strip() for line in apart(text) if line.strip()))
