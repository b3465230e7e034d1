"""Live codes, app messages, sign-in, tickets and the set of gateways, against a real socket."""

from typing import Any

import pytest

from bot.wecom.gateway import HttpWeComGateway
from bot.wecom.gateways import GatewaySet
from crm_core.clock import SystemClock
from crm_core.errors import InputInvalid, NotFound, WeComUnavailable
from crm_core.ids import AppKey, CorpId, ExternalUserId, StaffUserId
from crm_core.ports import ContactWayMade, ContactWayRequest, SignedIn
from tests.contract.conftest import CORP, settings_for
from tests.contract.scripted_wecom import Asked, Drop, Reply, ScriptedWeCom, ok, refuse
from tests.unit.bot.wecom.wecom_stand_ins import Time

LI, WM = StaffUserId("LiNa"), ExternalUserId("wmA1b2")
C = "externalcontact/"


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (
            ContactWayRequest(staff=(LI,), state="ch_1", memo="门店", skip_verify=False),
            {"type": 1, "scene": 2, "remark": "门店", "skip_verify": False, "state": "ch_1", "user": ["LiNa"]},
        ),
        (
            ContactWayRequest(staff=(LI, StaffUserId("Bo")), departments=(7,)),
            {
                "type": 2,
                "scene": 2,
                "remark": "",
                "skip_verify": True,
                "state": "",
                "user": ["LiNa", "Bo"],
                "party": [7],
            },
        ),
    ],
)
def test_contact_way(
    wecom: ScriptedWeCom, gateway: HttpWeComGateway, request_: ContactWayRequest, expected: dict[str, Any]
) -> None:
    wecom.answers(C + "add_contact_way", ok(config_id="c1", qr_code="https://qr/1"))
    assert gateway.add_contact_way(request_) == ContactWayMade(config_id="c1", qr_url="https://qr/1")
    assert wecom.last(C + "add_contact_way").body == expected


def test_a_lost_contact_way_is_found_by_its_state(wecom: ScriptedWeCom, gateway: HttpWeComGateway) -> None:
    wecom.answers(C + "add_contact_way", Drop())
    with pytest.raises(WeComUnavailable) as told:
        gateway.add_contact_way(ContactWayRequest(staff=(LI,), state="ch_9"))
    assert (told.value.sent, wecom.count(C + "add_contact_way")) == (True, 1)
    ways = {"c1": {"state": "other"}, "c3": {"state": "ch_9", "qr_code": "https://qr/3"}}

    def detail(asked: Asked) -> Reply:
        config_id = asked.body["config_id"]
        return ok(contact_way={"config_id": config_id, **ways[config_id]}) if config_id in ways else refuse(41044)

    wecom.paths[C + "get_contact_way"] = detail
    wecom.answers(
        C + "list_contact_way",
        ok(contact_way=[{"config_id": "c1"}, {"config_id": "c2"}], next_cursor="n"),
        ok(contact_way=[{"config_id": "c3"}]),
    )
    assert gateway.find_contact_way("ch_9", 1717400000) == ContactWayMade(config_id="c3", qr_url="https://qr/3")
    assert wecom.asked[C + "list_contact_way"][0].body == {"start_time": 1717400000, "limit": 1000}
    wecom.answers(C + "list_contact_way", ok(contact_way=[]))
    assert gateway.find_contact_way("ch_9", 1717400000) is None


def test_app_message(wecom: ScriptedWeCom, gateway: HttpWeComGateway) -> None:
    wecom.answers("message/send", ok(msgid="m1", response_code="RC", invaliduser="zhaoliu|bo"))
    result = gateway.send_app_message([LI, StaffUserId("Bo")], {"msgtype": "text", "text": {"content": "在"}})
    assert wecom.last("message/send").body == {
        "msgtype": "text",
        "text": {"content": "在"},
        "touser": "LiNa|Bo",
        "agentid": 1000007,
        "enable_duplicate_check": 1,
        "duplicate_check_interval": 1800,
    }
    assert (result.message_id, result.response_code, result.invalid_staff) == ("m1", "RC", ("zhaoliu", "bo"))


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"userid": "LiNa", "user_ticket": "UT"}, SignedIn(staff=LI, extra={"user_ticket": "UT"})),
        (
            {"openid": "oB", "external_userid": "wmA1b2"},
            SignedIn(staff=None, external_user=WM, extra={"openid": "oB"}),
        ),
        ({"openid": "oB"}, SignedIn(staff=None, extra={"openid": "oB"})),
        ({"userid": "ww2/LiNa"}, SignedIn(staff=None, extra={"linked_member": "ww2/LiNa"})),
        ({}, SignedIn(staff=None)),
    ],
)
def test_sign_in(wecom: ScriptedWeCom, gateway: HttpWeComGateway, answer: dict[str, Any], expected: SignedIn) -> None:
    wecom.answers("auth/getuserinfo", ok(**answer))
    assert gateway.sign_in("code1") == expected
    assert wecom.last("auth/getuserinfo").query["code"] == "code1"


def test_a_login_code_is_never_tried_twice(wecom: ScriptedWeCom, gateway: HttpWeComGateway) -> None:
    wecom.answers("auth/getuserinfo", Drop())
    with pytest.raises(WeComUnavailable):
        gateway.sign_in("code1")
    assert wecom.count("auth/getuserinfo") == 1


def test_tickets_are_asked_once(wecom: ScriptedWeCom, gateways: GatewaySet, still: Time) -> None:
    gateway = gateways.of(CORP)
    wecom.answers("get_jsapi_ticket", ok(ticket="corp1", expires_in=7200), ok(ticket="corp2", expires_in=7200))
    wecom.answers("ticket/get", ok(ticket="app1", expires_in=7200))
    for _ in range(3):
        assert (gateway.jsapi_ticket(for_app=False), gateway.jsapi_ticket(for_app=True)) == ("corp1", "app1")
    assert gateways.of(CORP, AppKey("contacts")).jsapi_ticket(for_app=False) == "corp1"
    assert wecom.last("ticket/get").query["type"] == "agent_config"
    with pytest.raises(InputInvalid):
        gateways.of(CORP, AppKey("contacts")).jsapi_ticket(for_app=True)
    still.pass_by(7000)
    assert gateway.jsapi_ticket(for_app=False) == "corp2"


def test_gateways_are_found_by_corp_and_app(gateways: GatewaySet) -> None:
    assert [one.app_key for one in gateways] == ["main"]
    assert [one.app_key for one in gateways.every_app()] == ["main", "contacts"]
    assert gateways.of(CORP, AppKey("contacts")).app_key == "contacts"
    for corp, app in ((CorpId("ww_other"), None), (CORP, "bot"), (CORP, "nobody"), (CorpId("ww_other"), "main")):
        with pytest.raises(NotFound):
            gateways.of(corp, AppKey(app) if app else None)


def test_duplicate_check_can_be_switched_off(wecom: ScriptedWeCom) -> None:
    gateways = GatewaySet(settings_for(wecom.base, duplicate_check_seconds=0), clock=SystemClock())
    gateways.of(CORP).send_app_message([LI], {"msgtype": "text", "text": {"content": "x"}})
    assert "enable_duplicate_check" not in wecom.last("message/send").body
    gateways.close()
