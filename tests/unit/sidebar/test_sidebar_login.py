from urllib.parse import parse_qs, urlsplit

import pytest

from crm_core import staff
from crm_core.config import DemoPart
from crm_core.errors import InputInvalid
from crm_core.ids import CorpId
from crm_core.ports import StaffFacts
from sidebar import login_urls
from tests.sidebar_house import CLIENT_AGENT, CORP, ZHANG, build, make_settings

AGENT = {"User-Agent": CLIENT_AGENT}


def state_of(answer) -> str:
    return parse_qs(urlsplit(answer.headers["Location"]).query)["state"][0]


def test_authorize_url_keeps_the_documented_order():
    url = login_urls.authorize_url(
        "https://open.weixin.qq.com",
        corp=CorpId("ww9f8e"),
        agent_id=1000007,
        redirect_uri="https://scrm.example.com/sidebar/login/callback",
        state="S1",
    )
    assert url == (
        "https://open.weixin.qq.com/connect/oauth2/authorize?appid=ww9f8e"
        "&redirect_uri=https%3A%2F%2Fscrm.example.com%2Fsidebar%2Flogin%2Fcallback"
        "&response_type=code&scope=snsapi_base&state=S1&agentid=1000007#wechat_redirect"
    )


@pytest.mark.parametrize("state", ["", "a-b", "a=", "x" * 129])
def test_a_state_wecom_would_refuse_is_refused_here(state):
    for build_url in (login_urls.authorize_url, login_urls.web_login_url):
        with pytest.raises(InputInvalid):
            build_url("https://x", corp=CorpId("ww"), agent_id=1, redirect_uri="https://y", state=state)


def test_the_client_is_sent_to_oauth_and_a_browser_to_the_qr_page(house):
    client = house.client()
    inside = client.get("/sidebar/main/?todo=3", headers=AGENT)
    assert inside.status_code == 302
    assert inside.headers["Location"].startswith("https://open.weixin.qq.com/connect/oauth2/authorize?appid=ww_yunfan&")
    outside = client.get("/sidebar/main/", headers={"User-Agent": "Mozilla/5.0 Chrome/130"})
    assert outside.headers["Location"].startswith(
        "https://login.work.weixin.qq.com/wwlogin/sso/login?login_type=CorpApp&appid=ww_yunfan&agentid=1000002&"
    )


def test_the_demo_always_uses_oauth(tmp_path):
    house = build(tmp_path, make_settings(demo=DemoPart(enabled=True)))
    answer = house.client().get("/sidebar/main/", headers={"User-Agent": "Chrome"})
    assert "/connect/oauth2/authorize?" in answer.headers["Location"]
    house.db.close()


def test_sign_in_goes_back_to_the_wanted_page_without_the_code(house):
    client = house.client()
    state = state_of(client.get("/sidebar/main/?external_userid=wm_wang&todo=3&code=old&state=old", headers=AGENT))
    assert state.isalnum()
    answer = client.get(f"/sidebar/login/callback?code=zhang&state={state}")
    assert answer.status_code == 302
    assert answer.headers["Location"] == "/sidebar/main/?external_userid=wm_wang&todo=3"
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Secure" not in cookie
    assert client.get("/sidebar/api/me").get_json()["data"] == {
        "corp_id": CORP,
        "app": "main",
        "staff": ZHANG,
        "name": "张三",
    }


def test_the_cookie_is_secure_behind_https(tmp_path):
    house = build(tmp_path, make_settings("https://scrm.example.com"))
    answer = house.client().get("/sidebar/main/", headers=AGENT)
    assert "Secure" in answer.headers["Set-Cookie"]
    house.db.close()


def test_a_state_works_once_and_only_in_its_own_browser(house):
    client = house.client()
    state = state_of(client.get("/sidebar/main/", headers=AGENT))
    assert house.client().get(f"/sidebar/login/callback?code=zhang&state={state}").status_code == 401
    assert client.get(f"/sidebar/login/callback?code=zhang&state={state}").status_code == 302
    again = client.get(f"/sidebar/login/callback?code=zhang&state={state}")
    assert again.status_code == 401
    assert "登录链接已失效" in again.get_data(as_text=True)


