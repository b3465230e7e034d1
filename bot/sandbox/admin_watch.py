"""The admin API, third part: logs, counters, faults, switches, options."""

from __future__ import annotations

from flask import Blueprint, Response

from bot.sandbox import views
from bot.sandbox.acts import ActRefused, corp_of, need_follow
from bot.sandbox.admin import asked, guard, newest, the_player
from bot.sandbox.door import ok, the_world

admin_watch = Blueprint("admin_watch", __name__, url_prefix="/sandbox/api")
guard(admin_watch)
_BODIES = {"query", "request", "answer"}


@admin_watch.get("/log/api")
def api_log() -> Response:
    """?limit=&path=: API calls, newest first."""
    world, body = the_world(), asked()
    path = body.text("path")
    told = newest([c for c in list(world.api_log) if c["path"].startswith(path)], body)
    return ok(calls=[{k: v for k, v in c.items() if k not in _BODIES} for c in told])


@admin_watch.get("/log/api/<int:call_id>")
def api_call(call_id: int) -> Response:
    """One API call with query, request and answer; tokens, secrets and tickets are starred out."""
    found = next((c for c in reversed(the_world().api_log) if c["id"] == call_id), None)
    if found is None:
        raise ActRefused("这条记录已经不在日志里")
    return ok(call=found)


@admin_watch.get("/log/callbacks")
def callback_log() -> Response:
    """?limit=&change_type=: deliveries, newest first, with every attempt and the plaintext XML."""
    world, body = the_world(), asked()
    wanted = body.text("change_type")
    told = [d for d in list(world.callback_log) if not wanted or d.change_type == wanted]
    return ok(callbacks=[d.as_json() for d in newest(told, body)])


@admin_watch.get("/welcomes")
def welcomes() -> Response:
    """?corp=&limit=: rights to greet, newest first."""
    world, body = the_world(), asked()
    with world.lock:
        corp = corp_of(world, body.text("corp"))
        return ok(welcomes=[views.welcome_json(w) for w in newest(corp.welcomes.values(), body)])


@admin_watch.get("/relation")
def relation() -> Response:
    """?corp=&userid=&external_userid=: remark, tags, and how often mark_tag put each tag on."""
    world, body = the_world(), asked()
    with world.lock:
        corp = corp_of(world, body.text("corp"))
        follow = need_follow(corp, body.text("userid"), body.text("external_userid"))
        return ok(relation=views.follow_json(world, corp, follow))


@admin_watch.get("/app_messages")
def app_messages() -> Response:
    """?corp=&limit=: messages apps sent, newest first."""
    world, body = the_world(), asked()
    with world.lock:
        corp = corp_of(world, body.text("corp"))
        return ok(messages=[views.app_message_json(m) for m in newest(corp.app_messages.values(), body)])


@admin_watch.get("/counters")
def counters() -> Response:
    """?corp=: figures for "once and only once" checks over all welcomes, tags and app messages of a corp."""
    world = the_world()
    with world.lock:
        corp = corp_of(world, asked().text("corp"))
        codes = list(corp.welcomes.values())
        marks = [n for links in corp.by_staff.values() for f in links.values() for n in f.tags.values()]
        waits = sorted(w.sent_at - w.created for w in codes if w.sent_at)
        return ok(
            welcomes={
                "issued": len(codes),
                "delivered": sum(w.deliveries for w in codes),
                "delivered_twice": sum(w.deliveries > 1 for w in codes),
                "attempts": sum(w.attempts for w in codes),
                "refused_as_sent": world.duplicate_welcomes,
                "open": sum(w.state == "open" for w in codes),
                "p50_seconds": round(waits[len(waits) // 2], 3) if waits else None,
                "p99_seconds": round(waits[len(waits) * 99 // 100], 3) if waits else None,
                "slowest_seconds": round(waits[-1], 3) if waits else None,
            },
            tags={"marked_once": sum(n == 1 for n in marks), "marked_again": sum(n > 1 for n in marks)},
            app_messages={
                "sent": len(corp.app_messages),
                "duplicates_suppressed": sum(m.duplicates for m in corp.app_messages.values()),
                "dropped_over_rate": sum(len(m.dropped) for m in corp.app_messages.values()),
            },
            callbacks={"waiting": world.courier.waiting()},
        )


@admin_watch.get("/faults")
def list_faults() -> Response:
    return ok(rules=[rule.as_json() for rule in the_world().faults.rules()])


@admin_watch.post("/faults")
def add_fault() -> Response:
    """{match, kind, times?|probability?, ms?, code?, n?, window?}: see faults.Rule."""
    return ok(rule=the_world().faults.add(asked().values).as_json())


@admin_watch.delete("/faults")
def clear_faults() -> Response:
    the_world().faults.clear()
    return ok()


@admin_watch.delete("/faults/<int:rule_id>")
def remove_fault(rule_id: int) -> Response:
    if not the_world().faults.remove(rule_id):
        raise ActRefused("没有这条规则")
    return ok()


@admin_watch.post("/jssdk_fault")
def strike_jssdk() -> Response:
    """{call}: whether a fault rule strikes this JS-SDK call, and with which error name."""
    struck = the_world().faults.firing_for_jssdk(asked().text("call"))
    return ok(reason=struck[0].reason if struck else "")


@admin_watch.get("/play")
def show_play() -> Response:
    """How far the day being played has come."""
    return ok(**the_player().as_json())


@admin_watch.post("/play")
def start_play() -> Response:
    """{corp?, seed?, seconds?}: play a day; seconds of real time it shall take, 55 by default."""
    body = asked()
    corp = corp_of(the_world(), body.text("corp"))
    the_player().start(corp.corp_id, seed=body.whole("seed", 1), seconds=float(body.values.get("seconds", 55)))
    return ok(**the_player().as_json())


@admin_watch.delete("/play")
def stop_play() -> Response:
    """Stop after the scene under way."""
    the_player().stop()
    return ok(**the_player().as_json())


@admin_watch.post("/token/revoke")
def revoke_token() -> Response:
    """{corp?, agentid?, errcode?}: good tokens answer 42001 (default) or 40014 from now on."""
    world, body = the_world(), asked()
    errcode = body.whole("errcode", 42001)
    if errcode not in {42001, 40014}:
        raise ValueError("errcode must be 42001 or 40014")
    with world.lock:
        corp = corp_of(world, body.text("corp"))
        agentid = body.whole("agentid") if body.has("agentid") else None
        return ok(revoked=world.revoke(corp.corp_id, agentid, errcode))


@admin_watch.get("/options")
def read_options() -> Response:
    options = the_world().options
    return ok(options={name: getattr(options, name) for name in type(options).__slots__})


@admin_watch.put("/options")
def change_options() -> Response:
    """{name: value, …} of options.Options."""
    options = the_world().options
    options.change(asked().values)
    return read_options()


@admin_watch.post("/settle")
def settle() -> Response:
    """{seconds?}: wait (real time, default 10) until no callback is waiting or under way."""
    return ok(settled=the_world().courier.settle(float(asked().values.get("seconds", 10))))
