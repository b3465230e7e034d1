"""Rules that tag by themselves: when somebody is added, who they are, which group they join.

conditions by kind: added {from_hour, until_hour (0-23; over midnight when from > until), weekend: any|only|never};
attribute {gender: 0|1|2, kind: 0|1|2, words}; joined_group {words}. 0 and "" mean: whatever it is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlmodel import Session, col, select

from crm_core import customer_list, group_list
from crm_core.customer_list import CustomerFilter
from crm_core.db import UnitOfWork
from crm_core.errors import InputInvalid, NotFound
from crm_core.events import CustomerFetched, FollowStarted, GroupFetched
from crm_core.group_list import GroupFilter
from crm_core.ids import AppKey, CorpId, ExternalUserId, StaffUserId
from tagging import service
from tagging.tables import TagRuleRow

KINDS = {"added": "按添加时间", "attribute": "按客户资料", "joined_group": "按加入的群"}
WEEKEND = {"any": "不限", "only": "只在周末", "never": "只在工作日"}
NAME_CHARS = 30
MOST_RULES = 50
LOOKED_AT = 500
FRESH = timedelta(days=2)  # news older than this is a re-reading, not an event
GROUP_EXTERNAL = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleForm:
    """What an operator fills in."""

    name: str
    kind: str
    tag_ids: tuple[str, ...]
    conditions: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleView:
    """One rule for display. marked: how often it put tags on somebody."""

    id: int
    name: str
    kind: str
    said: str
    tag_ids: tuple[str, ...]
    is_active: bool
    marked: int
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """How many of the latest ``looked_at`` customers (or all members of fitting groups) a rule fits."""

    fitting: int
    looked_at: int


def faults(form: RuleForm) -> dict[str, str]:
    """What is wrong with a form, by field."""
    found: dict[str, str] = {}
    if not form.name.strip() or len(form.name.strip()) > NAME_CHARS:
        found["name"] = f"请填写规则名称，最多 {NAME_CHARS} 个字"
    if not form.tag_ids:
        found["tags"] = "请选择要打的标签"
    if form.kind not in KINDS:
        found["kind"] = "请选择规则类型"
    elif form.kind == "added" and not _is_some_time(form.conditions):
        found["conditions"] = "请选择时间段，或只在周末、工作日"
    elif form.kind == "attribute" and not any(form.conditions.get(key) for key in ("gender", "kind", "words")):
        found["conditions"] = "请至少填写一个条件"
    elif form.kind == "joined_group" and not form.conditions.get("words"):
        found["conditions"] = "请填写群名里包含的字"
    return found


def _is_some_time(conditions: Mapping[str, Any]) -> bool:
    return conditions.get("weekend", "any") != "any" or conditions.get("from_hour") != conditions.get("until_hour")


def create(uow: UnitOfWork, corp: CorpId, form: RuleForm, *, actor: str) -> int:
    """Write a rule down; it runs from now on. Raises: InputInvalid naming the field."""
    for name, said in faults(form).items():
        raise InputInvalid(said, field=name)
    if len(listing(uow.session, corp)) >= MOST_RULES:
        raise InputInvalid(f"最多 {MOST_RULES} 条规则，请先删除不用的", field="name")
    row = TagRuleRow(
        corp_id=corp,
        name=form.name.strip(),
        kind=form.kind,
        conditions=dict(form.conditions),
        tag_ids=list(form.tag_ids),
        created_by=actor,
        created_at=uow.now(),
    )
    uow.session.add(row)
    uow.session.flush()
    return row.id or 0


def switch(uow: UnitOfWork, corp: CorpId, rule_id: int) -> bool:
    """Switch a rule on or off. Answers whether it is on now. Raises: NotFound."""
    row = _get(uow.session, corp, rule_id)
    row.is_active = not row.is_active
    uow.session.add(row)
    return row.is_active


def delete(uow: UnitOfWork, corp: CorpId, rule_id: int) -> None:
    """Delete a rule; tags it put on stay. Raises: NotFound."""
    uow.session.delete(_get(uow.session, corp, rule_id))


def listing(session: Session, corp: CorpId) -> list[RuleView]:
    """All rules, the newest first."""
    rows = session.exec(select(TagRuleRow).where(TagRuleRow.corp_id == corp).order_by(col(TagRuleRow.id).desc()))
    return [
        RuleView(
            id=row.id or 0,
            name=row.name,
            kind=row.kind,
            said=tell(row.kind, row.conditions),
            tag_ids=tuple(row.tag_ids),
            is_active=row.is_active,
            marked=row.marked_count,
            created_at=row.created_at,
        )
        for row in rows
    ]


def tell(kind: str, conditions: Mapping[str, Any]) -> str:
    """A rule's conditions in words."""
    parts = []
    if kind == "added":
        if conditions.get("from_hour") != conditions.get("until_hour"):
            parts.append(f"{conditions['from_hour']} 点到 {conditions['until_hour']} 点之间添加")
        if conditions.get("weekend", "any") != "any":
            parts.append(f"{WEEKEND[conditions['weekend']]}添加")
    elif kind == "attribute":
        if conditions.get("gender"):
            parts.append(f"性别是{'男' if conditions['gender'] == 1 else '女'}")
        if conditions.get("kind"):
            parts.append("是微信用户" if conditions["kind"] == 1 else "是企业微信用户")
        if conditions.get("words"):
            parts.append(f"昵称或企业名含“{conditions['words']}”")
    else:
        parts.append(f"加入名称含“{conditions.get('words', '')}”的客户群")
    return "，".join(parts)


