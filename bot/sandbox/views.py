"""The world as JSON, for the page and for tests. Reads only; callers hold the lock. Never a token,
secret or key.
"""

from __future__ import annotations

from typing import Any

from bot.sandbox.corp import Corp
from bot.sandbox.model import App, AppMessage, ChatMessage, Follow, Group, Person, Staff, Welcome
from bot.sandbox.records import TRANSFER_WAITING
from bot.sandbox.world import World

Json = dict[str, Any]
_CONVERSATIONS = 200  # the newest; a page shows no more


def overview(world: World) -> Json:
    """Everything small: clock, corps with apps, counts."""
    return {
        "version": world.version,
        "clock": clock_json(world),
        "waiting_callbacks": world.courier.waiting(),
        "corps": [corp_json(world, corp) for corp in world.corps.values()],
        "persons": len(world.persons),
    }


def clock_json(world: World) -> Json:
    """Now on the sandbox clock and how far it is ahead of the machine's."""
    return {"now": world.clock.now(), "offset_seconds": world.clock.offset_seconds}


def corp_json(world: World, corp: Corp) -> Json:
    """One corp: apps, departments and counts."""
    return {
        "corp_id": corp.corp_id,
        "name": corp.name,
        "apps": [app_json(app) for app in corp.apps.values()],
        "departments": [{"id": d.id, "name": d.name, "parent_id": d.parent_id} for d in corp.departments.values()],
        "staff": len(corp.staff),
        "customers": len(corp.person_of),
        "follows": sum(len(links) for links in corp.by_staff.values()),
        "codes": len(corp.ways),
        "groups": len(corp.groups),
        "open_welcomes": sum(w.state == "open" for w in corp.welcomes.values()),
        "base_url": world.base_url,
    }


def app_json(app: App) -> Json:
    """An app's settings without its secrets."""
    return {
        "agentid": app.agentid,
        "name": app.name,
        "callback_url": app.callback.url,
        "sidebar_url": app.sidebar_url,
        "sign_out_url": app.sign_out_url,
        "home_url": app.home_url,
        "callable": app.callable,
        "disabled": app.disabled,
        "visible_departments": app.visible_departments,
        "visible_users": app.visible_users,
        "trusted_domains": app.trusted_domains,
        "web_login_domains": app.web_login_domains,
        "trusted_ips": app.trusted_ips,
        "subscriptions": sorted(app.subscriptions),
        "reports_enter": app.reports_enter,
        "sensitive_fields": app.sensitive_fields,
    }


def staff_json(member: Staff) -> Json:
    """A member as the page lists them."""
    return {
        "userid": member.userid,
        "name": member.name,
        "position": member.position,
        "departments": member.departments,
        "status": member.status,
        "contact_permission": member.contact_permission,
        "serves_customers": member.serves_customers,
        "console_welcome": member.console_welcome,
    }


def person_json(person: Person) -> Json:
    """A person and the ids by which corps know them."""
    return {
        "person_id": person.id,
        "name": person.name,
        "kind": person.kind,
        "gender": person.gender,
        "unionid": person.unionid,
        "external_ids": person.external_ids,
    }


def message_json(message: ChatMessage) -> Json:
    """One line of a conversation; `via` tells how it was sent."""
    return {
        "id": message.id,
        "at": message.at,
        "sender": message.sender,
        "msgtype": message.msgtype,
        "body": message.body,
        "via": message.via,
        "author": message.author,
    }


def follow_json(world: World, corp: Corp, follow: Follow) -> Json:
    """A relation with its tags by name and how often mark_tag put each on."""
    tags = []
    for tag_id, times in follow.tags.items():
        home = corp.tag(tag_id)
        if home:
            tags.append({"id": tag_id, "name": home[1].name, "group": home[0].name, "marked": times})
    person = world.persons[follow.person_id]
    member = corp.member(follow.userid)
    line = corp.chats.get((follow.userid, follow.external_userid), ())
    return {
        "corp_id": corp.corp_id,
        "userid": follow.userid,
        "staff_name": member.name if member else follow.userid,
        "external_userid": follow.external_userid,
        "person_id": follow.person_id,
        "name": person.name,
        "kind": person.kind,
        "corp_name": person.corp_name,
        "stage": follow.stage,
        "remark": follow.remark,
        "description": follow.description,
        "remark_mobiles": follow.remark_mobiles,
        "tags": tags,
        "personal_tags": follow.personal_tags,
        "state": follow.state,
        "add_way": follow.add_way,
        "created": follow.created,
        "left_by_customer": follow.left_by_customer,
        "last": message_json(line[-1]) if line else None,
        "transfers": transfers_of(corp, follow.external_userid),
    }


def chat_json(corp: Corp, userid: str, other: str) -> list[Json]:
    """The messages of one conversation, oldest first."""
    return [message_json(m) for m in corp.chats.get((userid, other), ())]


def phone(world: World, person: Person) -> Json:
    """A customer's phone: friends over all corps, with their conversations, and groups."""
    friends, groups = [], []
    for corp_id, external in person.external_ids.items():
        corp = world.corps[corp_id]
        for follow in corp.by_customer.get(external, {}).values():
            if not follow.left_by_customer:
                lines = chat_json(corp, follow.userid, external)
                friends.append(follow_json(world, corp, follow) | {"corp_name": corp.name, "messages": lines})
        groups += [group_json(corp, g) for g in corp.groups.values() if external in g.members and not g.dismissed]
    return {"person": person_json(person), "friends": friends, "groups": groups}


