"""微信客服 as the rooms see it: what WeCom tells, and what may be asked of it. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class KfItem:
    """One entry of sync_msg. origin: 3 customer, 4 system, 5 servicer; staff: the servicer who wrote.

    kind: WeCom's msgtype, ``event`` for what happened. body: the object of the msgtype, as it came.
    """

    msgid: str
    open_kfid: str
    external_user: str
    sent_at: datetime
    origin: int
    kind: str
    body: Mapping[str, Any]
    staff: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class KfPage:
    """One answer of sync_msg; ``cursor`` is where the next one goes on."""

    items: tuple[KfItem, ...]
    cursor: str
    has_more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class KfAccountFacts:
    """A customer-service account. manageable: under API management for our app."""

    open_kfid: str
    name: str
    avatar: str = ""
    manageable: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class KfStanding:
    """Who answers now: 0 new, 1 bot, 2 pool, 3 ``servicer``, 4 ended."""

    state: int
    servicer: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class KfCustomerFacts:
    """Who wrote."""

    external_user: str
    nickname: str
    avatar: str = ""


class KfGateway(Protocol):
    """All that may be asked about 微信客服; part of ``crm_core.ports.WeComGateway`` and raises what that raises."""

    def sync_kf(self, open_kfid: str, *, cursor: str, token: str, limit: int = 1000) -> KfPage:
        """What came since ``cursor`` ("": three days back). token: of the callback, "" is limited much harder.

        Raises: WeComRefused (95007: the token is too old).
        """
        ...

    def send_kf(self, open_kfid: str, external_user: str, msgid: str, content: Mapping[str, Any]) -> None:
        """Answer a customer; the same msgid is sent once. content: msgtype plus its object.

        Raises: WeComRefused (95001 five sent already, 95002 after 48 h, 95018 not the bot's turn).
        """
        ...

    def send_kf_on_event(self, code: str, msgid: str, content: Mapping[str, Any]) -> None:
        """One message by the code of an event; single use. Raises: WeComRefused when it is used or too old."""
        ...

    def kf_standing(self, open_kfid: str, external_user: str) -> KfStanding:
        """Who answers this customer now."""
        ...

    def move_kf(self, open_kfid: str, external_user: str, state: int, servicer: str = "") -> str:
        """Hand a session on; answers the code for one message about it, "" when there is none.

        Raises: WeComRefused (95013 ended, 95014 no servicer, 95016 illegal move, 95019 off duty).
        """
        ...

    def list_kf_accounts(self) -> tuple[KfAccountFacts, ...]:
        """Every account that our app may see."""
        ...

    def kf_servicers_on_duty(self, open_kfid: str) -> tuple[str, ...]:
        """Userids of those who take sessions now."""
        ...

    def kf_customers(self, external_users: Sequence[str]) -> tuple[KfCustomerFacts, ...]:
        """Names of up to 100 who wrote; unknown ones are left out."""
        ...
