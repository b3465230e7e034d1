"""One staff member gets no more app messages than WeCom shows."""

from bot.member_pace import MemberPace
from crm_core import outbox
from crm_core.config import WeComPart
from crm_core.ids import AppKey
from tests.support.product import APP, InProcess


class Seconds:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_the_thirty_first_message_of_a_minute_waits_until_the_first_is_a_minute_old() -> None:
    clock = Seconds()
    pace = MemberPace(30, 1000, clock)
    for _ in range(30):
        assert pace.wait_seconds("corp", "main", ["LiNa"]) == 0
        clock.now += 1
    assert pace.wait_seconds("corp", "main", ["LiNa"]) == 30
    assert pace.wait_seconds("corp", "main", ["zhang.san"]) == 0
    assert pace.wait_seconds("corp", "other", ["LiNa"]) == 0
    clock.now += 30
    assert pace.wait_seconds("corp", "main", ["LiNa"]) == 0


def test_the_hour_counts_too_and_a_refusal_counts_nothing() -> None:
    clock = Seconds()
    pace = MemberPace(10, 12, clock)
    for _ in range(12):
        assert pace.wait_seconds("c", "a", ["x"]) == 0
        clock.now += 10
    assert pace.wait_seconds("c", "a", ["x", "y"]) == 3600 - 120
    assert pace.wait_seconds("c", "a", ["y"]) == 0
    clock.now += 3600
    assert pace.wait_seconds("c", "a", ["x"]) == 0


def test_the_limits_come_from_the_settings() -> None:
    pace = MemberPace.from_settings(WeComPart(app_messages_per_member_minute=2))
    assert [pace.wait_seconds("c", "a", ["x"]) == 0 for _ in range(3)] == [True, True, False]


def test_nothing_is_dropped_when_many_tasks_come_at_once(product: InProcess) -> None:
    """35 messages to one member at once: 30 are shown, 5 wait; WeCom silently dropped none."""
    with product.house.db.unit() as uow:
        for number in range(35):
            text = {"msgtype": "text", "text": {"content": f"第 {number} 条"}}
            outbox.add(
                uow,
                outbox.SEND_APP_MESSAGE,
                corp=product.corp,
                app=AppKey(APP),
                payload={"staff": ["LiNa"], "body": text},
                dedupe_key=f"many:{number}",
            )
        uow.commit()
    product.work()
    messages = product.wecom.world.corps[product.corp].app_messages.values()
    assert len(messages) == 30
    assert [message.dropped for message in messages] == [[]] * 30
    with product.house.db.reading() as session:
        assert product.house.outbox.counts(session) == {"done": 30, "ready": 5}
