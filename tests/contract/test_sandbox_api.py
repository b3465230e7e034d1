"""The calls that work: shapes, prefixes, effects."""

import pytest

from bot.sandbox import Company
from bot.sandbox.gate import ENDPOINTS
from tests.sandbox_driver import PNG, running

EC = "externalcontact/"


@pytest.fixture
def w():
    with running() as driver:
        yield driver


def test_every_listed_endpoint_exists(w):
    assert len(ENDPOINTS) == 109
    assert w.good("getcallbackip")["ip_list"]
    assert w.good("get_api_domain_ip")["ip_list"]
    assert w.good("department/list", id="2")["department"][0]["id"] == 2
    assert w.good("department/get", id="3")["department"]["name"] == "徐汇门店"
    assert len(w.good("user/simplelist", department_id="3")["userlist"]) == 3


def test_members_show_no_private_fields_to_a_new_app(w):
    member = w.good("user/get", userid="lina")
    assert (member["userid"], member["department"]) == ("LiNa", [3, 5])
    assert not {"mobile", "email", "gender", "avatar"} & set(member)
    w.setting(sensitive_fields=True)
    assert "mobile" in w.good("user/get", userid="LiNa")


def test_customers_of_both_types(w):
    one = w.good(EC + "get", external_userid=w.customer("林小满"))
    contact = one["external_contact"]
    assert contact["external_userid"].startswith("wm")
    assert contact["type"] == 1
    assert contact["unionid"]
    follow = one["follow_user"][0]
    assert (follow["userid"], follow["remark"], follow["remark_mobiles"]) == (
        "zhang.san",
        "林女士·徐汇",
        ["13900000001"],
    )
    assert [t["type"] for t in follow["tags"]] == [1, 1, 2]
    assert all(t["tag_id"].startswith("et") for t in follow["tags"][:2])
    assert "tag_id" not in follow["tags"][2]
    company = w.good(EC + "get", external_userid=w.customer("高明"))["external_contact"]
    assert company["external_userid"].startswith("wo")
    assert (company["type"], company["corp_name"]) == (2, "海辰置业")
    assert "unionid" not in company
    assert "unionid" not in w.good(EC + "get", external_userid=w.customer("老陈说装修"))["external_contact"]


def test_batch_rows_have_another_shape(w):
    rows = w.good(EC + "batch/get_by_user", {"userid_list": ["zhang.san"]})["external_contact_list"]
    assert "follow_user" not in rows[0]
    assert all(t.startswith("et") for t in rows[0]["follow_info"]["tag_id"])
    assert len(rows[0]["follow_info"]["tag_id"]) == 2


def test_tags_from_making_to_marking_to_deleting(w):
    made = w.good(
        EC + "add_corp_tag",
        {"group_name": "来源", "tag": [{"name": "展会"}, {"name": "门店"}, {"name": "展会"}]},
    )
    group = made["tag_group"]
    assert [t["name"] for t in group["tag"]] == ["展会", "门店"]
    fair, shop = (t["id"] for t in group["tag"])
    pair = {"userid": "zhang.san", "external_userid": w.customer("半糖")}
    w.good(EC + "mark_tag", pair | {"add_tag": [fair]})
    w.good(EC + "mark_tag", pair | {"add_tag": [fair, shop], "remove_tag": [shop]})
    marked = {t["id"]: t["marked"] for t in w.look("relation", **pair)["relation"]["tags"]}
    assert marked[fair] == 2
    assert shop not in marked
    assert w.look("counters")["tags"] == {"marked_once": 0, "marked_again": 1}
    w.good(EC + "edit_corp_tag", {"id": fair, "name": "家博会"})
    listed = w.good(EC + "get_corp_tag_list", {"tag_id": [fair]})["tag_group"]
    assert (listed[0]["tag"][0]["name"], listed[0]["tag"][0]["deleted"]) == ("家博会", False)
    w.good(EC + "del_corp_tag", {"tag_id": [fair, shop]})
    names = [g["group_name"] for g in w.good(EC + "get_corp_tag_list", {})["tag_group"]]
    assert names == ["意向程度", "户型", "关注品类"]
    assert fair not in {t["id"] for t in w.look("relation", **pair)["relation"]["tags"]}


