"""Live codes (联系我). Source: WeCom doc 92228."""

from __future__ import annotations

from bot.sandbox import ids
from bot.sandbox.api.call import Answer, Call, Endpoint, page_of
from bot.sandbox.model import STATUS_ACTIVE, ContactWay
from bot.sandbox.refusal import Refusal, wrong_field

_DAY = 86_400
_PEOPLE = 100


def _check_shape(call: Call, way: ContactWay) -> None:
    """Refuse a wrong number of members for the type, and departments unknown or out of range."""
    if way.type == 1 and (len(way.user) != 1 or way.party):
        raise wrong_field("user")
    if way.type == 2 and not (way.user or way.party):
        raise wrong_field("user")
    if way.is_temp and len(way.user) != 1:
        raise wrong_field("user")
    for department_id in way.party:
        if department_id not in call.corp.departments:
            raise Refusal(60003)
        if department_id not in call.corp.visible_departments(call.app):
            raise Refusal(60011)


def _check_people(call: Call, way: ContactWay) -> None:
    """Refuse members who cannot be added: 40003, 60111, 60011, 41054, 40098, 84074,
    and over 100 of them 41041.
    """
    _check_shape(call, way)
    members = [call.corp.need_member(call.app, userid) for userid in way.user]
    for member in members:
        if member.status != STATUS_ACTIVE:
            raise Refusal(41054)
        if not member.verified:
            raise Refusal(40098)
        if not member.contact_permission:
            raise Refusal(84074)
    way.user = [m.userid for m in members]
    if len(call.corp.people_in(way.user, way.party)) > _PEOPLE:
        raise Refusal(41041)


def _read_changeable(call: Call, way: ContactWay) -> None:
    """Take over every field an update may change, checked."""
    body = call.body
    way.remark = body.text("remark", way.remark, chars=30)
    way.skip_verify = body.flag("skip_verify", default=way.skip_verify)
    way.state = body.text("state", way.state, chars=30)
    way.style = body.whole("style", way.style)
    if way.scene == 1 and not 1 <= way.style <= (3 if way.type == 1 else 2):
        raise Refusal(41042)
    way.user = body.texts("user", most=_PEOPLE, code=41041) if body.has("user") else way.user
    way.party = body.numbers("party") if body.has("party") else way.party
    way.mark_source = body.flag("mark_source") if body.has("mark_source") else way.mark_source
    if way.is_temp:
        way.expires_in = body.whole("expires_in", way.expires_in or 7 * _DAY)
        way.chat_expires_in = body.whole("chat_expires_in", way.chat_expires_in or _DAY)
        if not 1 <= way.expires_in <= 14 * _DAY or not 1 <= way.chat_expires_in <= 14 * _DAY:
            raise wrong_field("expires_in")
        way.unionid = body.text("unionid", way.unionid)
        conclusions = body.child("conclusions")
        way.conclusions = conclusions.values if conclusions else way.conclusions


def add_way(call: Call) -> Answer:
    """externalcontact/add_contact_way: a new code; scene 2 answers the URL of its image too."""
    body = call.body
    if not body.has("type"):
        raise Refusal(41037)
    if not body.has("scene"):
        raise Refusal(41038)
    kind, scene = body.whole("type"), body.whole("scene")
    if kind not in {1, 2}:
        raise Refusal(41039)
    if scene not in {1, 2}:
        raise Refusal(41040)
    way = ContactWay(ids.config_id(), next(call.corp.seq), call.now, kind, scene)
    way.is_temp = body.flag("is_temp")
    way.is_exclusive = body.flag("is_exclusive")
    if way.is_temp and not call.corp.medical:
        raise Refusal(48002)
    _read_changeable(call, way)
    _check_people(call, way)
    _check_quota(call, temporary=way.is_temp)
    call.corp.ways[way.config_id] = way
    call.world.touch()
    return {"config_id": way.config_id} | ({"qr_code": qr_url(call, way.config_id)} if scene == 2 else {})


def _check_quota(call: Call, *, temporary: bool) -> None:
    limits = call.world.options
    if not temporary:
        if sum(not w.is_temp for w in call.corp.ways.values()) + len(call.corp.join_ways) >= limits.contact_way_limit:
            raise Refusal(41045)
        return
    call.corp.temporary_codes = [at for at in call.corp.temporary_codes if at > call.now - _DAY]
    if len(call.corp.temporary_codes) >= limits.temporary_code_limit_per_day:
        raise Refusal(41045)
    call.corp.temporary_codes.append(call.now)


