"""Mass messages, Moments, group welcomes and sensitive words: shapes, limits, error codes, human and delayed states."""

import io

import pytest
from PIL import Image

from tests.sandbox_driver import Driver, running

EC = "externalcontact/"
HELLO = {"text": {"content": "周末到店量房送设计图"}}


@pytest.fixture
def w():
    with running() as driver:
        yield driver


def mass(w: Driver, **more):
    answer = w.good(EC + "add_msg_template", {"sender": "zhang.san", **HELLO} | more)
    w.jump(1)
    return answer


def results(w: Driver, msgid, userid="zhang.san"):
    rows = w.good(EC + "get_groupmsg_send_result", {"msgid": msgid, "userid": userid})["send_list"]
    return {row.get("external_userid") or row["chat_id"]: row["status"] for row in rows}


def test_a_mass_message_is_a_task_until_its_member_confirms(w):
    created = w.good(EC + "add_msg_template", {"sender": "zhang.san", **HELLO})
    msgid = created["msgid"]
    assert (created["fail_list"], msgid[:3]) == ([], "msg")
    for call in ("get_groupmsg_task", "remind_groupmsg_send", "get_groupmsg_send_result"):
        assert w.code(EC + call, {"msgid": msgid, "userid": "zhang.san"}) == 41063
    w.jump(1)
    assert w.good(EC + "get_groupmsg_task", {"msgid": msgid})["task_list"] == [{"userid": "zhang.san", "status": 0}]
    assert set(results(w, msgid).values()) == {0}
    w.act("confirm_mass", userid="zhang.san", msgid=msgid)
    task = w.good(EC + "get_groupmsg_task", {"msgid": msgid})["task_list"][0]
    assert (task["status"], task["send_time"] > 0) == (2, True)
    assert set(results(w, msgid).values()) == {1}
    one = w.customer("林小满")
    assert w.look("chat", userid="zhang.san", external_userid=one)["messages"][-1]["body"] == HELLO["text"]
    again = w.http.post("/sandbox/api/confirm_mass", json={"userid": "zhang.san", "msgid": msgid})
    assert again.status_code == 409


def test_whom_a_mass_message_goes_to(w):
    both, gone = w.customer("林小满"), w.customer("风来了")
    w.act("staff_message", userid="LiNa", external_userid=both, content="在的")
    created = mass(w, sender="", external_userid=[both, "wmNobody"])
    assert created["fail_list"] == ["wmNobody"]
    tasks = w.good(EC + "get_groupmsg_task", {"msgid": created["msgid"]})["task_list"]
    assert [t["userid"] for t in tasks] == ["LiNa"], "whoever talked with them last"
    left = mass(w, sender="LiNa", external_userid=[gone])["msgid"]
    w.act("confirm_mass", userid="LiNa", msgid=left)
    assert results(w, left, "LiNa") == {gone: 2}
    tags = {t["name"]: t["id"] for g in w.look("tags")["tag_groups"] for t in g["tags"]}
    lists = [{"tag_list": [tags["高意向"], tags["中意向"]]}, {"tag_list": [tags["三居室"]]}]
    chosen = mass(w, sender="zhang.san", tag_filter={"group_list": lists})["msgid"]
    assert list(results(w, chosen)) == [both]


def test_the_reception_quota_ends_as_status_3(w):
    w.option(mass_quota_days=1)
    one = w.customer("半糖")
    for expected in (1, 3):
        msgid = mass(w, external_userid=[one])["msgid"]
        w.act("confirm_mass", userid="zhang.san", msgid=msgid)
        assert results(w, msgid) == {one: expected}
    w.jump(86_400)
    w._tokens.clear()
    msgid = mass(w, external_userid=[one])["msgid"]
    w.act("confirm_mass", userid="zhang.san", msgid=msgid)
    assert results(w, msgid) == {one: 1}


