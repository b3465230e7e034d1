"""What people do on their phones and desktops: add, confirm, write, delete. Called by the page and by tests.

Every function here runs under the world's lock and raises ActRefused when the thing cannot be done in WeCom
either.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bot.sandbox import ids
from bot.sandbox.archiving import archive_single
from bot.sandbox.company import new_person
from bot.sandbox.corp import Corp
from bot.sandbox.events import contact_event
from bot.sandbox.model import KIND_WECHAT, ChatMessage, ContactWay, Follow, JoinWay, Person, Staff, Welcome
from bot.sandbox.world import World

_WELCOMES_KEPT = 100_000


class ActRefused(Exception):
    """What was asked cannot happen; `args[0]` says why, in Chinese, for the page."""


def corp_of(world: World, corp_id: str) -> Corp:
    """The named corp, or the first when no id is given."""
    corp = world.corps.get(corp_id) if corp_id else next(iter(world.corps.values()), None)
    if corp is None:
        raise ActRefused(f"没有这个企业：{corp_id}")
    return corp


def member_of(corp: Corp, userid: str) -> Staff:
    """The named member of a corp."""
    member = corp.member(userid)
    if member is None:
        raise ActRefused(f"没有这个成员：{userid}")
    return member


def find_person(world: World, known_as: str) -> Person | None:
    """A person by person id, or by any external_userid."""
    if known_as in world.persons:
        return world.persons[known_as]
    for corp in world.corps.values():
        if known_as in corp.person_of:
            return world.persons[corp.person_of[known_as]]
    return None


def person_for(world: World, known_as: str, name: str, *, kind: int = KIND_WECHAT, unionid: str = "") -> Person:
    """The person meant, or a new one of that name when nobody is named."""
    if not known_as:
        return new_person(world, name or "微信用户", kind=kind, unionid=unionid)
    found = find_person(world, known_as)
    if found is None:
        raise ActRefused(f"没有这个客户：{known_as}")
    return found


def find_code(world: World, config_id: str, state: str, corp_id: str) -> tuple[Corp, ContactWay | JoinWay]:
    """A live code or group code by config_id, or the newest live code with that state."""
    for corp in [world.corps[corp_id]] if corp_id in world.corps else world.corps.values():
        if config_id in corp.ways:
            return corp, corp.ways[config_id]
        if config_id in corp.join_ways:
            return corp, corp.join_ways[config_id]
        if state and not config_id:
            for way in reversed(corp.ways.values()):
                if way.state == state:
                    return corp, way
    raise ActRefused("二维码不存在或已失效")


@dataclass(slots=True)
class Adding:
    """How a customer came to a member. happened: added, half, requested or already."""

    happened: str
    follow: Follow

    def as_json(self) -> dict[str, Any]:
        """The answer of scan, add and confirm."""
        return {
            "happened": self.happened,
            "userid": self.follow.userid,
            "external_userid": self.follow.external_userid,
            "person_id": self.follow.person_id,
            "welcome_code": self.follow.welcome_code,
            "state": self.follow.state,
        }


def scan(world: World, corp: Corp, way: ContactWay, person: Person, *, half: bool = False) -> Adding:
    """A person scans a live code and adds one of its members.

    half: the member has not answered yet (add_half_external_contact). A code with skip_verify false leaves a
    request that confirm() accepts. Scanning again while friends changes nothing and tells nobody.
    """
    if way.used_up or (way.is_temp and world.clock.now() > way.created + way.expires_in):
        raise ActRefused("二维码已失效")
    if way.is_temp and way.unionid and way.unionid != person.unionid:
        raise ActRefused("该二维码仅限指定客户使用")
    member = _choose(corp, way, person)
    stage = "half" if half else "full" if way.skip_verify else "requested"
    adding = add(world, corp, member, person, state=way.state, stage=stage, add_way=1)
    if adding.happened != "already":
        way.assigned[member.userid] = next(corp.seq)
        way.used_up = way.is_temp
    return adding


def _choose(corp: Corp, way: ContactWay, person: Person) -> Staff:
    """The member a scan leads to: a known follower first when exclusive, then whoever waited longest."""
    named = [m for m in (corp.member(u) for u in corp.people_in(way.user, way.party)) if m and m.serves_customers]
    if not named:
        raise ActRefused("二维码没有可添加的成员")
    external = person.external_ids.get(corp.corp_id, "")
    mine = corp.by_customer.get(external, {})
    if way.is_exclusive:
        named = [m for m in named if m.userid in mine] or named
    return min(named, key=lambda m: way.assigned.get(m.userid, 0))


def add(
    world: World,
    corp: Corp,
    member: Staff,
    person: Person,
    *,
    state: str = "",
    stage: str = "full",
    add_way: int = 1,
    link_id: str = "",
) -> Adding:
    """Make the two friends, or set the request; raises the matching callback, with LinkId after a link."""
    if not member.serves_customers:
        raise ActRefused("该成员暂时无法添加")
    external = world.external_id(corp, person)
    known = corp.follow(member.userid, external)
    if known and not known.left_by_customer and (known.stage != "requested" or stage == "requested"):
        return Adding("already", known)
    follow = known or Follow(next(corp.seq), member.userid, external, person.id, world.clock.stamp())
    follow.stage, follow.state, follow.add_way = stage, state, add_way
    follow.oper_userid = external
    follow.left_by_customer = False
    follow.welcome_code = ""
    corp.add_follow(follow)
    if stage == "requested":
        world.touch()
        return Adding("requested", follow)
    _announce(world, corp, follow, link_id)
    return Adding("added" if stage == "full" else "half", follow)


def _announce(world: World, corp: Corp, follow: Follow, link_id: str = "") -> None:
    """Raise the add or half-add event, with a welcome code where the platform gives one."""
    chat = corp.chat(follow.userid, follow.external_userid, world.options.chat_length)
    follow.welcome_code = _welcome_code(world, corp, follow, chat)
    half = follow.stage == "half"
    world.say(chat, "system", "text", {"content": "已通过扫码添加" if follow.state else "你们已成为好友"}, "system")
    event = contact_event(
        "add_half_external_contact" if half else "add_external_contact",
        follow.userid,
        follow.external_userid,
        State=follow.state,
        WelcomeCode=follow.welcome_code,
        LinkId=link_id,
    )
    world.emit(corp, event)


def _welcome_code(world: World, corp: Corp, follow: Follow, chat: Any) -> str:
    """A fresh code, or "" for WeCom users, console welcomes,
    and pairs that chatted or were greeted before.
    """
    chatted = any(m.sender != "system" for m in chat)
    wechat = world.persons[follow.person_id].kind == KIND_WECHAT
    if chatted or not wechat or corp.staff[follow.userid.lower()].console_welcome:
        return ""
    welcome = Welcome(ids.opaque("wc_", 40), follow.userid, follow.external_userid, world.clock.now())
    corp.welcomes[welcome.code] = welcome
    while len(corp.welcomes) > _WELCOMES_KEPT:
        corp.welcomes.pop(next(iter(corp.welcomes)))
    return welcome.code


def need_follow(corp: Corp, userid: str, external_userid: str) -> Follow:
    """The link of the two; ActRefused when there is none."""
    found = corp.follow(member_of(corp, userid).userid, external_userid)
    if found is None:
        raise ActRefused("你们还不是好友")
    return found


def confirm(world: World, corp: Corp, userid: str, external_userid: str) -> Adding:
    """The member accepts a request or answers a half add: now the link is full."""
    follow = need_follow(corp, userid, external_userid)
    if follow.stage == "full":
        return Adding("already", follow)
    follow.stage = "full"
    _announce(world, corp, follow)
    return Adding("added", follow)


def customer_writes(
    world: World, corp: Corp, userid: str, external_userid: str, msgtype: str, body: dict[str, Any]
) -> ChatMessage:
    """The customer writes to the member; no callback, customers' words never reach an app."""
    follow = need_follow(corp, userid, external_userid)
    if follow.left_by_customer or follow.stage == "requested":
        raise ActRefused("你们还不是好友")
    chat = corp.chat(follow.userid, external_userid, world.options.chat_length)
    said = world.say(chat, "customer", msgtype, body, "customer", external_userid)
    return archive_single(world, corp, said, follow.userid, external_userid)


