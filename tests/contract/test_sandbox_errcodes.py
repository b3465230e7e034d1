"""One test per errcode. None of them looks at errmsg: the vendor changes it at will."""

import pytest

from tests.sandbox_driver import Driver, running

EC = "externalcontact/"


@pytest.fixture
def w():
    with running() as driver:
        yield driver


def relation(w: Driver, **more):
    return {"userid": "zhang.san", "external_userid": w.customer("林小满")} | more


def test_success_and_failure_are_both_http_200(w):
    assert w.http.get("/cgi-bin/user/get").status_code == 200
    answer = w.http.get("/cgi-bin/user/get").json()
    assert answer["errcode"] == 41001
    assert all(word in answer["errmsg"] for word in ("hint: [", "from ip: 127.0.0.1", "e=41001"))


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({}, 41002),
        ({"corpid": "x"}, 41004),
        ({"corpid": "ww0", "corpsecret": "x"}, 40013),
        ({"corpid": "CORP", "corpsecret": "x"}, 40001),
    ],
)
def test_gettoken_refusals(w, query, code):
    query = {k: w.corp if v == "CORP" else v for k, v in query.items()}
    assert w.http.get("/cgi-bin/gettoken", params=query).json()["errcode"] == code


def test_the_token_in_the_body_is_not_seen(w):
    answer = w.http.post("/cgi-bin/externalcontact/get_corp_tag_list", json={"access_token": w.token()}).json()
    assert answer["errcode"] == 41001


def test_unknown_token(w):
    assert w.http.get("/cgi-bin/user/get", params={"access_token": "nope"}).json()["errcode"] == 40014


@pytest.mark.parametrize("code", [42001, 40014])
def test_revoked_token_and_the_fresh_one_after(w, code):
    old = w.token()
    assert w.act("token/revoke", agentid=w.app.agentid, errcode=code)["revoked"] == 1
    assert w.code("department/list") == code
    w._tokens.clear()
    assert w.token() != old
    assert w.code("department/list") == 0


def test_untrusted_address(w):
    w.setting(trusted_ips=["203.0.113.9"])
    assert w.code("department/list") == 60020
    w.setting(trusted_ips=["127.0.0.1"])
    assert w.code("department/list") == 0


def test_app_not_in_the_callable_list(w):
    w.setting(callable=False)
    assert w.code(EC + "get_follow_user_list") == 48002
    assert w.code("user/get", userid="LiNa") == 0


def test_disabled_app(w):
    w.setting(disabled=True)
    assert w.code("department/list") == 50003


def test_the_contacts_secret_reads_only_ids(w):
    contacts = w.server.contacts_secret
    assert w.code("user/get", userid="LiNa", secret=contacts) == 48009
    assert w.code("department/list", secret=contacts) == 48009
    assert w.code(EC + "get_follow_user_list", secret=contacts) == 48002
    assert w.code("user/list_id", {"limit": 5}) == 48002
    assert len(w.good("user/list_id", {"limit": 100}, secret=contacts)["dept_user"]) == 9
    assert w.good("department/simplelist", secret=contacts)["department_id"]


def test_unsupported_paths_answer_json_and_are_logged(w):
    assert w.code("externalcontact/add_product_album", {}) == 48001
    assert [c["path"] for c in w.look("log/api")["calls"] if not c["supported"]] == [
        "externalcontact/add_product_album"
    ]


def test_directory_refusals(w):
    assert w.code("user/get", userid="nobody") == 60111
    assert w.code("user/get", userid="bad name!") == 40003
    assert w.code("user/get") == 40003
    assert w.code("department/get", id="99") == 60003
    assert w.code("department/get") == 40058
    assert w.code("user/list") == 40058
    assert w.code("user/simplelist", department_id="x") == 40058


def test_the_visible_range_drops_in_lists_and_refuses_by_name(w):
    stranger = w.customer("大王叫我来巡山")
    w.setting(visible_departments=[3])
    assert w.good(EC + "get_follow_user_list")["follow_user"] == ["zhang.san", "LiNa"]
    assert w.code("user/get", userid="wangwu") == 60011
    assert w.code("department/get", id="4") == 60011
    assert w.code(EC + "list", userid="wangwu") == 60011
    assert w.code(EC + "get", external_userid=stranger) == 40096
    assert w.code(EC + "add_contact_way", {"type": 1, "scene": 2, "user": ["wangwu"]}) == 60011
    assert w.good("user/get", userid="LiNa")["department"] == [3]