def test_group_messages_cancelling_and_reminding(w):
    body = {"chat_type": "group", "sender": "zhang.san", **HELLO}
    msgid = w.good(EC + "add_msg_template", body)["msgid"]
    w.jump(1)
    for expected in (0, 0, 0, 41094):
        assert w.code(EC + "remind_groupmsg_send", {"msgid": msgid}) == expected
    w.act("confirm_mass", userid="zhang.san", msgid=msgid)
    chat = next(iter(results(w, msgid)))
    assert chat.startswith("wr")
    group = next(g for g in w.look("groups")["groups"] if g["chat_id"] == chat)
    assert group["messages"][-1]["via"] == "mass"
    stopped = mass(w)["msgid"]
    assert w.code(EC + "cancel_groupmsg_send", {"msgid": stopped}) == 0
    assert w.code(EC + "cancel_groupmsg_send", {"msgid": stopped}) == 41093
    assert w.code(EC + "remind_groupmsg_send", {"msgid": stopped}) == 41093
    refused = w.http.post("/sandbox/api/confirm_mass", json={"userid": "zhang.san", "msgid": stopped})
    assert refused.status_code == 409


def test_mass_message_lists_page_and_fall_back_to_the_default(w):
    for _ in range(3):
        mass(w)
    w.act("console_mass", lines=[{"msgtype": "text", "text": {"content": "后台发的"}}], userids=["LiNa"])
    now = w.server.world.clock.stamp()
    span = {"chat_type": "single", "start_time": now - 600, "end_time": now + 600}
    first = w.good(EC + "get_groupmsg_list_v2", span | {"limit": 2})
    rest = w.good(EC + "get_groupmsg_list_v2", span | {"limit": 2, "cursor": first["next_cursor"]})
    rows = first["group_msg_list"] + rest["group_msg_list"]
    assert len({row["msgid"] for row in rows}) == 4
    assert all(isinstance(row["create_time"], str) and "creator" not in row for row in rows)
    assert w.code(EC + "get_groupmsg_list_v2", span | {"filter_type": 1, "cursor": first["next_cursor"]}) == 50100
    assert len(w.good(EC + "get_groupmsg_list_v2", span | {"limit": 101})["group_msg_list"]) == 4
    assert w.code(EC + "get_groupmsg_list_v2", span | {"start_time": now - 40 * 86400}) == 40058
    assert w.good(EC + "get_groupmsg_list_v2", span | {"filter_type": 1})["group_msg_list"] == []


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, 40058),
        ({"sender": "zhang.san"}, 40058),
        ({"sender": "nobody", **HELLO}, 60111),
        ({"chat_type": "group", **HELLO}, 40058),
        ({"chat_type": "group", "sender": "zhang.san", "chat_id_list": ["wrNo"], **HELLO}, 40050),
        ({"sender": "he.yue", **HELLO}, 41048),
        ({"external_userid": ["wm"] * 10_001, **HELLO}, 40032),
        ({"sender": "zhang.san", "text": {"content": "汉" * 1334}}, 40058),
        ({"sender": "zhang.san", "attachments": [{"msgtype": "link", "link": {"title": "t", "url": "u"}}] * 10}, 41064),
        ({"sender": "zhang.san", "attachments": [{"msgtype": "voice", "voice": {}}]}, 41065),
        ({"sender": "zhang.san", "attachments": [{"msgtype": "image", "image": {"media_id": "3no"}}]}, 40007),
    ],
)
def test_mass_message_refusals(w, body, code):
    assert w.code(EC + "add_msg_template", body) == code
    assert w.code(EC + "get_groupmsg_task", {}) == 41046
    assert w.code(EC + "get_groupmsg_task", {"msgid": "msgNo"}) == 41047


def picture(width=8, height=8):
    out = io.BytesIO()
    Image.new("RGB", (width, height), (200, 40, 40)).save(out, "PNG")
    return out.getvalue()


def attach(w: Driver, content=None, media_type="image", scene=1):
    query = {"access_token": w.token(), "media_type": media_type, "attachment_type": scene}
    files = {"media": ("a.png", picture() if content is None else content)}
    return w.http.post("/cgi-bin/media/upload_attachment", params=query, files=files).json()


