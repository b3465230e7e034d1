"""What WeCom tells an app, as inner XML. Fields and spelling as the vendor sends them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias, Union

XmlValue: TypeAlias = Union[str, int, "XmlFields"]
XmlFields: TypeAlias = list[tuple[str, XmlValue]]


_SYSTEM = frozenset({"customer_acquisition", "kf_msg_or_event", "msgaudit_notify"})


@dataclass(slots=True, frozen=True)
class Event:
    """One thing that happened, before it is addressed to anybody.

    kind: the Event element, or `message` for what a member writes to an app. about: members of whom at
    least one must be in an app's visible range for it to be told (empty: no such filter). to_agentid: only
    that app is told.
    """

    kind: str
    change_type: str = ""
    fields: XmlFields = field(default_factory=list)
    sender: str = "sys"
    about: tuple[str, ...] = ()
    to_agentid: int | None = None

    @property
    def topic(self) -> str:
        """What an app subscribes to: the kind for what WeCom tells, `app` for what members do with the app."""
        return self.kind if self.kind.startswith("change_") or self.kind in _SYSTEM else "app"

    def inner_xml(self, corp_id: str, created: int) -> str:
        """The plaintext of the callback; strings in CDATA, numbers bare."""
        head: XmlFields = [("ToUserName", corp_id)]
        head += [("FromUserName", self.sender)] if self.sender else []
        head.append(("CreateTime", created))
        if self.kind != "message":
            head += [("MsgType", "event"), ("Event", self.kind)]
        if self.change_type and self.kind != "change_external_chat":
            head.append(("ChangeType", self.change_type))
        return f"<xml>{_elements(head + self.fields)}</xml>"


def _elements(fields: XmlFields) -> str:
    return "".join(f"<{name}>{_value(value)}</{name}>" for name, value in fields)


def _value(value: XmlValue) -> str:
    if isinstance(value, list):
        return _elements(value)
    if isinstance(value, int):
        return str(value)
    return "<![CDATA[" + value.replace("]]>", "]]]]><![CDATA[>") + "]]>"


def contact_event(change_type: str, userid: str, external_userid: str, **extra: str) -> Event:
    """change_external_contact; extra: State, WelcomeCode, Source, FailReason (empty ones are left out)."""
    fields: XmlFields = [("UserID", userid), ("ExternalUserID", external_userid)]
    fields += [(name, value) for name, value in extra.items() if value]
    return Event("change_external_contact", change_type, fields, about=(userid,))


def tag_event(change_type: str, tag_id: str, tag_type: str) -> Event:
    """change_external_tag; tag_type is `tag` or `tag_group`."""
    return Event("change_external_tag", change_type, [("Id", tag_id), ("TagType", tag_type)])


def group_event(change_type: str, chat_id: str, owner: str, extra: XmlFields | None = None) -> Event:
    """change_external_chat: create, update (with UpdateDetail …) or dismiss."""
    fields: XmlFields = [("ChatId", chat_id), ("ChangeType", change_type), *(extra or [])]
    return Event("change_external_chat", change_type, fields, about=(owner,))


def acquisition_event(change_type: str, **extra: str) -> Event:
    """customer_acquisition (获客助手); empty extras are left out."""
    fields: XmlFields = [(name, value) for name, value in extra.items() if value]
    return Event("customer_acquisition", change_type, fields)


def kf_event(token: str, open_kfid: str) -> Event:
    """kf_msg_or_event: something new at an account; has no FromUserName."""
    return Event("kf_msg_or_event", "", [("Token", token), ("OpenKfId", open_kfid)], sender="")


def envelope(corp_id: str, agentid: int, encrypted: str) -> str:
    """The outer XML of a delivery; the contacts assistant's has an empty AgentID."""
    agent = str(agentid) if agentid else ""
    return (
        f"<xml><ToUserName><![CDATA[{corp_id}]]></ToUserName><AgentID><![CDATA[{agent}]]></AgentID>"
        f"<Encrypt><![CDATA[{encrypted}]]></Encrypt></xml>"
    )
