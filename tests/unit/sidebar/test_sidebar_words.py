from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from sidebar.sending import Names, parts_of
from sidebar.sentences import TELLERS, masked_mobile, spoken_time, tell

ZONE = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 11, 22, 6, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("moment", "said"),
    [
        (datetime(2026, 11, 22, 6, 5, tzinfo=UTC), "今天 14:05"),
        (datetime(2026, 11, 21, 16, 30, tzinfo=UTC), "今天 00:30"),
        (datetime(2026, 11, 21, 1, 30, tzinfo=UTC), "昨天 09:30"),
        (datetime(2026, 11, 23, 1, 0, tzinfo=UTC), "明天 09:00"),
        (datetime(2026, 3, 1, 1, 0, tzinfo=UTC), "3月1日 09:00"),
        (datetime(2025, 3, 1, 1, 0, tzinfo=UTC), "2025年3月1日"),
    ],
)
def test_spoken_time(moment, said):
    assert spoken_time(moment, NOW, ZONE) == said


@pytest.mark.parametrize(("mobile", "said"), [("13812348000", "138****8000"), ("12345", "***45"), ("1", "1")])
def test_masked_mobile(mobile, said):
    assert masked_mobile(mobile) == said


@pytest.mark.parametrize("kind", sorted(TELLERS))
def test_every_kind_has_a_sentence_even_without_data(kind):
    told = tell(kind, {}, "张三")
    assert told.text
    assert "{" not in told.text


def test_who_ended_it_is_told():
    assert tell("follow.ended", {"ended_by": "customer"}, "张三").text == "客户删除了张三"
    assert tell("follow.ended", {"ended_by": "staff", "found_by": "sync"}, "张三").detail == "同步时发现"
    assert tell("tag.added", {"tags": ["有娃"], "source": "channel"}, "张三").text == "添加了标签「有娃」"
    assert tell("welcome.failed", {"error": "已有欢迎语"}, "张三").detail == "已有欢迎语"


def test_unknown_kinds_are_shown_in_general_words():
    assert tell("lead.claimed", {}, "张三").text == "张三有一条新动态"
    assert tell("x.y", {}, "").text == "系统有一条新动态"


def names(customer="王女士", remark="王姐"):
    return Names(customer=customer, staff="张三", remark=remark, today=date(2026, 11, 22))


@pytest.mark.parametrize(
    ("who", "said"),
    [
        (names(), "王女士/王姐/张三/11月22日"),
        (names(remark=""), "王女士/王女士/张三/11月22日"),
        (names(customer="", remark=""), "您/您/张三/11月22日"),
    ],
)
def test_variables_are_filled_with_what_is_known(who, said):
    assert who.fill("{昵称}/{备注}/{员工}/{日期}") == said


def test_messages_become_what_the_client_sends():
    stored = {
        "text": "{昵称}，我是{员工}",
        "attachments": [
            {
                "msgtype": "link",
                "link": {"title": "案例", "url": "https://e.cn", "desc": "实拍", "picurl": "https://e.cn/a"},
            },
            {"msgtype": "image", "image": {"media_id": "m1"}},
            {"msgtype": "image", "image": {"pic_url": "https://e.cn/b"}},
            {"msgtype": "file", "file": {"media_id": "m2"}},
            {
                "msgtype": "miniprogram",
                "miniprogram": {"title": "预约", "appid": "wx", "page": "p", "pic_media_id": "m"},
            },
        ],
    }
    parts = parts_of([stored], names())
    assert [part.payload for part in parts] == [
        {"msgtype": "text", "text": {"content": "王女士，我是张三"}},
        {
            "msgtype": "news",
            "news": {"link": "https://e.cn", "title": "案例", "desc": "实拍", "imgUrl": "https://e.cn/a"},
        },
        {"msgtype": "image", "image": {"mediaid": "m1"}},
        None,
        {"msgtype": "file", "file": {"mediaid": "m2"}},
        None,
    ]
    assert all(part.blocked for part in parts if part.payload is None)