def test_upload_attachment(w):
    made = attach(w)
    assert (made["errcode"], isinstance(made["created_at"], int)) == (0, True)
    assert attach(w, scene=3)["errcode"] == 41072
    assert attach(w, media_type="voice")["errcode"] == 40004
    assert attach(w, content=b"no picture at all")["errcode"] == 40123
    assert attach(w, content=picture(1248, 1248))["errcode"] == 41081
    assert attach(w, content=b"0000notvideo", media_type="video")["errcode"] == 41090
    assert attach(w, content=b"")["errcode"] == 44001


def moment(w: Driver, **more):
    jobid = w.good(EC + "add_moment_task", HELLO | more)["jobid"]
    w.jump(2)
    return w.good(EC + "get_moment_task_result", jobid=jobid)["result"]


def test_a_moment_is_a_job_then_a_task_then_seen_liked_and_commented(w):
    image = {"msgtype": "image", "image": {"media_id": attach(w)["media_id"]}}
    senders = {"sender_list": {"user_list": ["zhang.san", "ghost"]}}
    jobid = w.good(EC + "add_moment_task", HELLO | {"attachments": [image], "visible_range": senders})["jobid"]
    seen = []
    for _ in range(3):
        seen.append(w.good(EC + "get_moment_task_result", jobid=jobid)["status"])
        w.jump(1)
    assert seen == [1, 2, 3]
    result = w.good(EC + "get_moment_task_result", jobid=jobid)["result"]
    one = {"moment_id": result["moment_id"]}
    assert result["invalid_sender_list"]["user_list"] == ["ghost"]
    rows = w.good(EC + "get_moment_task", one)["task_list"]
    assert rows == [{"userid": "zhang.san", "publish_status": 0}]
    theirs = one | {"userid": "zhang.san"}
    assert w.code(EC + "get_moment_customer_list", theirs) == 41062
    assert w.code(EC + "get_moment_comments", one | {"userid": "LiNa"}) == 41061
    w.act("publish_moment", **theirs)
    customer = w.customer("半糖")
    w.act("like_moment", customer=customer, **theirs)
    w.act("comment_moment", customer=customer, content="真好看", **theirs)
    told = w.good(EC + "get_moment_comments", theirs)
    assert [r["external_userid"] for r in told["like_list"] + told["comment_list"]] == [customer] * 2
    assert w.look("phone", customer=customer)["feed"][0]["liked"] is True
    w.act("delete_staff_by_customer", userid="zhang.san", external_userid=customer)
    chosen = [r["external_userid"] for r in w.good(EC + "get_moment_customer_list", theirs)["customer_list"]]
    reached = [r["external_userid"] for r in w.good(EC + "get_moment_send_result", theirs)["customer_list"]]
    assert set(chosen) - set(reached) == {customer}
    assert w.look("phone", customer=customer)["feed"] == []


def test_moment_lists_tags_and_cancelling(w):
    tags = {t["name"]: t["id"] for g in w.look("tags")["tag_groups"] for t in g["tags"]}
    scope = {"external_contact_list": {"tag_list": [tags["别墅"], "etNo"]}}
    result = moment(w, visible_range=scope)
    assert result["invalid_external_contact_list"]["tag_list"] == ["etNo"]
    theirs = {"moment_id": result["moment_id"], "userid": "ChenJing"}
    w.act("publish_moment", **theirs)
    assert len(w.good(EC + "get_moment_customer_list", theirs)["customer_list"]) == 2
    w.act("post_moment", userid="LiNa", text={"content": "我自己的"})
    now = w.server.world.clock.stamp()
    span = {"start_time": now - 600, "end_time": now + 600}
    rows = w.good(EC + "get_moment_list", span)["moment_list"]
    assert [(r["create_type"], r["visible_type"], r.get("creator")) for r in rows] == [(0, 0, None), (1, 1, "LiNa")]
    assert w.code(EC + "get_moment_list", span | {"end_time": now + 40 * 86400}) == 40058
    assert w.code(EC + "get_moment_task", {"moment_id": rows[1]["moment_id"]}) == 41067
    assert w.code(EC + "cancel_moment_task", {"moment_id": result["moment_id"]}) == 0
    refused = w.http.post("/sandbox/api/publish_moment", json=theirs | {"userid": "zhang.san"})
    assert refused.status_code == 409


