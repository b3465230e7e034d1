"""The local WeCom seen by somebody else's client: wechatpy 1.8.18."""

import io

import pytest
import xmltodict
from wechatpy.enterprise import WeChatClient
from wechatpy.enterprise.crypto import WeChatCrypto
from wechatpy.exceptions import APILimitedException, WeChatClientException

from tests.sandbox_driver import PNG, listening, running

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::SyntaxWarning")


@pytest.fixture
def w():
    with running() as driver:
        yield driver


@pytest.fixture
def client(w):
    class LocalClient(WeChatClient):
        API_BASE_URL = f"{w.server.url}/cgi-bin/"

        def fetch_access_token(self):
            query = {"corpid": self.corp_id, "corpsecret": self.secret}
            return self._fetch_access_token(url=f"{self.API_BASE_URL}gettoken", params=query)

    made = LocalClient(w.corp, w.app.secret)
    made._http.trust_env = False
    yield made
    made._http.close()


def test_reading_and_writing_without_content_type(client, w):
    assert client.external_contact.get_follow_user_list()["follow_user"][0] == "ChenJing"
    assert client.user.get("LiNa")["name"] == "李娜"
    assert client.department.get_users(3, simple=True)[0]["userid"] == "zhang.san"
    made = client.external_contact.add_contact_way(type=1, scene=2, user=["LiNa"], state="wp")
    assert client.external_contact.get_contact_way(made["config_id"])["contact_way"]["state"] == "wp"
    group = client.external_contact.add_corp_tag(None, "wechatpy 组", 1, [{"name": "甲"}])["tag_group"]
    assert group["group_name"] == "wechatpy 组"
    sent = client.message.send_text(w.app.agentid, "LiNa", content="你好")
    assert sent["errcode"] == 0
    assert client.jsapi.get_jsapi_ticket() != client.jsapi.get_agent_jsapi_ticket()
    assert client.media.upload("image", io.BytesIO(PNG))["type"] == "image"


def test_errors_reach_its_exceptions(client, w):
    with pytest.raises(WeChatClientException) as refused:
        client.external_contact.list("he.yue")
    assert refused.value.errcode == 84061
    w.act("faults", match="user/get", kind="errcode", code=45009, times=1)
    with pytest.raises(APILimitedException):
        client.user.get("LiNa")


def test_a_revoked_token_is_renewed_by_its_retry(client, w):
    client.user.get("LiNa")
    w.act("token/revoke", agentid=w.app.agentid)
    assert client.user.get("LiNa")["userid"] == "LiNa"


def test_it_signs_in_by_oauth(client, w):
    query = {
        "appid": w.corp,
        "redirect_uri": "http://127.0.0.1:8700/",
        "response_type": "code",
        "scope": "snsapi_base",
        "sandbox_as": "LiNa",
    }
    location = w.http.get("/connect/oauth2/authorize", params=query).headers["Location"]
    code = location.split("code=")[1].split("&")[0]
    assert client.oauth.get_user_info(code)["UserId"] == "LiNa"


def test_it_decrypts_our_callbacks_and_echo(w):
    callback = w.app.callback
    theirs = WeChatCrypto(callback.token, callback.aes_key, w.corp)
    with listening(w) as door:
        added = w.scan(name="你好]]>世界")
        assert w.server.settle()
        query, body = door.raw[0]
        xml = theirs.decrypt_message(body, query["msg_signature"], query["timestamp"], query["nonce"])
        told = xmltodict.parse(xml)["xml"]
        assert told["ExternalUserID"] == added["external_userid"]
        assert told["WelcomeCode"] == added["welcome_code"]

        def echo(path):
            q = door.query(path)
            plain = theirs.check_signature(q["msg_signature"], q["timestamp"], q["nonce"], q["echostr"])
            return plain.encode()

        door.decrypted = echo
        assert w.act("verify_callback", agentid=w.app.agentid)["passed"]
