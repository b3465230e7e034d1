"""Limits at n-1, n and n+1; expiry by jumps of the clock; paging by fuzz."""

import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.sandbox import Company
from tests.sandbox_driver import running

EC = "externalcontact/"
HAN = "汉"


@pytest.fixture
def w():
    with running() as driver:
        yield driver


def around(limit):
    return [(limit - 1, True), (limit, True), (limit + 1, False)]


@pytest.mark.parametrize("field", ["state", "remark"])
@pytest.mark.parametrize(("n", "good"), around(30))
def test_contact_way_texts_count_characters(w, field, n, good):
    body = {"type": 1, "scene": 2, "user": ["LiNa"], field: HAN * n}
    assert w.code(EC + "add_contact_way", body) == (0 if good else 40058)


@pytest.mark.parametrize(("field", "limit"), [("remark", 20), ("description", 150), ("remark_company", 20)])
def test_remark_limits(w, field, limit):
    pair = {"userid": "zhang.san", "external_userid": w.customer("林小满")}
    for n, good in around(limit):
        assert w.code(EC + "remark", pair | {field: HAN * n}) == (0 if good else 40058)


def test_welcome_text_counts_bytes(w):
    for n, good in around(4000):
        body = {"welcome_code": w.scan()["welcome_code"], "text": {"content": HAN * (n // 3) + "x" * (n % 3)}}
        assert w.code(EC + "send_welcome_msg", body) == (0 if good else 40058)


def test_welcome_attachments(w):
    link = {"msgtype": "link", "link": {"title": "t", "url": "https://x.example/"}}
    for n, good in around(9):
        body = {"welcome_code": w.scan()["welcome_code"], "attachments": [link] * n}
        assert w.code(EC + "send_welcome_msg", body) == (0 if good else 41064)


@pytest.mark.parametrize(("field", "limit"), [("title", 128), ("desc", 512), ("url", 2048), ("picurl", 2048)])
def test_link_fields_count_bytes(w, field, limit):
    for n, good in around(limit):
        link = {"title": "t", "url": "https://x.example/"} | {field: "x" * n}
        body = {"welcome_code": w.scan()["welcome_code"], "attachments": [{"msgtype": "link", "link": link}]}
        assert w.code(EC + "send_welcome_msg", body) == (0 if good else 40058)


def test_tag_names(w):
    for n, good in around(30):
        body = {"group_name": f"g{n}", "tag": [{"name": HAN * n}]}
        assert w.code(EC + "add_corp_tag", body) == (0 if good else 40072)


def test_list_caps(w):
    for n, good in around(100):
        assert w.code(EC + "batch/get_by_user", {"userid_list": ["LiNa"] * n}) == (0 if good else 40058)
    for n, good in around(1000):
        body = {
            "touser": "|".join(["LiNa"] * n),
            "agentid": w.app.agentid,
            "msgtype": "text",
            "text": {"content": "x"},
        }
        assert w.code("message/send", body) == (0 if good else 40058)
        assert w.code(EC + "groupchat/list", {"limit": n}) == (0 if good else 40058)
        assert w.code(EC + "list_contact_way", {"limit": n}) == (0 if good else 40058)


def test_a_hundred_people_behind_a_code():
    staff = [{"userid": f"u{n}", "name": f"员工{n}", "departments": [2 if n < 100 else 1]} for n in range(102)]
    departments = [{"id": 1, "name": "根", "parent": 0}, {"id": 2, "name": "二", "parent": 1}]
    company = Company(
        [{"name": "大店", "departments": departments, "staff": staff, "apps": [{"agentid": 7, "name": "a"}]}]
    )
    with running(company) as w:
        base = {"type": 2, "scene": 2, "party": [2]}
        assert w.code(EC + "add_contact_way", base) == 0
        assert w.code(EC + "add_contact_way", base | {"user": ["u100"]}) == 41041
        assert w.code(EC + "add_contact_way", {"type": 2, "scene": 2, "user": [f"u{n}" for n in range(100)]}) == 0


def test_type_mismatch_is_acted_on_and_warned(w):
    answer = w.good(EC + "add_contact_way", {"type": "1", "scene": 2, "user": ["LiNa"], "skip_verify": 0})
    assert "Warning: wrong json format." in answer["errmsg"]
    assert w.good(EC + "get_contact_way", {"config_id": answer["config_id"]})["contact_way"]["skip_verify"] is False


# expiry
def test_tokens_expire_after_7200_seconds(w):
    first = w.token()
    w.jump(7190)
    assert w.code("department/list") == 0
    w.jump(11)
    assert w.code("department/list") == 42001
    w._tokens.clear()
    assert w.token() != first
    assert w.code("department/list") == 0


def test_the_same_token_within_its_life(w):
    query = {"corpid": w.corp, "corpsecret": w.app.secret}
    first = w.http.get("/cgi-bin/gettoken", params=query).json()
    assert first["expires_in"] == 7200
    w.jump(100)
    second = w.http.get("/cgi-bin/gettoken", params=query).json()
    assert second["access_token"] == first["access_token"]
    assert 7095 <= second["expires_in"] <= 7100


def test_welcome_code_lives_20_seconds(w):
    early, late = w.scan()["welcome_code"], w.scan()["welcome_code"]
    w.jump(19)
    assert w.code(EC + "send_welcome_msg", {"welcome_code": early, "text": {"content": "x"}}) == 0
    w.jump(2)
    assert w.code(EC + "send_welcome_msg", {"welcome_code": late, "text": {"content": "x"}}) == 41050


def test_media_lives_three_days(w):
    media = w.upload()
    assert isinstance(media["created_at"], str)
    w.jump(3 * 86400 - 60)
    w._tokens.clear()
    assert (
        w.http.get("/cgi-bin/media/get", params={"access_token": w.token(), "media_id": media["media_id"]}).content[:4]
        == b"\x89PNG"
    )
    w.jump(61)
    assert w.code("media/get", media_id=media["media_id"]) == 40007


def test_tickets_expire(w):
    first = w.good("get_jsapi_ticket")["ticket"]
    assert w.good("get_jsapi_ticket")["ticket"] == first
    assert w.good("ticket/get", type="agent_config")["ticket"] != first
    w.jump(7201)
    w._tokens.clear()
    assert w.good("get_jsapi_ticket")["ticket"] != first


def test_one_greeting_while_another_is_being_sent(w):
    w.option(welcome_send_real_seconds=0.4)
    body = {"welcome_code": w.scan()["welcome_code"], "text": {"content": "x"}}
    codes = []
    first = threading.Thread(target=lambda: codes.append(w.code(EC + "send_welcome_msg", body)))
    w.token()
    first.start()
    while w.look("welcomes")["welcomes"][0]["state"] != "sending":
        pass
    codes.append(w.code(EC + "send_welcome_msg", body))
    first.join()
    assert codes == [41096, 0]
    assert w.look("welcomes")["welcomes"][0]["deliveries"] == 1


def test_too_many_at_once(w):
    w.option(concurrent_calls_of={"externalcontact/mark_tag": 2})
    w.act("faults", match="externalcontact/mark_tag", kind="latency", ms=300)
    w.token()
    codes = []
    threads = [threading.Thread(target=lambda: codes.append(w.code(EC + "mark_tag", {}))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) == [40003, 40003, 45033, 45033]


# paging
@pytest.fixture(scope="module")
def crowd():
    company = Company.builtin()
    company.corps[0]["customers"] += [{"name": f"客{n}", "follows": [{"userid": "wangwu"}]} for n in range(230)]
    with running(company) as driver:
        for n in range(23):
            driver.way(state=f"s{n}")
        yield driver


def pages(w, path, body, rows):
    found, cursor = [], ""
    for _ in range(400):
        answer = w.good(path, body | ({"cursor": cursor} if cursor else {}))
        found += answer[rows]
        cursor = answer.get("next_cursor", "")
        if not cursor:
            return found
    raise AssertionError("no end")


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(limit=st.integers(1, 120), short=st.booleans())
def test_pages_join_to_the_whole(crowd, limit, short):
    crowd.option(short_pages=short)
    rows = pages(
        crowd,
        EC + "batch/get_by_user",
        {"userid_list": ["wangwu", "LiNa"], "limit": max(limit, 9)},
        "external_contact_list",
    )
    pairs = [(r["external_contact"]["external_userid"], r["follow_info"]["userid"]) for r in rows]
    assert len(pairs) == len(set(pairs)) == 236
    assert len(pages(crowd, EC + "list_contact_way", {"limit": limit}, "contact_way")) == 23
    assert len(pages(crowd, EC + "groupchat/list", {"limit": limit}, "group_chat_list")) == 2


def test_a_full_last_page_is_followed_by_an_empty_one(crowd):
    crowd.option(short_pages=False)
    first = crowd.good(EC + "list_contact_way", {"limit": 23})
    assert len(first["contact_way"]) == 23
    last = crowd.good(EC + "list_contact_way", {"limit": 23, "cursor": first["next_cursor"]})
    assert last["contact_way"] == []
    assert "next_cursor" not in last


def test_over_the_cap_counts_as_the_cap(crowd):
    crowd.option(short_pages=False)
    body = {"userid_list": ["wangwu"], "limit": 5000}
    assert len(crowd.good(EC + "batch/get_by_user", body)["external_contact_list"]) == 100
    assert len(crowd.good(EC + "batch/get_by_user", {"userid_list": ["wangwu"]})["external_contact_list"]) == 50


def test_a_cursor_belongs_to_its_question(crowd):
    cursor = crowd.good(EC + "batch/get_by_user", {"userid_list": ["wangwu"]})["next_cursor"]
    good = {"userid_list": ["wangwu"], "cursor": cursor}
    assert crowd.code(EC + "batch/get_by_user", good) == 0
    assert crowd.code(EC + "batch/get_by_user", good | {"userid_list": ["LiNa"]}) == 50100
    assert crowd.code(EC + "groupchat/list", {"limit": 5, "cursor": cursor}) == 50100
    assert crowd.code(EC + "batch/get_by_user", good | {"cursor": "rubbish"}) == 50100
    assert crowd.code(EC + "batch/get_by_user", good | {"cursor": cursor[:-4] + "AAAA"}) == 50100


def test_five_hundred_followers_a_page():
    staff = [{"userid": f"u{n}", "name": "x", "departments": [1]} for n in range(501)]
    follows = [{"userid": f"u{n}"} for n in range(501)]
    company = Company(
        [
            {
                "name": "大",
                "staff": staff,
                "apps": [{"agentid": 7, "name": "a"}],
                "customers": [{"name": "红人", "follows": follows}],
            }
        ]
    )
    with running(company) as w:
        star = w.customer("红人")
        first = w.good(EC + "get", external_userid=star)
        assert len(first["follow_user"]) == 500
        rest = w.good(EC + "get", external_userid=star, cursor=first["next_cursor"])
        assert len(rest["follow_user"]) == 1
        assert "next_cursor" not in rest