def test_moment_refusals(w):
    plain = w.upload()["media_id"]
    link = {"msgtype": "link", "link": {"title": "t", "url": "https://x.example/", "media_id": attach(w)["media_id"]}}
    image = {"msgtype": "image", "image": {"media_id": attach(w)["media_id"]}}
    assert w.code(EC + "add_moment_task", {}) == 41089
    wrong = {"attachments": [{"msgtype": "image", "image": {"media_id": plain}}]}
    assert w.code(EC + "add_moment_task", wrong) == 41072
    assert w.code(EC + "add_moment_task", {"attachments": [link, image]}) == 41064
    assert w.code(EC + "add_moment_task", {"attachments": [image] * 10}) == 41064
    assert w.code(EC + "add_moment_task", {"attachments": [{"msgtype": "file", "file": {}}]}) == 41065
    assert w.code(EC + "add_moment_task", {"text": {"content": "x" * 2001}}) == 40058
    assert w.code(EC + "get_moment_task_result", jobid="job_no") == 40088
    assert w.code(EC + "get_moment_task", {}) == 41059
    assert w.code(EC + "get_moment_task", {"moment_id": "momNo"}) == 41060
    jobid = w.good(EC + "add_moment_task", HELLO)["jobid"]
    waiting = next(reversed(w.server.world.corps[w.corp].moments))
    assert w.code(EC + "get_moment_task", {"moment_id": waiting}) == 41079
    w.option(moment_jobs_at_once=1)
    assert w.code(EC + "add_moment_task", HELLO) == 41078
    w.jump(86_401)
    w._tokens.clear()
    assert w.code(EC + "get_moment_task_result", jobid=jobid) == 40089


def test_group_welcomes(w):
    base = EC + "group_welcome_template/"
    body = {"text": {"content": "欢迎 %NICKNAME%"}, "image": {"media_id": w.upload()["media_id"]}}
    template = w.good(base + "add", body)["template_id"]
    assert w.good(base + "get", {"template_id": template})["image"]["pic_url"].startswith("http")
    group = w.look("groups")["groups"][0]["chat_id"]
    w.act("change_group", chat_id=group, welcome=template)
    w.act("join_group", chat_id=group, name="新邻居")
    lines = w.look("groups")["groups"][0]["messages"]
    assert [m["body"].get("content") for m in lines] == ["新邻居 加入了群聊", "欢迎 新邻居", None]
    assert w.code(base + "edit", {"template_id": template, "text": {"content": "x" * 3001}}) == 40058
    assert w.code(base + "edit", {"template_id": template, "text": {"content": "x" * 3000}}) == 0
    assert w.code(base + "add", {}) == 40058
    w.server.world.corps[w.corp].group_welcomes[template].agentid = 9
    assert w.code(base + "del", {"template_id": template}) == 41058
    w.option(group_welcome_limit=1)
    assert w.code(base + "add", HELLO) == 41055


def test_sensitive_word_rules(w):
    spec = {
        "rule_name": "导流", "word_list": ["加我微信"], "semantics_list": [1], "intercept_type": 2,
        "applicable_range": {"user_list": ["LiNa"], "department_list": [3]},
    }  # fmt: skip
    rule = {"rule_id": w.good(EC + "add_intercept_rule", spec)["rule_id"]}
    told = w.good(EC + "get_intercept_rule", rule)["rule"]
    assert told["extra_rule"] == {"semantics_list": [1]}
    change = {"extra_rule": {"semantics_list": [3]}, "add_applicable_range": {"user_list": ["wangwu"]},
              "remove_applicable_range": {"department_list": [3]}}  # fmt: skip
    assert w.code(EC + "update_intercept_rule", rule | change) == 0
    told = w.good(EC + "get_intercept_rule", rule)["rule"]
    assert told["applicable_range"] == {"user_list": ["LiNa", "wangwu"], "department_list": []}
    assert told["extra_rule"] == {"semantics_list": [3]}
    for wrong, code in (
        ({"rule_name": "导流"}, 41077), ({"rule_name": "x" * 21}, 40058), ({"word_list": ["x"] * 301}, 41068),
        ({"word_list": ["x" * 33]}, 41083), ({"semantics_list": [4]}, 41084), ({"applicable_range": {}}, 40058),
        ({"applicable_range": {"user_list": ["LiNa"] * 1001}}, 41076), ({"intercept_type": 3}, 40058),
    ):  # fmt: skip
        assert w.code(EC + "add_intercept_rule", spec | {"rule_name": "另一条"} | wrong) == code, wrong
    assert len(w.good(EC + "get_intercept_rule_list")["rule_list"]) == 1
    assert w.code(EC + "del_intercept_rule", rule) == 0
    assert w.code(EC + "get_intercept_rule", rule) == 41070
    w.option(intercept_rule_limit=0)
    assert w.code(EC + "add_intercept_rule", spec) == 41069


