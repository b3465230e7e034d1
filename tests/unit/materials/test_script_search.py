"""Search quality on the seeded library: what staff type and what customers say must find the right script."""

import pytest

from crm_core.spelling import spell
from materials.model import Script
from materials.search import ScriptIndex
from materials.service import builtin_folders


def seeded() -> list[Script]:
    found = []
    for folder in builtin_folders():
        for draft in folder.scripts:
            pinyin, initials = spell(draft.title)
            found.append(
                Script(
                    id=len(found) + 1,
                    group_id=1,
                    title=draft.title,
                    keywords=draft.keywords,
                    messages=draft.messages,
                    pinyin=pinyin,
                    initials=initials,
                )
            )
    return found


@pytest.fixture(scope="module")
def index() -> ScriptIndex:
    return ScriptIndex(seeded())


FIRST = [
    ("多少钱能装", "报价前先问面积"),
    ("你们家太贵了吧", "客户说太贵了"),
    ("甲醛", "板材环保等级"),
    ("bjqx", "报价前先问面积"),
    ("BJQX", "报价前先问面积"),
    ("fangshui", "防水怎么做"),
    ("质保几年", "质保多久"),
    ("我回去跟老婆商量一下", "要回家商量"),
    ("一平方多少钱", "按平米怎么算"),
    ("装修贷款", "可以分期吗"),
    ("小区邻居一起装有优惠吗", "邻居一起装有优惠吗"),
    ("你是谁", "加好友后的自我介绍"),
    ("晚上几点下班", "说明服务时间"),
    ("没时间过去看", "没时间到店"),
    ("工地能看吗", "邀请看在建工地"),
    ("enf", "板材环保等级"),
    ("没交房", "房子还没交"),
    ("定金能退吗", "定金怎么退"),
    ("插座", "水电改造标准"),
    ("跑路", "怕公司跑路"),
    ("开工", "开工通知"),
    ("量房", "约上门量房"),
    ("全屋定制", "全屋定制怎么算"),
]
NEAR = [
    ("什么时候能装好", "工期多久"),
    ("漏水了怎么办", "报修登记"),
    ("能不能便宜点", "客户说太贵了"),
    ("别人家比你们便宜好多", "别家便宜很多"),
    ("baojia", "报价前先问面积"),
    ("zhuanjieshao", "请老客户推荐朋友"),
    ("要装多久", "工期多久"),
    ("会不会加钱", "担心后期增项"),
    ("孩子住安全吗", "板材环保等级"),
    ("dzsj", "说明服务时间"),
]


@pytest.mark.parametrize(("said", "title"), FIRST)
def test_the_right_script_comes_first(index, said, title):
    assert index.rank(said)[0].title == title


def test_near_misses_are_among_the_first_five(index):
    hits = [title in [script.title for script in index.rank(said, limit=5)] for said, title in NEAR]
    assert sum(hits) >= len(NEAR) - 1


@pytest.mark.parametrize("said", ["", "  ", "！！", "xyzq", "的", "%", "'; drop table"])
def test_nothing_fits_nonsense(index, said):
    assert index.rank(said) == []


def test_hits_come_from_every_folder(index):
    assert len(index.rank("优惠", limit=50)) >= 3
    assert len(index) >= 72


def test_a_very_long_query_is_cut(index):
    assert index.rank("报价" * 5000)


def test_asking_changes_nothing(index):
    before = [script.id for script in index.rank("防水")]
    index.rank("从没见过的词")
    assert [script.id for script in index.rank("防水")] == before


def test_spelling():
    assert spell("报价ENF级") == ("bao jia enf ji", "bjej")
