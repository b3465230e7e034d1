"""Callbacks as they leave the local WeCom: fields, crypto, addressees, retries, faults."""

import threading

import pytest
from defusedxml.ElementTree import fromstring

from bot.sandbox import crypto
from tests.sandbox_driver import listening, running, told

EC = "externalcontact/"


@pytest.fixture
def w():
    with running() as driver:
        yield driver


@pytest.fixture
def door(w):
    with listening(w) as receiver:
        yield receiver


def types(events):
    return [e.get("ChangeType") or e["Event"] for e in events]


def test_a_scan_is_told_with_state_and_welcome_code(w, door):
    added = w.scan(w.way(state="shop_12"), name="小林")
    (event,) = told(door, w)
    assert event == {
        "ToUserName": w.corp,
        "FromUserName": "sys",
        "CreateTime": event["CreateTime"],
        "MsgType": "event",
        "Event": "change_external_contact",
        "ChangeType": "add_external_contact",
        "UserID": "zhang.san",
        "ExternalUserID": added["external_userid"],
        "State": "shop_12",
        "WelcomeCode": added["welcome_code"],
    }
    envelope = fromstring(door.raw[0][1])
    assert envelope.findtext("ToUserName") == w.corp
    assert envelope.findtext("AgentID") == str(w.app.agentid)


def test_the_api_answer_comes_before_the_callback(w, door):
    """The receiver asks the API about the customer from inside the callback; it must be there already."""
    w.scan()
    events = told(door, w)
    assert w.code(EC + "get", external_userid=events[0]["ExternalUserID"]) == 0


def test_half_add_and_answer(w, door):
    added = w.scan(half=True)
    pair = {"userid": added["userid"], "external_userid": added["external_userid"]}
    assert added["happened"] == "half"
    assert w.code(EC + "remark", pair | {"remark": "x"}) == 84061
    w.good(EC + "send_welcome_msg", {"welcome_code": added["welcome_code"], "text": {"content": "您好"}})
    assert w.server.settle()
    w.act("confirm", **pair)
    half, full = told(door, w)
    assert types([half, full]) == ["add_half_external_contact", "add_external_contact"]
    assert "WelcomeCode" in half
    assert "WelcomeCode" not in full
    assert w.code(EC + "remark", pair | {"remark": "x"}) == 0


def test_a_code_with_verification_waits_for_the_member(w, door):
    added = w.scan(w.way(skip_verify=False))
    assert (added["happened"], told(door, w)) == ("requested", [])
    w.act("confirm", userid=added["userid"], external_userid=added["external_userid"])
    assert types(told(door, w)) == ["add_external_contact"]


def test_scanning_again_tells_nobody_and_coming_back_does(w, door):
    config = w.way()
    first = w.scan(config)
    pair = {"userid": first["userid"], "external_userid": first["external_userid"]}
    assert w.scan(config, customer=first["person_id"])["happened"] == "already"
    w.act("delete_staff_by_customer", **pair)
    w.server.settle()
    assert w.scan(config, customer=first["person_id"])["happened"] == "added"
    assert types(told(door, w)) == ["add_external_contact", "del_follow_user", "add_external_contact"]


def test_no_welcome_code_where_the_platform_gives_none(w, door):
    w.act("change_staff", userid="LiNa", console_welcome=True)
    assert w.scan(w.way(user=["LiNa"]))["welcome_code"] == ""
    assert w.scan(kind=2, name="外企小王")["welcome_code"] == ""
    added = w.scan()
    pair = {"userid": added["userid"], "external_userid": added["external_userid"]}
    w.act("customer_message", **pair, content="hi")
    w.act("delete_staff_by_customer", **pair)
    assert w.scan(customer=added["person_id"])["welcome_code"] == ""


def test_deletions_and_edits(w, door):
    pair = {"userid": "zhang.san", "external_userid": w.customer("林小满")}
    tag = w.look("tags")["tag_groups"][0]["tags"][1]["id"]
    for step, body in [
        ("edit_follow", {"remark": "新备注", "add_tags": [tag]}),
        ("edit_follow", {"remark_mobiles": ["13800000000"]}),
        ("delete_customer_by_staff", {"source": "DELETE_BY_TRANSFER"}),
    ]:
        w.act(step, **pair, **body)
        w.server.settle()
    edit, gone = told(door, w)
    assert types([edit, gone]) == ["edit_external_contact", "del_external_contact"]
    assert gone["Source"] == "DELETE_BY_TRANSFER"


