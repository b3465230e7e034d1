"""The admin API, first half: looking at the world and setting it up. JSON in, JSON out,
under /sandbox/api.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response, current_app, request

from bot.sandbox import crypto, ids, views, views_outreach
from bot.sandbox.acts import ActRefused, corp_of, find_person, member_of
from bot.sandbox.company import Company, populate
from bot.sandbox.corp import Corp
from bot.sandbox.courier import send
from bot.sandbox.door import let_go, ok, the_world
from bot.sandbox.fields import Fields
from bot.sandbox.inheritance import settle_transfers
from bot.sandbox.model import App, Callback
from bot.sandbox.player import Player
from bot.sandbox.refusal import Refusal
from bot.sandbox.world import World

admin = Blueprint("admin", __name__, url_prefix="/sandbox/api")
_SETTINGS = frozenset(
    {
        "name", "callable", "visible_departments", "visible_users", "trusted_domains", "web_login_domains",
        "trusted_ips", "sidebar_url", "home_url", "disabled", "reports_enter", "sensitive_fields",
    }
)  # fmt: skip
_VERIFY_SECONDS = 5.0


def asked() -> Fields:
    """The request's JSON body (any Content-Type) together with its query parameters."""
    body = Fields.from_body(request.get_data())
    body.values = {**request.args.to_dict(), **body.values}
    return body


def refuse(code: str, message: str, status: int) -> Response:
    """The admin API's one form of error."""
    answer = ok(error={"code": code, "message": message})
    answer.set_data(answer.get_data().replace(b'"ok": true', b'"ok": false', 1))
    answer.status_code = status
    return answer


def keep_to_own_page() -> Response | None:
    """Refuse writes a foreign page in the same browser might try."""
    origin = request.headers.get("Origin", "")
    if origin and origin != request.host_url.rstrip("/"):
        return refuse("foreign_origin", "只接受本页面的请求", 403)
    return None


def on_refused(fault: Exception) -> Response:
    """ActRefused: 409; a bad value or field: 400."""
    if isinstance(fault, ActRefused):
        return refuse("refused", str(fault.args[0]), 409)
    detail = fault.detail if isinstance(fault, Refusal) else str(fault)
    return refuse("bad_request", detail, 400)


def guard(blueprint: Blueprint) -> None:
    """Give a blueprint of the admin API its origin check and its one error form."""
    blueprint.before_request(keep_to_own_page)
    for kind in (ActRefused, ValueError, Refusal):
        blueprint.register_error_handler(kind, on_refused)


guard(admin)


def the_player() -> Player:
    """Who plays the day in this application."""
    player: Player = current_app.extensions["sandbox_player"]
    return player


def _app(world: World, corp_id: str, agentid: int) -> tuple[Corp, App]:
    corp = corp_of(world, corp_id)
    if agentid not in corp.apps:
        raise ActRefused(f"没有这个应用：{agentid}")
    return corp, corp.apps[agentid]


@admin.get("/state")
def state() -> Response:
    world = the_world()
    with world.lock:
        return ok(**views.overview(world))


@admin.get("/pulse")
def pulse() -> Response:
    """The cheapest question: has anything changed?"""
    world = the_world()
    log_id = world.api_log[-1]["id"] if world.api_log else 0
    return ok(
        version=world.version,
        now=world.clock.now(),
        waiting_callbacks=world.courier.waiting(),
        last_call=log_id,
        faults=[rule.as_json() for rule in world.faults.rules()],
        play=the_player().as_json(),
    )


@admin.post("/reset")
def reset() -> Response:
    """Back to the company as it was at start, with the same ids and secrets; the clock and options stay."""
    world = the_world()
    the_player().stop()
    with world.lock:
        urls = {(c.corp_id, a.agentid): a.callback for c in world.corps.values() for a in c.apps.values()}
        world.clear()
        populate(world, _company())
        for corp in world.corps.values():
            for app in corp.apps.values():
                app.callback = urls.get((corp.corp_id, app.agentid), app.callback)
    return ok()


