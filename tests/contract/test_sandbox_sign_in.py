"""OAuth, web login, JS-SDK signatures, and the pages around them."""

from urllib.parse import parse_qs, urlsplit

import pytest

from bot.sandbox.crypto import js_signature
from bot.sandbox.sign_in import staff_cookie
from tests.sandbox_driver import running

HOME = "http://127.0.0.1:8700/back"


@pytest.fixture
def w():
    with running() as driver:
        yield driver


def authorize(w, **more):
    query = {
        "appid": w.corp,
        "redirect_uri": HOME,
        "response_type": "code",
        "scope": "snsapi_base",
        "state": "S1",
    }
    return w.http.get("/connect/oauth2/authorize", params=query | more)


def landed(answer):
    assert answer.status_code == 302, answer.text
    assert answer.headers["Location"].startswith(HOME)
    return {k: v[0] for k, v in parse_qs(urlsplit(answer.headers["Location"]).query).items()}


def test_a_member_signs_in_once_per_code(w):
    back = landed(authorize(w, sandbox_as="LiNa"))
    assert back["state"] == "S1"
    assert w.good("auth/getuserinfo", code=back["code"])["userid"] == "LiNa"
    assert w.code("auth/getuserinfo", code=back["code"]) == 42022


def test_codes_live_five_minutes(w):
    code = landed(authorize(w, sandbox_as="LiNa"))["code"]
    w.jump(301)
    assert w.code("auth/getuserinfo", code=code) == 40029


def test_the_cookie_of_the_demo_page_is_enough(w):
    w.http.cookies.set(staff_cookie(w.corp), "wangwu")
    code = landed(authorize(w, redirect_uri=HOME + "?next=%2Fa"))["code"]
    assert w.good("user/getuserinfo", code=code)["UserId"] == "wangwu"


def test_without_a_choice_there_is_a_page_to_choose(w):
    page = authorize(w)
    assert page.status_code == 200
    assert "以谁的身份进入" in page.text
    assert "sandbox_as=LiNa" in page.text
    assert "maliang" not in page.text


def test_a_customer_is_no_member(w):
    external = w.customer("林小满")
    info = w.good("auth/getuserinfo", code=landed(authorize(w, sandbox_as=external))["code"])
    assert "userid" not in info
    assert (info["external_userid"], bool(info["openid"])) == (external, True)
    w.setting(visible_departments=[5], visible_users=[])
    w.act("delete_customer_by_staff", userid="LiNa", external_userid=external)
    info = w.good("auth/getuserinfo", code=landed(authorize(w, sandbox_as=external))["code"])
    assert "external_userid" not in info


def test_private_fields_after_consent(w):
    agent = {"scope": "snsapi_privateinfo", "agentid": str(w.app.agentid), "sandbox_as": "LiNa"}
    w.act("change_staff", userid="LiNa", mobile="13800000000")
    ticket = w.good("auth/getuserinfo", code=landed(authorize(w, **agent))["code"])["user_ticket"]
    told = w.good("auth/getuserdetail", {"user_ticket": ticket})
    assert (told["userid"], told["mobile"]) == ("LiNa", "13800000000")
    assert "email" not in told
    w.jump(1801)
    assert w.code("auth/getuserdetail", {"user_ticket": ticket}) == 84014


@pytest.mark.parametrize(
    ("change", "errcode"),
    [
        ({"appid": "ww0"}, 40013),
        ({"redirect_uri": "http://127.0.0.1:9999/"}, 50001),
        ({"redirect_uri": "http://evil.example/"}, 50001),
        ({"redirect_uri": "http://127.0.0.1:8700@evil.example/"}, 50001),
        ({"scope": "snsapi_login"}, 40058),
        ({"scope": "snsapi_privateinfo"}, 40056),
        ({"agentid": "77"}, 40056),
        ({"state": "a-b"}, 84025),
        ({"state": "x" * 129}, 84025),
        ({"sandbox_as": "nobody"}, 60111),
    ],
)
def test_refusals_are_pages(w, change, errcode):
    answer = authorize(w, **({"sandbox_as": "LiNa"} | change))
    assert answer.status_code == 200
    assert f'id="errcode">{errcode}<' in answer.text


