"""Acts around mass messages, Moments, customer service and inheritance."""

from __future__ import annotations

from typing import Any

from bot.sandbox import acts_kf, acts_mass, acts_moments, views_outreach
from bot.sandbox.acts import ActRefused, member_of, sidebar_message
from bot.sandbox.asking import corp_asked, known_person, lines_asked, message_asked, pair_asked, person_asked
from bot.sandbox.corp import Corp
from bot.sandbox.fields import Fields
from bot.sandbox.inheritance import refuse_transfer
from bot.sandbox.records import TRANSFER_WAITING, KfAccount
from bot.sandbox.world import World

Json = dict[str, Any]


def _console_mass(world: World, body: Fields) -> Json:
    corp = corp_asked(world, body)
    senders = body.texts("userids") or [s.userid for s in corp.staff.values() if s.serves_customers]
    made = acts_mass.console_message(world, corp, body.text("chat_type", "single"), lines_asked(body), senders)
    return {"msgid": made.msgid}


def _share(world: World, body: Fields) -> Json:
    """What the JS-SDK's shareTo… calls do after the member has pressed 发送."""
    corp = corp_asked(world, body)
    lines = [sidebar_message(world, corp, *one) for one in lines_asked(body)]
    userid = member_of(corp, body.need_text("userid")).userid
    made = acts_mass.share(world, corp, userid, body.text("chat_type", "single"), body.texts("ids"), lines)
    return {"msgid": made.msgid, "targets": {t.id: t.status for t in made.tasks[userid].targets.values()}}


def _confirm_mass(world: World, body: Fields) -> Json:
    corp = corp_asked(world, body)
    without = body.texts("without")
    task = acts_mass.confirm_mass(world, corp, body.need_text("userid"), body.need_text("msgid"), without)
    return {"status": task.status, "targets": {t.id: t.status for t in task.targets.values()}}


def _post_moment(world: World, body: Fields) -> Json:
    corp = corp_asked(world, body)
    creator = body.text("userid")
    everyone = [s.userid for s in corp.staff.values() if s.serves_customers]
    userids = [creator] if creator else body.texts("userids") or everyone
    told = {name: body.values[name] for name in ("text", "image", "video", "link") if body.has(name)}
    made = acts_moments.make_moment(world, corp, told, userids, creator=creator, tags=body.texts("tags"))
    return {"moment_id": made.moment_id}


def _publish_moment(world: World, body: Fields) -> Json:
    task = acts_moments.publish(world, corp_asked(world, body), body.need_text("userid"), body.need_text("moment_id"))
    return {"published_at": task.published_at, "viewers": len(task.chosen)}


def _like_moment(world: World, body: Fields) -> Json:
    pair = body.need_text("moment_id"), body.need_text("userid")
    return {"liked": acts_moments.like(world, corp_asked(world, body), known_person(world, body), *pair)}


def _comment_moment(world: World, body: Fields) -> Json:
    corp, person = corp_asked(world, body), known_person(world, body)
    pair = body.need_text("moment_id"), body.need_text("userid")
    acts_moments.comment(world, corp, person, *pair, body.text("content"))
    return {}


def _account(corp: Corp, body: Fields) -> KfAccount:
    return acts_kf.need_account(corp, body.need_text("open_kfid"))


def _kf_account(world: World, body: Fields) -> Json:
    made = acts_kf.open_account(world, corp_asked(world, body), body.text("name"), body.texts("userids"))
    return {"open_kfid": made.open_kfid}


def _kf_enter(world: World, body: Fields) -> Json:
    corp = corp_asked(world, body)
    account, person = _account(corp, body), person_asked(world, body)
    one = acts_kf.enter(world, corp, account, person, scene=body.text("scene"), param=body.text("scene_param"))
    return {"corp_id": corp.corp_id, "external_userid": one.external_userid, "person_id": person.id, "state": one.state}


def _kf_message(world: World, body: Fields) -> Json:
    corp = corp_asked(world, body)
    account, (kind, content) = _account(corp, body), message_asked(body)
    if body.text("via") == "sidebar":
        kind, content = sidebar_message(world, corp, kind, content)
    if body.text("userid"):
        item = acts_kf.servicer_writes(world, corp, account, *pair_asked(body), kind, content)
    else:
        item = acts_kf.customer_writes(world, corp, account, known_person(world, body), kind, content)
    return {"message": views_outreach.kf_line(item)}


def _kf_accept(world: World, body: Fields) -> Json:
    corp = corp_asked(world, body)
    return {"state": acts_kf.accept(world, corp, _account(corp, body), *pair_asked(body)).state}


def _kf_end(world: World, body: Fields) -> Json:
    corp = corp_asked(world, body)
    return {"state": acts_kf.end(world, corp, _account(corp, body), body.need_text("external_userid")).state}


def _refuse_transfer(world: World, body: Fields) -> Json:
    corp = corp_asked(world, body)
    external = body.need_text("external_userid")
    waiting = [t for t in corp.transfers if t.external_userid == external and t.status == TRANSFER_WAITING]
    if not waiting:
        raise ActRefused("没有等待中的转接")
    refuse_transfer(world, corp, waiting[0])
    return {}


ACTS = {
    "console_mass": _console_mass,
    "confirm_mass": _confirm_mass,
    "share": _share,
    "post_moment": _post_moment,
    "publish_moment": _publish_moment,
    "like_moment": _like_moment,
    "comment_moment": _comment_moment,
    "kf_account": _kf_account,
    "kf_enter": _kf_enter,
    "kf_message": _kf_message,
    "kf_accept": _kf_accept,
    "kf_end": _kf_end,
    "refuse_transfer": _refuse_transfer,
}
