"""Inbox, outbox and jobs in the console: what is shown, what stays hidden, putting rows back to work."""

import pytest

from bot.console import masking, work_words
from crm_core import audit, outbox, work_list
from crm_core.audit import AuditFilter
from crm_core.ids import CorpId
from crm_core.lease import WorkState
from crm_core.outbox import KINDS
from crm_core.roles import Role
from tests.console_system_house import ConsoleHouse
from tests.unit.bot.console.given_up import give_up

MESSAGE = (
    "<xml><ToUserName><![CDATA[{corp}]]></ToUserName><FromUserName><![CDATA[zhang.san]]></FromUserName>"
    "<CreateTime>1795000000</CreateTime><MsgType><![CDATA[text]]></MsgType>"
    "<Content><![CDATA[王女士的手机是 13812345678]]></Content><MsgId>{number}</MsgId><AgentID>1000002</AgentID></xml>"
)


@pytest.fixture(scope="module")
def console(shared_console: ConsoleHouse) -> ConsoleHouse:
    return shared_console


def state_of(console: ConsoleHouse, row_id: int) -> str:
    with console.product.house.db.reading() as session:
        table = console.product.house.outbox.table
        return str(work_list.get(session, table, console.product.corp, row_id).state)


def acts(console: ConsoleHouse, row_id: int) -> list[str]:
    with console.product.house.db.reading() as session:
        entries, _ = audit.page(session, console.product.corp, AuditFilter(object_id=str(row_id), object_kind="outbox"))
    return [entry.act for entry in entries]


def test_the_lists_show_rows_and_filter_them(console: ConsoleHouse) -> None:
    row_id = give_up(console, "shown", WorkState.DEAD)
    client = console.signed_in()
    assert f"/console/system/outbox/{row_id}" in console.read(client, "/system/outbox?state=dead")
    assert f"/console/system/outbox/{row_id}" in console.read(
        client, "/system/outbox?state=given_up&kind=send_app_message"
    )
    assert f"/console/system/outbox/{row_id}" not in console.read(client, "/system/outbox?state=done")
    assert f"/console/system/outbox/{row_id}" not in console.read(client, "/system/outbox?lane=welcome")
    assert "没有符合条件的行" in console.read(client, "/system/jobs?state=quarantined")
    assert "给员工发应用消息" in console.read(client, "/system/outbox?period=1h")


def test_wording_is_hidden_until_it_is_revealed_on_record(console: ConsoleHouse) -> None:
    product = console.product
    product.receive(MESSAGE.format(corp=product.corp, number=7001))
    client = console.signed_in()
    with product.house.db.reading() as session:
        rows, _ = work_list.page(session, product.house.inbox.table, product.corp, work_list.WorkFilter())
    row_id = rows[0].id
    page = console.read(client, f"/system/inbox/{row_id}")
    assert "王女士" not in page
    assert "已隐藏" in page
    assert "zhang.san" in page
    revealed = console.write(client, f"/system/inbox/{row_id}/reveal").get_data(as_text=True)
    assert "王女士的手机是 138****5678" in revealed
    assert "13812345678" not in revealed
    log = console.read(client, f"/audit?act=content.revealed&object={row_id}")
    assert f"孙浩查看了收件“{row_id}”的文字原文" in log


def test_a_dead_row_is_replayed_with_an_audit_row(console: ConsoleHouse) -> None:
    row_id = give_up(console, "replayed", WorkState.DEAD)
    answer = console.write(console.signed_in(), "/system/outbox/replay", id=row_id)
    assert answer.status_code == 204
    assert "work-changed" in answer.headers["HX-Trigger"]
    assert state_of(console, row_id) == "ready"
    assert acts(console, row_id) == ["work.replayed"]
    again = console.write(console.signed_in(), "/system/outbox/replay", id=row_id)
    assert "\\u6ca1\\u6709\\u53ef\\u91cd\\u653e" in again.headers["HX-Trigger"]  # 没有可重放
    assert console.write(console.signed_in(), "/system/outbox/replay").status_code == 400