def _company() -> Company:
    company: Company = current_app.extensions["sandbox_company"]
    return company


@admin.get("/clock")
def read_clock() -> Response:
    return ok(**views.clock_json(the_world()))


@admin.post("/clock")
def move_clock() -> Response:
    """{advance_seconds} or {now} (epoch) or {offset_seconds}."""
    world, values = the_world(), asked().values
    if "advance_seconds" in values:
        world.clock.advance(float(values["advance_seconds"]))
    elif "now" in values:
        world.clock.set_now(float(values["now"]))
    elif "offset_seconds" in values:
        world.clock.shift_to(float(values["offset_seconds"]))
    else:
        raise ValueError("advance_seconds, now or offset_seconds")
    with world.lock:
        for corp in world.corps.values():
            settle_transfers(world, corp)
        world.touch()
        deliveries = world.take_pending()
    return let_go(ok(**views.clock_json(world)), world, deliveries)


@admin.get("/corps")
def list_corps() -> Response:
    world = the_world()
    with world.lock:
        return ok(corps=[views.corp_json(world, c) for c in world.corps.values()])


@admin.get("/corps/<corp_id>/apps/<int:agentid>")
def show_app(corp_id: str, agentid: int) -> Response:
    """The app as the admin console shows it: with secret, callback token and key. agentid 0: 通讯录同步."""
    world = the_world()
    with world.lock:
        _, app = _app(world, corp_id, agentid)
        hidden = {"secret": app.secret, "callback_token": app.callback.token, "aes_key": app.callback.aes_key}
        return ok(app=views.app_json(app) | hidden)


@admin.put("/corps/<corp_id>/apps/<int:agentid>/callback")
def set_callback(corp_id: str, agentid: int) -> Response:
    """{url, token?, aes_key?, subscriptions?}: where the app is told; what is left out stays."""
    world, body = the_world(), asked()
    key = body.text("aes_key")
    if key:
        crypto.key_bytes(key)
    with world.lock:
        _, app = _app(world, corp_id, agentid)
        old = app.callback
        app.callback = Callback(body.text("url", old.url), body.text("token", old.token), key or old.aes_key)
        if body.has("subscriptions"):
            app.subscriptions = set(body.texts("subscriptions"))
        world.touch()
        return ok(app=views.app_json(app))


@admin.patch("/corps/<corp_id>/apps/<int:agentid>")
def change_app(corp_id: str, agentid: int) -> Response:
    """Any setting of app_json except callback and agentid, e.g. {"trusted_ips": ["10.0.0.1"]} or null."""
    world, values = the_world(), asked().values
    unknown = set(values) - _SETTINGS
    if unknown:
        raise ValueError(f"unknown settings {sorted(unknown)}")
    with world.lock:
        _, app = _app(world, corp_id, agentid)
        for name, value in values.items():
            setattr(app, name, value)
        world.touch()
        return ok(app=views.app_json(app))


@admin.post("/corps/<corp_id>/apps")
def new_app(corp_id: str) -> Response:
    """{agentid, name, …settings}: another self-built app with its own secret, token and key."""
    world, body = the_world(), asked()
    with world.lock:
        corp = corp_of(world, corp_id)
        agentid = body.whole("agentid")
        if agentid <= 0 or agentid in corp.apps:
            raise ActRefused("agentid 无效或已存在")
        app = App(agentid, body.need_text("name"), body.text("secret") or ids.secret())
        app.callback = Callback("", ids.callback_token(), crypto.new_aes_key())
        app.subscriptions = set(corp.apps[max(corp.apps)].subscriptions)
        for name in _SETTINGS & set(body.values):
            setattr(app, name, body.values[name])
        corp.apps[agentid] = app
        world.touch()
        return ok(app=views.app_json(app))


