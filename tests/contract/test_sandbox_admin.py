"""Faults on order, reset, options and refusals of the admin API."""

import httpx
import pytest

from tests.sandbox_driver import listening, running, told

EC = "externalcontact/"


@pytest.fixture
def w():
    with running() as driver:
        yield driver


@pytest.mark.parametrize(
    ("rule", "outcome"),
    [({"kind": "http_500"}, 500), ({"kind": "busy"}, -1), ({"kind": "errcode", "code": 45009}, 45009)],
)
def test_api_faults_that_answer(w, rule, outcome):
    w.act("faults", match="user/", times=1, **rule)
    query = {"access_token": w.token(), "userid": "LiNa"}
    answer = w.http.get("/cgi-bin/user/get", params=query)
    assert outcome in {answer.status_code, answer.json()["errcode"] if answer.status_code == 200 else None}
    assert w.code("user/get", userid="LiNa") == 0


@pytest.mark.parametrize(("kind", "delivered"), [("drop_after", 1), ("drop_before", 0)])
def test_dropped_answers(w, kind, delivered):
    added = w.scan()
    w.token()
    w.act("faults", match="externalcontact/send_welcome_msg", kind=kind, times=1)
    body = {"welcome_code": added["welcome_code"], "text": {"content": "您好"}}
    with pytest.raises(httpx.RemoteProtocolError):
        w.call(EC + "send_welcome_msg", body)
    assert w.look("welcomes")["welcomes"][0]["deliveries"] == delivered
    assert w.code(EC + "send_welcome_msg", body) == (41051 if delivered else 0)
    assert w.look("welcomes")["welcomes"][0]["deliveries"] == 1


def test_a_dropped_answer_still_lets_its_events_go(w):
    with listening(w) as door:
        path = f"/sandbox/api/corps/{w.corp}/apps"
        w.http.post(path, json={"agentid": 1000003, "name": "甲", "secret": "other-secret"})
        w.token("other-secret")
        w.act("faults", match="externalcontact/add_corp_tag", kind="drop_after")
        with pytest.raises(httpx.RemoteProtocolError):
            w.call(EC + "add_corp_tag", {"group_name": "g", "tag": [{"name": "a"}]}, secret="other-secret")
        assert len(told(door, w)) == 2


def test_rules_are_listed_and_lifted(w):
    rule = w.act("faults", match="user/", kind="busy")["rule"]
    assert [r["id"] for r in w.look("faults")["rules"]] == [rule["id"]]
    assert w.code("user/get", userid="LiNa") == -1
    assert w.http.delete(f"/sandbox/api/faults/{rule['id']}").json()["ok"]
    assert w.code("user/get", userid="LiNa") == 0
    w.act("faults", match="user/", kind="busy")
    assert w.http.delete("/sandbox/api/faults").json()["ok"]
    assert w.look("faults")["rules"] == []
    assert w.http.post("/sandbox/api/faults", json={"match": "x", "kind": "?"}).status_code == 400


def test_reset_brings_the_same_company_back(w):
    secret, corp = w.app.secret, w.corp
    w.scan()
    w.act("reset")
    assert (w.app.secret, w.corp) == (secret, corp)
    assert w.look("codes")["codes"] == []
    assert w.code("department/list") == 40014


def test_admin_refusals_have_one_form(w):
    for path, body, status in [
        ("scan", {"config_id": "no"}, 409),
        ("confirm", {"userid": "LiNa"}, 400),
        ("nonsense", {}, 409),
        ("clock", {}, 400),
    ]:
        answer = w.http.post(f"/sandbox/api/{path}", json=body)
        assert answer.status_code == status
        assert set(answer.json()) == {"ok", "error"}
        assert set(answer.json()["error"]) == {"code", "message"}
    foreign = w.http.post("/sandbox/api/reset", headers={"Origin": "http://evil.example"})
    assert foreign.status_code == 403


def test_options_over_http(w):
    assert (
        w.http.put("/sandbox/api/options", json={"welcome_ttl_seconds": 5}).json()["options"]["welcome_ttl_seconds"]
        == 5
    )
    assert w.http.put("/sandbox/api/options", json={"nope": 5}).status_code == 400
    assert w.act("settle", seconds=1)["settled"]
