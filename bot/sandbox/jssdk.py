"""The server's half of the JS-SDK stand-in: are the signatures a page gives really right?

Source: WeCom docs 90506 (signature), 94313 (register); wording of failures as the client reports them.
"""

from __future__ import annotations

import hmac

from flask import Blueprint, Response, request

from bot.sandbox.corp import Corp
from bot.sandbox.crypto import js_signature
from bot.sandbox.door import ok, the_world
from bot.sandbox.fields import Fields
from bot.sandbox.model import App
from bot.sandbox.refusal import MESSAGES
from bot.sandbox.sign_in import domain_of
from bot.sandbox.world import World

jssdk = Blueprint("jssdk", __name__)


@jssdk.route("/sandbox/api/jssdk_check", methods=["POST", "OPTIONS"])
def check() -> Response:
    """{corpId, agentId, kind: config|agentConfig, url, timestamp, nonceStr, signature, userid?} → {errcode,
    errmsg}.

    For agentConfig the answer also says whether that member may use the sidebar's calls (`permitted`).
    Open to other origins: it is the product's page that asks.
    """
    answer = ok() if request.method == "OPTIONS" else _checked()
    answer.headers["Access-Control-Allow-Origin"] = request.headers.get("Origin", "*")
    answer.headers["Access-Control-Allow-Headers"] = "Content-Type"
    answer.headers["Access-Control-Allow-Methods"] = "POST"
    answer.headers["Vary"] = "Origin"
    return answer


def _checked() -> Response:
    world, body = the_world(), Fields.from_body(request.get_data())
    with world.lock:
        corp = world.corps.get(body.text("corpId"))
        app = corp.apps.get(body.whole("agentId")) if corp else None
        code = 40013 if corp is None else _fault(world, corp, app, body)
        member = corp.member(body.text("userid")) if corp else None
        permitted = bool(
            corp and app and member and app.callable and member.serves_customers and corp.sees(app, member)
        )
        return ok(errcode=code, errmsg=MESSAGES.get(code, "ok"), permitted=permitted)


def _fault(world: World, corp: Corp, app: App | None, body: Fields) -> int:
    """0, or the errcode: 80001 untrusted page, 40056 no such app, 42012 another app's ticket,
    40093 all else.
    """
    agent_config = body.text("kind") == "agentConfig"
    if agent_config and (app is None or app.is_contacts):
        return 40056
    url = body.text("url")
    apps = [app] if app and agent_config else list(corp.apps.values())
    if domain_of(url) not in {d.lower() for one in apps for d in one.trusted_domains}:
        return 80001
    right = app.agentid if app and agent_config else 0
    for agentid, ticket in corp.js_tickets.items():
        expected = js_signature(ticket.ticket, body.text("nonceStr"), body.text("timestamp"), url.partition("#")[0])
        if not hmac.compare_digest(expected, body.text("signature")) or not body.text("nonceStr"):
            continue
        if agentid == right:
            return 0 if world.clock.now() < ticket.expires_at else 40093
        return 42012 if agentid and right else 40093
    return 40093
