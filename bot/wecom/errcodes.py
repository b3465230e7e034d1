"""errcode → our error. Branches on the code only; errmsg is for logs (WeCom changes it without notice)."""

from collections.abc import Mapping

from bot.wecom.errcode_table import CHECK_APP, KNOWN, Kind, Known
from crm_core.errors import (
    DeadlineMissed,
    WeComError,
    WeComNotAllowed,
    WeComRefused,
    WeComThrottled,
    WeComTokenInvalid,
    WeComUnavailable,
)

BY_CODE: Mapping[int, Known] = {known.code: known for known in KNOWN}
CLASSES: Mapping[Kind, type[WeComError]] = {
    Kind.STALE: WeComTokenInvalid,
    Kind.THROTTLED: WeComThrottled,
    Kind.LATER: WeComUnavailable,
    Kind.GRANT: WeComNotAllowed,
    Kind.REFUSED: WeComRefused,
}
# 40001 says "wrong secret" on gettoken, but "stale token" on a business call (protocol notes 3.1).
SPECIAL: Mapping[tuple[str, int], Known] = {
    ("gettoken", 40001): Known(40001, Kind.GRANT, "不合法的secret参数", CHECK_APP),
}
DEFAULT_WAITS: Mapping[int, float] = {45009: 60.0, 45033: 1.0}


def known(errcode: int, call: str = "") -> Known | None:
    """What the table says about a code, None for codes not in it."""
    return SPECIAL.get((call, errcode)) or BY_CODE.get(errcode)


def sentence(errcode: int, call: str = "") -> str:
    """One Chinese sentence: the vendor's wording and what to do where; "" for unknown codes."""
    row = known(errcode, call)
    return f"{row.wording}（{errcode}）：{row.remedy}" if row else ""


def error_for(errcode: int, errmsg: str, call: str) -> WeComError | DeadlineMissed:
    """The error to raise for an answer with this code (not 0). call: API path such as ``externalcontact/get``.

    Codes not in the table become WeComRefused.
    Source: WeCom doc 90313; retry classes of the protocol notes 3.2 and 14.1.
    """
    row = known(errcode, call)
    if row is not None and row.kind is Kind.DEADLINE:
        return DeadlineMissed(sentence(errcode, call))
    made = CLASSES[row.kind if row else Kind.REFUSED](errcode, errmsg, call, remedy=sentence(errcode, call))
    if isinstance(made, WeComThrottled):
        made.wait_seconds = DEFAULT_WAITS[errcode]
    return made


def same_again(error: WeComError, *, sent: bool) -> WeComError:
    """A fresh error like ``error``, for another caller of a shared call; its traceback starts anew."""
    fresh = type(error)(error.errcode, error.errmsg, error.call, sent=sent, remedy=error.message)
    if isinstance(error, WeComThrottled) and isinstance(fresh, WeComThrottled):
        fresh.wait_seconds = error.wait_seconds
    return fresh
