"""微信客服 in the console: settings are checked and in force, a session is read, handed over and ended."""

import re

import pytest

from crm_core.kf import accounts
from materials import service as materials
from tests.console_house import ADMIN, STAFF, Console, settle
from tests.support.product import InProcess, admin


@pytest.fixture
def console(product: InProcess) -> Console:
    with product.house.db.unit() as uow:
        materials.install_missing(uow, product.corp)
        uow.commit()
    return settle(product)


def bell(console: Console, open_kfid: str) -> None:
    corp = console.product.wecom.world.corps[console.product.corp]
    token = [one.token for one in corp.kf_tokens.values() if one.open_kfid == open_kfid][-1]
    console.product.receive(
        f"<xml><ToUserName><![CDATA[{console.product.corp}]]></ToUserName><CreateTime>1</CreateTime><MsgType>event</MsgType>"
        f"<Event>kf_msg_or_event</Event><Token><![CDATA[{token}]]></Token><OpenKfId><![CDATA[{open_kfid}]]></OpenKfId></xml>"
    )
    console.product.work()


def test_an_account_is_set_up_and_a_session_is_watched(console: Console) -> None:
    client, wecom = console.client(ADMIN), console.product.wecom
    made = admin(wecom, "kf_account", {"name": "售前咨询", "userids": ["zhou-min"]})["open_kfid"]
    assert console.post(client, "/console/kf/accounts").status_code == 204
    console.product.work()
    assert "售前咨询" in client.get("/console/kf").get_data(as_text=True)
    path = f"/console/kf/accounts/{made}"
    assert "非服务时间" in client.get(path).get_data(as_text=True)
    good = {
        "is_bot_on": "1",
        "threshold": "60",
        "reception": "pool",
        "welcome": "欢迎",
        "away": "稍后",
        "is_survey_on": "1",
    }
    for field, value, said in (
        ("threshold", "5", "20% 到 100%"),
        ("threshold", "很高", "20% 到 100%"),
        ("away", "", "请填写非服务时间的答复"),
        ("reception", "nobody", "请选择人工接待方式"),
        ("welcome", "好" * 700, "超过 2048 字节"),
    ):
        answer = console.post(client, path, good | {field: value})
        assert (answer.status_code, said in answer.get_data(as_text=True)) == (422, True), field
    assert console.post(client, path, good).status_code == 302
    with console.product.house.db.reading() as session:
        found = accounts.get(session, console.product.corp, made)
    assert (found.is_bot_on, found.threshold, found.welcome) == (True, 0.6, "欢迎")
    came = admin(wecom, "kf_enter", {"open_kfid": made, "name": "夜猫子"})
    text = {"content": "定金能退吗"}
    admin(wecom, "kf_message", {"open_kfid": made, "customer": came["person_id"], "msgtype": "text", "text": text})
    bell(console, made)
    page = client.get("/console/kf?standing=1").get_data(as_text=True)
    number = re.search(r'/console/kf/(\d+)">夜猫子', page)
    assert number, page
    one = f"/console/kf/{number[1]}"
    shown = client.get(one).get_data(as_text=True)
    assert "定金能退吗" in shown
    assert "意向金" in shown
    assert console.post(client, f"{one}/people").status_code == 204
    console.product.work()
    assert wecom.world.corps[console.product.corp].kf_sessions[made, came["external_userid"]].state == 2
    assert "后台转人工" in client.get(one).get_data(as_text=True)
    assert console.post(client, f"{one}/people").status_code == 409
    assert console.post(client, f"{one}/end").status_code == 204
    console.product.work()
    assert "已结束" in client.get(one).get_data(as_text=True)
    assert console.post(client, f"{one}/end").status_code == 409
    assert console.post(client, f"{one}/explode").status_code in {404, 409}


def test_staff_without_the_right_see_nothing(console: Console) -> None:
    assert console.client(STAFF).get("/console/kf").status_code == 403