def fits_moment(conditions: Mapping[str, Any], moment: datetime, zone: ZoneInfo) -> bool:
    """Whether somebody added at ``moment`` falls under an ``added`` rule."""
    local = moment.astimezone(zone)
    weekend = conditions.get("weekend", "any")
    if weekend != "any" and (local.weekday() >= 5) != (weekend == "only"):
        return False
    since, until = int(conditions.get("from_hour", 0)), int(conditions.get("until_hour", 0))
    if since == until:
        return True
    return since <= local.hour < until if since < until else local.hour >= since or local.hour < until


def fits_customer(conditions: Mapping[str, Any], *, gender: int, kind: int, names: Sequence[str]) -> bool:
    """Whether a customer falls under an ``attribute`` rule."""
    words = str(conditions.get("words", ""))
    return (
        conditions.get("gender", 0) in (0, gender)
        and conditions.get("kind", 0) in (0, kind)
        and (not words or any(words in name for name in names))
    )


def preview(session: Session, corp: CorpId, form: RuleForm, now: datetime, zone: ZoneInfo) -> Preview:
    """How many customers we know the rule fits, judged as it will judge new ones."""
    if form.kind == "joined_group":
        asked = GroupFilter(words=str(form.conditions.get("words", "")), status="active")
        groups = group_list.page(session, corp, asked, now=now, zone=zone, limit=200).items
        inside = sum(group.customers for group in groups)
        return Preview(fitting=inside, looked_at=inside)
    lines = customer_list.page(session, corp, CustomerFilter(), limit=LOOKED_AT).items
    if form.kind == "added":
        fitting = sum(fits_moment(form.conditions, line.started_at, zone) for line in lines)
    else:
        fitting = sum(
            fits_customer(form.conditions, gender=line.gender, kind=line.kind, names=(line.name, line.corp_name))
            for line in lines
        )
    return Preview(fitting=fitting, looked_at=len(lines))


class RuleDesk:
    """Runs the rules when something happens. zone: the company's."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone

    def on_added(self, event: FollowStarted, uow: UnitOfWork) -> None:
        """Somebody was added: rules about the time."""
        for rule in _active(uow.session, event.corp, "added"):
            if fits_moment(rule.conditions, event.occurred_at, self._zone):
                _mark(uow, rule, event.app, event.staff, event.external_user, key=event.key)

    def on_fetched(self, event: CustomerFetched, uow: UnitOfWork) -> None:
        """WeCom told who a new contact is: rules about who they are, on fresh follows alone."""
        rules = _active(uow.session, event.corp, "attribute")
        facts, fresh = event.facts, (uow.now() - FRESH).timestamp()
        for follow in facts.follows if rules else ():
            if follow.created_at < fresh:
                continue
            for rule in rules:
                names = (facts.name, facts.corp_name)
                if fits_customer(rule.conditions, gender=facts.gender, kind=facts.kind, names=names):
                    key = f"{follow.staff}:{facts.external_user}:{follow.created_at}"
                    _mark(uow, rule, event.app, follow.staff, facts.external_user, key=key)

    def on_group(self, event: GroupFetched, uow: UnitOfWork) -> None:
        """WeCom told who is in a group: rules about groups, for those who joined lately and are contacts."""
        rules = _active(uow.session, event.corp, "joined_group")
        fitting = [rule for rule in rules if str(rule.conditions["words"]) in event.facts.name]
        fresh = (uow.now() - FRESH).timestamp()
        joined = [
            member.member_id
            for member in event.facts.members
            if fitting and member.kind == GROUP_EXTERNAL and member.joined_at >= fresh
        ]
        followers = customer_list.follows_of(uow.session, event.corp, joined, None) if joined else {}
        for member, staff in followers.items():
            for rule in fitting if staff else ():
                key = f"{event.facts.chat_id}:{member}"
                _mark(uow, rule, event.app, StaffUserId(staff[0]), ExternalUserId(member), key=key)


def _mark(
    uow: UnitOfWork, rule: TagRuleRow, app: AppKey, staff: StaffUserId, external_user: ExternalUserId, *, key: str
) -> None:
    is_new = service.request_marks(
        uow,
        corp=CorpId(rule.corp_id),
        app=app,
        staff=staff,
        external_user=external_user,
        add=rule.tag_ids,
        source="rule",
        dedupe_key=f"rule:{rule.id}:{key}",
    )
    if is_new:
        rule.marked_count += 1
        uow.session.add(rule)


def _active(session: Session, corp: CorpId, kind: str) -> list[TagRuleRow]:
    statement = select(TagRuleRow).where(
        TagRuleRow.corp_id == corp, TagRuleRow.kind == kind, col(TagRuleRow.is_active).is_(True)
    )
    return list(session.exec(statement))


def _get(session: Session, corp: CorpId, rule_id: int) -> TagRuleRow:
    row = session.get(TagRuleRow, rule_id)
    if row is None or row.corp_id != corp:
        raise NotFound("没有这条规则")
    return row