def test_statistics_count_whole_days_up_to_yesterday(w):
    w.server.world.clock.set_now(1_795_392_000)  # 2026-11-23 08:00 in China
    day = w.server.world.clock.stamp()
    one = w.scan(name="新来的")
    pair = {"userid": "zhang.san", "external_userid": one["external_userid"]}
    w.act("customer_message", content="在吗", **pair)
    w.jump(120)
    w.act("staff_message", content="在的", **pair)
    w.act("delete_staff_by_customer", **pair)
    group = next(g["chat_id"] for g in w.look("groups")["groups"] if g["owner"] == "zhang.san")
    w.act("join_group", chat_id=group, name="新邻居")
    w.act("staff_message", userid="zhang.san", chat_id=group, content="欢迎")
    ask = {"userid": ["zhang.san"], "start_time": day, "end_time": day}
    w._tokens.clear()
    assert w.code(EC + "get_user_behavior_data", ask) == 40058, "today is not counted yet"
    w.jump(86_400)
    w._tokens.clear()
    (row,) = w.good(EC + "get_user_behavior_data", ask)["behavior_data"]
    told = [row[name] for name in ("new_contact_cnt", "chat_cnt", "message_cnt", "negative_feedback_cnt")]
    assert told == [1, 1, 1, 1]
    assert (row["reply_percentage"], row["avg_reply_time"], row["stat_time"] % 86_400) == (100.0, 2, 57_600)
    quiet = w.good(EC + "get_user_behavior_data", ask | {"userid": ["LiNa"]})["behavior_data"][0]
    assert not {"reply_percentage", "avg_reply_time"} & set(quiet), "absent when nobody asked"
    assert w.code(EC + "get_user_behavior_data", ask | {"userid": []}) == 40058
    assert w.code(EC + "get_user_behavior_data", ask | {"start_time": day - 31 * 86_400}) == 40058
    span = {"day_begin_time": day, "owner_filter": {"userid_list": ["zhang.san", "wangwu"]}, "order_by": 3}
    listed = w.good(EC + "groupchat/statistic", span)
    assert (listed["total"], listed["next_offset"], listed["items"][0]["owner"]) == (2, 2, "zhang.san")
    assert listed["items"][0]["data"]["new_member_cnt"] == 1
    by_day = w.good(EC + "groupchat/statistic_group_by_day", span)["items"]
    assert [(r["data"]["msg_total"], r["data"]["chat_total"]) for r in by_day] == [(1, 2)]
    assert w.code(EC + "groupchat/statistic", span | {"limit": 1001}) == 40058


def test_a_temporary_talk_is_closed_with_its_conclusion(w):
    w.server.world.corps[w.corp].medical = True
    words = {"text": {"content": "本次咨询已结束"}}
    config = w.way(is_temp=True, state="temp1", conclusions=words)
    one = w.scan(config, name="咨询的人")
    pair = {"userid": "zhang.san", "external_userid": one["external_userid"]}
    assert w.code(EC + "close_temp_chat", pair) == 0
    assert w.look("chat", **pair)["messages"][-2]["body"] == words["text"]
    assert w.code(EC + "close_temp_chat", pair) == 84061
