"""What the matcher looks for, as plain values. Pure."""

from dataclasses import dataclass, field, fields
from enum import StrEnum


class EntryKind(StrEnum):
    """word: matched however it is written; regex: RE2 syntax, over the text as it came."""

    WORD = "word"
    REGEX = "regex"


class Way(StrEnum):
    """How a hit was written."""

    WORD = "word"
    PINYIN = "pinyin"
    INITIALS = "initials"
    HOMOPHONE = "homophone"
    SPLIT = "split"
    ALIAS = "alias"
    REGEX = "regex"
    NUMBER = "number"


WAY_NAMES = {
    Way.WORD: "原词",
    Way.PINYIN: "拼音",
    Way.INITIALS: "拼音首字母",
    Way.HOMOPHONE: "谐音",
    Way.SPLIT: "拆字",
    Way.ALIAS: "变体",
    Way.REGEX: "正则",
    Way.NUMBER: "号码",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How generously the words of a category are matched.

    letters: case, width, styled letters, look-alikes of other alphabets. digits: 3 = 三 = ③ = ３. repeats: 加加微微信.
    symbols: what stands between the characters is passed over. initials: only words of three characters or more.
    homophones: other characters of the same sound, only words of three or more. splits: 女子 for 好. wechat: V信, 薇信.
    whole_words: a Latin word does not hit inside another. whole_numbers: nor a number inside another.
    """

    letters: bool = True
    traditional: bool = True
    digits: bool = True
    repeats: bool = True
    symbols: bool = True
    pinyin: bool = True
    initials: bool = False
    homophones: bool = False
    splits: bool = True
    wechat: bool = True
    whole_words: bool = True
    whole_numbers: bool = True

    @classmethod
    def of(cls, told: object) -> "Options":
        """From stored JSON; what is not told keeps its default."""
        known = {one.name for one in fields(cls)}
        given = told if isinstance(told, dict) else {}
        return cls(**{name: bool(value) for name, value in given.items() if name in known})


ALL_ON = Options(initials=True, homophones=True)


@dataclass(frozen=True, slots=True)
class Entry:
    """One word or expression. id: unique in its rulebook."""

    id: int
    text: str
    kind: EntryKind = EntryKind.WORD


@dataclass(frozen=True, slots=True, kw_only=True)
class Detector:
    """A kind of number that is looked for. least: digits, for runs of digits; passed: symbols allowed inside a run."""

    kind: str
    least: int = 8
    passed: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryRules:
    """One category as the matcher sees it. exceptions: phrases within which none of its words hit."""

    id: int
    entries: tuple[Entry, ...] = ()
    options: Options = field(default_factory=Options)
    exceptions: tuple[str, ...] = ()
    detectors: tuple[Detector, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rulebook:
    """Everything that is in force for one corp. allowed: phrases within which nothing hits."""

    categories: tuple[CategoryRules, ...] = ()
    allowed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One hit. start, end: in the text as it came. entry_id: 0 for a detector, whose kind stands in ``name``."""

    category: int
    entry_id: int
    name: str
    start: int
    end: int
    way: Way
