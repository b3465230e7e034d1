"""Customers and groups that change hands, acquisition links, and codes that lead into groups."""

import pytest

from tests.sandbox_driver import Driver, listening, running, told

EC = "externalcontact/"
CA = EC + "customer_acquisition/"
DAY = 86_400


@pytest.fixture
def w():
    with running() as driver:
        yield driver


def transfer(w: Driver, *names, **more):
    body = {
        "handover_userid": "zhang.san",
        "takeover_userid": "LiNa",
        "external_userid": [w.customer(n) for n in names],
    }
    return body | more


def jump(w: Driver, seconds):
    w.jump(seconds)
    w._tokens.clear()


def test_a_transfer_waits_a_day_and_then_tells_both_sides(w):
    with listening(w) as receiver:
        body = transfer(w, "半糖", "林小满")
        rows = w.good(EC + "transfer_customer", body)["customer"]
        assert [r["errcode"] for r in rows] == [0, 0]
        ask = {name: body[name] for name in ("handover_userid", "takeover_userid")}
        waiting = w.good(EC + "transfer_result", ask)["customer"]
        now = w.server.world.clock.stamp()
        assert [(r["status"], r["takeover_time"] > now) for r in waiting] == [(2, True)] * 2
        assert [r["errcode"] for r in w.good(EC + "transfer_customer", body)["customer"]] == [40129, 40129]
        jump(w, DAY + 1)
        assert [r["status"] for r in w.good(EC + "transfer_result", ask)["customer"]] == [1, 1]
        events = [(e["ChangeType"], e["UserID"], e.get("Source", "")) for e in told(receiver, w)]
    assert sorted(events) == [
        ("add_external_contact", "LiNa", ""),
        ("del_external_contact", "zhang.san", "DELETE_BY_TRANSFER"),
        ("del_external_contact", "zhang.san", "DELETE_BY_TRANSFER"),
    ], "no add event for the one who was LiNa's friend already"
    follow = w.good(EC + "get", external_userid=w.customer("半糖"))["follow_user"][0]
    assert (follow["userid"], follow["remark"], follow["add_way"]) == ("LiNa", "何小姐", 202)


def test_a_customer_may_refuse_and_may_not_be_moved_too_often(w):
    one = w.customer("半糖")
    ask = {"handover_userid": "zhang.san", "takeover_userid": "LiNa"}
    with listening(w) as receiver:
        for _ in range(2):
            w.good(EC + "transfer_customer", transfer(w, "半糖"))
            w.act("refuse_transfer", external_userid=one)
        reasons = [(e["ChangeType"], e["FailReason"], e["UserID"]) for e in told(receiver, w)]
    assert reasons == [("transfer_fail", "customer_refused", "LiNa")] * 2
    assert {r["status"] for r in w.good(EC + "transfer_result", ask)["customer"]} == {3}
    assert w.good(EC + "transfer_customer", transfer(w, "半糖"))["customer"][0]["errcode"] == 40128
    w.option(customer_cap=1)
    w.good(EC + "transfer_customer", transfer(w, "老陈说装修"))
    jump(w, DAY)
    assert 4 in {r["status"] for r in w.good(EC + "transfer_result", ask)["customer"]}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"takeover_userid": "zhang.san"}, 40130),
        ({"takeover_userid": "maliang"}, 41054),
        ({"takeover_userid": "sun_hao"}, 84074),
        ({"handover_userid": "nobody"}, 60111),
        ({"external_userid": []}, 41035),
        ({"external_userid": ["wm"] * 101}, 40032),
        ({"transfer_success_msg": "汉" * 201}, 40058),
    ],
)
def test_transfer_refusals(w, change, code):
    assert w.code(EC + "transfer_customer", transfer(w, "半糖") | change) == code


def test_transfer_refusals_by_customer(w):
    rows = w.good(EC + "transfer_customer", transfer(w, "晨曦") | {"external_userid": [w.customer("晨曦"), "wmNo"]})
    assert [r["errcode"] for r in rows["customer"]] == [40131, 40096]