def test_customer_refusals(w):
    assert w.code(EC + "list", userid="he.yue") == 84061
    assert w.code(EC + "get", external_userid="wmNobody") == 40096
    assert w.code(EC + "get") == 41035
    assert w.code(EC + "batch/get_by_user", {"userid_list": []}) == 40058
    assert w.code(EC + "batch/get_by_user", {"userid": "LiNa"}) == 40058
    assert w.code(EC + "batch/get_by_user", {"userid_list": '["LiNa"]'}) == 40058
    answer = w.call(EC + "batch/get_by_user", {"userid_list": '["LiNa"]'})
    assert "userid_list" in answer["errmsg"]


def test_no_relation_left(w):
    pair = relation(w)
    w.act("delete_customer_by_staff", **pair)
    assert w.code(EC + "remark", pair | {"remark": "x"}) == 84061
    assert w.code(EC + "mark_tag", pair | {"add_tag": ["et"]}) == 84061
    assert w.code(EC + "get", external_userid=pair["external_userid"]) == 0
    w.act("delete_customer_by_staff", userid="LiNa", external_userid=pair["external_userid"])
    assert w.code(EC + "get", external_userid=pair["external_userid"]) == 84061


def test_a_customer_who_left_still_answers(w):
    left = w.customer("风来了")
    assert w.code(EC + "get", external_userid=left) == 0
    assert w.code(EC + "remark", {"userid": "LiNa", "external_userid": left, "remark": "x"}) == 0


def test_remark_refusals(w):
    pair = relation(w)
    assert w.code(EC + "remark", pair) == 40058
    assert w.code(EC + "remark", pair | {"external_userid": "wmNo", "remark": "x"}) == 40096
    assert w.code(EC + "remark", pair | {"remark_pic_mediaid": "no"}) == 40007
    other = {"userid": "ChenJing", "external_userid": w.customer("高明"), "remark_company": "甲"}
    assert w.code(EC + "remark", other) == 40058


def test_tag_refusals(w):
    made = w.good(EC + "add_corp_tag", {"group_name": "新组", "tag": [{"name": "甲"}, {"name": "乙"}]})["tag_group"]
    first, second = (t["id"] for t in made["tag"])
    assert w.code(EC + "add_corp_tag", {"group_id": made["group_id"], "tag": [{"name": "甲"}]}) == 40071
    assert w.code(EC + "add_corp_tag", {"group_name": "新组", "tag": [{"name": "乙"}]}) == 40071
    assert w.code(EC + "add_corp_tag", {"group_name": "新组", "tag": [{"name": ""}]}) == 40072
    assert w.code(EC + "add_corp_tag", {"group_name": "新组"}) == 40058
    assert w.code(EC + "add_corp_tag", {"group_id": "etNo", "tag": [{"name": "丙"}]}) == 40068
    assert w.code(EC + "edit_corp_tag", {"id": first, "name": "乙"}) == 40071
    assert w.code(EC + "edit_corp_tag", {"id": made["group_id"], "name": "户型"}) == 40071
    assert w.code(EC + "edit_corp_tag", {"id": "etNo", "name": "x"}) == 40068
    assert w.code(EC + "edit_corp_tag", {"id": second, "name": "汉" * 31}) == 40072
    assert w.code(EC + "del_corp_tag", {"tag_id": ["etNo"]}) == 40068
    assert w.code(EC + "del_corp_tag", {}) == 40058
    assert w.code(EC + "mark_tag", relation(w)) == 40058
    assert w.code(EC + "mark_tag", relation(w, add_tag=["etNo"])) == 40068
    assert w.code(EC + "get_corp_tag_list", {"tag_id": ["etNo"]}) == 40068


def test_only_the_creator_edits_tags(w):
    console = w.good(EC + "get_corp_tag_list", {})["tag_group"][0]
    assert w.code(EC + "edit_corp_tag", {"id": console["group_id"], "name": "改名"}) == 60011
    assert w.code(EC + "del_corp_tag", {"group_id": [console["group_id"]]}) == 60011
    w.option(tag_creator_only_edits=False)
    assert w.code(EC + "edit_corp_tag", {"id": console["group_id"], "name": "改名"}) == 0


