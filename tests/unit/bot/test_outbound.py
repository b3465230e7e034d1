"""What each kind of outbox row does at WeCom, and the event that tells of it."""

from typing import Any

import pytest

from bot.outbound import LOST_ANSWER_QUERIES, PERFORMERS, say_error
from bot.outbound_call import Call, RecentFacts
from crm_core import outbox
from crm_core.errors import InputInvalid, WeComRefused
from crm_core.events import CustomerFetched, GroupFetched, OutboundFinished, TagsFetched, TagsMarked
from crm_core.ids import ExternalUserId
from crm_core.outbox import KINDS, Repeat
from crm_core.ports import AppMessageResult, CustomerFacts
from tests.support.bench import Bench, Heard
from tests.support.product import admin

STAFF = "zhang.san"


def scanned(bench: Bench, name: str = "小测试") -> dict[str, Any]:
    """Somebody who has just been added and can be greeted."""
    return admin(bench.wecom, "add", {"corp": bench.corp, "userid": STAFF, "name": name})


def welcome(bench: Bench, person: dict[str, Any], text: str = "您好", **more: Any) -> int:
    payload = {
        "code": person["welcome_code"], "staff": STAFF, "external_user": person["external_userid"],
        "message": {"text": text, "attachments": []},
    }  # fmt: skip
    return bench.put(outbox.SEND_WELCOME, payload, **more)


def said(bench: Bench, person: dict[str, Any]) -> list[str]:
    """What the person reads on their phone."""
    chat = admin(
        bench.wecom, f"chat?corp={bench.corp}&userid={STAFF}&external_userid={person['external_userid']}", None
    )
    return [line["body"]["content"] for line in chat["messages"] if line["msgtype"] == "text"]


def state(bench: Bench, row_id: int) -> tuple[str, str | None]:
    row = bench.read(bench.house.outbox, row_id)
    return row.state, row.last_error


def test_every_kind_has_a_performer_and_every_kind_never_to_be_repeated_has_a_query() -> None:
    assert PERFORMERS.keys() == KINDS.keys()
    assert {name for name, kind in KINDS.items() if kind.repeat is Repeat.NEVER} == LOST_ANSWER_QUERIES.keys()


def test_a_greeting_reaches_the_customer(bench: Bench) -> None:
    person = scanned(bench)
    row_id = welcome(bench, person, "欢迎光临")
    bench.send(bench.sender({}))
    assert state(bench, row_id) == ("done", None)
    assert "欢迎光临" in said(bench, person)


def test_the_nickname_comes_from_wecom_and_is_not_asked_for_twice(bench: Bench, heard: Heard) -> None:
    person = scanned(bench, "半夏")
    welcome(bench, person, "{昵称}，您好")
    bench.put(outbox.FETCH_CUSTOMER, {"staff": STAFF, "external_user": person["external_userid"]})
    sender = bench.sender(heard.table(CustomerFetched))
    bench.change(bench.house.outbox, 2, created_ms=0)  # the answer is newer than the question
    bench.send(sender)
    assert "半夏，您好" in said(bench, person)
    assert bench.called("externalcontact/get") == 1
    assert heard.events[0].facts.name == "半夏"


def test_a_known_customer_is_greeted_without_asking(synced: Bench) -> None:
    known = synced.somebody(STAFF)
    person = {**scanned(synced), "external_userid": known}
    asked = synced.called("externalcontact/get")
    welcome(synced, person, "{昵称}，您好")
    synced.send(synced.sender({}))
    assert synced.called("externalcontact/get") == asked


def test_a_greeting_without_a_name_beats_none(bench: Bench) -> None:
    person = scanned(bench)
    bench.fault("externalcontact/get", "errcode", code=84061)
    row_id = welcome(bench, person, "{昵称}，您好")
    bench.send(bench.sender({}))
    assert state(bench, row_id)[0] == "done"
    (text,) = [line for line in said(bench, person) if "您好" in line]
    assert "{昵称}" not in text


def test_a_second_greeting_is_done_with_a_note(bench: Bench) -> None:
    person = scanned(bench)
    welcome(bench, person, "第一次")
    second = welcome(bench, person, "第二次")
    bench.send(bench.sender({}))
    assert state(bench, second) == ("done", "欢迎语已送达过，或对话已开始")
    assert "第二次" not in said(bench, person)


def test_a_greeting_that_wecom_refuses_is_dead(bench: Bench) -> None:
    person = scanned(bench)
    bench.fault("externalcontact/send_welcome_msg", "errcode", code=40058)
    row_id = welcome(bench, person)
    bench.send(bench.sender({}))
    assert state(bench, row_id)[0] == "dead"