def staff_writes(
    world: World,
    corp: Corp,
    userid: str,
    external_userid: str,
    msgtype: str,
    body: dict[str, Any],
    via: str = "client",
) -> ChatMessage:
    """The member writes to the customer, by hand (`client`) or from the sidebar."""
    follow = need_follow(corp, userid, external_userid)
    if follow.left_by_customer or follow.stage == "requested":
        raise ActRefused("对方还不是你的好友")
    chat = corp.chat(follow.userid, external_userid, world.options.chat_length)
    said = world.say(chat, "staff", msgtype, body, via, follow.userid)
    return archive_single(world, corp, said, follow.userid, external_userid)


def sidebar_message(world: World, corp: Corp, msgtype: str, body: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """What ww.sendChatMessage was given, as a conversation keeps it; ActRefused in the client's own words."""
    if msgtype == "text":
        if not body.get("content"):
            raise ActRefused("invalid content")
        return "text", {"content": str(body["content"])}
    if msgtype in {"image", "video", "file"}:
        media = corp.media.get(str(body.get("mediaid", "")))
        if media is None or world.clock.now() - media.created > world.options.media_ttl_seconds:
            raise ActRefused("invalid mediaid")
        return msgtype, {"media_id": media.media_id, "filename": media.filename}
    if msgtype == "news":
        if not str(body.get("link", "")).startswith(("http://", "https://")):
            raise ActRefused("invalid link")
        pairs = {"url": "link", "title": "title", "desc": "desc", "picurl": "imgUrl"}
        return "link", {ours: str(body.get(theirs, "")) for ours, theirs in pairs.items()}
    if msgtype == "miniprogram":
        if not str(body.get("page", "")).partition("?")[0].endswith(".html"):
            raise ActRefused("invalid page")
        return msgtype, {name: str(body.get(name, "")) for name in ("appid", "title", "imgUrl", "page")}
    raise ActRefused("invalid msgtype")


def delete_by_customer(world: World, corp: Corp, userid: str, external_userid: str) -> None:
    """The customer deletes the member: the link stays half and the API still answers.

    Taking back a request nobody answered leaves nothing and tells nobody; the same for delete_by_staff.
    """
    follow = need_follow(corp, userid, external_userid)
    if follow.stage == "requested":
        corp.drop_follow(follow)
        world.touch()
        return
    if follow.left_by_customer:
        raise ActRefused("已经删除过了")
    follow.left_by_customer = True
    corp.losses.append((follow.userid, world.clock.now()))
    world.emit(corp, contact_event("del_follow_user", follow.userid, external_userid))


def delete_by_staff(world: World, corp: Corp, userid: str, external_userid: str, source: str = "") -> None:
    """The member deletes the customer: the link is gone. source: DELETE_BY_TRANSFER or ""."""
    follow = need_follow(corp, userid, external_userid)
    corp.drop_follow(follow)
    world.touch()
    if follow.stage != "requested":
        gone = contact_event("del_external_contact", follow.userid, external_userid, Source=source)
        world.emit(corp, gone)


def edit_follow(world: World, corp: Corp, userid: str, external_userid: str, changes: dict[str, Any]) -> Follow:
    """The member edits remark, description, tags or personal tags in the client;
    mobiles alone tell nobody.
    """
    follow = need_follow(corp, userid, external_userid)
    for name in ("remark", "description"):
        if name in changes:
            setattr(follow, name, str(changes[name]))
    for tag_id in changes.get("add_tags", []):
        if tag_id not in corp.tag_home:
            raise ActRefused(f"没有这个标签：{tag_id}")
        follow.tags.setdefault(tag_id, 0)
    for tag_id in changes.get("remove_tags", []):
        follow.tags.pop(tag_id, None)
    if "personal_tags" in changes:
        follow.personal_tags = [str(name) for name in changes["personal_tags"]]
    if "remark_mobiles" in changes:
        follow.remark_mobiles = [str(number) for number in changes["remark_mobiles"]]
    world.touch()
    if set(changes) - {"remark_mobiles"}:
        event = contact_event("edit_external_contact", follow.userid, external_userid, State=follow.state)
        world.emit(corp, event)
    return follow
