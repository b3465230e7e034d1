"""微信客服 (protocol notes 7). A part of the gateway."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from bot.wecom.client import WeComClient
from bot.wecom.loose import as_dict, as_int, as_text, dicts
from crm_core.errors import InputInvalid
from crm_core.kf_port import KfAccountFacts, KfCustomerFacts, KfItem, KfPage, KfStanding

ACCOUNTS_A_PAGE = 100
CUSTOMERS_AT_ONCE = 100
ON_DUTY = 0


class KfCalls:
    """Reading, answering and handing over customer-service sessions (docs 94670, 94677, 94669, 95122)."""

    client: WeComClient

    def sync_kf(self, open_kfid: str, *, cursor: str, token: str, limit: int = 1000) -> KfPage:
        """What came since ``cursor``. Raises: WeComRefused (95007), the WeComError family."""
        body: dict[str, Any] = {"open_kfid": open_kfid, "limit": limit, "voice_format": 0}
        body |= {name: value for name, value in (("cursor", cursor), ("token", token)) if value}
        answer = self.client.post("kf/sync_msg", body, repeatable=True)
        found = (_item(one, open_kfid) for one in dicts(answer.get("msg_list")))
        return KfPage(
            items=tuple(one for one in found if one is not None),
            cursor=as_text(answer.get("next_cursor")) or cursor,
            has_more=as_int(answer.get("has_more")) == 1,
        )

    def send_kf(self, open_kfid: str, external_user: str, msgid: str, content: Mapping[str, Any]) -> None:
        """Answer a customer; our msgid makes a repeat harmless. Raises: the WeComError family."""
        body = {"touser": external_user, "open_kfid": open_kfid, "msgid": msgid, **content}
        self.client.post("kf/send_msg", body, repeatable=True)

    def send_kf_on_event(self, code: str, msgid: str, content: Mapping[str, Any]) -> None:
        """One message by the code of an event. Raises: the WeComError family."""
        self.client.post("kf/send_msg_on_event", {"code": code, "msgid": msgid, **content}, repeatable=False)

    def kf_standing(self, open_kfid: str, external_user: str) -> KfStanding:
        """Who answers this customer now. Raises: the WeComError family."""
        body = {"open_kfid": open_kfid, "external_userid": external_user}
        answer = self.client.post("kf/service_state/get", body, repeatable=True)
        return KfStanding(state=as_int(answer.get("service_state")), servicer=as_text(answer.get("servicer_userid")))

    def move_kf(self, open_kfid: str, external_user: str, state: int, servicer: str = "") -> str:
        """Hand a session on; not repeated by itself, as its code comes once. Raises: the WeComError family."""
        body: dict[str, Any] = {"open_kfid": open_kfid, "external_userid": external_user, "service_state": state}
        body |= {"servicer_userid": servicer} if servicer else {}
        return as_text(self.client.post("kf/service_state/trans", body, repeatable=False).get("msg_code"))

    def list_kf_accounts(self) -> tuple[KfAccountFacts, ...]:
        """Every account, read to the last page. Raises: the WeComError family."""
        found: list[KfAccountFacts] = []
        while True:
            body = {"offset": len(found), "limit": ACCOUNTS_A_PAGE}
            page = dicts(self.client.post("kf/account/list", body, repeatable=True).get("account_list"))
            found += [
                KfAccountFacts(
                    open_kfid=as_text(one.get("open_kfid")),
                    name=as_text(one.get("name")),
                    avatar=as_text(one.get("avatar")),
                    manageable=bool(one.get("manage_privilege")),
                )
                for one in page
            ]
            if len(page) < ACCOUNTS_A_PAGE:
                return tuple(found)

    def kf_servicers_on_duty(self, open_kfid: str) -> tuple[str, ...]:
        """Who takes sessions now; departments are left out. Raises: the WeComError family."""
        rows = dicts(self.client.get("kf/servicer/list", {"open_kfid": open_kfid}).get("servicer_list"))
        return tuple(
            as_text(one.get("userid")) for one in rows if one.get("userid") and as_int(one.get("status")) == ON_DUTY
        )

    def kf_customers(self, external_users: Sequence[str]) -> tuple[KfCustomerFacts, ...]:
        """Names of those who wrote. Raises: InputInvalid, the WeComError family."""
        if not 0 < len(external_users) <= CUSTOMERS_AT_ONCE:
            raise InputInvalid(f"一次须为 1 到 {CUSTOMERS_AT_ONCE} 位客户", field="external_users")
        body = {"external_userid_list": list(external_users), "need_enter_session_context": 0}
        rows = dicts(self.client.post("kf/customer/batchget", body, repeatable=True).get("customer_list"))
        return tuple(
            KfCustomerFacts(
                external_user=as_text(one.get("external_userid")),
                nickname=as_text(one.get("nickname")),
                avatar=as_text(one.get("avatar")),
            )
            for one in rows
        )


def _item(raw: Mapping[str, Any], open_kfid: str) -> KfItem | None:
    """One entry; None for one without an id. Events carry account and customer inside."""
    kind = as_text(raw.get("msgtype"))
    body = as_dict(raw.get(kind))
    if not as_text(raw.get("msgid")):
        return None
    return KfItem(
        msgid=as_text(raw.get("msgid")),
        open_kfid=as_text(raw.get("open_kfid")) or as_text(body.get("open_kfid")) or open_kfid,
        external_user=as_text(raw.get("external_userid")) or as_text(body.get("external_userid")),
        sent_at=datetime.fromtimestamp(as_int(raw.get("send_time")), UTC),
        origin=as_int(raw.get("origin")),
        kind=kind,
        body=dict(body),
        staff=as_text(raw.get("servicer_userid")),
    )