@pytest.mark.parametrize("code", [84061, 40096])
def test_fetching_somebody_who_left_is_done_with_a_note(bench: Bench, heard: Heard, code: int) -> None:
    bench.fault("externalcontact/get", "errcode", code=code)
    row_id = bench.put(outbox.FETCH_CUSTOMER, {"staff": STAFF, "external_user": "wm1"})
    bench.send(bench.sender(heard.table(CustomerFetched, OutboundFinished)))
    assert state(bench, row_id) == ("done", "关系已不存在")
    assert type(heard.events[0]) is OutboundFinished


def test_fetching_that_is_refused_for_another_reason_is_dead(bench: Bench) -> None:
    bench.fault("externalcontact/get", "errcode", code=40003)
    row_id = bench.put(outbox.FETCH_CUSTOMER, {"staff": STAFF, "external_user": "wm1"})
    bench.send(bench.sender({}))
    assert state(bench, row_id)[0] == "dead"


def test_tags_are_marked_at_wecom_and_told(synced: Bench, heard: Heard) -> None:
    customer = synced.somebody(STAFF)
    corp = synced.wecom.world.corps[synced.corp]
    tag = next(iter(corp.tag_home))
    payload = {"staff": STAFF, "external_user": customer, "add": [tag], "remove": []}
    row_id = synced.put(outbox.MARK_TAG, payload)
    synced.send(synced.sender(heard.table(TagsMarked)))
    assert state(synced, row_id)[0] == "done"
    event = heard.events[0]
    assert (event.outcome, event.staff, event.external_user, event.added) == ("done", STAFF, customer, (tag,))


def test_a_group_and_part_of_the_tag_library_are_fetched(bench: Bench, heard: Heard) -> None:
    corp = bench.wecom.world.corps[bench.corp]
    chat = next(iter(corp.groups))
    tag, group = next(iter(corp.tag_home.items()))
    bench.put(outbox.FETCH_GROUP, {"chat": chat})
    bench.put(outbox.FETCH_TAGS, {"tag_ids": [tag], "group_ids": []})
    bench.send(bench.sender(heard.table(GroupFetched, TagsFetched)))
    by_kind = {type(event): event for event in heard.events}
    assert by_kind[GroupFetched].facts.chat_id == chat
    assert by_kind[TagsFetched].asked_tags == (tag,)
    assert [facts.group_id for facts in by_kind[TagsFetched].groups] == [group]


def test_an_app_message_that_some_may_not_see_says_whom_it_missed(bench: Bench) -> None:
    body = {"msgtype": "text", "text": {"content": "提醒"}}
    row_id = bench.put(outbox.SEND_APP_MESSAGE, {"staff": [STAFF, "Nobody"], "body": body})
    bench.send(bench.sender({}))
    assert state(bench, row_id) == ("done", "未送达：nobody")


class Shy:
    """A WeCom that answers success and names everybody among the invalid: the local one says 81013 instead."""

    def send_app_message(self, staff: Any, body: Any) -> AppMessageResult:
        return AppMessageResult(message_id="m", invalid_staff=tuple(name.lower() for name in staff))


def test_an_app_message_that_reached_nobody_is_refused_though_wecom_calls_it_a_success(bench: Bench) -> None:
    bench.put(outbox.SEND_APP_MESSAGE, {"staff": ["A", "B"], "body": {}})
    (row,) = bench.rows(bench.house.outbox)
    call = Call(row, Shy(), bench.house.db, RecentFacts(), bench.house.desk, 0)  # type: ignore[arg-type]
    with pytest.raises(WeComRefused, match="接收人不在应用可见范围内"):
        PERFORMERS[row.kind](call)


def facts(name: str = "wm1") -> CustomerFacts:
    return CustomerFacts(external_user=ExternalUserId(name), name=name)


def test_recent_facts_are_given_out_once_and_only_to_older_questions() -> None:
    recent = RecentFacts()
    recent.put("ww1", facts())
    assert recent.take("ww2", "wm1", since_ms=0) is None
    assert recent.take("ww1", "wm1", since_ms=0) == facts()
    assert recent.take("ww1", "wm1", since_ms=0) is None
    recent.put("ww1", facts())
    assert recent.take("ww1", "wm1", since_ms=10**15) is None


def test_recent_facts_go_stale_and_stay_few() -> None:
    stale = RecentFacts(keep_seconds=0)
    stale.put("ww1", facts())
    assert stale.take("ww1", "wm1", since_ms=0) is None
    few = RecentFacts(most=2)
    for name in ("wm1", "wm2", "wm3"):
        few.put("ww1", facts(name))
    assert few.take("ww1", "wm1", since_ms=0) is None
    assert few.take("ww1", "wm3", since_ms=0) == facts("wm3")


def test_errors_are_told_in_one_sentence() -> None:
    refused = WeComRefused(40058, "m" * 1000, "externalcontact/remark", remedy="参数不合法")
    assert say_error(refused) == f"参数不合法（externalcontact/remark 40058: {'m' * 300}）"
    assert say_error(InputInvalid("请填写名称")) == "请填写名称"
    assert say_error(ValueError("x")) == "ValueError: x"
