"""The menu under an app's conversation (自定义菜单). Source: WeCom docs 90231, 90232, 90233."""

from __future__ import annotations

from bot.sandbox.api.call import Answer, Call, Endpoint
from bot.sandbox.fields import Fields
from bot.sandbox.refusal import Refusal, wrong_field

_TOP = 3
_SUB = 5
_NAME_BYTES = {1: 16, 2: 40}
_KINDS = {"click", "view", "view_miniprogram"}


def _own_agent(call: Call) -> None:
    if call.query.whole("agentid") != call.app.agentid:
        raise Refusal(301002 if call.query.text("agentid") else 40056)


def _check(button: Fields, level: int) -> None:
    button.need_text("name", size=_NAME_BYTES[level])
    below = button.children("sub_button", most=_SUB)
    if below and level == 1:
        for one in below:
            _check(one, 2)
        return
    kind = button.text("type")
    if kind not in _KINDS:
        raise wrong_field("button.type")
    if kind == "view" and not button.text("url").startswith(("http://", "https://")):
        raise wrong_field("button.url")
    if kind == "click":
        button.need_text("key", size=128)


def create(call: Call) -> Answer:
    """menu/create?agentid=: up to three buttons with up to five below each; replaces the former menu."""
    _own_agent(call)
    buttons = call.body.children("button", most=_TOP)
    if not buttons:
        raise wrong_field("button")
    for button in buttons:
        _check(button, 1)
    call.corp.menus[call.app.agentid] = {"button": [dict(b.values) for b in buttons]}
    call.world.touch()
    return {}


def get(call: Call) -> Answer:
    """menu/get?agentid=."""
    _own_agent(call)
    return dict(call.corp.menus.get(call.app.agentid, {"button": []}))


def delete(call: Call) -> Answer:
    """menu/delete?agentid=."""
    _own_agent(call)
    call.corp.menus.pop(call.app.agentid, None)
    call.world.touch()
    return {}


ENDPOINTS = {"menu/create": Endpoint(create), "menu/get": Endpoint(get), "menu/delete": Endpoint(delete)}
