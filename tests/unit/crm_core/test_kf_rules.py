"""Who answers a customer of 微信客服, and what may still be sent."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_core.chat.model import PartyKind
from crm_core.kf import wording
from crm_core.kf.rules import (
    ANSWER_WITHIN,
    MOST_ANSWERS,
    MOVES,
    PERSON_CLICK,
    Decision,
    Standing,
    Step,
    Why,
    Window,
    decide,
    may_move,
    rating_of,
    wants_person,
)
from crm_core.kf_port import KfItem

NOON = datetime(2026, 11, 20, 4, 0, tzinfo=UTC)
WORDS = ("人工", "真人", "转人工", "人工客服")


@pytest.mark.parametrize(
    ("text", "menu", "wanted"),
    [
        ("转人工", "", True),
        ("帮我 转人工！", "", True),
        ("人工。", "", True),
        ("我要人工客服", "", True),
        ("你们的人工费怎么算", "", False),
        ("上次转人工之后那位同事说水电要改三处，我想再确认一下费用", "", False),
        ("没有解决？转人工", PERSON_CLICK, True),
        ("随便什么", PERSON_CLICK, True),
        ("", "", False),
    ],
)
def test_who_asks_for_a_person(text: str, menu: str, wanted: bool) -> None:
    assert wants_person(text, menu, WORDS) is wanted


@pytest.mark.parametrize(
    ("menu", "found"),
    [("scrm_rate_12_3", (12, 3)), ("scrm_rate_12_4", None), ("scrm_rate__1", None), ("m_stock", None), ("", None)],
)
def test_ratings(menu: str, found: tuple[int, int] | None) -> None:
    assert rating_of(menu) == found


def decided(**more: object) -> Decision:
    given_ = {
        "standing": Standing.NEW,
        "left": 5,
        "is_bot_on": True,
        "is_open": True,
        "asks_person": False,
        "is_text": True,
        "confidence": 0.9,
        "threshold": 0.6,
    }
    return decide(**{**given_, **more})


@pytest.mark.parametrize(
    ("more", "step", "why"),
    [
        ({}, Step.ANSWER, None),
        ({"confidence": 0.6}, Step.ANSWER, None),
        ({"confidence": 0.59}, Step.HAND_OVER, Why.UNSURE),
        ({"confidence": None}, Step.HAND_OVER, Why.UNSURE),
        ({"asks_person": True}, Step.HAND_OVER, Why.ASKED),
        ({"is_text": False}, Step.HAND_OVER, Why.UNREADABLE),
        ({"is_bot_on": False}, Step.HAND_OVER, Why.BOT_OFF),
        ({"left": 0}, Step.HAND_OVER, Why.USED_UP),
        ({"is_open": False}, Step.ANSWER, None),
        ({"is_open": False, "asks_person": True}, Step.AWAY, Why.ASKED),
        ({"is_open": False, "left": 0}, Step.NOTHING, Why.USED_UP),
        ({"standing": Standing.POOL}, Step.NOTHING, None),
        ({"standing": Standing.HUMAN, "asks_person": True}, Step.NOTHING, None),
    ],
)
def test_what_is_done_about_a_message(more: dict[str, object], step: Step, why: Why | None) -> None:
    assert decided(**more) == Decision(step, why)


def test_an_ended_session_moves_no_more() -> None:
    assert not any(may_move(Standing.ENDED, one) for one in Standing)
    assert may_move(Standing.NEW, Standing.BOT)
    assert not may_move(Standing.POOL, Standing.BOT)
    assert set(MOVES) == set(Standing)


@given(st.lists(st.one_of(st.just("write"), st.just("send"), st.integers(1, 60 * 60)), max_size=60))
def test_never_more_than_five_and_never_after_48_hours(steps: list[str | int]) -> None:
    """Against WeCom's own way of counting: a budget filled by each message of the customer."""
    window, now, budget, wrote_at = Window(), NOON, 0, None
    for step in steps:
        if isinstance(step, int):
            now += timedelta(minutes=step)
        elif step == "write":
            window, budget, wrote_at = window.heard(now), MOST_ANSWERS, now
        else:
            allowed = wrote_at is not None and now - wrote_at <= ANSWER_WITHIN and budget > 0
            assert (window.left(now) > 0) == allowed
            if allowed:
                window, budget = window.sent(), budget - 1
        assert 0 <= window.left(now) <= MOST_ANSWERS


def test_a_message_that_comes_late_opens_nothing() -> None:
    window = Window().heard(NOON).sent(3)
    assert window.heard(NOON - timedelta(minutes=1)) == window
    assert window.closed().left(NOON) == 0


def item(kind: str, body: dict, *, origin: int = 3, customer: str = "wm1", staff: str = "") -> KfItem:
    return KfItem(
        msgid="m1",
        open_kfid="wk1",
        external_user=customer,
        sent_at=NOON,
        origin=origin,
        kind=kind,
        body=body,
        staff=staff,
    )


def test_entries_in_normal_form() -> None:
    said = wording.normal_form(item("text", {"content": "在吗"}))
    assert said is not None
    assert (said.sender.kind, said.sender.id, said.text, said.source) == (PartyKind.CUSTOMER, "wm1", "在吗", "kf")
    assert said.conversation.key == "wk1|wm1"
    answered = wording.normal_form(item("image", {"media_id": "M"}, origin=5, staff="LiNa"))
    assert answered is not None
    assert (answered.sender.kind, answered.sender.id, answered.media[0].sdkfileid) == (PartyKind.STAFF, "LiNa", "M")
    recall = wording.normal_form(item("event", {"event_type": "user_recall_msg", "recall_msgid": "m0"}, origin=4))
    assert recall is not None
    assert (recall.kind, recall.revokes, recall.sender.kind) == ("revoke", "m0", PartyKind.CUSTOMER)
    entered = wording.normal_form(item("event", {"event_type": "enter_session"}, origin=4))
    assert entered is not None
    assert (entered.kind, entered.text, entered.sender.kind) == ("event", "", PartyKind.SYSTEM)
    assert wording.normal_form(item("event", {"event_type": "servicer_status_change"}, origin=4, customer="")) is None


def test_our_msgids_are_wecoms_letters_and_the_same_for_the_same_cause() -> None:
    first = wording.own_msgid("ww1", "wk1", "m1")
    assert first == wording.own_msgid("ww1", "wk1", "m1") != wording.own_msgid("ww1", "wk1", "m2")
    assert len(first) <= 32
    assert first.replace("_", "").isalnum()


def test_long_answers_lose_the_button_and_are_cut() -> None:
    assert wording.answer_content("好")["msgtype"] == "msgmenu"
    long = wording.answer_content("好" * 400)
    assert long["msgtype"] == "text"
    assert len(wording.text_content("好" * 900)["text"]["content"].encode()) <= 2048
    assert (
        wording.answer_text(["{昵称}，您好", " ", "我是{员工}"], name="", account="在线客服")
        == "您，您好\n\n我是在线客服"
    )