def test_a_state_grows_old(house):
    client = house.client()
    state = state_of(client.get("/sidebar/main/", headers=AGENT))
    house.clock.move(minutes=11)
    assert client.get(f"/sidebar/login/callback?code=zhang&state={state}").status_code == 401


@pytest.mark.parametrize(
    ("code", "status", "said"),
    [
        ("stranger", 403, "没有认出您的企业成员身份"),
        ("used", 502, "登录码已失效"),
        ("", 401, "您取消了登录"),
    ],
)
def test_failed_sign_ins_say_why_in_chinese(house, code, status, said):
    client = house.client()
    state = state_of(client.get("/sidebar/main/", headers=AGENT))
    answer = client.get(f"/sidebar/login/callback?code={code}&state={state}")
    assert answer.status_code == status
    assert said in answer.get_data(as_text=True)
    assert client.get("/sidebar/api/me").status_code == 401


def test_the_session_ends_after_twelve_hours(house):
    client = house.signed_in()
    house.clock.move(hours=11, minutes=59)
    assert client.get("/sidebar/api/me").status_code == 200
    house.clock.move(minutes=2)
    assert client.get("/sidebar/api/me").status_code == 401


def test_another_corps_page_asks_to_sign_in_again(house):
    client = house.signed_in()
    answer = client.get("/sidebar/other/", headers=AGENT)
    assert answer.status_code == 302
    assert "appid=ww_other" in answer.headers["Location"]


def test_a_disabled_member_is_out_at_once(house):
    client = house.signed_in()
    with house.db.unit() as uow:
        staff.apply_staff(uow, CORP, StaffFacts(userid=ZHANG, status=2))
        uow.commit()
    assert client.get("/sidebar/api/me").status_code == 403
    assert client.get("/sidebar/main/").status_code == 403


def test_signing_out_forgets(house):
    client = house.signed_in()
    token = house.csrf(client)["X-CSRFToken"]
    assert client.post("/sidebar/sign-out", data={"csrf_token": token}).headers["Location"] == "/sidebar/signed-out"
    assert client.get("/sidebar/api/me").status_code == 401


def test_with_several_sidebar_apps_the_plain_address_asks_which(house):
    page = house.client().get("/sidebar/?external_userid=wm_wang").get_data(as_text=True)
    assert '/sidebar/main/?external_userid=wm_wang"' in page
    assert "远山装饰" in page


def test_with_one_sidebar_app_the_plain_address_signs_in(tmp_path):
    settings = make_settings()
    house = build(tmp_path, settings.model_copy(update={"corps": settings.corps[:1]}))
    assert "appid=ww_yunfan" in house.client().get("/sidebar/", headers=AGENT).headers["Location"]
    house.db.close()


def test_a_forged_target_is_dropped(house):
    client = house.client()
    state = state_of(client.get("/sidebar/main/?x=" + "y" * 600, headers=AGENT))
    answer = client.get(f"/sidebar/login/callback?code=zhang&state={state}")
    assert answer.headers["Location"] == "/sidebar/"


def test_in_the_demo_a_framed_page_asks_anew_who_sits_there(tmp_path):
    house = build(tmp_path, make_settings(demo=DemoPart(enabled=True)))
    client, frame = house.client(), {"Sec-Fetch-Dest": "iframe"}
    for code, name in (("zhang", "张三"), ("li", "李四")):
        state = state_of(client.get("/sidebar/main/", headers=frame))
        client.get(f"/sidebar/login/callback?code={code}&state={state}", headers=frame)
        assert client.get("/sidebar/main/", headers=frame).status_code == 200
        assert client.get("/sidebar/api/me").get_json()["data"]["name"] == name
    assert client.get("/sidebar/main/", headers={"Sec-Fetch-Dest": "document"}).status_code == 200
    house.db.close()


def test_in_the_demo_a_slow_sign_in_of_one_load_does_not_serve_the_next(tmp_path):
    house = build(tmp_path, make_settings(demo=DemoPart(enabled=True)))
    client, frame = house.client(), {"Sec-Fetch-Dest": "iframe"}
    first = state_of(client.get("/sidebar/main/?frame=1", headers=frame))
    client.get(f"/sidebar/login/callback?code=zhang&state={first}", headers=frame)
    assert client.get("/sidebar/main/?frame=2", headers=frame).status_code == 302
    house.db.close()
