"""Sensitive acts (敏感行为): what people do, not say. Pure."""

from crm_core.chat.model import ChatMessage, PartyKind

RED_PACKET, TRANSFER, CARD, FILE, DELETED = "red_packet", "transfer", "card", "file", "deleted"
NAMES = {
    RED_PACKET: "发红包",
    TRANSFER: "转账",
    CARD: "推送名片",
    FILE: "发送文件",
    DELETED: "员工删除客户",
}
_KINDS = {
    "redpacket": RED_PACKET,
    "external_redpacket": RED_PACKET,
    "hongbao": RED_PACKET,
    "transfer": TRANSFER,
    "external_transfer": TRANSFER,
    "card": CARD,
    "business_card": CARD,
    "file": FILE,
    "qydiskfile": FILE,
}


def act_of(message: ChatMessage) -> str:
    """Which sensitive act a message is, "" for none."""
    if message.sender.kind not in {PartyKind.STAFF, PartyKind.CUSTOMER}:
        return ""
    return _KINDS.get(message.kind, "")


def told(message: ChatMessage) -> str:
    """What the act was about, for display."""
    body = message.body
    if message.kind in {"redpacket", "external_redpacket", "hongbao"}:
        amount = body.get("totalamount")
        cents = f"，共 {amount / 100:.2f} 元" if isinstance(amount, int | float) else ""
        return f"红包“{body.get('wish', '')}”{cents}"
    if message.kind in {"card", "business_card"}:
        return f"名片：{body.get('corpname', '')} {body.get('userid', '')}".strip()
    return message.text or NAMES.get(_KINDS.get(message.kind, ""), message.kind)