def desk(world: World, corp: Corp, member: Staff) -> Json:
    """A staff member's WeCom: conversations without their lines, groups and app messages."""
    links = [f for f in corp.by_staff.get(member.userid, {}).values() if not f.left_by_customer]
    links.sort(key=lambda f: -_last_said(corp, f))
    told = [follow_json(world, corp, f) for f in links[:_CONVERSATIONS]]
    groups = [group_json(corp, g) for g in corp.groups.values() if member.userid in g.members and not g.dismissed]
    apps = [
        app_chat_json(corp, app, member) for app in corp.apps.values() if not app.is_contacts and not app.is_archive
    ]
    return {"staff": staff_json(member), "conversations": told, "groups": groups, "apps": apps}


def transfers_of(corp: Corp, external_userid: str) -> list[Json]:
    """Transfers of a customer that still wait for the 24 hours or a refusal."""
    return [
        {"handover": t.handover, "takeover": t.takeover, "takeover_at": t.takeover_at}
        for t in corp.transfers
        if t.external_userid == external_userid and t.status == TRANSFER_WAITING
    ]


def _last_said(corp: Corp, follow: Follow) -> float:
    line = corp.chats.get((follow.userid, follow.external_userid))
    return line[-1].at if line else float(follow.created)


def app_chat_json(corp: Corp, app: App, member: Staff) -> Json:
    """The conversation of a member with an app, cards as this member sees them."""
    lines = []
    for said in corp.app_chats.get((app.agentid, member.userid), ()):
        line = message_json(said)
        sent = corp.app_messages.get(str(said.body.get("msgid", "")))
        if said.via == "message/send":
            if sent is None:
                continue
            line["body"] = sent.body
            line |= {
                "msgid": sent.msgid,
                "recalled": sent.recalled,
                "seen_as": sent.seen_as.get(member.userid),
            }
        lines.append(line)
    menu = corp.menus.get(app.agentid, {}).get("button", [])
    told = {"agentid": app.agentid, "name": app.name, "sidebar_url": app.sidebar_url, "home_url": app.home_url}
    return told | {"menu": menu, "messages": lines}


def group_json(corp: Corp, group: Group) -> Json:
    """A customer group with its members."""
    return {
        "corp_id": corp.corp_id,
        "chat_id": group.chat_id,
        "name": group.name,
        "owner": group.owner,
        "notice": group.notice,
        "dismissed": group.dismissed,
        "version": group.version,
        "messages": chat_json(corp, "", group.chat_id),
        "welcome": corp.group_welcome_of.get(group.chat_id, ""),
        "welcomes": [
            {"id": w.template_id, "text": w.told.get("text", {}).get("content", "")}
            for w in corp.group_welcomes.values()
        ],
        "members": [
            {"id": m.id, "kind": m.kind, "name": m.name, "scene": m.scene, "state": m.state}
            for m in group.members.values()
        ],
    }


def codes(world: World, corp: Corp) -> list[Json]:
    """Live codes and group codes, newest first, as WeCom keeps them."""
    ways = [
        {
            "config_id": w.config_id,
            "kind": "contact_way",
            "state": w.state,
            "remark": w.remark,
            "user": w.user,
            "party": w.party,
            "skip_verify": w.skip_verify,
            "is_temp": w.is_temp,
            "used_up": w.used_up,
        }
        for w in corp.ways.values()
    ]
    joins = [
        {
            "config_id": j.config_id,
            "kind": "join_way",
            "state": j.state,
            "remark": j.remark,
            "chat_ids": j.chat_ids,
        }
        for j in corp.join_ways.values()
    ]
    for one in ways + joins:
        one["qr_code"] = f"{world.base_url}/sandbox/qr/{one['config_id']}.png"
        one["scan_url"] = f"{world.base_url}/scan/{one['config_id']}"
    return [*reversed(ways), *reversed(joins)]


def welcome_json(welcome: Welcome) -> Json:
    """A right to greet, with how often it was tried and used (`deliveries` can only be 0 or 1)."""
    return {
        "welcome_code": welcome.code,
        "userid": welcome.userid,
        "external_userid": welcome.external_userid,
        "created": welcome.created,
        "state": welcome.state,
        "attempts": welcome.attempts,
        "deliveries": welcome.deliveries,
        "agentid": welcome.agentid,
        "seconds": round(welcome.sent_at - welcome.created, 3) if welcome.sent_at else None,
    }


def app_message_json(message: AppMessage) -> Json:
    """A message an app sent, with the counters of duplicates suppressed and members skipped."""
    return {
        "msgid": message.msgid,
        "agentid": message.agentid,
        "at": message.at,
        "msgtype": message.msgtype,
        "body": message.body,
        "receivers": message.receivers,
        "dropped": message.dropped,
        "duplicates": message.duplicates,
        "task_id": message.task_id,
        "recalled": message.recalled,
        "clicks": message.clicks,
        "seen_as": message.seen_as,
    }