def test_tag_cap(w):
    w.option(tag_limit=12)
    assert w.code(EC + "add_corp_tag", {"group_name": "满", "tag": [{"name": "甲"}]}) == 0
    assert w.code(EC + "add_corp_tag", {"group_name": "满", "tag": [{"name": "乙"}]}) == 40126


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"scene": 2}, 41037),
        ({"type": 1}, 41038),
        ({"type": 3, "scene": 2}, 41039),
        ({"type": 1, "scene": 3}, 41040),
        ({"type": 1, "scene": 1, "style": 4, "user": ["LiNa"]}, 41042),
        ({"type": 2, "scene": 1, "style": 3, "user": ["LiNa"]}, 41042),
        ({"type": 1, "scene": 2}, 40058),
        ({"type": 1, "scene": 2, "user": ["LiNa", "wangwu"]}, 40058),
        ({"type": 1, "scene": 2, "user": ["nobody"]}, 60111),
        ({"type": 1, "scene": 2, "user": ["!"]}, 40003),
        ({"type": 1, "scene": 2, "user": ["he.yue"]}, 41054),
        ({"type": 1, "scene": 2, "user": ["maliang"]}, 41054),
        ({"type": 1, "scene": 2, "user": ["sun_hao"]}, 84074),
        ({"type": 2, "scene": 2, "user": [f"u{n}" for n in range(101)]}, 41041),
        ({"type": 2, "scene": 2, "party": [77]}, 60003),
        ({"type": 1, "scene": 2, "user": ["LiNa"], "is_temp": True}, 48002),
        ({"type": 1, "scene": 2, "user": ["LiNa"], "state": "x" * 31}, 40058),
    ],
)
def test_contact_way_refusals(w, body, code):
    assert w.code(EC + "add_contact_way", body) == code


def test_unverified_member(w):
    w.act("change_staff", userid="LiNa", verified=False)
    assert w.code(EC + "add_contact_way", {"type": 1, "scene": 2, "user": ["LiNa"]}) == 40098


def test_an_unparsed_body_is_a_missing_type(w):
    answer = w.call(EC + "add_contact_way", b"type=1&scene=2")
    assert answer["errcode"] == 41037
    assert "Warning: wrong json format." in answer["errmsg"]


def test_config_id_refusals(w):
    for path in ("get_contact_way", "update_contact_way", "del_contact_way", "groupchat/get_join_way"):
        assert w.code(EC + path, {}) == 41043
        assert w.code(EC + path, {"config_id": "0" * 32}) == 41044
    config_id = w.way()
    assert w.code(EC + "del_contact_way", {"config_id": config_id}) == 0
    assert w.code(EC + "get_contact_way", {"config_id": config_id}) == 41044


def test_code_quota_is_shared_with_join_ways(w):
    w.option(contact_way_limit=2)
    w.way()
    group = w.look("groups")["groups"][0]["chat_id"]
    assert w.code(EC + "groupchat/add_join_way", {"scene": 2, "chat_id_list": [group]}) == 0
    assert w.code(EC + "add_contact_way", {"type": 1, "scene": 2, "user": ["LiNa"]}) == 41045


def test_welcome_refusals(w):
    send = EC + "send_welcome_msg"
    text = {"text": {"content": "您好"}}
    assert w.code(send, text) == 41049
    assert w.code(send, text | {"welcome_code": "wcNo"}) == 41050
    code = {"welcome_code": w.scan()["welcome_code"]}
    assert w.code(send, code) == 40058
    assert w.code(send, code | {"attachments": [{"msgtype": "voice"}]}) == 41065
    assert w.code(send, code | {"attachments": [{"msgtype": "image", "image": {"media_id": "no"}}]}) == 40007
    assert w.code(send, code | {"attachments": [{"msgtype": "file", "file": {}}]}) == 40058
    assert w.code(send, code | text) == 0
    assert w.code(send, code | text) == 41051


def test_welcome_after_the_chat_began(w):
    added = w.scan()
    w.act("customer_message", userid="zhang.san", external_userid=added["external_userid"], content="在吗")
    body = {"welcome_code": added["welcome_code"], "text": {"content": "您好"}}
    assert w.code(EC + "send_welcome_msg", body) == 41051


def test_group_refusals(w):
    group = w.look("groups")["groups"][0]["chat_id"]
    assert w.code(EC + "groupchat/list", {}) == 40058
    assert w.code(EC + "groupchat/list", {"limit": 1001}) == 40058
    assert w.code(EC + "groupchat/list", {"limit": 10, "owner_filter": {"userid_list": ["nobody"]}}) == 60111
    assert w.code(EC + "groupchat/get", {"chat_id": "wrNo"}) == 40050
    assert w.code(EC + "groupchat/add_join_way", {"scene": 2, "chat_id_list": ["wrNo"]}) == 40050
    assert w.code(EC + "groupchat/add_join_way", {"scene": 2, "chat_id_list": [group] * 6}) == 41091
    assert w.code(EC + "groupchat/add_join_way", {"chat_id_list": [group]}) == 40058
    w.setting(visible_departments=[5])
    assert w.code(EC + "groupchat/get", {"chat_id": w.look("groups")["groups"][1]["chat_id"]}) == 60011
    w.act("change_group", chat_id=group, dismiss=True)
    assert w.code(EC + "groupchat/get", {"chat_id": group}) == 49008


