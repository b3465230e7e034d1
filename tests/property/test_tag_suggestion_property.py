"""However often messages are read and whatever people do in between, a tag is proposed once and what was said stands."""

import itertools
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import select

from crm_core import customers
from crm_core.errors import Conflict
from crm_core.tables import OutboxRow
from tagging import suggestions
from tests.chat_tag_house import BUDGET, ChatTagHouse, chat_tag_house, message
from tests.support.ground import APP, CORP, ZHANG, Ground

people = itertools.count(1)
ACTS = ("confirm", "dismiss", "undo", "reopen")


@pytest.fixture
def house(ground: Ground) -> Iterator[ChatTagHouse]:
    made = chat_tag_house(ground)
    made.rule(words=("多少钱",), mode="apply")
    made.rule(words=("报价",), mode="suggest")
    yield made


@given(
    steps=st.lists(
        st.one_of(st.sampled_from(ACTS), st.lists(st.sampled_from(("多少钱", "报价", "您好")), min_size=1, max_size=3)),
        max_size=8,
    ),
    again=st.integers(0, 3),
)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_tag_is_proposed_once_and_a_persons_word_stands(
    house: ChatTagHouse, steps: list[str | list[str]], again: int
) -> None:
    who = f"wm_{next(people)}"
    house.ground.handle(house.ground.added(who=who), customers.record_follow)
    heard = []
    for step in steps:
        if isinstance(step, list):
            said = [message(1000 + next(house.numbers), text, who=who) for text in step]
            with house.ground.committed() as uow:
                heard.append(house.chat.store.append(uow, CORP, said))
        else:
            _act(house, who, step)
        answered = {row.id: row.state for row in _rows(house, who) if row.settled_by == ZHANG}
        for batch in heard[::-1] * (again + 1):  # jobs run late, twice and in any order
            with house.ground.committed() as uow:
                house.reader.read(uow, CORP, batch, live=True)
        rows = _rows(house, who)
        assert len({(row.tag_id, row.source) for row in rows}) == len(rows)
        assert {row.id: row.state for row in rows if row.settled_by == ZHANG} == answered
        refused = any(row.state in suggestions.REFUSED for row in rows)
        asked = [mark for mark in _marks(house, who) if mark[0]]
        confirmed = sum(row.state == "confirmed" for row in rows)
        assert len(asked) <= 1 + _confirms(steps), (asked, refused, confirmed)


def _confirms(steps: list[str | list[str]]) -> int:
    return sum(step == "confirm" for step in steps)


def _act(house: ChatTagHouse, who: str, name: str) -> None:
    rows = _rows(house, who)
    if not rows:
        return
    with house.ground.unit() as uow:
        try:
            if name in ("confirm", "undo"):
                getattr(suggestions, name)(uow, CORP, APP, rows[0].id, by=ZHANG)
            else:
                getattr(suggestions, name)(uow, CORP, rows[0].id, by=ZHANG)
            uow.commit()
        except Conflict:
            return


def _rows(house: ChatTagHouse, who: str) -> list:
    return [row for row in house.rows() if row.external_userid == who]


def _marks(house: ChatTagHouse, who: str) -> list:
    rows = house.ground.all(select(OutboxRow).where(OutboxRow.kind == "mark_tag"))
    return [(row.payload["add"], row.payload["remove"]) for row in rows if row.payload["external_user"] == who]


def test_undoing_then_the_same_message_again_applies_nothing(house: ChatTagHouse) -> None:
    house.hear("多少钱")
    house.settle_marks()
    house.act("undo")
    house.settle_marks()
    house.hear("多少钱")
    assert house.states() == [(BUDGET, "undone")]
    assert house.carried() == {}
