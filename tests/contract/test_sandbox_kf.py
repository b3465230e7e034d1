"""Customer service (微信客服), the app menu, and what the page may ask for around them."""

import io

import pytest
import qrcode

from tests.sandbox_driver import Driver, listening, running, told


@pytest.fixture
def w():
    with running() as driver:
        yield driver


@pytest.fixture
def kf(w):
    """An account two members answer for, and somebody who has just opened its entry."""
    account = w.act("kf_account", name="在线客服", userids=["zhou-min", "LiNa"])["open_kfid"]
    came = w.act("kf_enter", open_kfid=account, name="夜猫子", scene="shop1")
    return {"open_kfid": account, "external_userid": came["external_userid"], "person": came["person_id"]}


def pair(kf):
    return {"open_kfid": kf["open_kfid"], "external_userid": kf["external_userid"]}


def write(w: Driver, kf, content):
    return w.act("kf_message", open_kfid=kf["open_kfid"], customer=kf["person"], content=content)


def sync(w: Driver, kf, **more):
    return w.good("kf/sync_msg", {"open_kfid": kf["open_kfid"]} | more)


def send(kf, content="您好", **more):
    body = {"touser": kf["external_userid"], "open_kfid": kf["open_kfid"], "msgtype": "text"}
    return body | {"text": {"content": content}} | more


def test_a_bell_a_token_and_a_cursor(w, kf):
    with listening(w) as receiver:
        write(w, kf, "还有货吗")
        (bell,) = told(receiver, w)
    assert (bell["Event"], bell["OpenKfId"], "FromUserName" in bell) == ("kf_msg_or_event", kf["open_kfid"], False)
    first = sync(w, kf, token=bell["Token"], limit=1)
    assert (first["has_more"], first["msg_list"][0]["event"]["event_type"]) == (1, "enter_session")
    assert first["msg_list"][0]["event"]["scene"] == "shop1"
    second = sync(w, kf, token=bell["Token"], cursor=first["next_cursor"])
    assert (second["has_more"], second["msg_list"][0]["text"]["content"]) == (0, "还有货吗")
    assert (second["msg_list"][0]["origin"], len(second["next_cursor"]) <= 64) == (3, True)
    assert sync(w, kf, cursor=second["next_cursor"])["msg_list"] == []
    w.jump(601)
    assert w.code("kf/sync_msg", {"open_kfid": kf["open_kfid"], "token": bell["Token"]}) == 95007
    w.jump(3 * 86_400)
    w._tokens.clear()
    assert sync(w, kf)["msg_list"] == [], "three days are kept"


def test_answers_are_counted_timed_and_made_once(w, kf):
    assert w.code("kf/send_msg", send(kf)) == 95002, "the customer has not written"
    write(w, kf, "在吗")
    assert w.good("kf/send_msg", send(kf, msgid="m_1"))["msgid"] == "m_1"
    assert w.good("kf/send_msg", send(kf, msgid="m_1"))["msgid"] == "m_1"
    for _ in range(4):
        assert w.code("kf/send_msg", send(kf)) == 0
    assert w.code("kf/send_msg", send(kf)) == 95001
    shown = [m for m in w.look("phone", customer=kf["person"])["kf"][0]["messages"] if m["via"] == "kf_api"]
    assert len(shown) == 5
    assert [m["origin"] for m in sync(w, kf)["msg_list"]] == [4, 3], "the API's own are not told"
    write(w, kf, "还在吗")
    w.jump(48 * 3600 + 1)
    w._tokens.clear()
    assert w.code("kf/send_msg", send(kf)) == 95002


def test_the_welcome_code_lives_twenty_seconds_and_once(w, kf):
    code = sync(w, kf)["msg_list"][0]["event"]["welcome_code"]
    body = {"code": code, "msgtype": "text", "text": {"content": "您好，这里是云帆"}}
    assert w.code("kf/send_msg_on_event", body | {"msgtype": "image", "image": {}}) == 40008
    assert w.code("kf/send_msg_on_event", body) == 0
    assert w.code("kf/send_msg_on_event", body) == 40058
    w.act("kf_enter", open_kfid=kf["open_kfid"], customer=kf["person"])
    assert "welcome_code" not in sync(w, kf)["msg_list"][-1]["event"], "welcomed within 48 hours"
    late = w.act("kf_enter", open_kfid=kf["open_kfid"], name="另一位")
    code = next(m for m in sync(w, kf)["msg_list"] if m["event"].get("external_userid") == late["external_userid"])
    w.jump(21)
    assert w.code("kf/send_msg_on_event", body | {"code": code["event"]["welcome_code"]}) == 40058


