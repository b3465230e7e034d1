"""Mass messages, Moments and customer service as JSON for the page. Reads only; callers hold the lock."""

from __future__ import annotations

from typing import Any

from bot.sandbox.acts_moments import shows
from bot.sandbox.corp import Corp
from bot.sandbox.model import Person, Staff
from bot.sandbox.records import KfAccount, KfItem, KfSession, MassMessage, Moment, MomentTask, Remark
from bot.sandbox.world import World

Json = dict[str, Any]
_TASKS = 50
_POSTS = 50
_LINES = 100


def tasks(world: World, corp: Corp, member: Staff) -> Json:
    """What a member has to confirm or has confirmed, newest first."""
    mass = [m for m in reversed(corp.mass_messages.values()) if member.userid in m.tasks][:_TASKS]
    posts = [m for m in reversed(corp.moments.values()) if member.userid in m.tasks][:_TASKS]
    return {
        "mass": [_mass_json(world, corp, m, member.userid) for m in mass],
        "moments": [_post_json(world, corp, m, m.tasks[member.userid]) for m in posts],
        "waiting": sum(not m.tasks[member.userid].status and not m.cancelled for m in mass)
        + sum(not m.tasks[member.userid].published_at and not m.cancelled for m in posts),
    }


def _name(world: World, corp: Corp, target: str) -> str:
    if target in corp.groups:
        return corp.groups[target].name
    return world.persons[corp.person_of[target]].name if target in corp.person_of else target


def _mass_json(world: World, corp: Corp, message: MassMessage, userid: str) -> Json:
    task = message.tasks[userid]
    return {
        "msgid": message.msgid,
        "created": message.created,
        "chat_type": message.chat_type,
        "from": _maker(corp, message.agentid),
        "lines": [{"msgtype": kind, "body": body} for kind, body in message.lines],
        "allow_select": message.allow_select,
        "cancelled": message.cancelled,
        "status": task.status,
        "reminded": len(task.reminded),
        "targets": [{"id": t.id, "name": _name(world, corp, t.id), "status": t.status} for t in task.targets.values()],
    }


def _maker(corp: Corp, agentid: int | None) -> str:
    return corp.apps[agentid].name if agentid in corp.apps else "管理后台"


def _post_json(world: World, corp: Corp, moment: Moment, task: MomentTask) -> Json:
    member = corp.member(task.userid)
    return {
        "moment_id": moment.moment_id,
        "userid": task.userid,
        "author": member.name if member else task.userid,
        "created": moment.created,
        "from": "本人" if moment.creator else _maker(corp, moment.agentid),
        "told": moment.told,
        "cancelled": moment.cancelled,
        "published_at": task.published_at,
        "viewers": len(task.chosen),
        "likes": [_remark_json(world, corp, r) for r in moment.likes.get(task.userid, [])],
        "comments": [_remark_json(world, corp, r) for r in moment.comments.get(task.userid, [])],
    }


def posts_of(world: World, corp: Corp, member: Staff) -> list[Json]:
    """What a member has published, newest first."""
    found = [
        _post_json(world, corp, m, m.tasks[member.userid])
        for m in corp.moments.values()
        if member.userid in m.tasks and m.tasks[member.userid].published_at
    ]
    return sorted(found, key=lambda one: -one["published_at"])[:_POSTS]


def _remark_json(world: World, corp: Corp, remark: Remark) -> Json:
    who = remark.external_userid or remark.userid
    return {"who": who, "name": _name(world, corp, who), "at": remark.at, "content": remark.content}


def feed(world: World, person: Person) -> list[Json]:
    """The Moments on a customer's phone, newest first, over all corps."""
    found = []
    for corp_id, external in person.external_ids.items():
        corp = world.corps[corp_id]
        for moment in corp.moments.values():
            for task in moment.tasks.values():
                if shows(corp, task, external):
                    liked = any(r.external_userid == external for r in moment.likes.get(task.userid, []))
                    post = _post_json(world, corp, moment, task)
                    found.append(post | {"corp_id": corp_id, "corp_name": corp.name, "liked": liked})
    return sorted(found, key=lambda one: -one["published_at"])[:_POSTS]


def kf_line(item: KfItem) -> Json:
    """An entry of customer service as a chat draws it: events become sentences on the page."""
    told = item.told
    sender = {3: "customer", 4: "system", 5: "staff"}.get(told.get("origin", 0), "bot")
    return {
        "id": told["msgid"],
        "at": item.at,
        "sender": sender,
        "author": told.get("servicer_userid", ""),
        "msgtype": told["msgtype"],
        "body": told.get(told["msgtype"], {}),
        "via": "kf_api" if item.hidden else "",
    }


def kf_session_json(world: World, corp: Corp, account: KfAccount, one: KfSession) -> Json:
    """A talk with its lines."""
    servicer = corp.member(one.servicer)
    lines = [kf_line(i) for i in account.log if i.external_userid == one.external_userid]
    return {
        "corp_id": corp.corp_id,
        "corp_name": corp.name,
        "open_kfid": account.open_kfid,
        "account": account.name,
        "external_userid": one.external_userid,
        "person_id": corp.person_of[one.external_userid],
        "name": _name(world, corp, one.external_userid),
        "state": one.state,
        "servicer": one.servicer,
        "servicer_name": servicer.name if servicer else "",
        "messages": lines[-_LINES:],
    }


def kf_accounts(world: World, corp: Corp) -> list[Json]:
    """Accounts with their servicers and entry."""
    return [
        {
            "open_kfid": a.open_kfid,
            "name": a.name,
            "servicers": list(a.servicers),
            "url": f"{world.base_url}/kfid/{a.open_kfid}",
            "scenes": a.scenes,
        }
        for a in corp.kf_accounts.values()
    ]


def kf_talks(world: World, corp: Corp, member: Staff) -> list[Json]:
    """The sessions of the accounts a member answers for."""
    return [
        kf_session_json(world, corp, corp.kf_accounts[one.open_kfid], one)
        for one in corp.kf_sessions.values()
        if one.open_kfid in corp.kf_accounts and member.userid in corp.kf_accounts[one.open_kfid].servicers
    ]


def kf_of_person(world: World, person: Person) -> list[Json]:
    """The customer-service talks on a customer's phone."""
    return [
        kf_session_json(world, world.corps[corp_id], world.corps[corp_id].kf_accounts[one.open_kfid], one)
        for corp_id, external in person.external_ids.items()
        for one in world.corps[corp_id].kf_sessions.values()
        if one.external_userid == external and one.open_kfid in world.corps[corp_id].kf_accounts
    ]


def links(world: World, corp: Corp) -> list[Json]:
    """Acquisition links, newest first."""
    return [
        {
            "link_id": link.link_id,
            "name": link.name,
            "url": f"{world.base_url}/ca/{link.link_id}",
            "customers": len(link.customers),
        }
        for link in reversed(corp.links.values())
    ]