def qr_url(call: Call, config_id: str) -> str:
    """Where the image of a code is served."""
    return f"{call.world.base_url}/sandbox/qr/{config_id}.png"


def _need_way(call: Call) -> ContactWay:
    config_id = call.body.need_text("config_id", missing=41043)
    way = call.corp.ways.get(config_id)
    if way is None:
        raise Refusal(41044)
    return way


def get_way(call: Call) -> Answer:
    """externalcontact/get_contact_way: the whole configuration."""
    way = _need_way(call)
    told: Answer = {
        "config_id": way.config_id,
        "type": way.type,
        "scene": way.scene,
        "style": way.style,
        "remark": way.remark,
        "skip_verify": way.skip_verify,
        "state": way.state,
        "user": list(way.user),
        "party": list(way.party),
        "is_temp": way.is_temp,
        "is_exclusive": way.is_exclusive,
    }
    if way.scene == 2:
        told["qr_code"] = qr_url(call, way.config_id)
    if way.mark_source is not None:
        told["mark_source"] = way.mark_source
    if way.is_temp:
        told |= {"expires_in": way.expires_in, "chat_expires_in": way.chat_expires_in, "unionid": way.unionid}
        told["conclusions"] = way.conclusions
    return {"contact_way": told}


def list_ways(call: Call) -> Answer:
    """externalcontact/list_contact_way: ids of lasting codes made in a span; default the last 90 days."""
    end = call.body.whole("end_time", call.now)
    start = call.body.whole("start_time", call.now - 90 * _DAY)
    limit = call.body.whole("limit", 100)
    if start > end:
        raise wrong_field("start_time")
    if not 1 <= limit <= 1000:
        raise wrong_field("limit")
    ways = [w for w in call.corp.ways.values() if not w.is_temp and start <= w.created <= end]
    asked = [call.body.whole("start_time", -1), call.body.whole("end_time", -1)]
    page, cursor = page_of(call, ways, lambda w: w.seq, limit, asked)
    answer: Answer = {"contact_way": [{"config_id": w.config_id} for w in page]}
    return answer | ({"next_cursor": cursor} if cursor else {})


def update_way(call: Call) -> Answer:
    """externalcontact/update_contact_way: user and party replace as whole lists; type and scene stay."""
    way = _need_way(call)
    fresh = ContactWay(way.config_id, way.seq, way.created, way.type, way.scene)
    for name in ContactWay.__slots__:
        setattr(fresh, name, getattr(way, name))
    _read_changeable(call, fresh)
    _check_people(call, fresh)
    call.corp.ways[way.config_id] = fresh
    call.world.touch()
    return {}


def delete_way(call: Call) -> Answer:
    """externalcontact/del_contact_way: scanning it afterwards finds nothing."""
    del call.corp.ways[_need_way(call).config_id]
    call.world.touch()
    return {}


def close_temporary_chat(call: Call) -> Answer:
    """externalcontact/close_temp_chat: ends the talk a temporary code began and sends the code's conclusion."""
    userid, external = call.body.need_text("userid", missing=40003), call.body.text("external_userid")
    follow = call.corp.need_follow(call.app, userid, external)
    ways = [w for w in call.corp.ways.values() if w.is_temp and w.used_up and w.state == follow.state]
    if not ways:
        raise Refusal(84061)
    line = call.corp.chat(follow.userid, external, call.world.options.chat_length)
    text = ways[-1].conclusions.get("text", {}).get("content", "")
    if text:
        call.world.say(line, "staff", "text", {"content": text}, "conclusion", follow.userid)
    call.world.say(line, "system", "text", {"content": "临时会话已结束"}, "system")
    call.corp.drop_follow(follow)
    return {}


ENDPOINTS = {
    "externalcontact/close_temp_chat": Endpoint(close_temporary_chat, "customers"),
    "externalcontact/add_contact_way": Endpoint(add_way, "customers"),
    "externalcontact/get_contact_way": Endpoint(get_way, "customers"),
    "externalcontact/list_contact_way": Endpoint(list_ways, "customers"),
    "externalcontact/update_contact_way": Endpoint(update_way, "customers"),
    "externalcontact/del_contact_way": Endpoint(delete_way, "customers"),
}
