"""From a customer's message to open pages and to the questions that no script answers."""

import pytest
from sqlmodel import select

from crm_core.chat.model import Conversation
from crm_core.errors import NotFound
from crm_core.ids import StaffUserId
from materials import customer_turns, gaps, lessons, script_desk
from materials.lessons import SENT, Said
from materials.recommend_tables import ScriptGapRow
from materials.script_model import parse_form
from tests.support.product import InProcess
from tests.support.recommend_chats import from_customer, from_staff

STAFF, WHO, OTHER = "zhang.san", "wm_shopper", "wm_other"


@pytest.fixture
def shop(product: InProcess) -> InProcess:
    with product.house.db.unit() as uow:
        folder = script_desk.create_folder(uow, product.corp, "售后")
        form = parse_form(
            group_id=folder, title="开发票", messages=[{"text": "电子发票三天内发到邮箱"}], similar=("发票怎么开",)
        )
        script_desk.save(uow, product.corp, StaffUserId("li"), form, may_approve=True)
        uow.commit()
    return product


def append(product: InProcess, *messages, live: bool = True) -> None:
    with product.house.db.unit() as uow:
        product.house.chat.store.append(uow, product.corp, messages, live=live)
        uow.commit()
    product.work()


def said(product: InProcess, text: str, who: str = WHO, **more):
    return from_customer(STAFF, who, text, product.clock.now(), **more)


def waiting(product: InProcess, who: str = WHO, staff: str = STAFF) -> list[str]:
    with product.house.db.reading() as session:
        found = customer_turns.waiting(session, product.house.chat.store, product.corp, staff, who)
    return [one.message.text for one in found]


def listed(product: InProcess, state: str = gaps.OPEN) -> list[gaps.Gap]:
    house = product.house
    with house.db.reading() as session:
        return list(gaps.listing(session, house.chat.cipher, house.chat.store, product.corp, state=state).items)


def test_what_waits_is_what_the_customer_said_since_the_last_answer(shop):
    now = shop.clock.now()
    append(shop, said(shop, "在吗"), from_staff(STAFF, WHO, "在的", now), said(shop, "发票怎么开"), said(shop, "急"))
    assert waiting(shop) == ["发票怎么开", "急"]
    assert waiting(shop, staff="li") == [], "what a customer told a colleague is not shown"
    append(shop, from_staff(STAFF, WHO, "三天内发您", now))
    assert waiting(shop) == []


def test_the_customer_service_is_read_too_and_groups_are_not(shop):
    kf = Conversation.kf("wk1", WHO)
    append(shop, said(shop, "客服你好，能退吗", where=kf), said(shop, "群里问问", where=Conversation.group("wr1")))
    assert waiting(shop) == ["客服你好，能退吗"]
    assert waiting(shop, staff="li") == ["客服你好，能退吗"]


def test_open_pages_are_told_when_the_reader_has_committed_and_history_tells_nobody(shop):
    told: list[str] = []
    shop.house.hub.watch(told.extend)
    append(shop, said(shop, "发票怎么开"))
    assert told == [customer_turns.news_lane(shop.corp, WHO)]
    append(shop, said(shop, "很久以前"), live=False)
    assert len(told) == 1


def test_questions_without_an_answer_are_grouped_and_those_with_one_are_not(shop):
    append(
        shop,
        said(shop, "你们支持以旧换新吗"),
        said(shop, "请问你们支持以旧换新吗", OTHER),
        said(shop, "旧手机13812345678能抵多少钱", OTHER),
        said(shop, "发票怎么开"),
        said(shop, "好的谢谢"),
    )
    found = listed(shop)
    assert [(one.asked, one.customers) for one in found] == [(2, 2), (1, 1)]
    assert set(found[0].examples) == {"你们支持以旧换新吗", "请问你们支持以旧换新吗"}
    assert "13812345678" not in found[1].label + "".join(found[1].examples)
    assert "［手机号］" in found[1].label
    with shop.house.db.reading() as session:
        kept = session.exec(select(ScriptGapRow)).all()
        assert all("换新".encode() not in row.label for row in kept)


def test_an_ignored_group_takes_in_what_is_like_it_and_a_written_one_is_over(shop):
    append(shop, said(shop, "你们支持以旧换新吗"))
    (gap,) = listed(shop)
    with shop.house.db.unit() as uow:
        gaps.switch(uow, shop.corp, "li", gap.id, state=gaps.IGNORED)
        uow.commit()
    append(shop, said(shop, "你们支持以旧换新吗？", OTHER))
    assert listed(shop) == []
    assert listed(shop, gaps.IGNORED)[0].asked == 2
    with shop.house.db.unit() as uow:
        gaps.forget(uow, shop.corp, OTHER)
        uow.commit()
    assert listed(shop, gaps.IGNORED)[0].customers == 1
    with shop.house.db.unit() as uow, pytest.raises(NotFound):
        gaps.switch(uow, "ww_other", "li", gap.id, state=gaps.OPEN)


def test_a_job_that_runs_twice_counts_once(shop):
    message = said(shop, "你们支持以旧换新吗")
    append(shop, message)
    with shop.house.db.unit() as uow:
        one = gaps.Unanswered(position=1, external_user=WHO, text=message.text, asked_at=message.sent_at)
        assert gaps.gather(uow, shop.house.chat.cipher, shop.corp, [one], None) == 0
    assert listed(shop)[0].asked == 1


def test_a_customer_who_answers_makes_the_send_before_a_success(shop):
    house = shop.house
    with house.db.unit() as uow:
        lessons.learn(
            uow, house.chat.cipher, shop.corp, STAFF, WHO, script_id=1, verdict=SENT, said=Said(text="发票"), key="a"
        )
        uow.commit()
    shop.clock.advance(minutes=3)
    append(shop, said(shop, "好的，收到了"))
    with house.db.reading() as session:
        assert lessons.counts(session, shop.corp, [1])[1]["replied"] == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("多少钱一件", True),
        ("可以货到付款吗", True),
        ("怎么用？", True),
        ("好的", False),
        ("谢谢老板", False),
        ("？", False),
        ("吗" * 200, False),
    ],
)
def test_what_looks_like_a_question(text, expected):
    assert gaps.is_asking(text) is expected
