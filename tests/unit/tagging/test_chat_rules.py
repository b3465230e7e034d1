"""Rules over chats, as pure logic: what fits, what is refused, how often is often enough."""

from datetime import UTC, datetime, timedelta

import pytest

from tagging import chat_rules, patterns
from tagging.chat_rules import ANYBODY, CUSTOMER, STAFF, ChatRule, Conditions, WordRules, is_often_enough
from tagging.word_finder import WordFinder, fold

STAGES = {"new": "新客户"}


def fits(text: str, said_by: str = CUSTOMER, /, **conditions: object) -> bool:
    rule = ChatRule(
        id=1,
        version=1,
        kind="words",
        tag_id="t",
        mode="suggest",
        confidence=0.8,
        conditions=Conditions(**conditions),  # type: ignore[arg-type]
    )
    return bool(WordRules([rule]).hits(text, said_by))


@pytest.mark.parametrize(
    ("text", "conditions", "wanted"),
    [
        ("你们这个多少钱", {"words": ("多少钱",)}, True),
        ("你们这个多少米", {"words": ("多少钱",)}, False),
        ("ＶＩＰ有优惠吗", {"words": ("vip",)}, True),
        ("预算十万，想装修厨房", {"words": ("预算+装修",)}, True),
        ("预算十万", {"words": ("预算＋装修",)}, False),
        ("太贵了，不要了", {"words": ("贵",), "unless": ("不要",)}, False),
        ("报价 128 元", {"patterns": (r"\d+\s*元",)}, True),
        ("报价一百元", {"words": ("多少",), "patterns": (r"\d+\s*元",)}, False),
    ],
)
def test_words_and_patterns(text: str, conditions: dict[str, object], wanted: bool) -> None:
    assert fits(text, **conditions) is wanted


def test_who_said_it_counts() -> None:
    assert not fits("多少钱", STAFF, words=("多少钱",))
    assert fits("多少钱", STAFF, words=("多少钱",), speaker=STAFF)
    assert fits("多少钱", STAFF, words=("多少钱",), speaker=ANYBODY)


def test_the_automaton_finds_words_inside_and_beside_each_other() -> None:
    finder = WordFinder(["she", "he", "hers", "r", "装修", "装修公司"])
    assert finder.found("ushers") == {"she", "he", "hers", "r"}
    assert finder.found(fold("找装修公司")) == {"装修", "装修公司"}
    assert WordFinder([]).found("abc") == set()


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("(a+)+b", "重复里面"),
        ("(a|b*)*c", "重复里面"),
        (".*.*.*x", "最多 2 个"),
        ("(x{2,99}){2,99}", "重复里面"),
        (r"(a)\1", "反向引用"),
        ("(?=a)b", "前后查找"),
        ("[", "不是正确的"),
        ("a*", "匹配任何内容"),
        ("x" * 201, "1–200"),
    ],
)
def test_patterns_that_could_keep_a_worker_busy_are_refused(pattern: str, said: str) -> None:
    assert said in patterns.fault(pattern)


@pytest.mark.parametrize("pattern", [r"\d{3,}元", "(预算|价格).*多少", r"1[3-9]\d{9}", "(ab){1,3}c+", "[一二三]+平.?"])
def test_plain_patterns_are_taken(pattern: str) -> None:
    assert patterns.fault(pattern) == ""


def moments(*hours: float) -> list[datetime]:
    return [datetime(2026, 11, 20, tzinfo=UTC) + timedelta(hours=hour) for hour in hours]


@pytest.mark.parametrize(
    ("hours", "wanted"),
    [((0, 30, 47), True), ((47, 0, 30), True), ((0, 30, 49), False), ((0, 30), False), ((0, 60, 61, 62), True)],
)
def test_often_enough_within_days_in_any_order(hours: tuple[float, ...], wanted: bool) -> None:
    assert is_often_enough(Conditions(at_least=3, within_days=2), moments(*hours)) is wanted


@pytest.mark.parametrize(
    ("kind", "conditions", "field"),
    [
        ("words", {}, "words"),
        ("words", {"words": ("预算+",)}, "words"),
        ("words", {"words": ("字" * 31,)}, "words"),
        ("words", {"patterns": ("(",)}, "patterns"),
        ("words", {"words": ("a",), "speaker": "robot"}, "speaker"),
        ("words", {"words": ("a",), "at_least": 0}, "count"),
        ("words", {"words": ("a",), "stages": ("nowhere",)}, "stages"),
        ("meaning", {"examples": ("一", "二")}, "examples"),
        ("meaning", {"examples": ("一", "二", "三"), "counters": ("三",)}, "counters"),
        ("other", {}, "kind"),
    ],
)
def test_faults_name_their_field(kind: str, conditions: dict[str, object], field: str) -> None:
    found = chat_rules.faults("规则", kind, "t", "suggest", Conditions(**conditions), STAGES)  # type: ignore[arg-type]
    assert list(found) == [field]


def test_conditions_are_told_in_words_and_stored_as_they_are() -> None:
    wanted = Conditions(words=("多少钱", "报价"), unless=("退款",), at_least=3, within_days=7, stages=("new",))
    assert chat_rules.tell("words", wanted, STAGES) == (
        "客户说到多少钱、报价，且没有说 退款，7 天内至少 3 次，客户阶段是新客户"
    )
    assert Conditions.of(wanted.stored()) == wanted
