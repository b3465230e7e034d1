"""The doctor against a scripted WeCom: each fault is one line that says where to click; nothing makes it raise."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr

from bot.doctor import Finding, Level, examine, render
from bot.wecom.gateways import GatewaySet
from crm_core.clock import SystemClock
from crm_core.config import Settings
from tests.contract.conftest import settings_for
from tests.contract.scripted_wecom import Drop, Raw, ScriptedWeCom, ok, refuse


@pytest.fixture
def settings(wecom: ScriptedWeCom) -> Settings:
    return settings_for(wecom.base)


@pytest.fixture
def healthy(wecom: ScriptedWeCom, settings: Settings) -> Iterator[GatewaySet]:
    wecom.answers("agent/get", ok(name="客户助手", close=0, redirect_domain="scrm.example.com"))
    wecom.answers("externalcontact/get_follow_user_list", ok(follow_user=["LiNa", "Bo"]))
    wecom.answers("get_jsapi_ticket", ok(ticket="a", expires_in=7200))
    wecom.answers("ticket/get", ok(ticket="b", expires_in=7200))
    gateways = GatewaySet(settings, clock=SystemClock(), sleep=lambda _seconds: None)
    yield gateways
    gateways.close()


def found(findings: list[Finding], check: str) -> Finding:
    (one,) = [one for one in findings if one.check == check]
    return one


def test_all_is_well(settings: Settings, healthy: GatewaySet) -> None:
    sealed = settings.model_copy(update={"data_keys": SecretStr("d" * 40)})
    findings = examine(sealed, healthy, probe_callback=lambda _key: "", database=lambda: "", migrations=lambda: "")
    assert {one.level for one in findings} == {Level.OK}
    text = render(findings)
    assert text.count("✓") == len(findings)
    assert "应用 main 回调：https://scrm.example.com/callback/main" in text
    assert "应用 bot 回调" in text
    assert "应用 contacts 回调" not in text
    assert text.splitlines()[-1] == f"共 {len(findings)} 项：{len(findings)} 正常，0 提醒，0 故障"


@pytest.mark.parametrize(
    ("path", "reply", "check", "words"),
    [
        ("gettoken", refuse(40001), "应用 main 凭证", ["SCRM_", "Secret"]),
        ("gettoken", Drop(), "应用 main 凭证", ["企业微信没有正常应答"]),
        ("agent/get", refuse(60020), "应用 main 可信域名", ["企业可信IP", "203.0.113.9"]),
        ("agent/get", ok(redirect_domain="old.example.com"), "应用 main 可信域名", ["old.example.com", "可信域名"]),
        ("agent/get", ok(), "应用 main 可信域名", ["还没有填写", "scrm.example.com"]),
        ("agent/get", ok(close=1, redirect_domain="scrm.example.com"), "应用 main 可信域名", ["停用"]),
        ("externalcontact/get_follow_user_list", refuse(48002), "应用 main 客户联系", ["可调用接口的应用"]),
        ("externalcontact/get_follow_user_list", ok(follow_user=[]), "应用 main 客户联系", ["没有人有客户联系功能"]),
        ("ticket/get", refuse(301002), "应用 main JS-SDK", ["应用管理"]),
        ("department/list", refuse(60011), "应用 contacts 通讯录", ["可见范围"]),
        ("get_jsapi_ticket", Raw(b"oops", status=503), "应用 main JS-SDK", ["没有正常应答"]),
    ],
)
def test_each_fault_has_its_line(
    wecom: ScriptedWeCom,
    settings: Settings,
    healthy: GatewaySet,
    path: str,
    reply: object,
    check: str,
    words: list[str],
) -> None:
    wecom.answers(path, reply)
    findings = examine(settings, healthy)
    one = found(findings, check)
    assert one.level is Level.FAIL
    (line,) = [line for line in render(findings).splitlines() if line.startswith(f"✗ {check}")]
    for word in words:
        assert word in line
    if isinstance(reply, dict) and reply["errcode"]:
        assert one.errcode == reply["errcode"]
        assert "→" in line


def test_without_a_token_the_other_checks_are_not_repeated(
    wecom: ScriptedWeCom, settings: Settings, healthy: GatewaySet
) -> None:
    wecom.answers("gettoken", refuse(40013))
    checks = [one.check for one in examine(settings, healthy)]
    assert "应用 main 凭证" in checks
    assert "应用 main 可信域名" not in checks


class ShiftedClock:
    def __init__(self, seconds: float) -> None:
        self._shift = timedelta(seconds=seconds)

    def now(self) -> datetime:
        return datetime.now(UTC) + self._shift


@pytest.mark.parametrize(
    ("seconds", "level", "words"), [(0, Level.OK, "相差"), (-30, Level.WARN, "慢"), (600, Level.FAIL, "快")]
)
@pytest.mark.usefixtures("healthy")
def test_clock_skew(settings: Settings, seconds: int, level: Level, words: str) -> None:
    gateways = GatewaySet(settings, clock=ShiftedClock(seconds))
    one = found(examine(settings, gateways), "时钟")
    gateways.close()
    assert one.level is level
    assert words in one.says


def test_probes_that_say_no_or_break(settings: Settings, healthy: GatewaySet) -> None:
    def broken() -> str:
        raise ZeroDivisionError("secret detail")

    findings = examine(
        settings,
        healthy,
        probe_callback=lambda key: "返回 403" if key == "main" else "",
        database=broken,
        migrations=lambda: "落后 2 个版本",
    )
    assert found(findings, "应用 main 回调").says == "返回 403"
    assert "/callback/main" in found(findings, "应用 main 回调").fix
    assert found(findings, "应用 bot 回调").level is Level.OK
    assert found(findings, "数据库").says == "检查本身出错：ZeroDivisionError"
    assert found(findings, "表结构").fix == "运行 scrm migrate"


def test_missing_secrets_and_local_addresses_are_told(wecom: ScriptedWeCom) -> None:
    bare = Settings(wecom={"api_base": wecom.base})
    gateways = GatewaySet(bare, clock=SystemClock())
    findings = examine(bare, gateways)
    gateways.close()
    levels = [(one.check, one.level) for one in findings]
    assert levels.count(("配置", Level.FAIL)) == 2
    assert ("配置", Level.WARN) in levels
    assert ("时钟", Level.WARN) in levels
    assert "SCRM_SECRET_KEY" in render(findings)


def test_chat_content_without_a_key_of_its_own_is_named(settings: Settings, healthy: GatewaySet) -> None:
    (found,) = [one for one in examine(settings, healthy) if one.check == "聊天内容密钥"]
    assert (found.level, found.fix) == (Level.WARN, "设置 SCRM_DATA_KEYS 后运行 scrm keys rotate")
