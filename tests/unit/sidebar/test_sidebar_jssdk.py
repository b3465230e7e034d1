import pytest

from crm_core.errors import InputInvalid, NotAllowed
from sidebar import jssdk


def test_the_vendors_vector():
    assert (
        jssdk.sign(
            "sM4AOVdWfPE4DxkXGEs8VMCPGGVi4C3VM0P37wVUCFvkVAy_90u5h9nbSlYy3-Sl-HhTdfl2fzFy1AOcHKP7qg",
            url="http://mp.weixin.qq.com?params=value",
            nonce="Wm3WZYTPz0wzccnW",
            timestamp=1414587457,
        )
        == "0f9de62fce790f9a083d5c99e95740ceb90c27ed"
    )


@pytest.mark.parametrize(
    ("url", "public", "bare"),
    [
        ("https://a.cn/sidebar/?x=1#y", "https://a.cn", "https://a.cn/sidebar/?x=1"),
        ("https://a.cn:443/s", "https://a.cn", "https://a.cn:443/s"),
        ("http://A.cn/s", "http://a.cn", "http://A.cn/s"),
    ],
)
def test_our_own_pages_are_signed_as_the_browser_sees_them(url, public, bare):
    assert jssdk.page_url(url, public) == bare


@pytest.mark.parametrize(
    "url", ["https://evil.cn/", "http://a.cn/", "https://a.cn:8443/", "https://a.cn@evil.cn/", "https://a.cn.evil.cn/"]
)
def test_nobody_elses_page_is_signed(url):
    with pytest.raises(NotAllowed):
        jssdk.page_url(url, "https://a.cn")


@pytest.mark.parametrize("url", ["", "#x", "https://a.cn:port/", "https://a.cn/" + "x" * 5000])
def test_what_is_no_address_is_refused(url):
    with pytest.raises(InputInvalid):
        jssdk.page_url(url, "https://a.cn")


def test_the_route_signs_both_with_their_own_ticket(house):
    url = "http://127.0.0.1:8700/sidebar/main/?todo=1"
    data = house.signed_in().get("/sidebar/api/jssdk", query_string={"url": f"{url}#frag"}).get_json()["data"]
    assert (data["corpId"], data["agentId"]) == ("ww_yunfan", 1000002)
    for name, ticket in (("config", "corp-ticket-of-main"), ("agentConfig", "app-ticket-of-main")):
        part = data[name]
        assert part["signature"] == jssdk.sign(ticket, url=url, nonce=part["nonceStr"], timestamp=part["timestamp"])


def test_the_route_refuses_other_hosts(house):
    answer = house.signed_in().get("/sidebar/api/jssdk?url=https://evil.cn/")
    assert answer.status_code == 403
    assert answer.get_json()["error"]["code"] == "not_allowed"
