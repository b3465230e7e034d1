"""The doctor's knock at our own callback address."""

import pytest

from bot.doctor import Level, examine
from bot.wecom.crypto import CallbackCrypto
from bot.wecom.echo_probe import EchoProbe
from bot.wecom.gateways import GatewaySet
from bot.wiring import receive_ids
from crm_core.config import ServerPart, Settings
from crm_core.ids import AppKey
from tests.contract.conftest import CORP, settings_for
from tests.contract.scripted_wecom import Asked, Drop, Raw, Reply, ScriptedWeCom

MAIN = AppKey("main")


@pytest.fixture
def settings(wecom: ScriptedWeCom) -> Settings:
    wecom.check_token = False
    return settings_for(wecom.base).model_copy(update={"server": ServerPart(public_url=wecom.base)})


def door(*, key: str = "a" * 43, corp: str = CORP) -> CallbackCrypto:
    return CallbackCrypto("tok", key, [corp])


def test_a_door_that_answers_right(wecom: ScriptedWeCom, settings: Settings, gateways: GatewaySet) -> None:
    def main(asked: Asked) -> Reply:
        query = asked.query
        return Raw(door().open(query["msg_signature"], query["timestamp"], query["nonce"], query["echostr"]))

    def bot(asked: Asked) -> Reply:
        query = asked.query
        crypto = door(corp="")
        return Raw(crypto.open(query["msg_signature"], query["timestamp"], query["nonce"], query["echostr"]))

    wecom.paths["/callback/main"] = main
    wecom.paths["/callback/bot"] = bot
    probe = EchoProbe(settings, receive_ids)
    assert (probe(MAIN), probe(AppKey("bot"))) == ("", "")
    findings = [one for one in examine(settings, gateways, probe_callback=probe) if one.check.endswith("回调")]
    assert [one.level for one in findings] == [Level.OK, Level.OK]


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Raw(status=403), "403"),
        (Raw(status=404), "404"),
        (Raw(status=302, headers={"Location": "https://elsewhere.example/"}), "302"),
        (Raw(b'"1616140317555161061"'), "不是解密后的原文"),
        (Drop(), "RemoteProtocolError"),
    ],
)
def test_a_door_that_does_not(wecom: ScriptedWeCom, settings: Settings, reply: Reply, words: str) -> None:
    wecom.answers("/callback/main", reply)
    assert words in EchoProbe(settings, receive_ids)(MAIN)


def test_a_slow_door(wecom: ScriptedWeCom, settings: Settings) -> None:
    def main(asked: Asked) -> Reply:
        query = asked.query
        return Raw(door().open(query["msg_signature"], query["timestamp"], query["nonce"], query["echostr"]))

    wecom.paths["/callback/main"] = main
    ticks = iter([0.0, 1.7])
    probe = EchoProbe(settings, receive_ids, monotonic=lambda: next(ticks))
    assert "1.7 秒" in probe(MAIN)


def test_an_app_without_callback_secrets(settings: Settings) -> None:
    assert "无法测试" in EchoProbe(settings, receive_ids)(AppKey("contacts"))
