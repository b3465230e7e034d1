"""Radar rules: what a customer does with a material gives tags and interest points (兴趣分), each once."""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import case, func
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col, select

from crm_core import audit
from crm_core.db import UnitOfWork
from crm_core.errors import InputInvalid, NotFound
from crm_core.events import Event, RadarRuleMet
from crm_core.ids import AppKey, CorpId, ExternalUserId, StaffUserId, TagId
from materials import folders
from materials.radar_model import CONDITION_NAMES, MOST_THRESHOLD, Behaviour, Condition
from materials.radar_tables import InterestPointRow, RadarLinkRow, RadarReaderRow, RadarRuleRow, RadarViewRow
from materials.tables import MaterialRow

NAME_CHARS = 40
MOST_RULES = 100
MOST_POINTS = 100
BUILT_IN = (
    ("opened", "打开过素材", Condition.OPENS, 1, 2),
    ("read", "认真阅读一分钟", Condition.SECONDS, 60, 5),
    ("finished", "看完素材", Condition.DEPTH, 100, 5),
    ("forwarded", "转发带来新读者", Condition.FORWARDS, 1, 10),
)
REASONS = {
    Condition.OPENS: "打开《{title}》{value} 次",
    Condition.SECONDS: "阅读《{title}》{value} 秒",
    Condition.DEPTH: "《{title}》看到 {value}%",
    Condition.FORWARDS: "转发《{title}》带来 {value} 位新读者",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RadarRuleForm:
    """What an operator fills in. material_id, folder_id: 0 = any; a folder counts with those inside it."""

    name: str
    condition: str
    threshold: int
    material_id: int = 0
    folder_id: int = 0
    tag_ids: tuple[str, ...] = ()
    points: int = 0
    enabled: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class RadarRule:
    """A rule. met: how many customers have met it, counted per material."""

    id: int
    form: RadarRuleForm
    met: int
    changed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class InterestPoint:
    """What a customer got points for."""

    points: int
    reason: str
    rule_name: str
    material_id: int
    at: datetime


def install_missing(uow: UnitOfWork, corp: CorpId) -> int:
    """Give a corp the built-in rules it has never had; changed or switched-off ones stay. Answers how many."""
    known = set(uow.session.exec(select(RadarRuleRow.seed_key).where(RadarRuleRow.corp_id == corp)))
    missing = [rule for rule in BUILT_IN if rule[0] not in known]
    for key, name, condition, threshold, points in missing:
        uow.session.add(
            RadarRuleRow(
                corp_id=corp,
                seed_key=key,
                name=name,
                condition=condition.value,
                threshold=threshold,
                points=points,
                changed_at=uow.now(),
            )
        )
    uow.session.flush()
    return len(missing)


def rules(session: Session, corp: CorpId) -> list[RadarRule]:
    """All rules of a corp, oldest first."""
    met = dict(
        session.exec(
            select(InterestPointRow.rule_id, func.count())
            .where(InterestPointRow.corp_id == corp)
            .group_by(col(InterestPointRow.rule_id))
        ).all()
    )
    rows = session.exec(select(RadarRuleRow).where(RadarRuleRow.corp_id == corp).order_by(col(RadarRuleRow.id)))
    return [
        RadarRule(id=row.id or 0, form=_form(row), met=met.get(row.id or 0, 0), changed_at=row.changed_at)
        for row in rows
    ]


def get(session: Session, corp: CorpId, rule_id: int) -> RadarRuleForm:
    """One rule as a form. Raises: NotFound."""
    return _form(_row(session, corp, rule_id))


def save(uow: UnitOfWork, corp: CorpId, form: RadarRuleForm, *, actor: str, rule_id: int = 0) -> int:
    """Make a rule, or change one; answers its id. What was met before stays. Raises: InputInvalid, NotFound."""
    _check(uow.session, corp, form)
    row = RadarRuleRow(corp_id=corp, name="", condition="", threshold=0, changed_at=uow.now())
    if rule_id:
        row = _row(uow.session, corp, rule_id)
    elif uow.session.exec(select(func.count()).where(RadarRuleRow.corp_id == corp)).one() >= MOST_RULES:
        raise InputInvalid(f"规则最多 {MOST_RULES} 条", field="name")
    row.name, row.enabled = form.name.strip(), form.enabled
    row.material_id, row.folder_id = form.material_id, form.folder_id
    row.condition, row.threshold = form.condition, form.threshold
    row.tag_ids, row.points = list(dict.fromkeys(form.tag_ids)), form.points
    row.changed_by, row.changed_at = actor, uow.now()
    uow.session.add(row)
    uow.session.flush()
    _audit(uow, corp, actor, "radar_rule.saved", row)
    return row.id or 0


def remove(uow: UnitOfWork, corp: CorpId, rule_id: int, *, actor: str) -> None:
    """Delete a rule; points given stay and keep their reason. Built-in ones can only be switched off.

    Raises: NotFound, InputInvalid.
    """
    row = _row(uow.session, corp, rule_id)
    if row.seed_key is not None:
        raise InputInvalid("内置规则不能删除，可以停用")
    uow.session.delete(row)
    _audit(uow, corp, actor, "radar_rule.removed", row)


def evaluate(
    uow: UnitOfWork, corp: CorpId, app: AppKey, staff: str, external_user: str, material_id: int
) -> list[Event]:
    """Give what the rules promise for a customer's behaviour with one material (0: a card), each rule once."""
    row = uow.session.get(MaterialRow, material_id) if material_id else None
    above = uow.remember(("folders", corp), lambda: _parents(uow.session, corp))
    wanted = [
        rule
        for rule in uow.remember(("radar_rules", corp), lambda: _enabled(uow.session, corp))
        if _concerns(rule, row, above)
    ]
    given = set(
        uow.session.exec(
            select(InterestPointRow.rule_id).where(
                InterestPointRow.corp_id == corp,
                InterestPointRow.external_userid == external_user,
                InterestPointRow.material_id == material_id,
            )
        )
    )
    wanted = [rule for rule in wanted if rule.id not in given]
    if not wanted:
        return []
    behaviour = behaviour_of(uow.session, corp, external_user, material_id)
    title = row.title if row is not None else "名片"
    return [
        event
        for rule in wanted
        if behaviour.meets(rule.condition, rule.threshold)
        for event in _give(uow, corp, app, staff, external_user, rule, material_id, title)
    ]


def behaviour_of(session: Session, corp: CorpId, external_user: str, material_id: int) -> Behaviour:
    """What a customer did with a material, over all links they were sent; what others did counts as forwards only."""
    mine = (
        RadarViewRow.corp_id == corp,
        RadarViewRow.external_userid == external_user,
        RadarViewRow.material_id == material_id,
        col(RadarViewRow.forwarded).is_(False),
    )
    opens, active_ms, depth = session.exec(
        select(
            func.count(),
            func.coalesce(func.sum(RadarViewRow.active_ms), 0),
            func.coalesce(func.max(RadarViewRow.depth), 0),
        ).where(*mine)
    ).one()
    forwards = session.exec(
        select(func.count())
        .select_from(RadarReaderRow)
        .join(RadarLinkRow, col(RadarLinkRow.id) == RadarReaderRow.link_id)
        .where(
            RadarLinkRow.corp_id == corp,
            RadarLinkRow.external_userid == external_user,
            RadarLinkRow.material_id == material_id,
            RadarReaderRow.parent_ref != "",
        )
    ).one()
    return Behaviour(opens=opens, seconds=int(active_ms) // 1000, depth=depth, forwards=forwards)


def interest(session: Session, corp: CorpId, external_user: ExternalUserId) -> int:
    """A customer's interest points in all."""
    return scores(session, corp, [external_user]).get(external_user, 0)


def scores(session: Session, corp: CorpId, external_users: Iterable[str]) -> dict[str, int]:
    """Interest points by customer, for those who have any."""
    rows = session.exec(
        select(InterestPointRow.external_userid, func.sum(InterestPointRow.points))
        .where(InterestPointRow.corp_id == corp, col(InterestPointRow.external_userid).in_(set(external_users)))
        .group_by(col(InterestPointRow.external_userid))
    ).all()
    return {external_user: int(points) for external_user, points in rows}


def keenest(
    session: Session, corp: CorpId, *, visible: AbstractSet[str] | None, limit: int = 100
) -> list[tuple[str, int]]:
    """Customers with the most points, among those whom staff in ``visible`` (None: anybody) sent something."""
    total = func.sum(col(InterestPointRow.points))
    statement = (
        select(InterestPointRow.external_userid, total)
        .where(InterestPointRow.corp_id == corp)
        .group_by(col(InterestPointRow.external_userid))
        .order_by(total.desc(), col(InterestPointRow.external_userid))
        .limit(limit)
    )
    if visible is not None:
        mine = select(RadarLinkRow.external_userid).where(
            RadarLinkRow.corp_id == corp, col(RadarLinkRow.staff_userid).in_(sorted(visible))
        )
        statement = statement.where(col(InterestPointRow.external_userid).in_(mine))
    return [(external_user, int(points)) for external_user, points in session.exec(statement).all()]


def points_of(session: Session, corp: CorpId, external_user: ExternalUserId, *, limit: int = 50) -> list[InterestPoint]:
    """Why a customer has the points they have, newest first."""
    name = case((col(RadarRuleRow.name).is_(None), ""), else_=RadarRuleRow.name)
    rows = session.exec(
        select(InterestPointRow, name)
        .outerjoin(RadarRuleRow, col(RadarRuleRow.id) == InterestPointRow.rule_id)
        .where(InterestPointRow.corp_id == corp, InterestPointRow.external_userid == external_user)
        .order_by(col(InterestPointRow.at).desc(), col(InterestPointRow.rule_id))
        .limit(limit)
    ).all()
    return [
        InterestPoint(points=row.points, reason=row.reason, rule_name=said, material_id=row.material_id, at=row.at)
        for row, said in rows
    ]


def _give(
    uow: UnitOfWork,
    corp: CorpId,
    app: AppKey,
    staff: str,
    external_user: str,
    rule: RadarRuleRow,
    material_id: int,
    title: str,
) -> list[Event]:
    reason = REASONS[Condition(rule.condition)].format(title=title, value=rule.threshold)
    dialect = postgresql if uow.session.get_bind().dialect.name == "postgresql" else sqlite
    statement = (
        dialect.insert(InterestPointRow)
        .values(
            corp_id=corp,
            external_userid=external_user,
            rule_id=rule.id,
            material_id=material_id,
            points=rule.points,
            reason=reason,
            at=uow.now(),
        )
        .on_conflict_do_nothing()
        .returning(col(InterestPointRow.rule_id))
    )
    if uow.session.execute(statement).scalar_one_or_none() is None:
        return []
    return [
        RadarRuleMet(
            corp=corp,
            app=app,
            occurred_at=uow.now(),
            key=f"radar_rule:{rule.id}:{external_user}:{material_id}",
            cause=f"radar_rule:{rule.id}",
            staff=StaffUserId(staff),
            external_user=ExternalUserId(external_user),
            rule_id=rule.id or 0,
            rule_name=rule.name,
            material_id=material_id,
            title=title,
            reason=reason,
            points=rule.points,
            tag_ids=tuple(TagId(tag) for tag in rule.tag_ids),
        )
    ]


def _enabled(session: Session, corp: CorpId) -> Sequence[RadarRuleRow]:
    return session.exec(
        select(RadarRuleRow).where(RadarRuleRow.corp_id == corp, col(RadarRuleRow.enabled).is_(True))
    ).all()


def _parents(session: Session, corp: CorpId) -> dict[int, int]:
    return {folder.id: folder.parent_id for folder in folders.tree(session, corp)}


def _concerns(rule: RadarRuleRow, material: MaterialRow | None, parents: Mapping[int, int]) -> bool:
    if rule.material_id:
        return material is not None and material.id == rule.material_id
    if not rule.folder_id:
        return True
    folder = material.folder_id if material is not None else 0
    while folder and folder != rule.folder_id:
        folder = parents.get(folder, 0)
    return bool(folder)


def _check(session: Session, corp: CorpId, form: RadarRuleForm) -> None:
    if not 1 <= len(form.name.strip()) <= NAME_CHARS:
        raise InputInvalid(f"规则名称应有 1–{NAME_CHARS} 个字", field="name")
    if form.condition not in CONDITION_NAMES:
        raise InputInvalid("请选择条件", field="condition")
    most = MOST_THRESHOLD[Condition(form.condition)]
    if not 1 <= form.threshold <= most:
        raise InputInvalid(f"条件的数值应在 1–{most} 之间", field="threshold")
    if not 0 <= form.points <= MOST_POINTS:
        raise InputInvalid(f"加分应在 0–{MOST_POINTS} 之间", field="points")
    if not form.points and not form.tag_ids:
        raise InputInvalid("请至少选择一个标签，或填写加分", field="points")
    if form.folder_id:
        folders.require(session, corp, form.folder_id)
    if form.material_id:
        row = session.get(MaterialRow, form.material_id)
        if row is None or row.corp_id != corp:
            raise NotFound("没有这个素材")


def _row(session: Session, corp: CorpId, rule_id: int) -> RadarRuleRow:
    row = session.get(RadarRuleRow, rule_id)
    if row is None or row.corp_id != corp:
        raise NotFound("没有这条规则")
    return row


def _form(row: RadarRuleRow) -> RadarRuleForm:
    return RadarRuleForm(
        name=row.name,
        condition=row.condition,
        threshold=row.threshold,
        material_id=row.material_id,
        folder_id=row.folder_id,
        tag_ids=tuple(row.tag_ids),
        points=row.points,
        enabled=row.enabled,
    )


def _audit(uow: UnitOfWork, corp: CorpId, actor: str, act: str, row: RadarRuleRow) -> None:
    audit.record(
        uow, corp=corp, actor=actor, act=act, object_kind="radar_rule", object_id=str(row.id), data={"name": row.name}
    )
