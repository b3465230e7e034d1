"""The error tree. Every error carries a short machine code, an HTTP status and whether to retry."""

from enum import StrEnum


class Retry(StrEnum):
    """What a caller may do with a failed act."""

    NEVER = "never"
    LATER = "later"
    AFTER_REFRESH = "after_refresh"


class ScrmError(Exception):
    """Base of all our errors.

    ``message`` is one Chinese sentence a user may read; ``field`` names the form field at fault, if any.
    """

    code = "internal"
    http_status = 500
    retry = Retry.NEVER

    def __init__(self, message: str = "", *, field: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.field = field


class InputInvalid(ScrmError):
    """What the caller sent cannot be used."""

    code = "input_invalid"
    http_status = 400


class NotAuthenticated(ScrmError):
    """Nobody is signed in."""

    code = "not_authenticated"
    http_status = 401


class NotAllowed(ScrmError):
    """Signed in, but without the right."""

    code = "not_allowed"
    http_status = 403


class NotFound(ScrmError):
    """Not there, or not visible to the caller: both look alike on purpose."""

    code = "not_found"
    http_status = 404


class Conflict(ScrmError):
    """The act clashes with what is already so."""

    code = "conflict"
    http_status = 409


class AlreadyEnrolled(Conflict):
    """The customer is already inside this sop with this staff member."""

    code = "already_enrolled"


class StoreUnavailable(ScrmError):
    """The database did not take the row; the sender should try again."""

    code = "store_unavailable"
    http_status = 503
    retry = Retry.LATER


class NotReady(ScrmError):
    """Something the act needs is on its way; asking again after ``wait_seconds`` makes sense."""

    code = "not_ready"
    http_status = 503
    retry = Retry.LATER
    wait_seconds: float = 1.0


class CallbackRejected(ScrmError):
    """A callback that is not WeCom's, or not for us. ``reason`` is for counters, never for the answer."""

    code = "callback_rejected"
    http_status = 403

    def __init__(self, reason: str) -> None:
        super().__init__("回调校验未通过")
        self.reason = reason


class CallbackUnsupported(ScrmError):
    """A genuine callback of a kind we do not use; it is kept as ``ignored``."""

    code = "callback_unsupported"


class CallbackAnomalous(ScrmError):
    """A genuine envelope whose inside makes no sense; it is kept as ``quarantined`` and alarms."""

    code = "callback_anomalous"


class LeaseLost(ScrmError):
    """Another worker took the row over; whatever we were about to commit is void."""

    code = "lease_lost"


class DeadlineMissed(ScrmError):
    """Too late to be of use (41050 or a cutoff of ours; 41051, already greeted, is WeComRefused)."""

    code = "deadline_missed"


class WeComError(ScrmError):
    """WeCom answered with an errcode, or did not answer.

    ``errcode`` is None when no answer came. ``errmsg`` is the vendor's text with hint and log id: for logs only.
    ``call`` is the API path. ``sent`` tells whether the request may have reached WeCom.
    """

    code = "wecom_error"
    http_status = 502

    def __init__(self, errcode: int | None, errmsg: str, call: str, *, sent: bool = True, remedy: str = "") -> None:
        super().__init__(remedy or f"企业微信接口 {call} 返回错误 {errcode}")
        self.errcode = errcode
        self.errmsg = errmsg
        self.call = call
        self.sent = sent


class WeComTokenInvalid(WeComError):
    """40014, 42001: refresh the token once, then fail."""

    code = "wecom_token_invalid"
    retry = Retry.AFTER_REFRESH


class WeComThrottled(WeComError):
    """45009, 45033: later; the whole lane waits ``wait_seconds``."""

    code = "wecom_throttled"
    http_status = 503
    retry = Retry.LATER
    wait_seconds: float = 60.0


class WeComUnavailable(WeComError):
    """-1, a 5xx or a network fault: later. Ambiguous when ``sent`` and no errcode came."""

    code = "wecom_unavailable"
    http_status = 503
    retry = Retry.LATER


class WeComNotAllowed(WeComError):
    """48002, 60020 and kin: an operator has to grant something first."""

    code = "wecom_not_allowed"


class WeComRefused(WeComError):
    """Any other errcode: repeating will not help."""

    code = "wecom_refused"


class ConfigInvalid(ScrmError):
    """config.yaml or the environment is wrong; ``faults`` lists every fault at once."""

    code = "config_invalid"

    def __init__(self, faults: list[str]) -> None:
        super().__init__("配置有误：\n" + "\n".join(f"  - {fault}" for fault in faults))
        self.faults = faults
