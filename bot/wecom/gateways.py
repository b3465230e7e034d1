"""All gateways of an installation, made once from the settings."""

import random
import time
from collections.abc import Callable, Iterator

from bot.wecom.client import WeComClient
from bot.wecom.gateway import HttpWeComGateway
from bot.wecom.limits import Limits
from bot.wecom.pacing import PaceLimits, Pacer
from bot.wecom.shared_state import SharedState
from bot.wecom.tokens import Credential, TokenCache
from bot.wecom.wire import Wire
from crm_core.clock import Clock
from crm_core.config import AppPart, CorpPart, Settings
from crm_core.errors import NotFound
from crm_core.ids import AppKey, CorpId

APP_KINDS = frozenset({"self_built", "contacts", "kf"})  # kinds whose Secret gives an access token for these calls


class GatewaySet:
    """``crm_core.ports.Gateways``: one connection pool, one token cache, one pacer for all corps and apps.

    shared: RedisState when Redis is configured. monotonic, sleep, chance: injected by tests. In the demo tokens and
    tickets age by ``clock``, because somebody turns the local WeCom's clock.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Clock,
        shared: SharedState | None = None,
        limits: Limits | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        chance: random.Random | None = None,
    ) -> None:
        self._settings = settings
        self._limits = limits or Limits()
        wecom = settings.wecom
        self.wire = Wire(
            api_base=wecom.api_base,
            clock=clock,
            connect_timeout_seconds=wecom.connect_timeout_seconds,
            read_timeout_seconds=wecom.read_timeout_seconds,
            monotonic=monotonic,
        )
        pace = PaceLimits(
            calls_per_minute=wecom.calls_per_minute,
            parallel_calls=wecom.parallel_calls,
            parallel_of={"externalcontact/mark_tag": wecom.parallel_mark_tag},
        )
        token_time = (lambda: clock.now().timestamp()) if settings.demo.enabled else monotonic
        self._tokens = TokenCache(self.wire, shared=shared, monotonic=token_time, sleep=sleep, chance=chance)
        self._pacer = Pacer(pace, shared=shared, monotonic=monotonic, sleep=sleep, chance=chance)
        self._timing = (monotonic, sleep, chance)
        self._made = {
            AppKey(app.key): gateway
            for corp in settings.corps
            for app in corp.apps
            if (gateway := self._make(corp, app)) is not None
        }

    def of(self, corp: CorpId, app: AppKey | None = None) -> HttpWeComGateway:
        """The gateway of this app, or of the corp's customer-contact app. Raises: NotFound."""
        part = self._settings.corp(corp)
        key = app or (AppKey(part.contact_app) if part else None)
        gateway = self._made.get(key) if key else None
        if gateway is None or gateway.corp_id != corp:
            raise NotFound("没有这个企业或应用的企业微信接口配置")
        return gateway

    def __iter__(self) -> Iterator[HttpWeComGateway]:
        """One gateway per corp: that of its customer-contact app."""
        return (
            gateway
            for corp in self._settings.corps
            if (gateway := self._made.get(AppKey(corp.contact_app))) is not None
        )

    def every_app(self) -> tuple[HttpWeComGateway, ...]:
        """One gateway per app that has a Secret, in the order of the settings."""
        return tuple(self._made.values())

    def close(self) -> None:
        """Close all connections."""
        self.wire.close()

    def _make(self, corp: CorpPart, app: AppPart) -> HttpWeComGateway | None:
        secrets = self._settings.app_secrets.get(app.key)
        if app.kind not in APP_KINDS or secrets is None or secrets.secret is None:
            return None
        monotonic, sleep, chance = self._timing
        client = WeComClient(
            wire=self.wire,
            tokens=self._tokens,
            pacer=self._pacer,
            credential=Credential(CorpId(corp.corp_id), secrets.secret.get_secret_value()),
            monotonic=monotonic,
            sleep=sleep,
            chance=chance,
        )
        return HttpWeComGateway(
            client,
            app_key=AppKey(app.key),
            agent_id=app.agent_id,
            duplicate_check_seconds=self._settings.wecom.duplicate_check_seconds,
            limits=self._limits,
        )
