"""How words are found however they are written, and what they do not hit."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_core.errors import InputInvalid
from crm_core.sensitive import importing, measuring, starter
from crm_core.sensitive.detectors import is_bank_card, is_id_card
from crm_core.sensitive.matcher import Matcher, compile_regex
from crm_core.sensitive.normal import fold
from crm_core.sensitive.rulebook import (
    ALL_ON,
    CategoryRules,
    Detector,
    Entry,
    EntryKind,
    Found,
    Options,
    Rulebook,
    Way,
)
from crm_core.sensitive.sieve import Sieve

WORDS = ("加微信", "微信", "赌博网", "私下转账", "法律顾问团", "下三滥", "好吃", "damn", "vip8", "爸爸去哪", "C++")


def matcher(
    *words: str,
    options: Options = ALL_ON,
    exceptions: tuple[str, ...] = (),
    allowed: tuple[str, ...] = (),
    detectors: tuple[Detector, ...] = (),
    regexes: tuple[str, ...] = (),
) -> Matcher:
    entries = [Entry(number, word) for number, word in enumerate(words, 1)]
    entries += [Entry(100 + number, text, EntryKind.REGEX) for number, text in enumerate(regexes)]
    rules = CategoryRules(id=1, entries=tuple(entries), options=options, exceptions=exceptions, detectors=detectors)
    return Matcher(Rulebook(categories=(rules,), allowed=allowed))


def hits(made: Matcher, text: str) -> list[str]:
    return [text[one.start : one.end] for one in made.check(text)]


EVASIONS = [
    ("case", "DaMn it", "DaMn"),
    ("full width", "ＤＡＭＮ", "ＤＡＭＮ"),
    ("circled", "ⓓⓐⓜⓝ", "ⓓⓐⓜⓝ"),
    ("black squares", "🅳🅰🅼🅽", "🅳🅰🅼🅽"),
    ("mathematical", "𝕕𝕒𝕞𝕟", "𝕕𝕒𝕞𝕟"),
    ("regional indicators", "🇩🇦🇲🇳", "🇩🇦🇲🇳"),
    ("superscript", "ᵈᵃᵐⁿ", "ᵈᵃᵐⁿ"),
    ("cyrillic and greek", "dаmп", "dаmп"),
    ("accents", "dämn", "dämn"),
    ("combining marks", "d\u0336a\u0336m\u0336n\u0336", "d\u0336a\u0336m\u0336n"),
    ("spelled out", "d a m n", "d a m n"),
    ("repeated", "daaaamn", "daaaamn"),
    ("traditional", "加薇信", "加薇信"),
    ("compatibility ideographs", "賭博\u7db2", "賭博\u7db2"),
    ("kangxi radical", "下三滥", "下三滥"),
    ("digit for numeral", "下③滥", "下③滥"),
    ("financial numeral", "下叁滥", "下叁滥"),
    ("emoji digit", "下3️⃣滥", "下3️⃣滥"),
    ("spaces", "赌 博 网", "赌 博 网"),
    ("symbols", "赌*博#网", "赌*博#网"),
    ("emoji between", "赌😀博😀网", "赌😀博😀网"),
    ("zero width", "赌\u200b博\ufeff网", "赌\u200b博\ufeff网"),
    ("variation selector", "赌\ufe0f博网", "赌\ufe0f博网"),
    ("tag characters", "赌\U000e0061博网", "赌\U000e0061博网"),
    ("every gap a comma", "赌，博，网", "赌，博，网"),
    ("html entity", "赌&#21338;网", "赌&#21338;网"),
    ("pinyin", "dubowang", "dubowang"),
    ("pinyin with tones", "dǔ bó wǎng", "dǔ bó wǎng"),
    ("pinyin between characters", "赌bo网", "赌bo网"),
    ("pinyin in a longer pinyin chunk", "qudubowangba", "dubowang"),
    ("initials", "上dbw去", "dbw"),
    ("homophones", "堵博往", "堵博往"),
    ("split characters", "贝者博网", "贝者博网"),
    ("v for wei", "加V信", "加V信"),
    ("vx", "加vx聊", "加vx"),
    ("heart for xin", "加微❤聊", "加微❤"),
    ("plus for jia", "+微信", "+微信"),
    ("word with signs", "学C++吗", "C++"),
]


@pytest.mark.parametrize(("text", "found"), [case[1:] for case in EVASIONS], ids=[case[0] for case in EVASIONS])
def test_a_word_is_found_however_it_is_written(text: str, found: str):
    assert found in hits(matcher(*WORDS), text)


HARMLESS = [
    ("inside a longer word", "goddamned"),
    ("a cut across words", "mad amnesty"),
    ("a clause between the characters", "他家爱赌，博士网购"),
    ("letters that are no pinyin", "the dubowangx"),
    ("C without signs", "学C语言"),
    ("number inside a longer one", "vip88"),
    ("a vip is no v", "加vip群"),
    ("reduplication is a word of its own", "爸去哪"),
    ("two characters of the same sound", "薄信"),
]


@pytest.mark.parametrize("text", [case[1] for case in HARMLESS], ids=[case[0] for case in HARMLESS])
def test_what_only_looks_alike_is_not_hit(text: str):
    assert hits(matcher(*WORDS), text) == []


@pytest.mark.parametrize(
    ("option", "text"),
    [
        ("letters", "ＤＡＭＮ"),
        ("traditional", "賭博網"),
        ("digits", "下3滥"),
        ("repeats", "加微微微信"),
        ("symbols", "赌*博*网"),
        ("pinyin", "赌bo网"),
        ("initials", "dbw"),
        ("homophones", "堵博往"),
        ("splits", "贝者博网"),
        ("wechat", "加V信"),
    ],
)
def test_each_way_of_writing_is_an_option(option: str, text: str):
    words = ("加微信", "赌博网", "下三滥", "damn")
    assert hits(matcher(*words), text)
    off = {**dict.fromkeys(Options.__dataclass_fields__, True), option: False}
    assert hits(matcher(*words, options=Options(**off)), text) == []


def test_exceptions_hold_inside_their_phrase_only():
    made = matcher("好吃", exceptions=("好吃懒做",), allowed=("不好吃",))
    assert hits(made, "好吃懒做") == []
    assert hits(made, "这个不好吃") == []
    assert hits(made, "真好吃，他好吃懒做") == ["好吃"]


def test_places_are_those_of_the_text_as_it_came():
    text = "😀你好，Ｖ\u200b信😀"
    assert [(one.start, one.end, one.way) for one in matcher("微信").check(text)] == [(4, 7, Way.ALIAS)]


NUMBERS = [
    ("phone", "打138 1234 5678找我", "138 1234 5678"),
    ("phone", "一三八一二三四五六七八", "一三八一二三四五六七八"),
    ("id_card", "身份证11010519491231002X", "11010519491231002X"),
    ("bank_card", "卡号6222 0200 0000 0000 5", ""),
    ("bank_card", "卡号4111-1111-1111-1111", "4111-1111-1111-1111"),
    ("qq", "扣扣：⑨８７６５４3", "⑨８７６５４3"),
    ("qq", "一共87654321元", ""),
    ("wechat", "vx: hello_2020", "hello_2020"),
    ("wechat", "微信支付成功", ""),
    ("email", "写信到 a.b@example.com。", "a.b@example.com"),
    ("url", "看 https://example.com/a?b=1，谢谢", "https://example.com/a?b=1"),
    ("ipv4", "地址 10.0.0.256", ""),
]


@pytest.mark.parametrize(("kind", "text", "found"), NUMBERS)
def test_numbers_are_found_by_form_and_checksum(kind: str, text: str, found: str):
    assert hits(matcher(detectors=(Detector(kind=kind),)), text) == ([found] if found else [])


def test_checksums():
    assert is_id_card("11010519491231002X")
    assert not is_id_card("110105194912310021")
    assert not is_id_card("110105194913310020")
    assert is_bank_card("4111111111111111")
    assert not is_bank_card("4111111111111112")


def test_an_expression_reads_the_text_and_its_plain_form():
    assert hits(matcher(regexes=(r"\d{3}折",)), "只要１２３折") == ["１２３折"]


@pytest.mark.parametrize("text", ["(", "a*", "(?=x)y", "x" * 501])
def test_an_expression_that_is_no_good_is_refused_in_words(text: str):
    with pytest.raises(InputInvalid):
        compile_regex(text)


def test_an_expression_that_would_run_for_ever_elsewhere_does_not():
    assert hits(matcher(regexes=("(a+)+$",)), "a" * 3000 + "b") == []


LETTERS = "加微信赌博网私下转账法律顾问团三滥好吃damnvipDAM8３三薇v❤+ 　,，.*\u200b\n😀&x爸去哪wbd"
TEXTS = st.lists(st.text(alphabet=LETTERS, max_size=24), max_size=12)


@given(TEXTS)
def test_the_sieve_finds_what_the_matcher_finds(texts: list[str]):
    made = matcher(
        *WORDS, regexes=("信.用",), detectors=(Detector(kind="qq"), Detector(kind="wechat")), allowed=("私下",)
    )
    each = [(number, found) for number, text in enumerate(texts) if (found := made.check(text))]
    assert Sieve(made).check(texts) == each


@pytest.mark.parametrize("text", ["(C) dubowang", "C. dubowang d", "x dǔ-bó-wǎng", "x ｄｕｂｏｗａｎｇ", "A-b dbw"])
def test_the_sieve_reads_letters_chunk_by_chunk(text: str):
    made = matcher("赌博网")
    assert Sieve(made).check([text]) == [(0, made.check(text))]
    assert made.check(text)


def test_the_sieve_takes_texts_that_hold_anything():
    texts = ["", "a\0b赌博网", "\ud83d赌博网", "", "网"]
    made = matcher("赌博网")
    assert [number for number, _ in Sieve(made).check(texts)] == [1, 2]


@given(st.text(max_size=60))
def test_folding_keeps_every_place(text: str):
    places = [place for run in fold(text).runs for place in run.places]
    assert places == sorted(places)
    assert all(0 <= start < end <= len(text) for start, end in places)


@given(st.sampled_from(["赌博网", "私下转账", "加微信"]), st.randoms(use_true_random=False))
def test_symbols_between_the_characters_hide_nothing(word: str, chance: random.Random):
    text = "".join(char + "".join(chance.choices("*-_·~😀\u200b ", k=chance.randint(0, 4))) for char in word)
    assert any(one.name == word for one in matcher(word).check(f"那个{text}啊"))


def test_the_starter_set_is_small_and_every_entry_finds_itself():
    categories = starter.categories()
    words = [word for one in categories for word in one.words]
    assert len(words) < 300
    assert len(set(words)) == len(words)
    made = Matcher(starter.rulebook())
    assert [word for word in words if word not in {one.name for one in made.check(word)}] == []


def test_a_case_is_judged_by_exactly_what_was_found():
    row = {
        "id": "1",
        "kind": "digits",
        "dictionary": "下三滥",
        "options": "ignoreNumStyle=false",
        "input": "下3滥",
        "expected": "",
    }
    assert measuring.answer(measuring.case_of(row)).is_right
    assert not measuring.answer(measuring.case_of({**row, "options": ""})).is_right


def test_alarms_count_messages_by_category_with_examples():
    book = Rulebook(categories=(CategoryRules(id=7, entries=(Entry(1, "飞单"),)),))
    told = measuring.alarms(["做飞单", "飞单飞单", "你好"], book, {7: "飞单"})
    assert (told.messages, told.hit) == (3, 2)
    assert told.categories[0].name == "飞单"
    assert told.categories[0].examples[0] == ("做飞单", "飞单", "飞单")


def test_found_tells_the_way_it_was_written():
    ways = {text: matcher("赌博网").check(text)[0].way for text in ("赌博网", "dubowang", "dbw", "堵博往", "贝者博网")}
    assert list(ways.values()) == [Way.WORD, Way.PINYIN, Way.INITIALS, Way.HOMOPHONE, Way.SPLIT]
    assert isinstance(matcher("赌博网").check("赌博网")[0], Found)


def test_text_import_takes_lines_and_commas():
    assert [line.text for line in importing.lines_of_text("一个，两个\n\n三个")] == ["一个", "两个", "三个"]
    with pytest.raises(InputInvalid):
        importing.lines_of_text(" \n")