def test_an_apps_own_changes_call_back_only_the_others(w, door):
    path = f"/sandbox/api/corps/{w.corp}/apps"
    assert w.http.post(path, json={"agentid": 1000003, "name": "另一个应用"}).json()["ok"]
    with listening(w, 1000003) as other:
        pair = {"userid": "zhang.san", "external_userid": w.customer("林小满")}
        w.good(EC + "remark", pair | {"remark": "接口改的"})
        w.good(EC + "add_corp_tag", {"group_name": "自己的", "tag": [{"name": "甲"}]})
        assert told(door, w) == []
        app = w.server.world.corps[w.corp].apps[1000003]
        kinds = [x.findtext("Event") for x in other.opened(app, w.corp)]
        assert sorted(kinds) == ["change_external_contact", "change_external_tag", "change_external_tag"]


def test_members_out_of_range_are_not_told_about(w, door):
    w.setting(visible_departments=[3])
    w.act("add", userid="wangwu", name="看不见")
    w.act("add", userid="LiNa", name="看得见")
    assert [e["UserID"] for e in told(door, w)] == ["LiNa"]


def test_an_app_that_is_not_callable_hears_nothing_of_customers(w, door):
    w.setting(callable=False)
    w.act("add", userid="LiNa", name="x")
    w.act("app_message", agentid=w.app.agentid, userid="LiNa", content="在吗")
    assert [e["MsgType"] for e in told(door, w)] == ["text"]


def test_group_events_chain_their_versions(w, door):
    chat = w.act("create_group", userid="LiNa", name="新群")["group"]["chat_id"]
    w.server.settle()
    joined = w.act("join_group", chat_id=chat, name="路人")
    w.server.settle()
    w.act("leave_group", chat_id=chat, member=joined["external_userid"], removed=True)
    w.server.settle()
    w.act("change_group", chat_id=chat, name="改名")
    w.server.settle()
    w.act("change_group", chat_id=chat, dismiss=True)
    events = told(door, w)
    assert types(events) == ["create", "update", "update", "update", "dismiss"]
    assert [e.get("UpdateDetail") for e in events[1:4]] == ["add_member", "del_member", "change_name"]
    assert events[1]["CurMemVer"] == events[2]["LastMemVer"]
    assert (events[1]["JoinScene"], events[2]["QuitScene"], events[2]["MemChangeCnt"]) == ("3", "1", "1")
    xml = door.opened(w.app, w.corp)[1]
    assert [i.text for i in xml.findall("MemChangeList/Item")] == [joined["external_userid"]]


def test_group_code_joins_and_overflows_into_a_new_group(w):
    w.option(group_capacity=6)
    group = w.look("groups")["groups"][0]
    body = {
        "scene": 2,
        "chat_id_list": [group["chat_id"]],
        "room_base_name": "业主",
        "room_base_id": 8,
        "state": "gs",
    }
    config = w.good(EC + "groupchat/add_join_way", body)["config_id"]
    first, second = (w.act("scan", config_id=config, name=f"n{n}") for n in range(2))
    assert first["chat_id"] == group["chat_id"]
    assert second["chat_id"] != group["chat_id"]
    way = w.good(EC + "groupchat/get_join_way", {"config_id": config})["join_way"]
    assert way["chat_id_list"] == [group["chat_id"], second["chat_id"]]
    told_group = w.good(EC + "groupchat/get", {"chat_id": second["chat_id"], "need_name": 1})["group_chat"]
    assert told_group["name"] == "业主8"
    assert [m.get("state") for m in told_group["member_list"]] == [None, "gs"]
    assert w.act("scan", config_id=config, customer=first["person_id"])["happened"] == "already"


def test_group_detail_may_lag(w):
    w.option(group_detail_lag_seconds=2)
    chat = w.look("groups")["groups"][0]["chat_id"]
    ask = {"chat_id": chat}
    before = len(w.good(EC + "groupchat/get", ask)["group_chat"]["member_list"])
    w.act("join_group", chat_id=chat, name="x")
    assert len(w.good(EC + "groupchat/get", ask)["group_chat"]["member_list"]) == before
    w.jump(3)
    assert len(w.good(EC + "groupchat/get", ask)["group_chat"]["member_list"]) == before + 1


