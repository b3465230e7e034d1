"""How sure the bot is of a script: the same words, the same matter, or neither."""

import pytest

from crm_core.config_chat import KfPart
from materials.answering import confidence
from materials.model import Script

THRESHOLD = KfPart().threshold


def script(title: str, keywords: str, *similar: str) -> Script:
    text = {"text": "正文里说到价格、工期、优惠和定金，但这不算数。"}
    return Script(
        id=1, group_id=1, title=title, keywords=keywords, messages=(text,), pinyin="", initials="", similar=similar
    )


DEPOSIT = script("定金怎么退", "定金 订金 退 保留 押金")
PROMOTION = script("介绍当月优惠", "优惠 活动 打折 折扣 促销")


@pytest.mark.parametrize(
    ("question", "of"),
    [
        ("定金能退吗", DEPOSIT),
        ("请问定金怎么退？", DEPOSIT),
        ("有什么优惠活动吗", PROMOTION),
        ("交了钱不想装了怎么办", script("定金怎么退", "定金", "交了钱不想装了怎么办呀")),
    ],
)
def test_what_is_asked_for_is_answered(question: str, of: Script) -> None:
    assert THRESHOLD <= confidence(question, of) <= 1


@pytest.mark.parametrize(
    "question", ["火星上的氧气浓度是多少", "你好", "在吗", "！！", "", "工期多久", "我的快递到哪了"]
)
def test_what_only_the_wording_mentions_or_nothing_does_is_left_to_people(question: str) -> None:
    assert confidence(question, DEPOSIT) < THRESHOLD


def test_the_very_words_are_certain() -> None:
    assert confidence("定金怎么退", DEPOSIT) == 1
    assert confidence("定金怎么退！", DEPOSIT) == 1
