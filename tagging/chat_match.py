"""A message that speaks for a tag, before anybody is asked. Pure."""

from dataclasses import dataclass

from crm_core.chat.model import StoredMessage
from tagging.chat_rules import ChatRule


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A message that fits a rule, or that the learner knows a tag for."""

    message: StoredMessage
    tag_id: str
    source: str
    origin: str
    version: int
    confidence: float
    mode: str
    rule: ChatRule | None = None