def test_somebody_left_and_their_customers_and_groups_find_a_new_member(w):
    body = transfer(w, "半糖", "丁琳")
    assert w.code(EC + "resigned/transfer_customer", body) == 40097
    group = next(g["chat_id"] for g in w.look("groups")["groups"] if g["owner"] == "zhang.san")
    move = {"chat_id_list": [group, "wrNo"], "new_owner": "LiNa"}
    failed = w.good(EC + "groupchat/transfer", move)["failed_chat_list"]
    assert [f["errcode"] for f in failed] == [90500, 90501]
    w.act("change_staff", userid="zhang.san", status=5)
    info = w.good(EC + "get_unassigned_list", {"page_size": 3})
    assert (len(info["info"]), info["is_last"]) == (3, False)
    rest = w.good(EC + "get_unassigned_list", {"page_size": 3, "cursor": info["next_cursor"]})
    assert (len(rest["info"]), rest["is_last"]) == (1, True)
    assert len(w.good(EC + "get_unassigned_list", {"page_id": 1, "page_size": 3})["info"]) == 1
    rows = w.good(EC + "resigned/transfer_customer", body | {"external_userid": [*body["external_userid"], "wmNo"]})
    assert [r["errcode"] for r in rows["customer"]] == [0, 0, 40096]
    jump(w, DAY)
    ask = {"handover_userid": "zhang.san", "takeover_userid": "LiNa"}
    assert {r["status"] for r in w.good(EC + "resigned/transfer_result", ask)["customer"]} == {1}
    assert len(w.good(EC + "get_unassigned_list", {})["info"]) == 2
    listed = w.good(EC + "groupchat/list", {"limit": 10, "status_filter": 1})["group_chat_list"]
    assert listed == [{"chat_id": group, "status": 1}]
    assert w.good(EC + "groupchat/transfer", move | {"chat_id_list": [group]})["failed_chat_list"] == []
    moved = w.good(EC + "groupchat/get", {"chat_id": group})["group_chat"]
    assert moved["owner"] == "LiNa"


def test_on_job_group_moves_tell_the_new_owner_and_are_limited(w):
    group = next(g["chat_id"] for g in w.look("groups")["groups"] if g["owner"] == "zhang.san")
    other = w.server.world.corps[w.corp].apps[w.app.agentid]
    assert other is w.app
    for owner in ("LiNa", "zhang.san"):
        body = {"chat_id_list": [group], "new_owner": owner}
        assert w.good(EC + "groupchat/onjob_transfer", body)["failed_chat_list"] == []
    failed = w.good(EC + "groupchat/onjob_transfer", {"chat_id_list": [group], "new_owner": "LiNa"})
    assert failed["failed_chat_list"][0]["errcode"] == 90508
    same = w.good(EC + "groupchat/onjob_transfer", {"chat_id_list": [group], "new_owner": "zhang.san"})
    assert same["failed_chat_list"][0]["errcode"] == 90504
    with listening(w) as receiver:
        w.act("change_group", chat_id=group, owner="LiNa")
        assert told(receiver, w)[0]["UpdateDetail"] == "change_owner"


def link(w: Driver, **more):
    body = {"link_name": "抖音春季", "range": {"user_list": ["zhang.san", "LiNa"]}} | more
    return w.good(CA + "create_link", body)["link"]


def test_an_acquisition_link_from_click_to_tenth_message(w):
    made = link(w)
    assert made["link_id"].startswith("ca")
    assert made["url"].endswith(f"/ca/{made['link_id']}")
    with listening(w) as receiver:
        came = w.act("open_link", link_id=made["link_id"], name="小周", customer_channel="ad_douyin_03")
        for number in range(3):
            w.act(
                "customer_message", userid=came["userid"], external_userid=came["external_userid"], content=f"{number}"
            )
        events = told(receiver, w)
    kinds = sorted(e["ChangeType"] for e in events)
    assert kinds == ["add_external_contact", "customer_start_chat", "friend_request", "message_from_customer"]
    added = next(e for e in events if e["ChangeType"] == "add_external_contact")
    assert (added["State"], added["LinkId"]) == ("ad_douyin_03", made["link_id"])
    key = next(e["ChatKey"] for e in events if e["ChangeType"] == "message_from_customer")
    info = w.good(CA + "get_chat_info", {"chat_key": key})
    assert info["chat_info"] == {"recv_msg_cnt": 3, "link_id": made["link_id"], "state": "ad_douyin_03"}
    row = w.good(CA + "customer", {"link_id": made["link_id"]})["customer_list"][0]
    assert (row["chat_status"], row["state"]) == (1, "ad_douyin_03")
    now = w.server.world.clock.stamp()
    counted = w.good(CA + "statistic", {"link_id": made["link_id"], "start_time": now, "end_time": now})
    assert (counted["click_link_customer_cnt"], counted["new_customer_cnt"]) == (1, 1)
    assert w.good(EC + "customer_acquisition_quota")["total"] == 1
    follow = w.good(EC + "get", external_userid=came["external_userid"])["follow_user"][0]
    assert (follow["add_way"], follow["state"]) == (16, "ad_douyin_03")
    jump(w, 1801)
    assert w.code(CA + "get_chat_info", {"chat_key": key}) == 40058


