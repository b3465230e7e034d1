"""The HTTP door of the API: /cgi-bin/<path>. Parses, strikes faults, calls the endpoint, logs,
then lets events go.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response, current_app, request

from bot.sandbox.api.call import Answer, Call, Endpoint, FileAnswer
from bot.sandbox.courier import Delivery
from bot.sandbox.faults import Rule
from bot.sandbox.fields import Fields
from bot.sandbox.gate import ENDPOINTS, caller_by_secret, caller_by_token, check_rights
from bot.sandbox.refusal import Refusal, error_body
from bot.sandbox.world import World

_KEPT_LETTERS = 4000
_SECRETS = re.compile(r"""((?:access_token|corpsecret|secret|ticket|user_ticket|code)(?:=|"\s*:\s*"))[^&"\s]+""")
door = Blueprint("cgi_bin", __name__, url_prefix="/cgi-bin")


def the_world() -> World:
    """The world this Flask application serves."""
    world: World = current_app.extensions["sandbox"]
    return world


def let_go(response: Response, world: World, deliveries: list[Delivery]) -> Response:
    """Post deliveries once the response has gone out (or its connection was dropped)."""
    if deliveries:
        response.call_on_close(lambda: world.courier.post(deliveries))
    return response


@dataclass(slots=True)
class _Visit:
    """What the log keeps of one call: never a token, secret or ticket, of bodies the first few thousand letters."""

    path: str
    began: float = field(default_factory=time.monotonic)
    corp_id: str = ""
    agentid: int | None = None
    errcode: int = 0
    faults: list[str] = field(default_factory=list)
    supported: bool = True
    deliveries: list[Delivery] = field(default_factory=list)
    answer: str = ""

    def write(self, world: World, http: int) -> None:
        """Append the line to the world's log."""
        world.api_log.append(
            {
                "id": next(world.api_calls),
                "at": world.clock.now(),
                "method": request.method,
                "path": self.path,
                "corp_id": self.corp_id,
                "agentid": self.agentid,
                "errcode": self.errcode,
                "http": http,
                "ms": round((time.monotonic() - self.began) * 1000, 1),
                "faults": self.faults,
                "supported": self.supported,
                "query": _without_secrets(urlencode(request.args.to_dict())),
                "request": _without_secrets(_body_text()),
                "answer": _without_secrets(self.answer),
            }
        )


@door.route("/<path:path>", methods=["GET", "POST", "PUT", "DELETE"])
def call_api(path: str) -> Response:
    """Answer one API call; always HTTP 200 except when a fault says otherwise."""
    world = the_world()
    visit = _Visit(path.rstrip("/"))
    rules = world.faults.firing_for_api(visit.path)
    visit.faults = [rule.kind for rule in rules]
    before = next((r for r in rules if r.kind in {"drop_before", "http_500", "errcode", "busy"}), None)
    answer = _struck(before, visit, rules) if before else _answer(world, visit, rules)
    if any(rule.kind == "drop_after" for rule in rules):
        answer = Response(_broken())
    else:
        visit.answer = _answer_text(answer)
    visit.write(world, answer.status_code if "drop_after" not in visit.faults else 0)
    return let_go(answer, world, visit.deliveries)


def _without_secrets(text: str) -> str:
    return _SECRETS.sub(r"\1***", text[:_KEPT_LETTERS])


def _body_text() -> str:
    if (request.content_type or "").startswith("multipart/"):
        return "（上传的文件）"
    return request.get_data().decode("utf-8", "replace")


def _answer_text(answer: Response) -> str:
    if answer.mimetype in {"application/json", "text/plain"}:
        return answer.get_data(as_text=True)
    return f"（{answer.mimetype}）"


def _wait(rules: list[Rule]) -> None:
    for rule in rules:
        if rule.kind == "latency":
            time.sleep(rule.ms / 1000)


def _broken() -> Iterator[bytes]:
    """A body that cannot be sent: the server closes the connection without a byte."""
    raise ConnectionAbortedError
    yield b""


def _struck(rule: Rule, visit: _Visit, rules: list[Rule]) -> Response:
    """The answer of a call that a rule stops before it does anything."""
    _wait(rules)
    if rule.kind == "drop_before":
        return Response(_broken())
    if rule.kind == "http_500":
        return Response("Internal Server Error", 500, content_type="text/plain")
    visit.errcode = -1 if rule.kind == "busy" else rule.code
    return _json(error_body(Refusal(visit.errcode), request.remote_addr or ""))


def _json(body: Answer) -> Response:
    return Response(json.dumps(body, ensure_ascii=False), content_type="application/json; charset=UTF-8")


def _answer(world: World, visit: _Visit, rules: list[Rule]) -> Response:
    ip = request.remote_addr or ""
    query = Fields(request.args.to_dict())
    upload = _upload()
    body = Fields({}) if upload else Fields.from_body(request.get_data())
    try:
        call, endpoint = _admit(world, visit, query, body)
        call.upload = upload
        with world.pacing.running(visit.corp_id, visit.path):
            _wait(rules)
            found = _run(call, endpoint, visit)
    except Refusal as refusal:
        visit.errcode = refusal.errcode
        return _json(error_body(refusal, ip, warned=body.warned))
    if isinstance(found, FileAnswer):
        response = Response(found.content, content_type=found.mimetype)
        response.headers.set("Content-Disposition", "attachment", filename=found.filename)
        return response
    return _json({"errcode": 0, "errmsg": "ok. Warning: wrong json format. " if body.warned else "ok", **found})


def _upload() -> tuple[str, bytes] | None:
    if not (request.content_type or "").startswith("multipart/"):
        return None
    part = request.files.get("media")
    return (part.filename or "", part.read()) if part else ("", b"")


def _admit(world: World, visit: _Visit, query: Fields, body: Fields) -> tuple[Call, Endpoint]:
    """The call, once token, address, rights and rate allow it."""
    ip = request.remote_addr or ""
    endpoint = ENDPOINTS.get(visit.path)
    if endpoint is None:
        visit.supported = False
        raise Refusal(48001, f"/cgi-bin/{visit.path} is not supported by the local WeCom. ")
    with world.lock:
        find = caller_by_secret if endpoint.needs == "nothing" else caller_by_token
        corp, app = find(world, query)
        visit.corp_id, visit.agentid = corp.corp_id, app.agentid
        check_rights(app, endpoint, ip)
    world.pacing.count_call(corp.corp_id, visit.path, ip, world.clock.now())
    return Call(world, corp, app, visit.path, query, body, ip), endpoint


def _run(call: Call, endpoint: Endpoint, visit: _Visit) -> Answer | FileAnswer:
    if not endpoint.locked:
        return endpoint.run(call)
    with call.world.lock:
        try:
            return endpoint.run(call)
        finally:
            visit.deliveries = call.world.take_pending()


@door.errorhandler(413)
def too_big(_fault: Exception) -> Response:
    """A body over the server's limit: JSON as for every other refusal."""
    return _json(error_body(Refusal(45001), request.remote_addr or ""))


def ok(**told: Any) -> Response:
    """A good answer of the admin API."""
    return _json({"ok": True, **told})
