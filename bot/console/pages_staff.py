"""员工与角色: who works here, what they may do, whose customers they see."""

from flask import redirect, render_template, request
from flask.typing import ResponseReturnValue

from bot.console.forms import Reading
from bot.console.room import SURFACE, room
from bot.console.views import is_fragment, number_of, page, told, visitor
from crm_core import roles, staff_directory
from crm_core.ids import StaffUserId
from crm_core.roles import (
    DEFAULT_SCOPE,
    FIXED_SCOPE,
    PERMISSIONS,
    ROLE_NAMES,
    ROLE_PERMISSIONS,
    SCOPE_NAMES,
    Grant,
    Role,
    Scope,
)
from crm_core.staff_directory import STATUS_NAMES, Member, MemberFilter

LABELS = {"role": "角色", "scope": "数据范围"}
ROLE_SAYS = {
    Role.ADMIN: "可以做任何事，包括分配角色与重放任务",
    Role.OPERATOR: "管理活码、标签、SOP、话术与素材，看不到完整手机号",
    Role.SUPERVISOR: "查看并导出团队的客户，审批话术",
    Role.STAFF: "只看自己的客户",
    Role.DEALER_ADMIN: "在自己的企业里等同管理员，看不到别的企业",
}


@page("/staff", permission="staff.read")
def staff_list() -> str:
    """Members by department, with search."""
    who = visitor()
    with room().db.reading() as session:
        visible = who.visible_staff(session)
        wanted = MemberFilter(
            words=request.args.get("words", ""),
            dept_id=number_of(request.args.get("dept", "")) or 0,
            status=number_of(request.args.get("status", "")) or 0,
            role=request.args.get("role", ""),
            contact=request.args.get("contact") == "1",
            visible=visible,
        )
        members, older = staff_directory.page(session, who.corp, wanted, after=request.args.get("before", ""))
        return render_template(
            "console/staff.html",
            members=members,
            older=older,
            wanted=wanted,
            tree=staff_directory.tree(session, who.corp, visible),
            left=staff_directory.left_behind(session, who.corp),
            statuses=STATUS_NAMES,
            role_names=ROLE_NAMES,
            scope_names=SCOPE_NAMES,
        )


@page("/staff/roles", permission="staff.read")
def role_matrix() -> str:
    """Who may do what."""
    return render_template(
        "console/role_matrix.html",
        permissions=PERMISSIONS,
        held=ROLE_PERMISSIONS,
        role_names=ROLE_NAMES,
        says=ROLE_SAYS,
        scopes=DEFAULT_SCOPE,
        scope_names=SCOPE_NAMES,
    )


@page("/staff/<userid>/role", permission="roles.write")
def member_role(userid: str) -> str:
    """The form that gives a role."""
    member = _member(userid)
    values = {"role": member.grant.role.value, "scope": member.grant.scope.value}
    return render_template("console/role_form.html", values=values, faults={}, **_choices(member))


@page("/staff/<userid>/role", permission="roles.write", methods=("POST",))
def give_role(userid: str) -> ResponseReturnValue:
    """Give a role and a scope. Raises: NotFound."""
    who, member, reading = visitor(), _member(userid), Reading()
    role = reading.choice("role", "角色", ROLE_NAMES, Role)
    scope = reading.choice("scope", "数据范围", SCOPE_NAMES, Scope)
    if role is not None and scope is not None:
        with reading.judging("scope"):
            roles.check_scope(role, scope)
        with reading.judging("role"):
            roles.require_may_give(who.grant, member.grant, Grant(role=role, scope=scope))
    if reading.checked_field:
        return reading.answer_check()
    if reading.is_good and role is not None:
        with reading.judging("role"), room().db.unit() as uow:
            roles.give(uow, who.corp, StaffUserId(userid), role, scope, actor=who.actor)
            uow.commit()
    if not reading.is_good:
        return reading.answer_faulty("console/role_form.html", **_choices(member))
    if is_fragment():
        return told(f"{member.name}现在是{ROLE_NAMES[Role(reading.values['role'])]}", "staff-changed", "close-drawer")
    return redirect(f"{SURFACE.prefix}/staff")


def _member(userid: str) -> Member:
    who = visitor()
    with room().db.reading() as session:
        return staff_directory.get(session, who.corp, userid, who.visible_staff(session))


def _choices(member: Member) -> dict[str, object]:
    return {
        "member": member,
        "roles": [(role.value, f"{said}：{ROLE_SAYS[role]}") for role, said in ROLE_NAMES.items()],
        "scopes": [(scope.value, said) for scope, said in SCOPE_NAMES.items()],
        "fixed": "；".join(f"{ROLE_NAMES[role]}只能选“{SCOPE_NAMES[scope]}”" for role, scope in FIXED_SCOPE.items()),
        "labels": LABELS,
    }