def test_the_links_quota_runs_out_and_comes_back(w):
    made = link(w)
    w.act("link_balance", balance=20)
    with listening(w) as receiver:
        w.act("open_link", link_id=made["link_id"], name="甲")
        w.act("link_balance", balance=0)
        refused = w.http.post("/sandbox/api/open_link", json={"link_id": made["link_id"], "name": "乙"})
        w.act("link_balance", balance=5)
        kinds = {e["ChangeType"] for e in told(receiver, w)}
    assert refused.status_code == 409
    assert kinds == {"add_external_contact", "balance_low", "balance_exhausted", "balance_increased"}


def test_links_are_read_changed_and_listed(w):
    made = link(w, priority_option={"priority_type": 1})
    ask = {"link_id": made["link_id"]}
    assert w.code(CA + "update_link", ask | {"link_name": "改名", "range": {"department_list": [4]}}) == 0
    read = w.good(CA + "get", ask)
    assert (read["link"]["link_name"], read["range"]["department_list"]) == ("改名", [4])
    assert read["priority_option"] == {"priority_type": 1}
    assert w.good(CA + "list_link", {"limit": 100})["link_id_list"] == [made["link_id"]]
    assert w.code(CA + "list_link", {"limit": 101}) == 40058
    assert w.code(CA + "delete_link", ask) == 0
    assert w.code(CA + "get", ask) == 40058
    for wrong, code in (
        ({"link_name": ""}, 40058), ({"range": {}}, 40058), ({"range": {"user_list": ["ghost"]}}, 60111),
        ({"range": {"user_list": ["maliang"]}}, 41054), ({"range": {"department_list": [99]}}, 60003),
    ):  # fmt: skip
        body = {"link_name": "x", "range": {"user_list": ["LiNa"]}} | wrong
        assert w.code(CA + "create_link", body) == code, wrong
    w.option(acquisition_range=1)
    assert w.code(CA + "create_link", {"link_name": "x", "range": {"user_list": ["LiNa", "wangwu"]}}) == 40058
    w.option(acquisition_link_limit=0)
    assert w.code(CA + "create_link", {"link_name": "x", "range": {"user_list": ["LiNa"]}}) == 41095


def test_join_ways_are_overwritten_and_deleted(w):
    groups = [g["chat_id"] for g in w.look("groups")["groups"]]
    spec = {"scene": 2, "chat_id_list": groups[:1], "remark": "门店", "state": "shopA", "auto_create_room": 0}
    ask = {"config_id": w.good(EC + "groupchat/add_join_way", spec)["config_id"]}
    change = {"scene": 2, "chat_id_list": groups}
    assert w.code(EC + "groupchat/update_join_way", ask | change) == 0
    read = w.good(EC + "groupchat/get_join_way", ask)["join_way"]
    assert (read["chat_id_list"], read["remark"], read["auto_create_room"]) == (groups, "", 1)
    assert w.code(EC + "groupchat/update_join_way", ask) == 40058
    assert w.code(EC + "groupchat/update_join_way", ask | change | {"chat_id_list": groups * 3}) == 41091
    assert w.code(EC + "groupchat/del_join_way", ask) == 0
    assert w.code(EC + "groupchat/get_join_way", ask) == 41044
    assert w.http.post("/sandbox/api/scan", json=ask).status_code == 409
