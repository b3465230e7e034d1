"""WeCom's own rules (管理聊天敏感词): made from categories, kept in step, differences shown.

A category that intercepts becomes one rule, or several of 300 words each. WeCom's rules know words, no expressions.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, delete, select

from crm_core import audit, outbox, staff
from crm_core.db import UnitOfWork
from crm_core.events import InterceptRuleMade, InterceptRulesFetched, OutboundFinished
from crm_core.ids import AppKey, CorpId
from crm_core.intercept_port import InterceptRule
from crm_core.sensitive import acts, detectors, words
from crm_core.sensitive.words import INTERCEPTS, LIVE, WORD
from crm_core.sensitive_tables import SensitiveRemoteRow, SensitiveRuleRow

MOST_WORDS, MOST_WORD_CHARS, MOST_NAME_CHARS, MOST_RULES = 300, 32, 20, 100  # doc 95130
LOOK_AGAIN_MS = 1500  # so long after a change WeCom is asked what stands there now
SEMANTICS = {1: "手机号", 2: "邮箱", 3: "红包"}
_KINDS = {"add_intercept_rule", "update_intercept_rule", "delete_intercept_rule"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A rule as it should stand at WeCom. left_out: live entries that WeCom's rules cannot hold."""

    category: int
    part: int
    rule: InterceptRule
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One rule here, there, or on both sides. state: one of ``STATES``."""

    name: str
    state: str
    rule_id: str = ""
    said: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


STATES = {
    "same": "一致",
    "missing": "企业微信里没有",
    "different": "不一致",
    "waiting": "已提交，等企业微信确认",
    "refused": "企业微信未接受",
    "foreign": "企业微信里另有的规则",
    "surplus": "应当删除",
}


def wanted(session: Session, corp: CorpId) -> list[Wanted]:
    """All rules that the categories ask for."""
    found = []
    roots = staff.root_departments(session, corp)
    for one in words.listing(session, corp):
        form = one.form
        if not form.intercept or not form.is_enabled:
            continue
        live = [word for word in words.words(session, corp, one.id, state=LIVE) if word.kind != words.EXCEPTION]
        fit = [word.text for word in live if word.kind == WORD and len(word.text) <= MOST_WORD_CHARS]
        left_out = tuple(word.text for word in live if word.text not in set(fit))
        semantics = tuple(
            number
            for number, is_asked in (
                (1, detectors.PHONE in form.detectors),
                (2, detectors.EMAIL in form.detectors),
                (3, acts.RED_PACKET in form.acts),
            )
            if is_asked
        )
        for part, start in enumerate(range(0, len(fit), MOST_WORDS)):
            name = form.name if part == 0 else f"{form.name[: MOST_NAME_CHARS - 3]} {part + 1}"
            rule = InterceptRule(
                name=name,
                words=tuple(sorted(fit[start : start + MOST_WORDS])),
                semantics=semantics,
                kind=form.intercept,
                departments=tuple(sorted(form.departments or roots)),
            )
            found.append(Wanted(category=one.id, part=part, rule=rule, left_out=left_out if part == 0 else ()))
    return found[:MOST_RULES]


def push(uow: UnitOfWork, corp: CorpId, app: AppKey, *, actor: str) -> int:
    """Have WeCom's rules made, changed and deleted until they are as wanted. Answers how many calls were written."""
    uow.lock(f"sensitive-rules:{corp}")
    known = {(row.category_id, row.part): row for row in _rows(uow.session, corp)}
    shown = {row.rule_id: row.shown for row in _remote(uow.session, corp)}
    asked = 0
    for one in wanted(uow.session, corp):
        row = known.pop((one.category, one.part), None)
        told = _told(one.rule)
        if row is not None and not row.error and row.wanted == told and (not row.rule_id or _is_same(shown, row, one)):
            continue
        row = row or SensitiveRuleRow(corp_id=corp, category_id=one.category, part=one.part, asked_at=uow.now())
        row.wanted, row.error, row.asked_at = told, "", uow.now()
        uow.session.add(row)
        kind = outbox.UPDATE_INTERCEPT_RULE if row.rule_id else outbox.ADD_INTERCEPT_RULE
        _call(uow, corp, app, kind, row, told)
        asked += 1
    for row in known.values():
        if row.rule_id:
            _call(uow, corp, app, outbox.DELETE_INTERCEPT_RULE, row, row.wanted)
            asked += 1
        uow.session.delete(row)
    if asked:
        look(uow, corp, app, delay_ms=LOOK_AGAIN_MS)
        data = {"count": asked}
        audit.record(
            uow, corp=corp, actor=actor, act="sensitive.rules_pushed", object_kind="sensitive", object_id="", data=data
        )
    return asked


def look(uow: UnitOfWork, corp: CorpId, app: AppKey, *, delay_ms: int = 0) -> None:
    """Have WeCom's rules read anew."""
    key = f"intercept-rules:{secrets.token_hex(8)}"
    outbox.add(uow, outbox.FETCH_INTERCEPT_RULES, corp=corp, app=app, payload={}, dedupe_key=key, delay_ms=delay_ms)


