"""WeCom's own rules for sensitive words (doc 95130). A part of the gateway."""

from typing import Any

from bot.wecom.client import WeComClient
from bot.wecom.loose import as_dict, as_int, as_text, dicts, texts
from crm_core.errors import InputInvalid, WeComError, WeComUnavailable
from crm_core.intercept_port import InterceptRule

RULE_GONE = 41070
MOST_WORDS, MOST_WORD_CHARS, MOST_NAME_CHARS = 300, 32, 20


class InterceptCalls:
    """Reading and changing rules. Ranges are told whole on add and as differences on update."""

    client: WeComClient

    def list_intercept_rules(self) -> tuple[InterceptRule, ...]:
        """All rules, each read by itself; one that goes away meanwhile is left out. Raises: the WeComError family."""
        listed = dicts(self.client.get("externalcontact/get_intercept_rule_list").get("rule_list"))
        found = (self._rule(as_text(one.get("rule_id"))) for one in listed)
        return tuple(rule for rule in found if rule is not None)

    def add_intercept_rule(self, rule: InterceptRule) -> str:
        """Make a rule. Not repeated by itself. Raises: InputInvalid, the WeComError family."""
        call = "externalcontact/add_intercept_rule"
        body = {
            **_checked(rule),
            "semantics_list": list(rule.semantics),
            "applicable_range": _range(rule.staff, rule.departments),
        }
        made = as_text(self.client.post(call, body, repeatable=False).get("rule_id"))
        if not made:
            raise WeComUnavailable(None, "no rule_id in the answer", call)
        return made

    def update_intercept_rule(self, rule: InterceptRule) -> None:
        """Make a rule what is told; its range is compared with what WeCom shows. Raises: InputInvalid, its family."""
        now = self._rule(rule.rule_id) or InterceptRule(name="", words=(), kind=1)
        body: dict[str, Any] = {
            "rule_id": rule.rule_id,
            **_checked(rule),
            "extra_rule": {"semantics_list": list(rule.semantics)},
        }
        parts = (
            ("add_applicable_range", rule, now),
            ("remove_applicable_range", now, rule),
        )
        for name, there, other in parts:
            staff = [one for one in there.staff if one not in other.staff]
            departments = [one for one in there.departments if one not in other.departments]
            if staff or departments:
                body[name] = _range(staff, departments)
        self.client.post("externalcontact/update_intercept_rule", body, repeatable=True)

    def delete_intercept_rule(self, rule_id: str) -> None:
        """Delete a rule; one that is gone already is fine. Raises: the WeComError family."""
        try:
            self.client.post("externalcontact/del_intercept_rule", {"rule_id": rule_id}, repeatable=True)
        except WeComError as error:
            if error.errcode != RULE_GONE:
                raise

    def _rule(self, rule_id: str) -> InterceptRule | None:
        try:
            answer = self.client.post("externalcontact/get_intercept_rule", {"rule_id": rule_id}, repeatable=True)
        except WeComError as error:
            if error.errcode != RULE_GONE:
                raise
            return None
        told = as_dict(answer.get("rule"))
        where = as_dict(told.get("applicable_range"))
        return InterceptRule(
            rule_id=as_text(told.get("rule_id")),
            name=as_text(told.get("rule_name")),
            words=tuple(texts(told.get("word_list"))),
            kind=as_int(told.get("intercept_type")),
            semantics=_numbers(as_dict(told.get("extra_rule")).get("semantics_list")),
            staff=tuple(texts(where.get("user_list"))),
            departments=_numbers(where.get("department_list")),
        )


def _checked(rule: InterceptRule) -> dict[str, Any]:
    if not 1 <= len(rule.name) <= MOST_NAME_CHARS:
        raise InputInvalid(f"规则名称为 1 到 {MOST_NAME_CHARS} 个字", field="name")
    if not 1 <= len(rule.words) <= MOST_WORDS or any(not 1 <= len(word) <= MOST_WORD_CHARS for word in rule.words):
        raise InputInvalid(f"规则要有 1 到 {MOST_WORDS} 个词，每个最多 {MOST_WORD_CHARS} 个字", field="words")
    return {"rule_name": rule.name, "word_list": list(rule.words), "intercept_type": rule.kind}


def _range(staff: Any, departments: Any) -> dict[str, Any]:
    return {"user_list": list(staff), "department_list": list(departments)}


def _numbers(told: Any) -> tuple[int, ...]:
    return tuple(as_int(one) for one in told) if isinstance(told, list) else ()