def test_sessions_move_as_the_platform_lets_them(w, kf):
    state = pair(kf)
    write(w, kf, "转人工")
    trans = "kf/service_state/trans"
    assert w.good("kf/service_state/get", state)["service_state"] == 0
    assert w.code(trans, state | {"service_state": 3, "servicer_userid": "wangwu"}) == 95014
    pooled = w.good(trans, state | {"service_state": 2})
    words = {"code": pooled["msg_code"], "msgtype": "text", "text": {"content": "正在为您转接"}}
    assert w.code("kf/send_msg_on_event", words) == 0
    assert w.code(trans, state | {"service_state": 1}) == 95016
    assert w.code("kf/send_msg", send(kf)) == 95018
    w.act("kf_accept", userid="zhou-min", **state)
    w.act("kf_message", userid="zhou-min", content="我来帮您", **state)
    told_state = w.good("kf/service_state/get", state)
    assert (told_state["service_state"], told_state["servicer_userid"]) == (3, "zhou-min")
    w.act("kf_accept", userid="LiNa", **state)
    w.act("kf_end", **state)
    assert w.code(trans, state | {"service_state": 1}) == 95013
    items = sync(w, kf)["msg_list"]
    changes = [
        i["event"]["change_type"] for i in items if i.get("event", {}).get("event_type") == "session_status_change"
    ]
    assert changes == [1, 2, 3]
    assert [i["servicer_userid"] for i in items if i["origin"] == 5] == ["zhou-min"]
    write(w, kf, "还有一个问题")
    assert w.good("kf/service_state/get", state)["service_state"] == 0


def test_accounts_servicers_and_customers(w, kf):
    made = w.good("kf/account/add", {"name": "售后", "media_id": w.upload()["media_id"]})["open_kfid"]
    assert made.startswith("wk")
    assert w.code("kf/account/update", {"open_kfid": made, "name": "售后服务"}) == 0
    rows = w.good("kf/account/list", {"offset": 2, "limit": 1})["account_list"]
    assert [r["name"] for r in rows] == ["售后服务"]
    result = w.good("kf/servicer/add", {"open_kfid": made, "userid_list": ["LiNa", "ghost"], "department_id_list": [5]})
    assert [r["errcode"] for r in result["result_list"]] == [0, 60111, 0]
    assert len(w.good("kf/servicer/list", open_kfid=made)["servicer_list"]) == 3
    w.good("kf/servicer/del", {"open_kfid": made, "userid_list": ["LiNa"]})
    assert len(w.good("kf/servicer/list", open_kfid=made)["servicer_list"]) == 2
    url = w.good("kf/add_contact_way", {"open_kfid": made, "scene": "shop_1"})["url"]
    assert w.act("read_code", text=url)["kind"] == "kf"
    ask = {"external_userid_list": [kf["external_userid"], "wmNo"], "need_enter_session_context": 1}
    told_customers = w.good("kf/customer/batchget", ask)
    assert told_customers["customer_list"][0]["nickname"] == "夜猫子"
    assert told_customers["customer_list"][0]["enter_session_context"]["scene"] == "shop1"
    assert told_customers["invalid_external_userid"] == ["wmNo"]
    assert w.code("kf/account/del", {"open_kfid": made}) == 0
    assert w.code("kf/account/del", {"open_kfid": made}) == 95004


def test_kf_refusals(w, kf):
    write(w, kf, "在吗")
    media = w.upload()["media_id"]
    account = w.server.world.corps[w.corp].kf_accounts[kf["open_kfid"]]
    item = {"type": "click", "click": {"id": "1", "content": "x"}}
    for path, body, code in (
        ("kf/sync_msg", {}, 95000),
        ("kf/sync_msg", {"open_kfid": "wkNo"}, 95004),
        ("kf/sync_msg", pair(kf) | {"limit": 1001}, 40058),
        ("kf/sync_msg", pair(kf) | {"cursor": "MS4wLmFiYw=="}, 50100),
        ("kf/account/add", {"name": "", "media_id": media}, 95006),
        ("kf/account/add", {"name": "x" * 17, "media_id": media}, 95006),
        ("kf/account/add", {"name": "x", "media_id": "3no"}, 40007),
        ("kf/add_contact_way", pair(kf) | {"scene": "中文"}, 40058),
        ("kf/send_msg", send(kf, touser="wmNo"), 40096),
        ("kf/send_msg", send(kf, "x" * 2049), 40058),
        ("kf/send_msg", send(kf, msgtype="news"), 40008),
        ("kf/send_msg", send(kf, msgtype="image", image={"media_id": "3no"}), 40007),
        ("kf/send_msg", send(kf, msgid="有"), 40058),
        ("kf/send_msg", send(kf, msgtype="msgmenu", msgmenu={"list": [item] * 11}), 95008),
        ("kf/send_msg", send(kf, msgtype="msgmenu", msgmenu={"head_content": "选", "list": [item] * 10}), 0),
    ):
        assert w.code(path, body) == code, body
    w.option(kf_account_limit=1)
    assert w.code("kf/account/add", {"name": "x", "media_id": media}) == 95005
    w.option(kf_syncs_without_token_per_minute=1)
    sync_codes = [w.code("kf/sync_msg", pair(kf)) for _ in range(2)]
    assert sync_codes[-1] == 45009
    account.manageable = False
    assert w.code("kf/send_msg", send(kf)) == 95017


