"""Customers (客户管理). Source: WeCom docs 92571, 92113, 92114, 92994, 92115."""

from __future__ import annotations

from bot.sandbox.api.call import Answer, Call, Endpoint, page_of
from bot.sandbox.events import contact_event
from bot.sandbox.model import KIND_WECHAT, KIND_WECOM, Follow
from bot.sandbox.refusal import Refusal, wrong_field

_FOLLOWERS_PER_PAGE = 500


def follow_user_list(call: Call) -> Answer:
    """externalcontact/get_follow_user_list: visible members with the customer-contact function."""
    served = [s.userid for s in call.corp.visible_staff(call.app) if s.contact_permission and s.status == 1]
    return {"follow_user": served}


def list_customers(call: Call) -> Answer:
    """externalcontact/list: a member's customers; 84061 when there are none, as on the real platform."""
    member = call.corp.need_member(call.app, call.query.need_text("userid", missing=40003))
    found = [f.external_userid for f in call.corp.by_staff.get(member.userid, {}).values() if f.stage == "full"]
    if not found:
        raise Refusal(84061)
    return {"external_userid": found}


def contact_json(call: Call, external_userid: str) -> Answer:
    """The external_contact object: unionid only for WeChat users of a bound corp,
    company only for WeCom users.
    """
    person = call.world.persons[call.corp.person_of[external_userid]]
    told: Answer = {
        "external_userid": external_userid,
        "name": person.name,
        "avatar": f"{call.world.base_url}/sandbox/avatar/{person.id}.png",
        "type": person.kind,
        "gender": person.gender,
    }
    if person.kind == KIND_WECHAT and person.unionid and call.corp.bound:
        told["unionid"] = person.unionid
    if person.kind == KIND_WECOM:
        told["position"] = person.position
        told["corp_name"] = person.corp_name
        told["corp_full_name"] = person.corp_full_name
        told["external_profile"] = {"external_attr": []}
    return told


def _link_json(follow: Follow) -> Answer:
    told: Answer = {
        "userid": follow.userid,
        "remark": follow.remark,
        "description": follow.description,
        "createtime": follow.created,
        "remark_mobiles": list(follow.remark_mobiles),
        "add_way": follow.add_way,
        "oper_userid": follow.oper_userid,
    }
    if follow.remark_company:
        told["remark_corp_name"] = follow.remark_company
    if follow.state:
        told["state"] = follow.state
    return told


def _follow_user_json(call: Call, follow: Follow) -> Answer:
    tags: list[Answer] = []
    for tag_id in follow.tags:
        home = call.corp.tag(tag_id)
        if home:
            group, tag = home
            tags.append({"group_name": group.name, "tag_name": tag.name, "tag_id": tag.id, "type": 1})
    tags += [{"group_name": "", "tag_name": name, "type": 2} for name in follow.personal_tags]
    return _link_json(follow) | {"tags": tags}


def get_customer(call: Call) -> Answer:
    """externalcontact/get: the person and each visible follower; 500 followers a page."""
    wanted = call.query.need_text("external_userid", missing=41035)
    if wanted not in call.corp.person_of:
        raise Refusal(40096)
    links = [f for f in call.corp.by_customer.get(wanted, {}).values() if f.stage == "full"]
    if not links:
        raise Refusal(84061)
    shown = [f for f in links if (m := call.corp.member(f.userid)) and call.corp.sees(call.app, m)]
    if not shown:
        raise Refusal(40096)
    page, cursor = page_of(call, shown, lambda f: f.seq, _FOLLOWERS_PER_PAGE, wanted)
    answer: Answer = {
        "external_contact": contact_json(call, wanted),
        "follow_user": [_follow_user_json(call, f) for f in page],
    }
    return answer | ({"next_cursor": cursor} if cursor else {})


def batch_by_user(call: Call) -> Answer:
    """externalcontact/batch/get_by_user: one row per member and customer; limit 50,
    above 100 counts as 100.
    """
    userids = call.body.texts("userid_list", most=100)
    if not userids:
        raise wrong_field("userid_list")
    members = [call.corp.need_member(call.app, userid) for userid in userids]
    limit = min(call.body.whole("limit", 50), 100)
    if limit < 1:
        raise wrong_field("limit")
    names = sorted({m.userid for m in members})
    links = [f for n in names for f in call.corp.by_staff.get(n, {}).values() if f.stage == "full"]
    links.sort(key=lambda f: f.seq)
    page, cursor = page_of(call, links, lambda f: f.seq, limit, names)
    rows = [
        {
            "external_contact": contact_json(call, f.external_userid),
            "follow_info": _link_json(f) | {"tag_id": [t for t in f.tags if t in call.corp.tag_home]},
        }
        for f in page
    ]
    return {"external_contact_list": rows, "next_cursor": cursor}


def set_remark(call: Call) -> Answer:
    """externalcontact/remark: at least one optional field; a list of mobiles replaces, `[""]` clears."""
    body = call.body
    userid = body.need_text("userid", missing=40003)
    optional = ("remark", "description", "remark_company", "remark_mobiles", "remark_pic_mediaid")
    remark = body.text("remark", chars=20)
    description = body.text("description", chars=150)
    company = body.text("remark_company", chars=20)
    mobiles = body.texts("remark_mobiles")
    follow = call.corp.need_follow(call.app, userid, body.text("external_userid"))
    if not any(body.has(name) for name in optional):
        raise wrong_field("remark")
    if company and call.world.persons[follow.person_id].kind != KIND_WECHAT:
        raise wrong_field("remark_company")
    picture = body.text("remark_pic_mediaid")
    if picture and picture not in call.corp.media:
        raise Refusal(40007)
    before = (follow.remark, follow.description, follow.remark_company)
    follow.remark = remark if body.has("remark") else follow.remark
    follow.description = description if body.has("description") else follow.description
    follow.remark_company = company if body.has("remark_company") else follow.remark_company
    follow.remark_mobiles = [m for m in mobiles if m] if body.has("remark_mobiles") else follow.remark_mobiles
    if before != (follow.remark, follow.description, follow.remark_company):
        event = contact_event("edit_external_contact", follow.userid, follow.external_userid, State=follow.state)
        call.world.emit(call.corp, event, by=call.app.agentid)
    call.world.touch()
    return {}


ENDPOINTS = {
    "externalcontact/get_follow_user_list": Endpoint(follow_user_list, "customers"),
    "externalcontact/list": Endpoint(list_customers, "customers"),
    "externalcontact/get": Endpoint(get_customer, "customers"),
    "externalcontact/batch/get_by_user": Endpoint(batch_by_user, "customers"),
    "externalcontact/remark": Endpoint(set_remark, "customers"),
}