def test_contact_way_round_trip_and_picture(w):
    body = {
        "type": 2,
        "scene": 2,
        "user": ["LiNa"],
        "party": [4],
        "state": "s9",
        "remark": "门店",
        "is_exclusive": True,
    }
    made = w.good(EC + "add_contact_way", body)
    assert len(made["config_id"]) == 32
    assert w.http.get(made["qr_code"]).content.startswith(b"\x89PNG")
    w.good(
        EC + "update_contact_way",
        {"config_id": made["config_id"], "user": ["zhang.san"], "party": [], "state": "s10"},
    )
    kept = w.good(EC + "get_contact_way", {"config_id": made["config_id"]})["contact_way"]
    assert (kept["user"], kept["party"], kept["state"], kept["remark"]) == (["zhang.san"], [], "s10", "门店")
    assert kept["skip_verify"] is True
    assert w.look("codes")["codes"][0]["scan_url"].endswith(f"/scan/{made['config_id']}")
    assert w.scan(state="s10", config_id="")["userid"] == "zhang.san"


def test_an_exclusive_code_brings_people_back_to_their_member(w):
    config = w.way(type=2, user=["zhang.san", "LiNa", "wangwu"], is_exclusive=True)
    known = w.look("customers", q="大王叫我来巡山")["customers"][0]["person_id"]
    assert w.scan(config, customer=known)["happened"] == "already"


def test_a_temporary_code_dies_after_its_first_add():
    company = Company.builtin()
    company.corps[0]["medical"] = True
    with running(company) as w:
        config = w.way(is_temp=True, expires_in=60)
        other = w.way(is_temp=True, expires_in=60)
        assert w.scan(config)["happened"] == "added"
        assert not w.http.post("/sandbox/api/scan", json={"config_id": config}).json()["ok"]
        w.jump(61)
        assert not w.http.post("/sandbox/api/scan", json={"config_id": other}).json()["ok"]


def test_the_welcome_reaches_the_phone_once(w):
    added = w.scan(name="小林")
    media = w.upload()["media_id"]
    body = {
        "welcome_code": added["welcome_code"],
        "text": {"content": "您好"},
        "attachments": [
            {"msgtype": "image", "image": {"media_id": media}},
            {"msgtype": "link", "link": {"title": "手册", "url": "https://x.example/"}},
            {
                "msgtype": "miniprogram",
                "miniprogram": {"title": "选材", "pic_media_id": media, "appid": "wx1", "page": "p.html"},
            },
        ],
    }
    w.good(EC + "send_welcome_msg", body)
    assert w.code(EC + "send_welcome_msg", body) == 41051
    (friend,) = w.look("phone", customer=added["person_id"])["friends"]
    assert [(m["msgtype"], m["via"]) for m in friend["messages"][1:]] == [
        (kind, "welcome") for kind in ("text", "image", "link", "miniprogram")
    ]
    welcome = w.look("welcomes")["welcomes"][0]
    assert (welcome["attempts"], welcome["deliveries"]) == (2, 1)
    assert w.look("counters")["welcomes"]["refused_as_sent"] == 1


def test_one_person_in_two_corps():
    with running(Company.builtin(second=True)) as w:
        person = w.look("customers", q="林小满")["customers"][0]
        assert len(person["external_ids"]) == 2
        assert len(set(person["external_ids"].values())) == 2
        phone = w.look("phone", customer=person["person_id"])
        assert len({f["corp_id"] for f in phone["friends"]}) == 2
        other = next(c for c in person["external_ids"] if c != w.corp)
        assert w.code(EC + "get", external_userid=person["external_ids"][other]) == 40096


