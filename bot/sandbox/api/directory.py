"""Directory (通讯录): departments and members. Source: WeCom docs 90208, 95406, 90196, 90200, 96067."""

from __future__ import annotations

from bot.sandbox.api.call import Answer, Call, Endpoint, page_of
from bot.sandbox.fields import Fields
from bot.sandbox.model import Department, Staff
from bot.sandbox.refusal import Refusal, wrong_field


def _refuse_contacts_secret(call: Call) -> None:
    if call.app.is_contacts and not call.world.options.contacts_secret_reads_details:
        raise Refusal(48009)


def _number(query: Fields, name: str) -> int | None:
    value = query.text(name)
    if not value:
        return None
    if not value.isdigit():
        raise wrong_field(name)
    return int(value)


def _department(call: Call, department_id: int) -> Department:
    found = call.corp.departments.get(department_id)
    if found is None:
        raise Refusal(60003)
    if department_id not in call.corp.visible_departments(call.app):
        raise Refusal(60011)
    return found


def _listed(call: Call) -> list[Department]:
    wanted = _number(call.query, "id")
    if wanted is not None:
        _department(call, wanted)
    visible = call.corp.visible_departments(call.app)
    chosen = visible if wanted is None else visible & call.corp.below(wanted)
    return [d for d in call.corp.departments.values() if d.id in chosen]


def _department_json(one: Department) -> Answer:
    return {
        "id": one.id,
        "name": one.name,
        "name_en": "",
        "department_leader": list(one.leaders),
        "parentid": one.parent_id,
        "order": one.order,
    }


def list_departments(call: Call) -> Answer:
    """department/list: `id` and everything below it, or all that is visible."""
    _refuse_contacts_secret(call)
    return {"department": [_department_json(d) for d in _listed(call)]}


def simple_departments(call: Call) -> Answer:
    """department/simplelist: ids only, under the odd key department_id."""
    return {"department_id": [{"id": d.id, "parentid": d.parent_id, "order": d.order} for d in _listed(call)]}


def get_department(call: Call) -> Answer:
    """department/get: one department."""
    wanted = _number(call.query, "id")
    if wanted is None:
        raise wrong_field("id")
    return {"department": _department_json(_department(call, wanted))}


def _member_json(call: Call, member: Staff) -> Answer:
    visible = call.corp.visible_departments(call.app)
    seen = [d for d in member.departments if d in visible]
    told: Answer = {
        "userid": member.userid,
        "name": member.name,
        "department": seen,
        "order": [0 for _ in seen],
        "position": member.position,
        "is_leader_in_dept": [int(d in member.leads) for d in seen],
        "direct_leader": [],
        "telephone": "",
        "alias": member.alias,
        "main_department": member.departments[0],
        "extattr": {"attrs": []},
        "status": member.status,
        "external_position": member.position,
        "external_profile": {"external_corp_name": call.corp.name, "external_attr": []},
    }
    if call.app.sensitive_fields:
        told |= {
            "mobile": member.mobile,
            "gender": member.gender,
            "email": member.email,
            "biz_mail": "",
            "address": "",
        }
    return told


def get_member(call: Call) -> Answer:
    """user/get: one member by userid in any case; sensitive fields only for old apps."""
    _refuse_contacts_secret(call)
    return _member_json(call, call.corp.need_member(call.app, call.query.need_text("userid", missing=40003)))


def _members_of(call: Call) -> list[Staff]:
    wanted = _number(call.query, "department_id")
    if wanted is None:
        raise wrong_field("department_id")
    _department(call, wanted)
    deep = call.world.options.fetch_child_honoured and call.query.text("fetch_child") == "1"
    chosen = call.corp.below(wanted) if deep else {wanted}
    return [s for s in call.corp.visible_staff(call.app) if chosen.intersection(s.departments)]


def simple_members(call: Call) -> Answer:
    """user/simplelist: userid, name and departments of a department's members."""
    visible = call.corp.visible_departments(call.app)
    return {
        "userlist": [
            {"userid": s.userid, "name": s.name, "department": [d for d in s.departments if d in visible]}
            for s in _members_of(call)
        ]
    }


def list_members(call: Call) -> Answer:
    """user/list: member objects of one department."""
    _refuse_contacts_secret(call)
    return {"userlist": [_member_json(call, s) for s in _members_of(call)]}


def list_member_ids(call: Call) -> Answer:
    """user/list_id: one row per membership; directory-sync secret only; limit 1 to 10 000."""
    limit = call.body.whole("limit", 10_000)
    if not 1 <= limit <= 10_000:
        raise wrong_field("limit")
    rows = [
        (s.seq * 1000 + place, s.userid, d) for s in call.corp.staff.values() for place, d in enumerate(s.departments)
    ]
    rows.sort()
    page, cursor = page_of(call, rows, lambda row: row[0], limit, "ids")
    answer: Answer = {"dept_user": [{"userid": userid, "department": d} for _, userid, d in page]}
    return answer | ({"next_cursor": cursor} if cursor else {})


ENDPOINTS = {
    "department/list": Endpoint(list_departments, "token"),
    "department/simplelist": Endpoint(simple_departments, "token"),
    "department/get": Endpoint(get_department, "token"),
    "user/get": Endpoint(get_member, "token"),
    "user/simplelist": Endpoint(simple_members, "token"),
    "user/list": Endpoint(list_members, "token"),
    "user/list_id": Endpoint(list_member_ids, "contacts"),
}
