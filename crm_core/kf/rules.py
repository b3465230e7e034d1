"""Who answers a customer of 微信客服, and what may still be sent. Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum

ANSWER_WITHIN = timedelta(hours=48)  # doc 94677: 95002 after that
MOST_ANSWERS = 5  # after each message of the customer; 95001 beyond
PERSON_CLICK = "scrm_person"
RATE_CLICK = "scrm_rate"
HOURS = "{时间}"  # stands for the service hours in a wording
MOST_PERSON_CHARS = 20  # a longer text that names 转人工 asks something else
_RATE = re.compile(RATE_CLICK + r"_(\d{1,18})_([123])")
_BLANKS = re.compile(r"[\s，。！？!?.,~～、]+")


class Standing(IntEnum):
    """WeCom's service_state."""

    NEW = 0
    BOT = 1
    POOL = 2
    HUMAN = 3
    ENDED = 4


STANDING_NAMES = {
    Standing.NEW: "新接入",
    Standing.BOT: "机器人接待",
    Standing.POOL: "等待人工",
    Standing.HUMAN: "人工接待",
    Standing.ENDED: "已结束",
}
MOVES: dict[Standing, frozenset[Standing]] = {
    Standing.NEW: frozenset({Standing.BOT, Standing.POOL, Standing.HUMAN, Standing.ENDED}),
    Standing.BOT: frozenset({Standing.POOL, Standing.HUMAN, Standing.ENDED}),
    Standing.POOL: frozenset({Standing.HUMAN, Standing.ENDED}),
    Standing.HUMAN: frozenset({Standing.POOL, Standing.HUMAN, Standing.ENDED}),
    Standing.ENDED: frozenset(),
}
RATINGS = {3: "满意", 2: "一般", 1: "不满意"}


def may_move(now: Standing, wanted: Standing) -> bool:
    """Whether WeCom lets us hand a session on like this (protocol notes 7.3)."""
    return wanted in MOVES[now]


@dataclass(frozen=True, slots=True)
class Window:
    """What may still be sent: five messages within 48 hours of the customer's last one."""

    last_customer_at: datetime | None = None
    used: int = 0

    def heard(self, at: datetime) -> "Window":
        """The customer wrote; what arrives late opens nothing that a later message did not."""
        if self.last_customer_at is not None and at < self.last_customer_at:
            return self
        return Window(at, 0)

    def left(self, now: datetime) -> int:
        """How many messages may be sent at this moment."""
        if self.last_customer_at is None or now - self.last_customer_at > ANSWER_WITHIN:
            return 0
        return max(0, MOST_ANSWERS - self.used)

    def sent(self, number: int = 1) -> "Window":
        """So many more were sent."""
        return replace(self, used=self.used + number)

    def closed(self) -> "Window":
        """WeCom refused to take more."""
        return replace(self, used=MOST_ANSWERS)


class Step(StrEnum):
    """What is to be done about a message.

    answer: the script. hand_over: to people. away: tell the hours. nothing: somebody else answers.
    """

    ANSWER = "answer"
    HAND_OVER = "hand_over"
    AWAY = "away"
    NOTHING = "nothing"


class Why(StrEnum):
    """Why a session goes to people."""

    ASKED = "asked"
    UNSURE = "unsure"
    UNREADABLE = "unreadable"
    BOT_OFF = "bot_off"
    USED_UP = "used_up"
    BY_STAFF = "by_staff"


WHY_NAMES = {
    Why.ASKED: "客户要求人工",
    Why.UNSURE: "没有把握的答案",
    Why.UNREADABLE: "不是文字消息",
    Why.BOT_OFF: "机器人未开启",
    Why.USED_UP: "可发条数已用完",
    Why.BY_STAFF: "后台转人工",
}


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do, and why people are needed where they are."""

    step: Step
    why: Why | None = None


def wants_person(text: str, menu_id: str, words: Iterable[str]) -> bool:
    """Whether a customer asks for a person: by the menu, or in a short text. A word of two must be all of it."""
    if menu_id == PERSON_CLICK:
        return True
    said = _BLANKS.sub("", text)
    return len(said) <= MOST_PERSON_CHARS and any(
        said == word or (len(word) > 2 and word in said) for word in words if word
    )


def rating_of(menu_id: str) -> tuple[int, int] | None:
    """The session and the score of a click in the satisfaction menu; None for other clicks."""
    found = _RATE.fullmatch(menu_id)
    return (int(found[1]), int(found[2])) if found else None


def decide(
    *,
    standing: Standing,
    left: int,
    is_bot_on: bool,
    is_open: bool,
    asks_person: bool,
    is_text: bool,
    confidence: float | None,
    threshold: float,
) -> Decision:
    """What to do about one message of a customer. confidence: of the best script, None when there is none."""
    if standing in {Standing.POOL, Standing.HUMAN}:
        return Decision(Step.NOTHING)
    checks = (
        (asks_person, Why.ASKED),
        (not is_bot_on, Why.BOT_OFF),
        (left == 0, Why.USED_UP),
        (not is_text, Why.UNREADABLE),
        (confidence is None or confidence < threshold, Why.UNSURE),
    )
    why = next((why for holds, why in checks if holds), None)
    if why is None:
        return Decision(Step.ANSWER)
    if is_open:
        return Decision(Step.HAND_OVER, why)
    return Decision(Step.AWAY if left else Step.NOTHING, why)
