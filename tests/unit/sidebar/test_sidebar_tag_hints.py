"""Tags that chats speak for, in the head of a customer's page: the sentence, one tap, and the way back."""

import re
from datetime import timedelta

import pytest

from crm_core.ids import ExternalUserId, StaffUserId
from tagging import suggestions
from tests.sidebar_house import CHEN, CORP, FAR, LI, WANG, ZHANG, House
from tests.support.tag_hints import hint


def head(house: House, client: object, who: str = WANG) -> str:
    return client.get(f"/sidebar/customers/{who}/head").get_data(as_text=True)  # type: ignore[attr-defined]


def tap(house: House, client: object, number: int, act: str, who: str = WANG) -> tuple[int, str]:
    path = f"/sidebar/customers/{who}/tag-hints/{number}/{act}"
    answer = client.post(path, headers=house.csrf(client))  # type: ignore[attr-defined]
    return answer.status_code, answer.get_data(as_text=True)


def test_a_hint_shows_its_sentence_and_one_tap_sets_the_tag(house: House) -> None:
    number, client = hint(house, "这套 <b>沙发</b> 多少钱，能送到徐汇吗？"), house.signed_in()
    shown = head(house, client)
    assert "建议标签「10 万以上」" in shown
    assert "“这套 &lt;b&gt;沙发&lt;/b&gt; 多少钱，能送到徐汇吗？”" in shown
    assert "规则「问价」 · 把握 80%" in shown
    status, shown = tap(house, client, number, "confirm")
    assert status == 200
    assert "已打上「10 万以上」" in shown
    assert re.search(r"10 万以上<em>同步中</em>", shown)
    _, shown = tap(house, client, number, "undo")
    assert "tag-hints" not in shown
    assert re.search(r"10 万以上<em>移除中</em>", shown)


def test_dismissing_can_be_taken_back_for_some_minutes(house: House) -> None:
    number, client = hint(house, "多少钱"), house.signed_in()
    _, shown = tap(house, client, number, "dismiss")
    assert "已忽略「10 万以上」" in shown
    _, shown = tap(house, client, number, "reopen")
    assert "建议标签「10 万以上」" in shown
    tap(house, client, number, "dismiss")
    house.clock.move(minutes=6)
    assert "10 万以上" not in head(house, client)


def test_what_was_set_by_itself_is_shown_for_a_week(house: House) -> None:
    number, client = hint(house, "多少钱", mode="apply"), house.signed_in()
    assert "已自动打上「10 万以上」" in head(house, client)
    assert tap(house, client, number, "dismiss")[0] == 409
    house.clock.move(days=timedelta(days=8).days)
    assert "已自动打上" not in head(house, house.signed_in())


@pytest.mark.parametrize(("staff", "about", "at"), [(LI, WANG, WANG), (ZHANG, CHEN, WANG), (ZHANG, WANG, FAR)])
def test_nobody_answers_for_others(house: House, staff: StaffUserId, about: ExternalUserId, at: str) -> None:
    number, client = hint(house, "多少钱", staff=staff, who=about), house.signed_in()
    assert tap(house, client, number, "confirm", at)[0] == 404
    assert tap(house, client, 999, "confirm")[0] == 404
    assert tap(house, client, number, "explode", about)[0] == 404
    with house.db.reading() as session:
        from tagging import suggestion_list

        assert suggestion_list.get(session, CORP, number).state == suggestions.SUGGESTED
