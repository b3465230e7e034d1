"""Which messages are past their time, by the rules of config.yaml."""

from datetime import datetime, timedelta

from crm_core.chat.model import ConversationKind
from crm_core.config_chat import ChatPart


def limits(part: ChatPart, now: datetime) -> dict[str, datetime]:
    """By kind of conversation: messages sent before this are to be deleted; kinds that are kept are left out."""
    days = {
        ConversationKind.SINGLE: part.keep_single_days,
        ConversationKind.GROUP: part.keep_group_days,
        ConversationKind.KF: part.keep_kf_days,
        ConversationKind.INTERNAL: part.keep_internal_days,
    }
    return {kind.value: now - timedelta(days=count) for kind, count in days.items() if count}
