"""Knocks at our own callback address the way WeCom does when an administrator saves it (GET with an encrypted echo).

Source: protocol notes 1.2; WeCom waits 1 second and wants the bare plaintext.
"""

import secrets
import time
from collections.abc import Callable, Sequence

import httpx

from bot.wecom.crypto import CallbackCrypto
from bot.wecom.wire import is_loopback
from crm_core.config import AppPart, CorpPart, Settings
from crm_core.ids import AppKey

WECOM_WAITS_SECONDS = 1.0
GIVE_UP_SECONDS = 5.0
ECHO_DIGITS = 19
SAYINGS = {
    403: "返回 403：运行中的 Token、EncodingAESKey 或企业 ID 与当前配置不一致，重启服务后再试",
    404: "返回 404：地址没有转到本产品，或运行中的配置里没有这个应用",
}


class EchoProbe:
    """Says what is wrong with the callback address of an app; ``bot.doctor`` takes it as ``probe_callback``.

    receive_ids: whom an envelope of an app may be addressed to (``bot.wiring.receive_ids``).
    """

    def __init__(
        self,
        settings: Settings,
        receive_ids: Callable[[CorpPart, AppPart], Sequence[str]],
        *,
        now: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._receive_ids = receive_ids
        self._now = now
        self._monotonic = monotonic

    def __call__(self, key: AppKey) -> str:
        """Returns "" when the address answers right and in time, else what is wrong, in Chinese."""
        crypto = self._crypto(key)
        if crypto is None:
            return "没有 Token 或 EncodingAESKey，无法测试"
        echo = str(secrets.randbelow(9 * 10 ** (ECHO_DIGITS - 1)) + 10 ** (ECHO_DIGITS - 1)).encode()
        sealed = crypto.seal(echo, str(int(self._now())), secrets.token_hex(5))
        query = {
            "msg_signature": sealed.signature,
            "timestamp": sealed.timestamp,
            "nonce": sealed.nonce,
            "echostr": sealed.encrypt,
        }
        address = f"{self._settings.server.public_url}/callback/{key}"
        began = self._monotonic()
        try:
            answer = httpx.get(
                address, params=query, timeout=GIVE_UP_SECONDS, trust_env=not is_loopback(httpx.URL(address).host)
            )
        except httpx.HTTPError as error:
            return f"访问 {address} 失败（{type(error).__name__}）：服务没有运行，或域名、证书、防火墙不通"
        return _judge(answer, echo, self._monotonic() - began)

    def _crypto(self, key: AppKey) -> CallbackCrypto | None:
        parts, secret = self._settings.app(key), self._settings.app_secrets.get(key)
        if parts is None or secret is None or secret.token is None or secret.aes_key is None:
            return None
        return CallbackCrypto(
            secret.token.get_secret_value(), secret.aes_key.get_secret_value(), self._receive_ids(*parts)
        )


def _judge(answer: httpx.Response, echo: bytes, seconds: float) -> str:
    if answer.status_code != httpx.codes.OK:
        return SAYINGS.get(answer.status_code, f"返回 {answer.status_code}，应直接返回 200")
    if answer.content != echo:
        return "应答不是解密后的原文：前面的代理改动了请求或应答"
    if seconds > WECOM_WAITS_SECONDS:
        return f"应答用了 {seconds:.1f} 秒，企业微信只等 1 秒"
    return ""
