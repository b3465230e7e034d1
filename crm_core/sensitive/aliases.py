"""Other names for what people ask each other for: 微信, QQ, 支付宝. Pure."""

import re
from collections.abc import Iterator

from crm_core.sensitive.look_alikes import SPLIT

_CLEAR = {
    "微信": (
        "v信",
        "vx",
        "wx",
        "薇信",
        "徽信",
        "溦信",
        "微芯",
        "薇芯",
        "v芯",
        "vxin",
        "we信",
        "weixin",
        "wechat",
        "绿泡泡",
    ),
    "qq": ("扣扣", "秋秋", "qiuqiu", "寇寇"),
    "支付宝": ("zfb", "芝付宝", "之付宝", "支护宝", "知付宝", "吱付宝", "alipay"),
    "抖音": ("dy号", "斗音", "抖阴"),
    "淘宝": ("掏宝", "某宝", "tao宝", "t宝"),
    "电话": ("dh号", "電话", "点话"),
}
_INSIDE = {  # plain words by themselves, so only as part of a longer entry
    "微信": ("卫星", "威信", "维信", "卫心", "微心", "v", "薇", "vv", "wei", "绿色软件"),
    "qq": ("企鹅", "球球", "q", "口口"),
    "支付宝": ("付宝",),
}
_HEARTS = "❤♥💗💖💓💕💙💚💛💜🧡🖤🤍🤎💘💝❣"
HINTS = f"{_HEARTS}+＋➕✚"  # with these a text may need ``respell``
_HEART = re.compile(f"(?<=[微薇威徽溦维vVＶｖ])[{_HEARTS}]")
_PLUS = re.compile(r"[+＋➕✚](?=\s{0,3}(?:[微薇威徽溦vVｖＶqQ扣企我]|[wW][xXeE]))")


def respell(text: str) -> str:
    """Signs that are read as characters beside 微: 微❤, +微. Every character keeps its place."""
    return _PLUS.sub("加", _HEART.sub("信", text))


def other_names(word: str) -> Iterator[str]:
    """The word with a name in it replaced by what else people write for it. word: folded."""
    for name, clear in _CLEAR.items():
        if name in word:
            others = clear + (_INSIDE.get(name, ()) if word != name else ())
            yield from (word.replace(name, other) for other in others)


def taken_apart(word: str) -> Iterator[str]:
    """The word with characters written as their parts: one of them, or all that can be."""
    whole = "".join(SPLIT[char][0] if char in SPLIT else char for char in word)
    made = {whole} if whole != word else set()
    for number, char in enumerate(word):
        made |= {word[:number] + parts + word[number + 1 :] for parts in SPLIT.get(char, ())}
    yield from sorted(made)