def test_the_menu_under_an_apps_conversation(w):
    button = {"type": "click", "name": "我的客户", "key": "MY_CUSTOMERS"}
    agent = str(w.app.agentid)
    assert w.code("menu/create", {"button": [button]}, agentid="9") == 301002
    assert w.code("menu/create", {"button": [button] * 4}, agentid=agent) == 40058
    assert w.code("menu/create", {"button": [button | {"type": "view"}]}, agentid=agent) == 40058
    nested = {"name": "更多", "sub_button": [button]}
    assert w.code("menu/create", {"button": [nested]}, agentid=agent) == 0
    assert w.good("menu/get", agentid=agent)["button"] == [nested]
    with listening(w) as receiver:
        w.act("menu_click", agentid=w.app.agentid, userid="LiNa", key="MY_CUSTOMERS")
        (clicked,) = told(receiver, w)
    assert (clicked["Event"], clicked["EventKey"], clicked["FromUserName"]) == ("click", "MY_CUSTOMERS", "LiNa")
    assert (
        w.http.post(
            "/sandbox/api/menu_click", json={"agentid": w.app.agentid, "userid": "LiNa", "key": "x"}
        ).status_code
        == 409
    )
    assert w.code("menu/delete", agentid=agent) == 0


def test_a_code_on_a_picture_is_read(w):
    config = w.way()
    out = io.BytesIO()
    qrcode.make(f"{w.server.url}/scan/{config}").save(out, "PNG")
    read = w.http.post("/sandbox/api/read_code", files={"file": ("a.png", out.getvalue())}).json()
    assert (read["kind"], read["id"]) == ("contact_way", config)
    assert w.act("read_code", text="https://x.example/")["kind"] == "url"
    assert w.act("read_code", text="随便写的")["kind"] == "unknown"
    bad = w.http.post("/sandbox/api/read_code", files={"file": ("a.png", b"nothing")})
    assert bad.status_code == 409
    sent = w.http.post(
        "/sandbox/api/upload", params={"kind": "image"}, files={"file": ("a.png", out.getvalue())}
    ).json()
    one = {"userid": "zhang.san", "external_userid": w.customer("半糖")}
    w.act("customer_message", msgtype="image", image={"media_id": sent["media_id"]}, **one)
    assert w.look("chat", **one)["messages"][-1]["msgtype"] == "image"
    assert w.http.post("/sandbox/api/upload", files={"file": ("a.png", b"no picture")}).status_code == 409


def test_jssdk_faults_and_unreachable_callbacks(w):
    w.act("faults", match="jssdk:sendChatMessage", kind="fail", reason="user not in allow list", times=1)
    assert w.act("jssdk_fault", call="getContext")["reason"] == ""
    assert w.act("jssdk_fault", call="sendChatMessage")["reason"] == "user not in allow list"
    assert w.act("jssdk_fault", call="sendChatMessage")["reason"] == ""
    w.act("faults", match="callback", kind="unreachable")
    with listening(w) as receiver:
        w.scan()
        assert w.server.settle()
        assert receiver.raw == []
    entry = w.look("log/callbacks")["callbacks"][0]
    assert (entry["state"], len(entry["attempts"])) == ("failed", 4)


def test_the_log_tells_bodies_without_secrets(w):
    w.good("externalcontact/get_follow_user_list")
    listed = w.look("log/api")["calls"]
    assert "request" not in listed[0]
    whole = [w.look(f"log/api/{one['id']}")["call"] for one in listed]
    assert "zhang.san" in whole[0]["answer"]
    assert w.token() not in str(whole)
    assert w.app.secret not in str(whole)
    assert "access_token=***" in whole[0]["query"]
