"""Who may do what (权限), and whose customers they see (数据范围). One answer for every surface."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from sqlmodel import Session, col, select

from crm_core import audit
from crm_core.db import UnitOfWork
from crm_core.errors import Conflict, InputInvalid, NotAllowed, NotFound
from crm_core.ids import CorpId, StaffUserId
from crm_core.tables import DepartmentRow, StaffRoleRow, StaffRow


class Role(StrEnum):
    """What somebody is in this product; WeCom knows nothing of it."""

    ADMIN = "admin"
    OPERATOR = "operator"
    SUPERVISOR = "supervisor"
    STAFF = "staff"
    DEALER_ADMIN = "dealer_admin"


class Scope(StrEnum):
    """Whose customers one sees."""

    OWN = "own"
    DEPARTMENT = "department"
    DEPARTMENT_TREE = "department_tree"
    CORP = "corp"
    CORPS = "corps"


ROLE_NAMES = {
    Role.ADMIN: "管理员",
    Role.OPERATOR: "运营",
    Role.SUPERVISOR: "主管",
    Role.STAFF: "员工",
    Role.DEALER_ADMIN: "经销商管理员",
}
SCOPE_NAMES = {
    Scope.OWN: "本人",
    Scope.DEPARTMENT: "本部门",
    Scope.DEPARTMENT_TREE: "本部门及下级",
    Scope.CORP: "本企业",
    Scope.CORPS: "全部企业",
}
PERMISSIONS = {
    "customers.read": "查看客户",
    "customers.write": "修改客户",
    "customers.export": "导出客户",
    "customers.erase": "删除客户数据",
    "mobile.reveal": "查看完整手机号",
    "tags.read": "查看标签",
    "tags.write": "管理标签与规则",
    "chat_tags.write": "管理聊天自动标签（可见命中的原话）",
    "contact_ways.read": "查看活码",
    "contact_ways.write": "管理活码与欢迎语",
    "kf.read": "查看微信客服",
    "kf.write": "管理微信客服",
    "sops.read": "查看 SOP",
    "sops.write": "管理 SOP",
    "scripts.read": "查看话术",
    "scripts.write": "管理企业话术",
    "scripts.approve": "审批话术",
    "materials.read": "查看素材",
    "materials.write": "管理素材",
    "radar.read": "查看雷达统计",
    "radar.write": "管理雷达规则",
    "card.own": "编辑自己的名片",
    "groups.read": "查看客户群",
    "chat.read": "查看会话内容",
    "chat.export": "导出会话内容",
    "replies.read": "查看回复时效",
    "replies.write": "管理回复规则",
    "staff.read": "查看员工",
    "roles.write": "分配角色",
    "fields.write": "管理自定义字段",
    "sensitive.read": "查看敏感词",
    "sensitive.write": "管理敏感词",
    "hits.read": "查看敏感词命中",
    "hits.judge": "审核敏感词命中",
    "tasks.read": "查看导入导出任务",
    "system.read": "查看系统运行",
    "system.replay": "重放失败的任务",
    "content.reveal": "查看消息原文",
    "archive.read": "查看会话存档状态",
    "archive.write": "管理会话存档",
    "audit.read": "查看审计日志",
    "settings.read": "查看设置",
}
_STAFF = frozenset(
    {
        "customers.read",
        "customers.write",
        "mobile.reveal",
        "tags.read",
        "scripts.read",
        "materials.read",
        "groups.read",
        "card.own",
    }
)
_SUPERVISOR = _STAFF | {
    "customers.export",
    "contact_ways.read",
    "kf.read",
    "sops.read",
    "staff.read",
    "radar.read",
    "tasks.read",
    "scripts.approve",
    "sensitive.read",
    "hits.read",
    "hits.judge",
    "chat.read",
    "replies.read",
}
_OPERATOR = (_SUPERVISOR - {"scripts.approve", "mobile.reveal", "chat.read", "hits.read", "hits.judge"}) | {
    "replies.write",
    "tags.write",
    "chat_tags.write",
    "contact_ways.write",
    "kf.write",
    "sops.write",
    "scripts.write",
    "materials.write",
    "radar.write",
    "sensitive.write",
    "fields.write",
}
ROLE_PERMISSIONS: dict[Role, frozenset[str]] = {
    Role.ADMIN: frozenset(PERMISSIONS),
    Role.OPERATOR: _OPERATOR,
    Role.SUPERVISOR: _SUPERVISOR,
    Role.STAFF: _STAFF,
    Role.DEALER_ADMIN: frozenset(PERMISSIONS) - {"system.replay"},
}
DEFAULT_SCOPE = {
    Role.ADMIN: Scope.CORP,
    Role.OPERATOR: Scope.CORP,
    Role.SUPERVISOR: Scope.DEPARTMENT_TREE,
    Role.STAFF: Scope.OWN,
    Role.DEALER_ADMIN: Scope.CORP,
}
FIXED_SCOPE = {Role.STAFF: Scope.OWN, Role.DEALER_ADMIN: Scope.CORP}


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What one member may do in one corp."""

    role: Role
    scope: Scope

    @property
    def permissions(self) -> frozenset[str]:
        """The keys of ``PERMISSIONS`` this grant holds."""
        return ROLE_PERMISSIONS[self.role]

    def allows(self, permission: str) -> bool:
        """Whether the grant holds a permission."""
        return permission in self.permissions

    def require(self, permission: str) -> None:
        """Raises: NotAllowed, in words."""
        if not self.allows(permission):
            raise NotAllowed(f"您没有“{PERMISSIONS[permission]}”的权限，需要时请联系管理员")


NOBODY_SPECIAL = Grant(role=Role.STAFF, scope=Scope.OWN)
FULL = Grant(role=Role.ADMIN, scope=Scope.CORPS)


