"""Every route: who may come in, and in which form it says no."""

from datetime import timedelta

import pytest

from crm_core import customers, reminders
from crm_core.errors import NotFound
from sidebar.access import access_customer
from sidebar.auth import StaffSession
from sidebar.web import OPEN_VIEWS
from tests.sidebar_house import CHEN, CLIENT_AGENT, CORP, FAR, FOREIGN, LI, OTHER_CORP, OWNERS, WANG, ZHANG

KEY = "0" * 32
SAFE = {"GET"}
ACTS = {"settle_reminder": "done", "decide_same": "merge", "settle_group_note": "delete", "switch_script": "delete"}
FORMS = {
    "/follow-up": {"key": KEY, "stage": "won", "text": "聊过"},
    "/reminder": {"key": KEY, "when": "2027-01-01T10:00"},
    "/personal-tags/add": {"name": "爱喝茶"},
    "/same/merge": {"other": CHEN},
    "/fields": {},
    "/tags/add": {"name": "重点"},
    "/draft": {"asked": 1},
    "/notes": {"key": KEY, "text": "记一笔"},
}


def walk(house):
    """Every route of the sidebar with one method each, filled with plausible values."""
    for rule in house.app.url_map.iter_rules():
        if rule.endpoint.startswith("sidebar."):
            for method in sorted(rule.methods & {"GET", "POST", "PUT", "PATCH", "DELETE"}):
                values = {"app_key": "main", "external_userid": WANG, "todo_id": 1, "rest": "api/x"}
                values |= {"digest": "0" * 16, "name": "tokens.css", "chat_id": OWNERS}
                values |= {
                    "reminder_id": 1,
                    "material_id": 1,
                    "script_id": 1,
                    "page_name": "customer",
                    "field_id": 1,
                    "merge_id": 1,
                    "note_id": 1,
                    "hint_id": 1,
                }
                values |= {"which": "groups", "act": ACTS.get(rule.endpoint.removeprefix("sidebar."), "add")}
                url = rule.rule
                for name in rule.arguments:
                    url = url.replace(f"<int:{name}>", str(values[name])).replace(f"<path:{name}>", str(values[name]))
                    url = url.replace(f"<{name}>", str(values[name]))
                yield rule.endpoint.removeprefix("sidebar."), method, url


def test_nothing_opens_without_sign_in(house):
    seen = 0
    for view, method, url in walk(house):
        client = house.client()
        answer = client.open(url, method=method, headers={"User-Agent": CLIENT_AGENT})
        if view in OPEN_VIEWS:
            assert answer.status_code in {200, 302, 401, 404}, url
            assert "王女士" not in answer.get_data(as_text=True)
            continue
        assert answer.status_code == 401, f"{method} {url}"
        if url.startswith("/sidebar/api/"):
            error = answer.get_json()["error"]
            assert (answer.get_json()["ok"], error["code"]) == (False, "not_authenticated")
            assert error["request_id"] == answer.headers["X-Request-Id"]
        else:
            assert "登录已过期" in answer.get_data(as_text=True)
        seen += 1
    assert seen >= 20


def test_every_write_needs_the_token(house):
    client = house.signed_in()
    for _, method, url in walk(house):
        if method not in SAFE:
            answer = client.open(url, method=method)
            assert answer.status_code == 400, f"{method} {url}"
            if url.startswith("/sidebar/api/"):
                assert answer.get_json()["error"]["field"] == "csrf_token"


@pytest.mark.parametrize("external_user", [FAR, "wm_nobody", "x" * 300, "../etc", "' OR 1=1"])
def test_a_customer_that_is_not_mine_looks_like_none(house, external_user):
    client = house.signed_in()
    token = house.csrf(client)
    for view, method, url in walk(house):
        if "/customers/" not in url or view == "nowhere":
            continue
        target = url.replace(str(WANG), external_user)
        form = next((form for end, form in FORMS.items() if target.endswith(end)), {"key": KEY})
        answer = client.open(target, method=method, headers=token, data=form)
        assert answer.status_code == 404, f"{method} {target}"
    send = client.post("/sidebar/api/sends", headers=token, json={"key": KEY, "external_userid": external_user})
    assert send.status_code in {400, 404}
    assert client.get("/sidebar/main/", query_string={"external_userid": external_user}).status_code == 404