def test_members_out_of_range_may_not_enter(w):
    w.setting(visible_departments=[4])
    assert 'id="errcode">50002<' in authorize(w, agentid=str(w.app.agentid), sandbox_as="LiNa").text


def test_web_login(w):
    query = {
        "login_type": "CorpApp",
        "appid": w.corp,
        "agentid": w.app.agentid,
        "redirect_uri": HOME,
        "state": "q1",
    }
    page = w.http.get("/wwlogin/sso/login", params=query)
    assert "企业微信扫码登录" in page.text
    assert "state=q1" in page.text
    code = landed(w.http.get("/wwlogin/sso/login", params=query | {"sandbox_as": "LiNa"}))["code"]
    assert w.good("auth/getuserinfo", code=code)["userid"] == "LiNa"
    w.setting(web_login_domains=[])
    assert 'id="errcode">50001<' in w.http.get("/wwlogin/sso/login", params=query).text


def check(w, ticket, kind="agentConfig", **more):
    url = more.pop("url", HOME + "?a=1")
    body = {
        "corpId": w.corp,
        "agentId": w.app.agentid,
        "kind": kind,
        "url": url,
        "timestamp": "1700000000",
        "nonceStr": "n1",
        "signature": js_signature(ticket, "n1", "1700000000", url),
        "userid": "LiNa",
    }
    answer = w.http.post("/sandbox/api/jssdk_check", json=body | more, headers={"Origin": "http://127.0.0.1:8700"})
    assert answer.headers["Access-Control-Allow-Origin"] == "http://127.0.0.1:8700"
    return answer.json()


def test_js_signatures_are_really_checked(w):
    corp = w.good("get_jsapi_ticket")["ticket"]
    app = w.good("ticket/get", type="agent_config")["ticket"]
    good = check(w, app)
    assert (good["errcode"], good["permitted"]) == (0, True)
    assert check(w, corp, "config")["errcode"] == 0
    assert check(w, corp)["errcode"] == 40093
    assert check(w, app, "config")["errcode"] == 40093
    assert check(w, app, nonceStr="N1")["errcode"] == 40093
    assert check(w, app, nonceStr="")["errcode"] == 40093
    assert check(w, app, signature="0")["errcode"] == 40093
    assert check(w, app, url="http://127.0.0.1:9999/")["errcode"] == 80001
    assert check(w, app, corpId="ww0")["errcode"] == 40013
    assert check(w, app, agentId=7)["errcode"] == 40056
    assert check(w, app, userid="sun_hao")["permitted"] is False
    w.jump(7201)
    assert check(w, app)["errcode"] == 40093


def test_another_apps_ticket(w):
    path = f"/sandbox/api/corps/{w.corp}/apps"
    w.http.post(path, json={"agentid": 1000003, "name": "乙", "secret": "other-secret"})
    other = w.good("ticket/get", secret="other-secret", type="agent_config")["ticket"]
    assert check(w, other)["errcode"] == 42012


def test_the_check_answers_preflights(w):
    answer = w.http.options("/sandbox/api/jssdk_check", headers={"Origin": "http://127.0.0.1:8700"})
    assert answer.status_code == 200
    assert "Content-Type" in answer.headers["Access-Control-Allow-Headers"]


def test_pages_and_pictures(w):
    assert "本地企业微信" in w.http.get("/").text
    assert "script-src 'self'" in w.http.get("/").headers["Content-Security-Policy"]
    script = w.http.get("/sandbox/jssdk.js")
    assert script.headers["Content-Type"].startswith("text/javascript")
    assert script.headers["Access-Control-Allow-Origin"] == "*"
    config = w.way()
    assert "添加企业微信" in w.http.get(f"/scan/{config}").text
    assert "二维码已失效" in w.http.get(f"/scan/{'0' * 32}").text
    assert w.http.get(f"/sandbox/qr/{'0' * 32}.png").status_code == 404
    assert w.http.get("/sandbox/avatar/x.png").content.startswith(b"\x89PNG")
    assert w.http.get("/sandbox/media/ww0/x").status_code == 404
