"""Sensitive-word rules (管理聊天敏感词). Source: WeCom doc 95130."""

from __future__ import annotations

from bot.sandbox import ids
from bot.sandbox.api.call import Answer, Call, Endpoint
from bot.sandbox.fields import Fields
from bot.sandbox.records import InterceptRule
from bot.sandbox.refusal import Refusal, wrong_field

_NAME_CHARS = 20
_WORDS = 300
_WORD_CHARS = 32
_RANGE = 1000
_SEMANTICS = {1, 2, 3}


def _name(call: Call, known: str = "") -> str:
    name = call.body.text("rule_name", known)
    if not 1 <= len(name) <= _NAME_CHARS:
        raise wrong_field("rule_name")
    if name != known and any(r.name == name for r in call.corp.intercept_rules.values()):
        raise Refusal(41077)
    return name


def _words(call: Call) -> list[str]:
    words = call.body.texts("word_list", most=_WORDS, code=41068)
    if any(not 1 <= len(word) <= _WORD_CHARS for word in words) or not words:
        raise Refusal(41083)
    return words


def _semantics(fields: Fields) -> list[int]:
    found = fields.numbers("semantics_list")
    if not set(found) <= _SEMANTICS:
        raise Refusal(41084)
    return found


def _kind(call: Call, default: int = 0) -> int:
    kind = call.body.whole("intercept_type", default)
    if kind not in {1, 2}:
        raise wrong_field("intercept_type")
    return kind


def _range(call: Call, name: str) -> tuple[list[str], list[int]]:
    chosen = call.body.child(name)
    if chosen is None:
        return [], []
    users = [call.corp.need_member(call.app, u).userid for u in chosen.texts("user_list", most=_RANGE, code=41076)]
    parties = chosen.numbers("department_list")
    if len(parties) > _RANGE:
        raise Refusal(41076)
    if any(p not in call.corp.departments for p in parties):
        raise Refusal(60003)
    return users, parties


def add(call: Call) -> Answer:
    """externalcontact/add_intercept_rule: semantics_list stands at the top level here."""
    users, parties = _range(call, "applicable_range")
    if not users and not parties:
        raise wrong_field("applicable_range")
    if len(call.corp.intercept_rules) >= call.world.options.intercept_rule_limit:
        raise Refusal(41069)
    made = InterceptRule(
        ids.opaque("rl", 20), _name(call), call.now, _words(call), _semantics(call.body), _kind(call), users, parties
    )
    call.corp.intercept_rules[made.rule_id] = made
    call.world.touch()
    return {"rule_id": made.rule_id}


def _need(call: Call) -> InterceptRule:
    rule = call.corp.intercept_rules.get(call.body.need_text("rule_id", missing=41070))
    if rule is None:
        raise Refusal(41070)
    return rule


def list_rules(call: Call) -> Answer:
    """externalcontact/get_intercept_rule_list."""
    rules = call.corp.intercept_rules.values()
    return {"rule_list": [{"rule_id": r.rule_id, "rule_name": r.name, "create_time": r.created} for r in rules]}


def get(call: Call) -> Answer:
    """externalcontact/get_intercept_rule: the semantics list stands under extra_rule here."""
    rule = _need(call)
    return {
        "rule": {
            "rule_id": rule.rule_id,
            "rule_name": rule.name,
            "word_list": rule.words,
            "extra_rule": {"semantics_list": rule.semantics},
            "intercept_type": rule.kind,
            "applicable_range": {"user_list": rule.users, "department_list": rule.departments},
        }
    }


def update(call: Call) -> Answer:
    """externalcontact/update_intercept_rule: ranges are added and removed, words replaced."""
    rule = _need(call)
    name, kind = _name(call, rule.name), _kind(call, rule.kind)
    words = _words(call) if call.body.has("word_list") else rule.words
    extra = call.body.child("extra_rule")
    semantics = _semantics(extra) if extra else rule.semantics
    more_users, more_parties = _range(call, "add_applicable_range")
    less_users, less_parties = _range(call, "remove_applicable_range")
    users = [u for u in dict.fromkeys(rule.users + more_users) if u not in less_users]
    parties = [p for p in dict.fromkeys(rule.departments + more_parties) if p not in less_parties]
    if not users and not parties:
        raise wrong_field("remove_applicable_range")
    rule.name, rule.kind, rule.words, rule.semantics = name, kind, words, semantics
    rule.users, rule.departments = users, parties
    call.world.touch()
    return {}


def delete(call: Call) -> Answer:
    """externalcontact/del_intercept_rule."""
    del call.corp.intercept_rules[_need(call).rule_id]
    call.world.touch()
    return {}


ENDPOINTS = {
    "externalcontact/add_intercept_rule": Endpoint(add, "customers"),
    "externalcontact/get_intercept_rule_list": Endpoint(list_rules, "customers"),
    "externalcontact/get_intercept_rule": Endpoint(get, "customers"),
    "externalcontact/update_intercept_rule": Endpoint(update, "customers"),
    "externalcontact/del_intercept_rule": Endpoint(delete, "customers"),
}
