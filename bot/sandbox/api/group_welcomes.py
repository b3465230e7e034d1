"""Material for greeting new group members (入群欢迎语素材). Source: WeCom doc 92366."""

from __future__ import annotations

from typing import Any

from bot.sandbox import ids
from bot.sandbox.api.attachments import read_flat
from bot.sandbox.api.call import Answer, Call, Endpoint
from bot.sandbox.records import GroupWelcome
from bot.sandbox.refusal import Refusal, wrong_field

_TEXT_BYTES = 3000


def _read(call: Call) -> tuple[list[tuple[str, dict[str, Any]]], dict[str, Any]]:
    """Lines for a conversation, and the template as get tells it (an image as pic_url)."""
    lines = read_flat(call, text_bytes=_TEXT_BYTES)
    told = {kind: dict(body) for kind, body in lines}
    picture = told.get("image", {}).get("media_id")
    if picture:
        told["image"] = {"pic_url": f"{call.world.base_url}/sandbox/media/{call.corp.corp_id}/{picture}"}
    return lines, told


def add(call: Call) -> Answer:
    """externalcontact/group_welcome_template/add: at most 100 a corp (41055)."""
    lines, told = _read(call)
    if len(call.corp.group_welcomes) >= call.world.options.group_welcome_limit:
        raise Refusal(41055)
    made = GroupWelcome(ids.opaque("msgw", 28), call.app.agentid, lines, told, call.body.whole("notify", 1))
    call.corp.group_welcomes[made.template_id] = made
    call.world.touch()
    return {"template_id": made.template_id}


def _need(call: Call, *, own: bool) -> GroupWelcome:
    found = call.corp.group_welcomes.get(call.body.need_text("template_id"))
    if found is None:
        raise wrong_field("template_id")
    if own and found.agentid != call.app.agentid:
        raise Refusal(41058)
    return found


def edit(call: Call) -> Answer:
    """externalcontact/group_welcome_template/edit: by its creator only (41058)."""
    found = _need(call, own=True)
    found.lines, found.told = _read(call)
    call.world.touch()
    return {}


def get(call: Call) -> Answer:
    """externalcontact/group_welcome_template/get."""
    return dict(_need(call, own=False).told)


def delete(call: Call) -> Answer:
    """externalcontact/group_welcome_template/del: groups that use it greet nobody afterwards."""
    del call.corp.group_welcomes[_need(call, own=True).template_id]
    call.world.touch()
    return {}


_BASE = "externalcontact/group_welcome_template"
ENDPOINTS = {
    f"{_BASE}/add": Endpoint(add, "customers"),
    f"{_BASE}/edit": Endpoint(edit, "customers"),
    f"{_BASE}/get": Endpoint(get, "customers"),
    f"{_BASE}/del": Endpoint(delete, "customers"),
}
