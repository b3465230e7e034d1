"""What the page's own script asks for, in JSON."""

import secrets
from typing import Any

from flask import Response, jsonify, request

from crm_core import page_layouts, staff
from crm_core.errors import InputInvalid
from materials.radar_model import LinkTarget
from sidebar import auth, jssdk
from sidebar.layout import stored_layout
from sidebar.room import bp, room
from sidebar.routes_suggest import learn_from_send
from sidebar.schemas import LayoutForm, SendOutcome, read_json
from sidebar.sending import record_group_outcome, record_outcome
from sidebar.tracking import record_sends
from sidebar.views import customer_unit, group_unit, visitor

NONCE_BYTES = 12


@bp.get("/api/me")
def me() -> Response:
    """Who is signed in."""
    who = visitor()
    with room().db.reading() as session:
        name = staff.names(session, who.corp, [who.staff])[who.staff]
    return _ok({"corp_id": who.corp, "app": who.app, "staff": who.staff, "name": name})


@bp.get("/api/jssdk")
def signatures() -> Response:
    """Both signatures for one page of ours: config with the corp's ticket, agentConfig with the app's."""
    who = visitor()
    url = jssdk.page_url(request.args.get("url", ""), room().settings.server.public_url)
    gateway = room().gateways.of(who.corp, who.app)
    _, app = auth.find_app(room().settings, who.app)
    timestamp = int(room().db.clock.now().timestamp())
    signed = {
        name: _signed(gateway.jsapi_ticket(for_app=for_app), url, timestamp)
        for name, for_app in (("config", False), ("agentConfig", True))
    }
    return _ok({"corpId": who.corp, "agentId": app.agent_id} | signed)


def _signed(ticket: str, url: str, timestamp: int) -> dict[str, Any]:
    nonce = secrets.token_hex(NONCE_BYTES)
    return {
        "timestamp": timestamp,
        "nonceStr": nonce,
        "signature": jssdk.sign(ticket, url=url, nonce=nonce, timestamp=timestamp),
    }


@bp.post("/api/sends")
def record_send() -> Response:
    """The client sent a message to a customer or into a group: remember it, once per key."""
    outcome = read_json(SendOutcome)
    if bool(outcome.chat_id) == bool(outcome.external_userid):
        raise InputInvalid("应说明发给了哪位客户或哪个群", field="external_userid")
    if outcome.chat_id:
        with group_unit(outcome.chat_id) as (uow, chat):
            is_new = record_group_outcome(uow, visitor(), outcome)
            record_sends(uow, visitor(), LinkTarget(staff=visitor().staff, chat=chat), outcome)
        return _ok({"recorded": is_new})
    with customer_unit(outcome.external_userid) as (uow, external_user):
        is_new = record_outcome(uow, visitor(), external_user, outcome)
        record_sends(uow, visitor(), LinkTarget(staff=visitor().staff, external_user=external_user), outcome)
        learn_from_send(uow, external_user, outcome)
    return _ok({"recorded": is_new})


@bp.post("/api/layout")
def keep_layout() -> Response:
    """Remember how the visitor arranged a page."""
    form, who = read_json(LayoutForm), visitor()
    layout = stored_layout(form.page, cards=form.cards, folded=form.folded, tabs=form.tabs)
    with room().db.unit() as uow:
        page_layouts.keep(uow, who.corp, who.staff, form.page, layout)
        uow.commit()
    return _ok(layout)


def _ok(data: dict[str, Any]) -> Response:
    return jsonify({"ok": True, "data": data})