def test_an_unknown_outcome_is_marked_as_checked_once(console: ConsoleHouse) -> None:
    row_id = give_up(console, "unknown", WorkState.UNKNOWN)
    client = console.signed_in()
    assert "可能已经执行，也可能没有" in console.read(client, f"/system/outbox/{row_id}")
    assert console.write(client, f"/system/outbox/{row_id}/checked").status_code == 204
    assert state_of(console, row_id) == "done"
    assert console.write(client, f"/system/outbox/{row_id}/checked").status_code == 409
    assert acts(console, row_id) == ["work.checked"]


def test_rows_of_another_corp_are_not_there(console: ConsoleHouse) -> None:
    row_id = give_up(console, "theirs", WorkState.DEAD, corp="ww_other")
    client = console.signed_in()
    assert client.get(f"/console/system/outbox/{row_id}").status_code == 404
    assert console.write(client, f"/system/outbox/{row_id}/checked").status_code == 404
    console.write(client, "/system/outbox/replay", id=row_id)
    with console.product.house.db.reading() as session:
        other = work_list.get(session, console.product.house.outbox.table, CorpId("ww_other"), row_id)
    assert other.state == "dead"


def test_who_only_looks_gets_no_buttons(console: ConsoleHouse) -> None:
    row_id = give_up(console, "looked-at", WorkState.DEAD)
    page = console.read(console.signed_in(Role.DEALER_ADMIN), f"/system/outbox/{row_id}")
    assert "重放" not in page.partition('id="main"')[2].partition("</main>")[0].replace("再点“重放”", "")


def test_a_callback_that_makes_no_sense_says_so(console: ConsoleHouse) -> None:
    console.product.receive("<xml>broken")
    console.product.work()
    page = console.read(console.signed_in(), "/system/inbox?state=quarantined")
    assert "已隔离" in page
    assert "正文不是合法的 XML" in page


def test_the_overview_counts_by_lane_and_tells_whether_time_is_kept(console: ConsoleHouse) -> None:
    give_up(console, "counted", WorkState.DEAD)
    client = console.signed_in()
    page = console.read(client, "/system")
    assert "/console/system/outbox?state=dead&amp;lane=message" in page
    assert "没有在运行" in page
    with console.product.house.db.unit() as uow:
        outbox.add_job(uow, "sop.tick", dedupe_key="a-tick")
        uow.commit()
    assert "没有在运行" not in console.read(client, "/system")


@pytest.mark.parametrize(
    ("path", "value", "shown"),
    [
        ("code", "wc_7Hs2kQpV91", "••••••"),
        ("WelcomeCode", "wc_7Hs2kQpV91", "••••••"),
        ("ExternalUserID", "wmQx7hDgAAk3", "wmQx7hDgAAk3"),
        ("body.text.content", "hello", "〔文字，5 字，已隐藏〕"),
        ("whatever", "您好", "〔文字，2 字，已隐藏〕"),
        ("phone", "13812345678", "138****5678"),
        ("CreateTime", 1795000000, "1795000000"),
        ("flag", True, "是"),
    ],
)
def test_what_may_be_shown_of_a_value(path: str, value: object, shown: str) -> None:
    nested: object = value
    for name in reversed(path.split(".")):
        nested = {name: nested}
    assert list(masking.masked(nested, reveal=False)) == [(path, shown)]


def test_secrets_and_mobiles_stay_hidden_even_when_wording_is_revealed() -> None:
    shown = dict(masking.masked({"code": "wc_1", "list": ["打 13812345678"], "none": None}, reveal=True))
    assert shown == {"code": "••••••", "list[0]": "打 138****5678"}


def test_every_kind_of_work_has_a_chinese_name(console: ConsoleHouse) -> None:
    (runner,) = [loop.work for loop in console.product.house.loops if loop.name == "jobs"]
    assert {*KINDS, *runner._bodies, *runner._unit_bodies} - set(work_words.KINDS) == set()
    assert set(work_words.STATES) == {state.value for state in WorkState}
