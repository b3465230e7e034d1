"""Rows of the outbox that have come to a given end."""

from crm_core import outbox
from crm_core.ids import AppKey, CorpId
from crm_core.lease import WorkState
from crm_core.outbox import SEND_APP_MESSAGE
from tests.console_system_house import ConsoleHouse


def give_up(console: ConsoleHouse, key: str, state: WorkState, *, corp: str = "") -> int:
    """An outbox row that has come to ``state``; its call would reach nobody."""
    house = console.product.house
    with house.db.unit() as uow:
        row_id = outbox.add(
            uow,
            SEND_APP_MESSAGE,
            corp=CorpId(corp or console.product.corp),
            app=AppKey("gone"),
            payload={"staff": ["zhang.san"], "body": {"msgtype": "text", "text": {"content": f"内容 {key}"}}},
            dedupe_key=f"given-up:{key}",
        )
        uow.commit()
    with house.db.unit() as uow:
        for row in house.outbox.claim(uow.session, lanes=["message"], owner="test", limit=10):
            house.outbox.finish(uow.session, row, state, error="没有收到回答：13812345678")
        uow.commit()
    assert row_id is not None
    return row_id