def test_groups_of_a_big_range_need_an_owner_filter(w):
    for n in range(1000):
        w.server.world.corps[w.corp].staff[f"u{n}"] = w.server.world.corps[w.corp].staff["lina"]
    assert w.code(EC + "groupchat/list", {"limit": 10}) == 81017
    assert w.code(EC + "groupchat/list", {"limit": 10, "owner_filter": {"userid_list": ["wangwu"]}}) == 0


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"agentid": None}, 40056),
        ({"agentid": 1000009}, 301002),
        ({"msgtype": "dance"}, 40008),
        ({"touser": ""}, 82001),
        ({"touser": "nobody|he.yue"}, 81013),
        ({"text": {"content": ""}}, 44004),
        ({"text": None}, 40058),
        ({"msgtype": "image", "image": {"media_id": "no"}}, 40007),
        ({"msgtype": "markdown", "markdown": {"content": "x" * 2049}}, 45002),
        ({"msgtype": "textcard", "textcard": {"title": "t", "description": "d", "url": "ftp://x"}}, 40058),
        ({"msgtype": "template_card", "template_card": {"card_type": "poem"}}, 40058),
        ({"enable_duplicate_check": 1, "duplicate_check_interval": 14401}, 40058),
    ],
)
def test_app_message_refusals(w, body, code):
    base = {"touser": "LiNa", "agentid": w.app.agentid, "msgtype": "text", "text": {"content": "hi"}}
    assert w.code("message/send", base | body) == code


def test_card_and_recall_refusals(w):
    update = {"agentid": w.app.agentid, "userids": ["LiNa"], "button": {"replace_name": "好"}}
    assert w.code("message/update_template_card", update | {"response_code": "RC_no"}) == 60140
    assert w.code("message/recall", {"msgid": "no"}) == 40058


def test_media_refusals(w):
    assert w.upload("poem")["errcode"] == 40004
    assert w.upload("image", b"not a picture")["errcode"] == 40123
    assert w.upload("image", b"12345")["errcode"] == 40006
    assert w.upload("image", b"")["errcode"] == 44001
    assert w.upload("image", b"\x89PNG\r\n\x1a\n" + bytes(10 * 1024 * 1024))["errcode"] == 40009
    assert w.upload("video", b"\x00\x00\x00\x14ftypisom")["errcode"] == 0
    assert w.upload("video", b"RIFF....AVI ")["errcode"] == w.upload("voice", b"RIFF....WAVE")["errcode"] == 40005
    assert w.upload("video", bytes(10 * 1024 * 1024 + 1))["errcode"] == 40011
    assert w.code("media/upload", b"{}", type="image") == 44001
    assert w.code("media/get", media_id="no") == 40007
    w.option(uploadimg_per_day=0)
    files = {"media": ("a.png", b"\x89PNG\r\n\x1a\nxxxx")}
    answer = w.http.post("/cgi-bin/media/uploadimg", params={"access_token": w.token()}, files=files)
    assert answer.json()["errcode"] == 45009


def test_sign_in_refusals(w):
    assert w.code("auth/getuserinfo", code="no") == 40029
    assert w.code("auth/getuserdetail", {"user_ticket": "no"}) == 84015
    assert w.code("ticket/get", type="wx_card") == 40058
    assert w.code("agent/get", agentid="1000009") == 301002
    assert w.code("agent/get") == 40056


def test_rate_limit_lasts_for_the_window(w):
    w.option(calls_per_minute=3)
    codes = [w.code("department/list") for _ in range(5)]
    assert codes == [0, 0, 0, 45009, 45009]
    assert w.code("user/get", userid="LiNa") == 0
    w.jump(50)
    assert w.code("department/list") == 45009
    w.jump(11)
    assert w.code("department/list") == 0


def test_ticket_limit_per_app(w):
    w.option(app_ticket_calls_per_hour=2)
    assert [w.code("get_jsapi_ticket") for _ in range(3)] == [0, 0, 45009]