@admin.post("/verify_callback")
def verify_callback() -> Response:
    """{corp?, agentid}: the check the admin console makes when a callback URL is saved; {passed, http,
    reason}.
    """
    world, body = the_world(), asked()
    with world.lock:
        corp, app = _app(world, body.text("corp"), body.whole("agentid"))
        callback = Callback(app.callback.url, app.callback.token, app.callback.aes_key)
    echo, timestamp, nonce = ids.message_id(), str(world.clock.stamp()), ids.nonce()
    echostr = crypto.encrypt(callback.aes_key, echo, corp.corp_id)
    query = {
        "msg_signature": crypto.signature(callback.token, timestamp, nonce, echostr),
        "timestamp": timestamp,
        "nonce": nonce,
        "echostr": echostr,
    }
    try:
        status, answer = send("GET", callback.url, urlencode(query), None, _VERIFY_SECONDS)
    except OSError as fault:
        return ok(passed=False, http=0, reason=type(fault).__name__)
    passed = status == 200 and answer == echo.encode()
    return ok(passed=passed, http=status, reason="" if passed else "the answer is not the bare decrypted echostr")


@admin.get("/staff")
def list_staff() -> Response:
    world = the_world()
    with world.lock:
        corp = corp_of(world, asked().text("corp"))
        return ok(staff=[views.staff_json(m) for m in corp.staff.values()])


@admin.get("/customers")
def list_customers() -> Response:
    """?corp=&q=&offset=&limit= (default 200): people, newest first; without corp everybody."""
    world, body = the_world(), asked()
    query, corp_id = body.text("q"), body.text("corp")
    offset, limit = body.whole("offset"), body.whole("limit", 200)
    with world.lock:
        found = [
            p
            for p in reversed(world.persons.values())
            if query in p.name and (not corp_id or corp_id in p.external_ids)
        ]
        return ok(total=len(found), customers=[views.person_json(p) for p in found[offset : offset + limit]])


@admin.get("/tags")
def list_tags() -> Response:
    world = the_world()
    with world.lock:
        groups = corp_of(world, asked().text("corp")).groups_of_tags.values()
        told = [
            {"id": g.id, "name": g.name, "tags": [{"id": t.id, "name": t.name} for t in g.tags.values()]}
            for g in groups
        ]
        return ok(tag_groups=told)


@admin.get("/codes")
def list_codes() -> Response:
    world = the_world()
    with world.lock:
        corp = corp_of(world, asked().text("corp"))
        more = {"links": views_outreach.links(world, corp), "kf": views_outreach.kf_accounts(world, corp)}
        return ok(codes=views.codes(world, corp), **more)


@admin.get("/groups")
def list_groups() -> Response:
    world = the_world()
    with world.lock:
        corp = corp_of(world, asked().text("corp"))
        return ok(groups=[views.group_json(corp, g) for g in corp.groups.values()])


@admin.get("/phone")
def show_phone() -> Response:
    """?customer=<person or external id>: what is on that person's phone."""
    world = the_world()
    with world.lock:
        person = find_person(world, asked().text("customer"))
        if person is None:
            raise ActRefused("没有这个客户")
        more = {"kf": views_outreach.kf_of_person(world, person), "feed": views_outreach.feed(world, person)}
        return ok(**views.phone(world, person), **more)


@admin.get("/desk")
def show_desk() -> Response:
    """?corp=&userid=: what is in that member's WeCom."""
    world, body = the_world(), asked()
    with world.lock:
        corp = corp_of(world, body.text("corp"))
        member = member_of(corp, body.text("userid"))
        more = {
            "tasks": views_outreach.tasks(world, corp, member),
            "kf": views_outreach.kf_talks(world, corp, member),
            "feed": views_outreach.posts_of(world, corp, member),
        }
        return ok(**views.desk(world, corp, member), **more)


@admin.get("/chat")
def show_chat() -> Response:
    """?corp=&userid=&external_userid=: one conversation."""
    world, body = the_world(), asked()
    with world.lock:
        corp = corp_of(world, body.text("corp"))
        return ok(
            messages=views.chat_json(corp, member_of(corp, body.text("userid")).userid, body.text("external_userid"))
        )


def newest(items: Any, body: Fields) -> list[Any]:
    """The last `limit` items (default 100), newest first."""
    limit = body.whole("limit", 100)
    return list(reversed(items))[:limit]