def test_app_messages_inboxes_and_duplicates(w):
    body = {
        "touser": "LiNa|NoBody|he.yue",
        "agentid": w.app.agentid,
        "msgtype": "text",
        "text": {"content": "汉" * 2000},
    }
    sent = w.good("message/send", body)
    assert sent["invaliduser"] == "nobody|he.yue"
    card = {"title": "t", "description": "d", "url": "https://x.example/"}
    twice = {
        "touser": "LiNa",
        "agentid": w.app.agentid,
        "msgtype": "textcard",
        "textcard": card,
        "enable_duplicate_check": 1,
    }
    first, second = (w.good("message/send", twice | {"duplicate_check_interval": 600}) for _ in range(2))
    assert first["msgid"] == second["msgid"]
    w.jump(601)
    assert w.good("message/send", twice | {"duplicate_check_interval": 600})["msgid"] != first["msgid"]
    shown = w.look("desk", userid="LiNa")["apps"][0]["messages"]
    assert [m["msgtype"] for m in shown] == ["text", "textcard", "textcard"]
    assert len(shown[0]["body"]["content"].encode()) <= 2048
    assert w.look("counters")["app_messages"]["duplicates_suppressed"] == 1
    w.good("message/recall", {"msgid": first["msgid"]})
    assert w.look("desk", userid="LiNa")["apps"][0]["messages"][1]["recalled"]
    w.jump(86_401)
    w._tokens.clear()
    assert w.code("message/recall", {"msgid": sent["msgid"]}) == 40058


def test_over_thirty_a_minute_are_silently_dropped(w):
    body = {"touser": "LiNa", "agentid": w.app.agentid, "msgtype": "text", "text": {"content": "x"}}
    for _ in range(32):
        w.good("message/send", body)
    assert len(w.look("desk", userid="LiNa")["apps"][0]["messages"]) == 30
    assert w.look("counters")["app_messages"]["dropped_over_rate"] == 2


@pytest.mark.parametrize("target", [{"touser": "@all"}, {"toparty": "3|99"}])
def test_departments_and_everybody(w, target):
    body = target | {"agentid": w.app.agentid, "msgtype": "markdown", "markdown": {"content": "**日报**"}}
    answer = w.good("message/send", body)
    receivers = w.look("app_messages")["messages"][0]["receivers"]
    assert "he.yue" not in receivers
    assert "LiNa" in receivers
    assert answer["invalidparty"] == ("99" if "toparty" in target else "")


def test_card_update_by_response_code_once(w):
    card = {
        "card_type": "vote_interaction",
        "task_id": "vote-7",
        "main_title": {"title": "选时间"},
        "checkbox": {"question_key": "t", "option_list": [{"id": "a", "text": "周一"}]},
        "submit_button": {"text": "提交", "key": "ok"},
    }
    body = {
        "touser": "LiNa|wangwu",
        "agentid": w.app.agentid,
        "msgtype": "template_card",
        "template_card": card,
    }
    sent = w.good("message/send", body)
    assert w.code("message/send", body) == 40058
    update = {
        "agentid": w.app.agentid,
        "response_code": sent["response_code"],
        "button": {"replace_name": "已投"},
    }
    assert w.good("message/update_template_card", update | {"userids": ["lina", "ghost"]})["invaliduser"] == "ghost"
    assert w.code("message/update_template_card", update | {"userids": ["LiNa"]}) == 60140
    assert w.look("app_messages")["messages"][0]["seen_as"] == {"LiNa": {"replace_name": "已投"}}


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("news", {"articles": [{"title": "周报", "url": "https://x.example/"}]}),
        (
            "miniprogram_notice",
            {"appid": "wx1", "title": "客户待跟进", "content_item": [{"key": "客户", "value": "张"}]},
        ),
        (
            "template_card",
            {
                "card_type": "text_notice",
                "main_title": {"title": "t"},
                "card_action": {"type": 1, "url": "https://x"},
            },
        ),
        (
            "template_card",
            {
                "card_type": "multiple_interaction",
                "task_id": "m1",
                "main_title": {"title": "t"},
                "select_list": [{"question_key": "q", "option_list": [{"id": "a", "text": "甲"}]}],
                "submit_button": {"text": "好", "key": "k"},
            },
        ),
    ],
)
def test_other_app_messages_are_accepted(w, kind, body):
    w.good("message/send", {"touser": "LiNa", "agentid": w.app.agentid, "msgtype": kind, kind: body})


