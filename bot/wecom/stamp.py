"""What every event made from a callback carries. Pure."""

from collections.abc import Callable
from datetime import datetime
from typing import TypedDict

from bot.wecom.element import Element
from crm_core.errors import CallbackAnomalous
from crm_core.events import Event
from crm_core.ids import AppKey, CorpId, ExternalUserId, StaffUserId, WelcomeCode

ENVELOPE = frozenset({"ToUserName", "FromUserName", "CreateTime", "MsgType", "Event", "ChangeType"})


class Stamp(TypedDict):
    """The fields of ``crm_core.events.Event`` that do not depend on the kind of callback."""

    corp: CorpId
    app: AppKey
    occurred_at: datetime
    key: str
    received_ms: int


Maker = Callable[[Stamp, Element], Event]


def staff_of(body: Element, name: str = "UserID") -> StaffUserId:
    """The member a callback is about. Raises: CallbackAnomalous."""
    return StaffUserId(body.need(name))


def external_user_of(body: Element) -> ExternalUserId:
    """The external user a callback is about. Raises: CallbackAnomalous."""
    return ExternalUserId(body.need("ExternalUserID"))


def welcome_code_of(body: Element) -> WelcomeCode | None:
    """The right to greet, None where WeCom gives none."""
    code = body.text("WelcomeCode")
    return WelcomeCode(code) if code else None


def require(*, sound: bool, reason: str) -> None:
    """Raises: CallbackAnomalous with ``reason`` when not ``sound``."""
    if not sound:
        raise CallbackAnomalous(reason)
