"""The company's rules for tags from chats: written, changed, tried, switched, and read for work."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import delete as sql_delete
from sqlmodel import Session, col, select

from crm_core.customers import STAGES
from crm_core.db import UnitOfWork
from crm_core.errors import Conflict, InputInvalid, NotFound
from crm_core.ids import CorpId
from tagging import chat_rules, suggestion_list
from tagging.chat_rules import MEANING, ChatRule, Conditions
from tagging.semantic import Measure
from tagging.suggestion_list import Judgement
from tagging.tables import ChatTagHitRow, ChatTagRuleRow, ChatTagVectorRow

MOST_RULES = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRuleForm:
    """What an operator fills in."""

    name: str = ""
    kind: str = chat_rules.WORDS
    tag_id: str = ""
    mode: str = chat_rules.SUGGEST
    conditions: Conditions = field(default_factory=Conditions)

    def faults(self) -> dict[str, str]:
        """What is wrong, by field."""
        return chat_rules.faults(self.name, self.kind, self.tag_id, self.mode, self.conditions, STAGES)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRuleView:
    """One rule for display. measure: what its examples taught, None before they were read."""

    id: int
    name: str
    kind: str
    mode: str
    tag_id: str
    conditions: Conditions
    said: str
    is_active: bool
    version: int
    measure: Measure | None
    judgement: Judgement
    created_by: str
    created_at: datetime

    @property
    def waits_for_model(self) -> bool:
        """Whether its examples have not been read by a model yet."""
        return self.kind == MEANING and self.measure is None

    @property
    def form(self) -> ChatRuleForm:
        """As a form to change it."""
        return ChatRuleForm(
            name=self.name, kind=self.kind, tag_id=self.tag_id, mode=self.mode, conditions=self.conditions
        )


def create(uow: UnitOfWork, corp: CorpId, form: ChatRuleForm, *, actor: str) -> int:
    """Write a rule down; it works once it is switched on. Raises: InputInvalid naming the field."""
    _check(form)
    if len(_rows(uow.session, corp)) >= MOST_RULES:
        raise InputInvalid(f"最多 {MOST_RULES} 条规则，请先删除不用的", field="name")
    row = ChatTagRuleRow(
        corp_id=corp,
        name=form.name.strip(),
        kind=form.kind,
        conditions=form.conditions.stored(),
        tag_id=form.tag_id,
        mode=form.mode,
        created_by=actor,
        created_at=uow.now(),
        changed_at=uow.now(),
    )
    uow.session.add(row)
    uow.session.flush()
    return row.id or 0


def change(uow: UnitOfWork, corp: CorpId, rule_id: int, form: ChatRuleForm) -> None:
    """Change a rule. Other conditions or another tag make a new version. Raises: InputInvalid, NotFound, Conflict."""
    _check(form)
    row = _get(uow.session, corp, rule_id)
    if row.kind != form.kind:
        raise Conflict("规则类型不能改，请新建一条规则")
    stored = form.conditions.stored()
    if (row.conditions, row.tag_id) != (stored, form.tag_id):
        row.version += 1
        if (row.conditions.get("examples"), row.conditions.get("counters")) != (stored["examples"], stored["counters"]):
            row.lesson = {}
        row.conditions, row.tag_id = stored, form.tag_id
        _forget_hits(uow, rule_id)
    row.name, row.mode, row.changed_at = form.name.strip(), form.mode, uow.now()
    uow.session.add(row)


def switch(uow: UnitOfWork, corp: CorpId, rule_id: int) -> bool:
    """Switch a rule on or off. Answers whether it is on now. Raises: NotFound."""
    row = _get(uow.session, corp, rule_id)
    row.is_active, row.changed_at = not row.is_active, uow.now()
    uow.session.add(row)
    return row.is_active


def delete(uow: UnitOfWork, corp: CorpId, rule_id: int) -> None:
    """Delete a rule; tags it set stay, its open suggestions too. Raises: NotFound."""
    uow.session.delete(_get(uow.session, corp, rule_id))
    _forget_hits(uow, rule_id)
    uow.session.execute(sql_delete(ChatTagVectorRow).where(col(ChatTagVectorRow.rule_id) == rule_id))


def listing(session: Session, corp: CorpId) -> list[ChatRuleView]:
    """All rules, the newest first."""
    judged = suggestion_list.judgements(session, corp)
    return [_view(row, judged) for row in _rows(session, corp)]


def get(session: Session, corp: CorpId, rule_id: int) -> ChatRuleView:
    """One rule. Raises: NotFound."""
    return _view(_get(session, corp, rule_id), suggestion_list.judgements(session, corp))


def names(session: Session, corp: CorpId) -> dict[str, str]:
    """The rules' names by the source their suggestions carry."""
    return {f"rule:{row.id}": row.name for row in _rows(session, corp)}


