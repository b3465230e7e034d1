"""One authenticated call to WeCom: token, pace, errcode, and the few repeats that can do no harm.

Repeats inside a call: a stale token once; -1, network faults and 45033 at most twice, and only for calls that are
safe to repeat. Everything else goes back to the caller with ``sent`` telling whether WeCom may have acted.
Source: protocol notes 3.1, 3.2; customer contact 14.
"""

import random
import time
from collections.abc import Callable, Mapping
from typing import Any

import structlog

from bot.wecom.errcodes import error_for
from bot.wecom.loose import as_int, as_text
from bot.wecom.pacing import Pacer
from bot.wecom.tokens import Credential, Fresh, TokenCache, fresh_from
from bot.wecom.wire import Upload, Wire
from crm_core.errors import (
    DeadlineMissed,
    WeComError,
    WeComThrottled,
    WeComTokenInvalid,
    WeComUnavailable,
)

log = structlog.get_logger(__name__)

QUOTA = 45009
PARALLEL = 45033
WRONG_JSON = "Warning: wrong json format."
QUICK_REPEATS = 2
FIRST_BACKOFF_SECONDS = 0.2
REPEATS_END_SECONDS = 8.0


class WeComClient:
    """Calls as one app of one corp. Safe for many threads.

    repeats_end_seconds: no repeat starts later than this after the call began.
    """

    def __init__(
        self,
        *,
        wire: Wire,
        tokens: TokenCache,
        pacer: Pacer,
        credential: Credential,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        chance: random.Random | None = None,
        repeats_end_seconds: float = REPEATS_END_SECONDS,
    ) -> None:
        self.wire = wire
        self.credential = credential
        self._tokens = tokens
        self._pacer = pacer
        self._monotonic = monotonic
        self._sleep = sleep
        self._chance = chance or random.Random()  # noqa: S311 - jitter, not secrecy
        self._repeats_end = repeats_end_seconds

    def token(self) -> str:
        """A valid access token. Raises: the WeComError family."""
        return self._tokens.token(self.credential)

    def ticket(self, agent_id: int | None) -> str:
        """The JS-SDK ticket of the corp (None) or of this app. Raises: the WeComError family.

        Source: protocol notes 6.1; 400 fetches an hour per corp, 100 per app.
        """
        call, params = ("get_jsapi_ticket", {}) if agent_id is None else ("ticket/get", {"type": "agent_config"})

        def fetch() -> Fresh:
            return fresh_from(self.get(call, params, patience_seconds=2.0), "ticket", call)

        return self._tokens.ticket(self.credential, agent_id, fetch)

    def get(
        self,
        call: str,
        params: Mapping[str, str | int] | None = None,
        *,
        repeatable: bool = True,
        patience_seconds: float = 0.0,
    ) -> dict[str, Any]:
        """GET; see ``_call``."""
        return self._call(call, params or {}, None, repeatable=repeatable, patience_seconds=patience_seconds)

    def post(
        self,
        call: str,
        body: Mapping[str, Any],
        *,
        repeatable: bool,
        patience_seconds: float = 0.0,
        params: Mapping[str, str | int] | None = None,
    ) -> dict[str, Any]:
        """POST a UTF-8 JSON body; ``repeatable``: doing it twice is the same as once. See ``_call``."""
        return self._call(call, params or {}, body, repeatable=repeatable, patience_seconds=patience_seconds)

    def upload(self, call: str, params: Mapping[str, str | int], upload: Upload) -> dict[str, Any]:
        """POST a file; a repeat makes a second copy at WeCom, which does no harm. See ``_call``."""
        return self._call(call, params, None, repeatable=True, patience_seconds=0.0, upload=upload)

    def _call(
        self,
        call: str,
        params: Mapping[str, str | int],
        body: Mapping[str, Any] | None,
        *,
        repeatable: bool,
        patience_seconds: float,
        upload: Upload | None = None,
    ) -> dict[str, Any]:
        """Make one call.

        patience_seconds: how long to wait for a free place when paced.
        Raises: the WeComError family, DeadlineMissed (41050).
        """
        ends_at = self._monotonic() + self._repeats_end
        repeats, refreshed, patience = 0, False, patience_seconds
        while True:
            token = ""
            try:
                token = self.token()
                return self._once(call, params, body, token, patience, upload)
            except WeComTokenInvalid:
                self._tokens.invalidate(self.credential, token)
                if refreshed or not token:
                    raise
                refreshed = True
            except (WeComUnavailable, WeComThrottled) as error:
                wait = self._wait_before_repeat(error, repeats)
                out_of_time = self._monotonic() + wait > ends_at
                harmless = repeatable or not token  # without a token the call itself has not begun
                if not harmless or error.errcode == QUOTA or repeats >= QUICK_REPEATS or out_of_time:
                    raise
                if isinstance(error, WeComThrottled) and not error.sent:
                    raise
                repeats += 1
                self._sleep(wait)
                patience = max(patience_seconds, ends_at - self._monotonic())

    def _wait_before_repeat(self, error: WeComUnavailable | WeComThrottled, repeats: int) -> float:
        if isinstance(error, WeComThrottled):
            return error.wait_seconds
        return FIRST_BACKOFF_SECONDS * 2.0**repeats * (0.5 + self._chance.random())

    def _once(
        self,
        call: str,
        params: Mapping[str, str | int],
        body: Mapping[str, Any] | None,
        token: str,
        patience_seconds: float,
        upload: Upload | None,
    ) -> dict[str, Any]:
        corp = self.credential.corp
        with self._pacer.enter(corp, call, wait_at_most_seconds=patience_seconds):
            answer = self.wire.exchange(call, params={**params, "access_token": token}, body=body, upload=upload)
        if "errcode" not in answer:
            raise WeComUnavailable(None, "no errcode in the answer", call)
        errcode = as_int(answer["errcode"], -1)
        errmsg = as_text(answer.get("errmsg")).replace(token, "***")
        if errcode == 0:
            self._pacer.note_success(corp, call)
            if WRONG_JSON in errmsg:
                log.warning("wecom_wrong_json", call=call, errmsg=errmsg)
            return answer
        log.info("wecom_errcode", call=call, errcode=errcode, errmsg=errmsg, corp=corp)
        raise self._refusal(errcode, errmsg, call)

    def _refusal(self, errcode: int, errmsg: str, call: str) -> WeComError | DeadlineMissed:
        error = error_for(errcode, errmsg, call)
        if isinstance(error, WeComThrottled):
            note = self._pacer.note_parallel if errcode == PARALLEL else self._pacer.note_quota
            error.wait_seconds = note(self.credential.corp, call)
        return error