def test_media_and_pictures(w):
    media = w.upload()
    query = {"access_token": w.token(), "media_id": media["media_id"]}
    answer = w.http.get("/cgi-bin/media/get", params=query)
    assert answer.content == PNG
    assert "attachment" in answer.headers["Content-Disposition"]
    files = {"media": ("a.png", PNG)}
    url = w.http.post("/cgi-bin/media/uploadimg", params={"access_token": w.token()}, files=files).json()["url"]
    w.jump(30 * 86400)
    assert w.http.get(url).content == PNG


def test_several_apps_have_their_own_tokens(w):
    path = f"/sandbox/api/corps/{w.corp}/apps"
    w.http.post(path, json={"agentid": 1000003, "name": "甲", "secret": "other-secret"})
    assert w.code("agent/get", agentid="1000003") == 301002
    told_app = w.good("agent/get", agentid="1000003", secret="other-secret")
    assert (told_app["name"], told_app["allow_partys"]) == ("甲", {"partyid": [1]})
    assert not w.http.post(path, json={"agentid": 1000003, "name": "甲"}).json()["ok"]


def test_the_logs_never_show_a_token(w):
    token = w.token()
    w.code("department/list")
    text = w.http.get("/sandbox/api/log/api").text + w.http.get("/sandbox/api/state").text
    assert token not in text
    assert w.app.secret not in text
    assert w.app.callback.aes_key not in text


def test_a_new_wechat_person_has_a_unionid_unless_told_otherwise(w):
    config = w.way()
    with_one, without = w.scan(config), w.scan(config, unionid="")
    contact = w.good(EC + "get", external_userid=with_one["external_userid"])["external_contact"]
    assert contact["unionid"].startswith("o")
    assert "unionid" not in w.good(EC + "get", external_userid=without["external_userid"])["external_contact"]


def test_nobody_chats_before_the_request_is_accepted(w):
    added = w.scan(w.way(skip_verify=False))
    body = {"userid": added["userid"], "external_userid": added["external_userid"], "content": "hi"}
    for path in ("customer_message", "staff_message"):
        assert w.http.post(f"/sandbox/api/{path}", json=body).status_code == 409


def test_an_oversized_body_is_refused_in_json(w):
    query = {"access_token": w.token(), "type": "file"}
    files = {"media": ("big.bin", bytes(33 * 1024 * 1024))}
    assert w.http.post("/cgi-bin/media/upload", params=query, files=files).json()["errcode"] == 45001


@pytest.mark.parametrize(
    ("msgtype", "body", "kept"),
    [
        ("text", {"content": "好"}, "text"),
        ("news", {"link": "https://x.example/", "title": "手册"}, "link"),
        ("miniprogram", {"appid": "wx1", "title": "选材", "page": "pages/a.html?x=1"}, "miniprogram"),
        ("miniprogram", {"page": "pages/a"}, None),
        ("news", {"link": "javascript:1"}, None),
        ("image", {"mediaid": "no"}, None),
        ("text", {}, None),
        ("poem", {}, None),
    ],
)
def test_what_the_sidebar_may_send(w, msgtype, body, kept):
    pair = {"userid": "zhang.san", "external_userid": w.customer("林小满")}
    ask = pair | {"via": "sidebar", "msgtype": msgtype, msgtype: body}
    answer = w.http.post("/sandbox/api/staff_message", json=ask)
    assert answer.status_code == (200 if kept else 409)
    assert not kept or answer.json()["message"]["msgtype"] == kept