def at_work(session: Session, corp: CorpId) -> list[ChatRule]:
    """The rules that are on."""
    rows = [row for row in _rows(session, corp) if row.is_active]
    judged = suggestion_list.judgements(session, corp) if rows else {}
    return [_rule(row, judged) for row in rows]


def one_at_work(session: Session, corp: CorpId, rule_id: int) -> ChatRule:
    """A rule as it works, on or not. Raises: NotFound."""
    return _rule(_get(session, corp, rule_id), suggestion_list.judgements(session, corp))


def meaning_rules(session: Session, corp: CorpId) -> list[ChatRuleView]:
    """Rules by meaning, on or not: their examples are to be read by the model."""
    return [view for view in listing(session, corp) if view.kind == MEANING]


def measures(session: Session, corp: CorpId) -> dict[int, Measure]:
    """What the examples of each rule taught."""
    return {row.id or 0: Measure(**row.lesson) for row in _rows(session, corp) if row.lesson}


def teach(uow: UnitOfWork, corp: CorpId, rule_id: int, version: int, measure: Measure) -> None:
    """Keep what a rule's examples taught, unless it was changed or deleted meanwhile."""
    row = uow.session.get(ChatTagRuleRow, rule_id)
    if row is not None and row.corp_id == corp and row.version == version:
        row.lesson = asdict(measure)
        uow.session.add(row)


def _check(form: ChatRuleForm) -> None:
    for name, said in form.faults().items():
        raise InputInvalid(said, field=name)


def _forget_hits(uow: UnitOfWork, rule_id: int) -> None:
    uow.session.execute(sql_delete(ChatTagHitRow).where(col(ChatTagHitRow.rule_id) == rule_id))


def _rows(session: Session, corp: CorpId) -> Sequence[ChatTagRuleRow]:
    statement = select(ChatTagRuleRow).where(ChatTagRuleRow.corp_id == corp)
    return session.exec(statement.order_by(col(ChatTagRuleRow.id).desc())).all()


def _get(session: Session, corp: CorpId, rule_id: int) -> ChatTagRuleRow:
    row = session.get(ChatTagRuleRow, rule_id)
    if row is None or row.corp_id != corp:
        raise NotFound("没有这条规则")
    return row


def _rule(row: ChatTagRuleRow, judged: Mapping[str, Judgement]) -> ChatRule:
    return ChatRule(
        id=row.id or 0,
        version=row.version,
        kind=row.kind,
        tag_id=row.tag_id,
        mode=row.mode,
        conditions=Conditions.of(row.conditions),
        confidence=judged.get(f"rule:{row.id}", Judgement()).trust,
    )


def _view(row: ChatTagRuleRow, judged: Mapping[str, Judgement]) -> ChatRuleView:
    conditions = Conditions.of(row.conditions)
    lesson: dict[str, Any] = row.lesson
    return ChatRuleView(
        id=row.id or 0,
        name=row.name,
        kind=row.kind,
        mode=row.mode,
        tag_id=row.tag_id,
        conditions=conditions,
        said=chat_rules.tell(row.kind, conditions, STAGES),
        is_active=row.is_active,
        version=row.version,
        measure=Measure(**lesson) if lesson else None,
        judgement=judged.get(f"rule:{row.id}", Judgement()),
        created_by=row.created_by,
        created_at=row.created_at,
    )
