"""Codes that lead into customer groups (加入群聊). Source: WeCom doc 92229."""

from __future__ import annotations

from bot.sandbox import ids
from bot.sandbox.api.call import Answer, Call, Endpoint
from bot.sandbox.api.contact_ways import qr_url
from bot.sandbox.api.groups import group_visible
from bot.sandbox.model import JoinWay
from bot.sandbox.refusal import Refusal, wrong_field

_GROUPS_PER_CODE = 5


def _read(call: Call, config_id: str) -> JoinWay:
    """The whole configuration of a code: what the caller leaves out gets its default."""
    body = call.body
    scene = body.whole("scene")
    if scene not in {1, 2}:
        raise wrong_field("scene")
    chat_ids = body.texts("chat_id_list", most=_GROUPS_PER_CODE, code=41091)
    if not chat_ids:
        raise wrong_field("chat_id_list")
    for chat_id in chat_ids:
        group = call.corp.groups.get(chat_id)
        if group is None or group.dismissed:
            raise Refusal(40050)
        if not group_visible(call, group):
            raise Refusal(60011)
    return JoinWay(
        config_id,
        call.app.agentid,
        scene,
        chat_ids,
        remark=body.text("remark")[:30],
        auto_create_room=body.whole("auto_create_room", 1),
        room_base_name=body.text("room_base_name", chars=40),
        room_base_id=body.whole("room_base_id", 1),
        state=body.text("state", chars=30),
        mark_source=body.flag("mark_source") if body.has("mark_source") else None,
    )


def add_join_way(call: Call) -> Answer:
    """externalcontact/groupchat/add_join_way: answers only the config_id; the image comes from get."""
    made = _read(call, ids.config_id())
    if len(call.corp.ways) + len(call.corp.join_ways) >= call.world.options.contact_way_limit:
        raise Refusal(41045)
    call.corp.join_ways[made.config_id] = made
    call.world.touch()
    return {"config_id": made.config_id}


def _need_way(call: Call) -> JoinWay:
    """One of this app's own codes; 41043 missing, 41044 unknown or another app's."""
    way = call.corp.join_ways.get(call.body.need_text("config_id", missing=41043))
    if way is None or way.agentid != call.app.agentid:
        raise Refusal(41044)
    return way


def get_join_way(call: Call) -> Answer:
    """externalcontact/groupchat/get_join_way: the configuration of one of this app's own codes."""
    way = _need_way(call)
    told: Answer = {
        "config_id": way.config_id,
        "scene": way.scene,
        "remark": way.remark,
        "auto_create_room": way.auto_create_room,
        "room_base_name": way.room_base_name,
        "room_base_id": way.room_base_id,
        "chat_id_list": list(way.chat_ids),
        "state": way.state,
        "qr_code": qr_url(call, way.config_id),
    }
    if way.mark_source is not None:
        told["mark_source"] = way.mark_source
    return {"join_way": told}


def update_join_way(call: Call) -> Answer:
    """externalcontact/groupchat/update_join_way: overwrites everything, also what is not given."""
    way = _need_way(call)
    call.corp.join_ways[way.config_id] = _read(call, way.config_id)
    call.world.touch()
    return {}


def delete_join_way(call: Call) -> Answer:
    """externalcontact/groupchat/del_join_way: scanning it afterwards finds nothing."""
    del call.corp.join_ways[_need_way(call).config_id]
    call.world.touch()
    return {}


ENDPOINTS = {
    "externalcontact/groupchat/add_join_way": Endpoint(add_join_way, "customers"),
    "externalcontact/groupchat/get_join_way": Endpoint(get_join_way, "customers"),
    "externalcontact/groupchat/update_join_way": Endpoint(update_join_way, "customers"),
    "externalcontact/groupchat/del_join_way": Endpoint(delete_join_way, "customers"),
}
