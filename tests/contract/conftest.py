"""What the contract tests share: a scripted WeCom, time that stands still, settings and gateways on top of them."""

import random
from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from bot.wecom.gateway import HttpWeComGateway
from bot.wecom.gateways import GatewaySet
from crm_core.clock import SystemClock
from crm_core.config import AppPart, AppSecrets, CorpPart, ServerPart, Settings, WeComPart
from crm_core.ids import CorpId
from tests.contract.scripted_wecom import ScriptedWeCom, scripted_wecom
from tests.unit.bot.wecom.wecom_stand_ins import Time

CORP = CorpId("ww9f8e7d6c5b4a3210")
SECRET = "s3cret-of-main-app-000000000000000000000000"


def settings_for(api_base: str, **wecom: float) -> Settings:
    return Settings(
        server=ServerPart(public_url="https://scrm.example.com"),
        wecom=WeComPart(api_base=api_base, connect_timeout_seconds=2, read_timeout_seconds=0.4, **wecom),
        corps=(
            CorpPart(
                corp_id=CORP,
                contact_app="main",
                apps=(
                    AppPart(key="main", agent_id=1000007, sidebar=True),
                    AppPart(key="contacts", kind="contacts", callback=False),
                    AppPart(key="bot", kind="ai_bot"),
                ),
            ),
        ),
        secret_key=SecretStr("k" * 32),
        app_secrets={
            "main": AppSecrets(secret=SecretStr(SECRET), token=SecretStr("tok"), aes_key=SecretStr("a" * 43)),
            "contacts": AppSecrets(secret=SecretStr("s3cret-of-contacts")),
            "bot": AppSecrets(token=SecretStr("tok"), aes_key=SecretStr("a" * 43)),
        },
    )


@pytest.fixture
def wecom() -> Iterator[ScriptedWeCom]:
    with scripted_wecom() as server:
        yield server


@pytest.fixture
def still() -> Time:
    return Time()


@pytest.fixture
def gateways(wecom: ScriptedWeCom, still: Time) -> Iterator[GatewaySet]:
    made = GatewaySet(
        settings_for(wecom.base),
        clock=SystemClock(),
        monotonic=still.monotonic,
        sleep=still.sleep,
        chance=random.Random(5),
    )
    yield made
    made.close()


@pytest.fixture
def gateway(gateways: GatewaySet) -> HttpWeComGateway:
    return gateways.of(CORP)
