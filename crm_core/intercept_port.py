"""What we ask of WeCom's own rules for sensitive words. A part of ``crm_core.ports``."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class InterceptRule:
    """A rule of WeCom's own (管理聊天敏感词, doc 95130). kind: 1 warn and block, 2 warn only.

    semantics: 1 mobile number, 2 mail address, 3 red packet. Not both staff and departments are empty.
    """

    name: str
    words: tuple[str, ...]
    kind: int
    semantics: tuple[int, ...] = ()
    staff: tuple[str, ...] = ()
    departments: tuple[int, ...] = ()
    rule_id: str = ""


class InterceptGateway(Protocol):
    """The calls around rules; every one raises the ``WeComError`` family."""

    def list_intercept_rules(self) -> tuple[InterceptRule, ...]:
        """All rules for sensitive words with their words (doc 95130)."""
        ...

    def add_intercept_rule(self, rule: InterceptRule) -> str:
        """Make a rule; not repeated by itself. Answers its id."""
        ...

    def update_intercept_rule(self, rule: InterceptRule) -> None:
        """Make an existing rule what is told here; repeating changes nothing."""
        ...

    def delete_intercept_rule(self, rule_id: str) -> None:
        """Delete a rule; one that is gone already is fine."""
        ...