def grant_of(session: Session, corp: CorpId, staff: StaffUserId) -> Grant:
    """The member's grant; whoever was given no role is plain staff."""
    row = session.get(StaffRoleRow, (corp, staff))
    return NOBODY_SPECIAL if row is None else Grant(role=Role(row.role), scope=Scope(row.scope))


def grants(session: Session, corp: CorpId) -> dict[str, Grant]:
    """All grants that were given, by userid."""
    rows = session.exec(select(StaffRoleRow).where(StaffRoleRow.corp_id == corp))
    return {row.userid: Grant(role=Role(row.role), scope=Scope(row.scope)) for row in rows}


def give(
    uow: UnitOfWork, corp: CorpId, staff: StaffUserId, role: Role, scope: Scope | None = None, *, actor: str
) -> Grant:
    """Give a member a role and a scope (None: the role's usual one), with an audit row.

    Raises: NotFound (no such member), InputInvalid (a scope this role cannot have), Conflict (the last admin).
    """
    if uow.session.get(StaffRow, (corp, staff)) is None:
        raise NotFound("没有这位成员")
    wanted = Grant(role=role, scope=scope or DEFAULT_SCOPE[role])
    check_scope(role, wanted.scope)
    before = grant_of(uow.session, corp, staff)
    if before.role == Role.ADMIN and role != Role.ADMIN and _admins(uow.session, corp) <= {str(staff)}:
        raise Conflict("这是最后一位管理员，请先指定另一位管理员")
    row = uow.session.get(StaffRoleRow, (corp, staff)) or StaffRoleRow(
        corp_id=corp, userid=staff, role=role.value, scope=wanted.scope.value, given_by=actor, given_at=uow.now()
    )
    row.role, row.scope, row.given_by, row.given_at = role.value, wanted.scope.value, actor, uow.now()
    uow.session.add(row)
    audit.record(
        uow,
        corp=corp,
        actor=actor,
        act="role.given",
        object_kind="staff",
        object_id=staff,
        data={"from": [before.role.value, before.scope.value], "to": [role.value, wanted.scope.value]},
    )
    return wanted


def check_scope(role: Role, scope: Scope) -> None:
    """Whether a role can have this scope. Raises: InputInvalid."""
    if FIXED_SCOPE.get(role, scope) != scope:
        raise InputInvalid(f"{ROLE_NAMES[role]}的数据范围只能是“{SCOPE_NAMES[FIXED_SCOPE[role]]}”", field="scope")


def require_may_give(giver: Grant, before: Grant, wanted: Grant) -> None:
    """Nobody hands out, or takes away, more than they hold themselves. Raises: NotAllowed."""
    giver.require("roles.write")
    if Role.ADMIN in (before.role, wanted.role) and giver.role != Role.ADMIN:
        raise NotAllowed("只有管理员可以指定或更换管理员")
    if Scope.CORPS in (before.scope, wanted.scope) and giver.scope != Scope.CORPS:
        raise NotAllowed("只有能查看全部企业的人可以分配“全部企业”的数据范围")


def visible_staff(session: Session, corp: CorpId, staff: StaffUserId, grant: Grant) -> frozenset[str] | None:
    """Whose customers the member sees: userids, or None for everybody's in this corp."""
    if grant.scope in (Scope.CORP, Scope.CORPS):
        return None
    if grant.scope == Scope.OWN:
        return frozenset({staff})
    own = session.get(StaffRow, (corp, staff))
    departments = set(own.departments) if own else set()
    if grant.scope == Scope.DEPARTMENT_TREE:
        departments = departments_below(session, corp, departments)
    rows = session.exec(select(StaffRow.userid, StaffRow.departments).where(StaffRow.corp_id == corp)).all()
    return frozenset({staff, *(userid for userid, inside in rows if departments & set(inside))})


def supervisors_of(session: Session, corp: CorpId, staff: StaffUserId) -> list[str]:
    """Supervisors in whose sight the member is; the corp's admins where there is none. Never the member."""
    given = grants(session, corp)
    found = [
        userid
        for userid, grant in sorted(given.items())
        if grant.role == Role.SUPERVISOR and userid != staff and _sees(session, corp, userid, grant, staff)
    ]
    return found or [userid for userid, grant in sorted(given.items()) if grant.role == Role.ADMIN and userid != staff]


def _sees(session: Session, corp: CorpId, userid: str, grant: Grant, staff: StaffUserId) -> bool:
    visible = visible_staff(session, corp, StaffUserId(userid), grant)
    return visible is None or staff in visible


def staff_below(session: Session, corp: CorpId, departments: Iterable[int]) -> frozenset[str]:
    """Members of these departments and all below them."""
    wanted = departments_below(session, corp, departments)
    rows = session.exec(select(StaffRow.userid, StaffRow.departments).where(StaffRow.corp_id == corp)).all()
    return frozenset(userid for userid, inside in rows if wanted & set(inside))


def departments_below(session: Session, corp: CorpId, roots: Iterable[int]) -> set[int]:
    """These departments and all below them."""
    parents = session.exec(
        select(DepartmentRow.dept_id, DepartmentRow.parent_id).where(DepartmentRow.corp_id == corp)
    ).all()
    found, fresh = set(roots), set(roots)
    while fresh:
        fresh = {child for child, parent in parents if parent in fresh} - found
        found |= fresh
    return found


def _admins(session: Session, corp: CorpId) -> set[str]:
    statement = select(StaffRoleRow.userid).where(
        StaffRoleRow.corp_id == corp, col(StaffRoleRow.role) == Role.ADMIN.value
    )
    return set(session.exec(statement))