def test_directory_and_console_tag_events(w, door):
    w.act("staff", userid="new.one", name="新人", departments=[3])
    w.server.settle()
    w.act("change_staff", userid="new.one", position="店长")
    w.server.settle()
    w.act("change_staff", userid="new.one", status=5)
    w.server.settle()
    w.act("departments", name="新部门", parent_id=2)
    w.server.settle()
    tag = w.act("tags", group="户型", name="四居室")
    w.server.settle()
    w.act("delete_tag", id=tag["id"])
    events = told(door, w)
    assert types(events) == ["create_user", "update_user", "delete_user", "create_party", "create", "delete"]
    assert (events[4]["Id"], events[4]["TagType"]) == (tag["id"], "tag")


def test_the_contacts_assistant_gets_ids_only(w):
    with listening(w, 0) as door:
        w.act("change_staff", userid="LiNa", position="店长")
        assert w.server.settle()
        xml = door.opened(w.server.world.corps[w.corp].apps[0], w.corp)[0]
        assert {c.tag for c in xml} >= {"UserID", "Department", "ChangeType"}
        assert xml.findtext("Position") is None
        assert fromstring(door.raw[0][1]).findtext("AgentID") in {"", None}


def test_retries_repeat_the_plaintext_under_a_fresh_cipher(w, door):
    door.answers = [500, 302, 404]
    w.scan()
    assert w.server.settle()
    plain = {c.findtext("WelcomeCode") for c in door.opened(w.app, w.corp)}
    assert (len(door.raw), len(plain)) == (4, 1)
    assert len({body for _, body in door.raw}) == 4
    assert len({query["nonce"] for query, _ in door.raw}) == 4
    (entry,) = w.look("log/callbacks")["callbacks"]
    assert entry["state"] == "delivered"
    assert [a["http"] for a in entry["attempts"]] == [500, 302, 404, 200]


def test_three_retries_and_no_more(w, door):
    door.answers = [503] * 9
    w.scan()
    assert w.server.settle()
    assert len(door.raw) == 4
    assert w.look("log/callbacks")["callbacks"][0]["state"] == "failed"


def test_a_slow_receiver_times_out_and_is_tried_again(w, door):
    w.option(callback_timeout_real_seconds=0.1, callback_retries=1)
    door.slow_seconds = 0.3
    w.scan()
    assert w.server.settle()
    entry = w.look("log/callbacks")["callbacks"][0]
    assert [a["error"] for a in entry["attempts"]] == ["TimeoutError", "TimeoutError"]


def test_nobody_listening_is_logged(w):
    w.scan()
    assert w.look("log/callbacks")["callbacks"][0]["state"] == "no_url"


@pytest.mark.parametrize(
    ("rule", "deliveries"),
    [
        ({"kind": "repeat", "n": 3, "times": 1}, 4),
        ({"kind": "drop_before", "times": 1}, 0),
        ({"kind": "delay", "ms": 30}, 1),
        ({"kind": "latency", "ms": 30}, 1),
    ],
)
def test_callback_faults(w, door, rule, deliveries):
    w.act("faults", match="callback:add_external_contact", **rule)
    w.scan()
    assert w.server.settle()
    assert len(door.raw) == deliveries


def test_shuffled_callbacks_all_arrive_in_another_order(w, door):
    w.option(callback_threads=1)
    w.act("faults", match="callback", kind="shuffle", window=6, ms=3000)
    config = w.way()
    sent = [w.scan(config)["external_userid"] for _ in range(6)]
    assert w.server.settle()
    got = [e["ExternalUserID"] for e in told(door, w)]
    assert sorted(got) == sorted(sent)
    assert w.look("log/callbacks")["callbacks"][0]["state"] == "delivered"


def test_an_unfilled_shuffle_window_lets_go_after_its_time(w, door):
    w.act("faults", match="callback", kind="shuffle", window=50, ms=40)
    w.scan()
    assert w.server.settle()
    assert len(door.raw) == 1


