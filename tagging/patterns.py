"""Regular expressions from people: only such as cannot keep a worker busy. Pure."""

import re
from functools import lru_cache
from importlib import import_module
from typing import Any

MOST_CHARS = 200
MOST_TEXT = 200  # characters of a message that a pattern looks at
MOST_OPEN = 2  # repeats without an end in one pattern: time grows with the text's length to this power, plus one
MANY = 32  # a repeat that may go on for so long counts as one without an end
REFUSED = {
    "GROUPREF": "不支持反向引用（如 \\1）",
    "GROUPREF_EXISTS": "不支持条件匹配",
    "ASSERT": "不支持前后查找（如 (?=…)）",
    "ASSERT_NOT": "不支持前后查找（如 (?!…)）",
}
REPEATS = ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT")


def fault(pattern: str) -> str:
    """What is wrong with a pattern, "" when nothing is."""
    if not 0 < len(pattern) <= MOST_CHARS:
        return f"表达式应有 1–{MOST_CHARS} 个字符"
    try:
        tree = import_module("re._parser").parse(pattern, re.IGNORECASE)
        _compiled(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        return f"“{pattern[:20]}”不是正确的正则表达式：{str(error)[:60]}"
    open_repeats = 0
    for name, depth in _walk(tree, 0):
        if name in REFUSED:
            return REFUSED[name]
        if name == "OPEN":
            open_repeats += 1
            if depth > 0:
                return "重复里面不能再有不限次数的重复，例如 (a+)+"
    if open_repeats > MOST_OPEN:
        return f"不限次数的重复（* + {{n,}}）最多 {MOST_OPEN} 个"
    return "表达式会匹配任何内容" if _compiled(pattern).search("") else ""


def _walk(tree: Any, depth: int) -> Any:
    """Every construct of a parsed pattern; ``OPEN`` for a repeat without an end, with the repeats around it."""
    for operation, argument in tree:
        name = str(operation)
        if name in REPEATS:
            _, most, body = argument
            is_open = int(most) > MANY
            if is_open:
                yield "OPEN", depth
            yield from _walk(body, depth + (int(most) > 1))
        else:
            yield name, depth
            for part in _parts(argument):
                yield from _walk(part, depth)


def _parts(argument: Any) -> list[Any]:
    kind = import_module("re._parser").SubPattern
    if isinstance(argument, kind):
        return [argument]
    if isinstance(argument, (tuple, list)):
        return [part for one in argument for part in _parts(one)]
    return []


@lru_cache(maxsize=2048)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


def found(pattern: str, text: str) -> bool:
    """Whether a pattern without fault occurs in a text."""
    return _compiled(pattern).search(text[:MOST_TEXT]) is not None