def _call(
    uow: UnitOfWork, corp: CorpId, app: AppKey, kind: outbox.OutboundKind, row: SensitiveRuleRow, told: dict[str, Any]
) -> None:
    payload = {"category": row.category_id, "part": row.part, "rule_id": row.rule_id, "rule": told}
    key = f"{kind.name}:{row.category_id}:{row.part}:{secrets.token_hex(8)}"
    outbox.add(uow, kind, corp=corp, app=app, payload=payload, dedupe_key=key)


def record_made(event: InterceptRuleMade, uow: UnitOfWork) -> None:
    """WeCom has made a rule."""
    row = uow.session.get(SensitiveRuleRow, (event.corp, event.subject["category"], event.subject["part"]))
    if row is not None:
        row.rule_id, row.error = event.rule_id, ""
        uow.session.add(row)


def record_refused(event: OutboundFinished, uow: UnitOfWork) -> None:
    """WeCom did not take a rule; the page says why."""
    if event.kind not in _KINDS or event.outcome == "done":
        return
    row = uow.session.get(SensitiveRuleRow, (event.corp, event.subject["category"], event.subject["part"]))
    if row is not None:
        row.error = event.error or "没有成功"
        uow.session.add(row)


def record_fetched(event: InterceptRulesFetched, uow: UnitOfWork) -> None:
    """What WeCom shows now."""
    uow.session.execute(delete(SensitiveRemoteRow).where(col(SensitiveRemoteRow.corp_id) == event.corp))
    uow.session.add_all(
        SensitiveRemoteRow(corp_id=event.corp, rule_id=rule.rule_id, shown=_told(rule), seen_at=event.occurred_at)
        for rule in event.rules
    )


def differences(session: Session, corp: CorpId) -> list[Difference]:
    """Every rule, here and there."""
    shown = {row.rule_id: row.shown for row in _remote(session, corp)}
    rows = {(row.category_id, row.part): row for row in _rows(session, corp)}
    found = []
    for one in wanted(session, corp):
        row = rows.pop((one.category, one.part), None)
        there = shown.pop(row.rule_id, None) if row is not None and row.rule_id else None
        found.append(_difference(one, row, there))
    for row in rows.values():
        shown.pop(row.rule_id, None)
        found.append(Difference(name=row.wanted.get("name", ""), state="surplus", rule_id=row.rule_id))
    found += [
        Difference(name=rule["name"], state="foreign", rule_id=rule_id, said=(f"{len(rule['words'])} 个词",))
        for rule_id, rule in shown.items()
    ]
    return found


def seen_at(session: Session, corp: CorpId) -> datetime | None:
    """When WeCom's rules were last read; None while there is none that we know."""
    return max((row.seen_at for row in _remote(session, corp)), default=None)


def _difference(one: Wanted, row: SensitiveRuleRow | None, there: Mapping[str, Any] | None) -> Difference:
    def told(state: str, *said: str) -> Difference:
        rule_id = row.rule_id if row is not None else ""
        return Difference(name=one.rule.name, state=state, rule_id=rule_id, said=said, left_out=one.left_out)

    if row is None:
        return told("missing")
    if row.error:
        return told("refused", row.error)
    if there is None:
        return told("waiting" if not row.rule_id or row.wanted == _told(one.rule) else "different")
    said = _said(_told(one.rule), there)
    return told("different" if said else "same", *said)


def _said(here: Mapping[str, Any], there: Mapping[str, Any]) -> list[str]:
    said = []
    if missing := sorted(set(here["words"]) - set(there["words"])):
        said.append(f"企业微信缺少：{_some(missing)}")
    if more := sorted(set(there["words"]) - set(here["words"])):
        said.append(f"企业微信多出：{_some(more)}")
    if here["name"] != there["name"]:
        said.append(f"名称在企业微信是“{there['name']}”")
    if here["kind"] != there["kind"]:
        said.append(f"动作在企业微信是“{INTERCEPTS.get(there['kind'], there['kind'])}”")
    if sorted(here["semantics"]) != sorted(there["semantics"]):
        kinds = "、".join(SEMANTICS.get(one, str(one)) for one in there["semantics"])
        said.append(f"语义规则在企业微信是：{kinds or '无'}")
    if sorted(here["departments"]) != sorted(there["departments"]) or there["staff"]:
        said.append("适用范围不同")
    return said


def _some(texts: Sequence[str]) -> str:
    more = f" 等 {len(texts)} 个" if len(texts) > 5 else ""
    return "、".join(texts[:5]) + more


def _is_same(shown: Mapping[str, Mapping[str, Any]], row: SensitiveRuleRow, one: Wanted) -> bool:
    there = shown.get(row.rule_id)
    return there is None or not _said(_told(one.rule), there)


def _told(rule: InterceptRule) -> dict[str, Any]:
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in asdict(rule).items()
        if name != "rule_id"
    }


def _rows(session: Session, corp: CorpId) -> list[SensitiveRuleRow]:
    return list(session.exec(select(SensitiveRuleRow).where(SensitiveRuleRow.corp_id == corp)))


def _remote(session: Session, corp: CorpId) -> list[SensitiveRemoteRow]:
    return list(session.exec(select(SensitiveRemoteRow).where(SensitiveRemoteRow.corp_id == corp)))