@pytest.mark.parametrize("chat", [FOREIGN, "wr_nobody", "x" * 300, "' OR 1=1"])
def test_a_group_i_am_not_in_looks_like_none(house, chat):
    client = house.signed_in()
    token = house.csrf(client)
    for _, method, url in walk(house):
        if "/groups/" not in url:
            continue
        target = f"/sidebar/groups/{chat}" + url.split(OWNERS)[1]
        form = next((form for end, form in FORMS.items() if target.endswith(end)), {"key": KEY})
        answer = client.open(target, method=method, headers=token, data=form)
        assert answer.status_code == 404, f"{method} {target}"
    send = client.post("/sidebar/api/sends", headers=token, json={"key": KEY, "chat_id": chat, "script_id": 1})
    assert send.status_code in {400, 404}
    assert client.get("/sidebar/main/", query_string={"chat_id": chat}).status_code == 404


def test_somebody_elses_reminder_looks_like_none(house):
    with house.db.unit() as uow:
        reminder = reminders.remind(
            uow, corp=CORP, app="main", staff=LI, external_user=WANG, due_at=house.clock.now() + timedelta(days=1),
            note="李四的", key=KEY,
        )  # fmt: skip
        uow.commit()
    client = house.signed_in()
    token = house.csrf(client)
    for act in ("done", "delete", "restore", "nonsense"):
        assert client.post(f"/sidebar/reminders/{reminder}/{act}", headers=token).status_code == 404
    form = {"key": KEY, "when": "2027-01-01T10:00"}
    assert client.post(f"/sidebar/reminders/{reminder}/postpone", headers=token, data=form).status_code == 404
    assert client.get(f"/sidebar/reminders/{reminder}/postpone").status_code == 404
    assert "李四的" not in client.get("/sidebar/reminders").get_data(as_text=True)


def test_another_corps_customer_is_not_reached_through_the_same_userid(house):
    with house.db.reading() as session:
        theirs = StaffSession(corp=OTHER_CORP, app="other", staff=ZHANG)
        assert access_customer(session, theirs, FAR) == FAR
        for who, user in ((theirs, WANG), (StaffSession(corp=CORP, app="main", staff=ZHANG), FAR)):
            with pytest.raises(NotFound):
                access_customer(session, who, user)


def test_an_ended_follow_still_shows_the_customer_but_cannot_act(house):
    with house.db.unit() as uow:
        row = customers.find_follow(uow.session, CORP, ZHANG, WANG)
        row.status, row.ended_by = "ended", "customer"
        uow.session.add(row)
        uow.commit()
    client = house.signed_in()
    page = client.get(f"/sidebar/customers/{WANG}").get_data(as_text=True)
    assert "客户已删除，现在不能发消息和改标签" in page
    assert "chip-add" not in page
    assert page.count("disabled") >= 13
    answer = client.post(
        f"/sidebar/customers/{WANG}/tags", headers=house.csrf(client), data={"key": KEY, "chosen": "t_h1"}
    )
    assert answer.status_code == 403


def test_todos_of_colleagues_are_not_there(house):
    todo = house.todo_of(CHEN)
    client = house.signed_in("li")
    assert client.get(f"/sidebar/todos/{todo.id}/skip").status_code == 404
    answer = client.post(f"/sidebar/todos/{todo.id}/skip", headers=house.csrf(client), data={"reason": "试试"})
    assert answer.status_code == 404


def test_too_many_requests_are_stopped_in_the_same_form(house, monkeypatch):
    monkeypatch.setattr("sidebar.web.READS_A_MINUTE", 3)
    client = house.signed_in()
    answers = [client.get("/sidebar/api/me") for _ in range(8)]
    assert answers[-1].status_code == 429
    assert answers[-1].get_json()["error"]["message"] == "操作太频繁，请过一分钟再试"


def test_failures_speak_the_language_of_the_asker(house):
    client = house.signed_in()
    assert client.get("/sidebar/api/nothing").get_json()["error"]["code"] == "not_found"
    part = client.get("/sidebar/customers/wm_nobody/data", headers={"HX-Request": "true", "HX-Target": "panel"})
    assert 'hx-target="#panel"' in part.get_data(as_text=True)
    assert "<html" not in part.get_data(as_text=True)
    odd = client.get("/sidebar/customers/wm_nobody/data", headers={"HX-Request": "true", "HX-Target": '"><script>'})
    assert "<script>" not in odd.get_data(as_text=True)
    assert "<html" in client.get("/sidebar/customers/wm_nobody/data").get_data(as_text=True)


def test_an_unforeseen_fault_shows_nothing_of_the_inside(house, monkeypatch):
    client = house.signed_in()

    def broken(*arguments, **options):
        raise RuntimeError("secret detail")

    monkeypatch.setattr("sidebar.routes_api.staff.names", broken)
    answer = client.get("/sidebar/api/me")
    assert answer.status_code == 500
    assert "secret" not in answer.get_data(as_text=True)
    assert answer.get_json()["error"]["code"] == "internal"