def test_url_verification_as_the_admin_console_does_it(w, door):
    body = {"agentid": w.app.agentid}
    assert w.act("verify_callback", **body) == {"ok": True, "passed": True, "http": 200, "reason": ""}
    door.echo = b'"quoted"'
    assert w.act("verify_callback", **body)["passed"] is False
    path = f"/sandbox/api/corps/{w.corp}/apps/{w.app.agentid}/callback"
    w.http.put(path, json={"url": "http://127.0.0.1:1/"})
    assert w.act("verify_callback", **body)["passed"] is False


def test_card_click_and_passive_reply(w, door):
    card = {
        "card_type": "button_interaction",
        "task_id": "lead-1",
        "main_title": {"title": "新线索"},
        "button_list": [{"type": 0, "text": "跟进", "key": "claim"}],
    }
    body = {"touser": "LiNa", "agentid": w.app.agentid, "msgtype": "template_card", "template_card": card}
    sent = w.good("message/send", body)
    callback = w.app.callback
    inner = (
        "<xml><ToUserName><![CDATA[LiNa]]></ToUserName><MsgType><![CDATA[update_button]]></MsgType>"
        "<Button><ReplaceName><![CDATA[已认领]]></ReplaceName></Button></xml>"
    )
    encrypted = crypto.encrypt(callback.aes_key, inner, w.corp)
    signed = crypto.signature(callback.token, "1", "2", encrypted)
    door.reply = (
        f"<xml><Encrypt>{encrypted}</Encrypt><MsgSignature>{signed}</MsgSignature>"
        "<TimeStamp>1</TimeStamp><Nonce>2</Nonce></xml>"
    ).encode()
    clicked = w.act("card_click", userid="LiNa", msgid=sent["msgid"], key="claim", selected={"q": ["a", "b"]})
    (event,) = told(door, w)
    assert (event["Event"], event["FromUserName"], event["EventKey"]) == (
        "template_card_event",
        "LiNa",
        "claim",
    )
    assert (event["TaskId"], event["ResponseCode"]) == ("lead-1", clicked["response_code"])
    xml = door.opened(w.app, w.corp)[0]
    assert [o.text for o in xml.findall("SelectedItems/SelectedItem/OptionIds/OptionId")] == ["a", "b"]
    assert w.look("app_messages")["messages"][0]["seen_as"] == {"LiNa": {"replace_name": "已认领"}}
    late = {"agentid": w.app.agentid, "userids": ["LiNa"], "button": {"replace_name": "x"}}
    assert w.code("message/update_template_card", late | {"response_code": clicked["response_code"]}) == 60140


def test_a_reply_that_cannot_be_read_is_noted(w, door):
    door.reply = b"<html>hello</html>"
    w.scan()
    assert w.server.settle()
    assert "reply not understood" in w.look("log/callbacks")["callbacks"][0]["attempts"][0]["error"]


def test_members_writing_to_and_entering_the_app(w, door):
    said = w.act("app_message", agentid=w.app.agentid, userid="LiNa", content="查客户 138")
    w.server.settle()
    w.act("enter_app", agentid=w.app.agentid, userid="LiNa")
    text, enter = told(door, w)
    assert (text["MsgType"], text["Content"], text["MsgId"]) == ("text", "查客户 138", said["msgid"])
    assert (enter["Event"], enter["FromUserName"], enter["AgentID"]) == (
        "enter_agent",
        "LiNa",
        str(w.app.agentid),
    )


def test_sixty_four_scans_at_once(w, door):
    config = w.way(type=2, user=["zhang.san", "LiNa", "wangwu", "zhou-min"])
    done = []
    threads = [threading.Thread(target=lambda n=n: done.append(w.scan(config, name=f"n{n}"))) for n in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    events = told(door, w)
    assert len(events) == len({e["WelcomeCode"] for e in events}) == 64
    per_member = [sum(d["userid"] == u for d in done) for u in ("zhang.san", "LiNa", "wangwu", "zhou-min")]
    assert per_member == [16, 16, 16, 16]
    assert {d["external_userid"] for d in done} == {e["ExternalUserID"] for e in events}


@pytest.mark.parametrize("path", ["delete_staff_by_customer", "delete_customer_by_staff"])
def test_taking_back_a_request_tells_nobody(w, door, path):
    added = w.scan(w.way(skip_verify=False))
    w.act(path, userid=added["userid"], external_userid=added["external_userid"])
    assert told(door, w) == []
    assert w.code(EC + "get", external_userid=added["external_userid"]) == 84061
