"""Mass messages as people see them: an administrator makes one, members confirm, customers receive."""

from __future__ import annotations

from calendar import monthrange
from datetime import datetime, timedelta
from typing import Any

from bot.sandbox import ids
from bot.sandbox.acts import ActRefused, member_of
from bot.sandbox.archiving import archive_group, archive_single
from bot.sandbox.clock import CHINA
from bot.sandbox.corp import Corp
from bot.sandbox.records import NOT_A_FRIEND, NOT_SENT, OVER_QUOTA, SENT, Line, MassMessage, MassTarget, MassTask
from bot.sandbox.world import World


def console_message(world: World, corp: Corp, chat_type: str, lines: list[Line], senders: list[str]) -> MassMessage:
    """An administrator makes a mass message in the admin console for the named members."""
    tasks = {}
    for userid in senders:
        member = member_of(corp, userid)
        links = corp.by_staff.get(member.userid, {}).values()
        named = [f.external_userid for f in links if f.stage == "full"]
        if chat_type == "group":
            named = [g.chat_id for g in corp.owned_groups(member.userid)]
        if named:
            tasks[member.userid] = MassTask(member.userid, {one: MassTarget(one) for one in named})
    if not tasks or not lines:
        raise ActRefused("没有可以发送的对象或内容")
    made = MassMessage(
        ids.opaque("msg", 30),
        next(corp.seq),
        world.clock.now(),
        chat_type,
        lines,
        as_told(lines),
        tasks,
        allow_select=True,
    )
    corp.mass_messages[made.msgid] = made
    world.touch()
    return made


def share(
    world: World, corp: Corp, userid: str, chat_type: str, ids_named: list[str], lines: list[Line]
) -> MassMessage:
    """A member sends a mass message of their own, at once; it counts against the reception quota like any other."""
    if not ids_named or not lines:
        raise ActRefused("没有可以发送的对象或内容")
    task = MassTask(userid, {one: MassTarget(one) for one in ids_named})
    made = MassMessage(
        ids.opaque("msg", 30),
        next(corp.seq),
        world.clock.now(),
        chat_type,
        lines,
        as_told(lines),
        {userid: task},
        creator=userid,
        personal=True,
    )
    corp.mass_messages[made.msgid] = made
    confirm_mass(world, corp, userid, made.msgid, [])
    return made


def as_told(lines: list[Line]) -> dict[str, Any]:
    """Lines of a conversation in the form the lists of mass messages and moments tell them."""
    told: dict[str, Any] = {}
    for kind, body in lines:
        if kind == "text":
            told["text"] = body
        else:
            told.setdefault("attachments", []).append({"msgtype": kind, kind: body})
    return told


def confirm_mass(world: World, corp: Corp, userid: str, msgid: str, without: list[str]) -> MassTask:
    """A member presses 发送; `without` are customers they took out, if the message lets them choose."""
    message = corp.mass_messages.get(msgid)
    task = message.tasks.get(member_of(corp, userid).userid) if message else None
    if message is None or task is None:
        raise ActRefused("没有这条群发任务")
    if message.cancelled:
        raise ActRefused("这条群发已被停止")
    if task.status:
        raise ActRefused("已经发送过了")
    if without and not message.allow_select:
        raise ActRefused("这条群发不允许选择客户")
    task.status, task.sent_at = 2, world.clock.stamp()
    for target in task.targets.values():
        target.status = NOT_SENT if target.id in without else _deliver(world, corp, message, task, target.id)
        target.sent_at = task.sent_at if target.status == SENT else 0
    world.touch()
    return task


def _deliver(world: World, corp: Corp, message: MassMessage, task: MassTask, target: str) -> int:
    """Send to one customer or group; answers the status the result will show."""
    if message.chat_type == "group":
        group = corp.groups.get(target)
        if group is None or group.dismissed or group.owner != task.userid:
            return NOT_A_FRIEND
        line = corp.group_chat(target, world.options.chat_length)
    else:
        follow = corp.follow(task.userid, target)
        if follow is None or follow.stage != "full" or follow.left_by_customer:
            return NOT_A_FRIEND
        line = corp.chat(task.userid, target, world.options.chat_length)
    if not _within_quota(world, corp, target):
        return OVER_QUOTA
    for kind, body in message.lines:
        said = world.say(line, "staff", kind, dict(body), "mass", task.userid)
        if message.chat_type == "group":
            archive_group(world, corp, said, corp.groups[target])
        else:
            archive_single(world, corp, said, task.userid, target)
    return SENT


def _within_quota(world: World, corp: Corp, target: str) -> bool:
    """Count one mass message for a customer or group, unless the period's quota is used up."""
    days, now = world.options.mass_quota_days, world.clock.now()
    today = datetime.fromtimestamp(now, CHINA).replace(hour=0, minute=0, second=0, microsecond=0)
    if days == 0:
        since, most = today.replace(day=1), monthrange(today.year, today.month)[1]
    else:
        since, most = today - timedelta(days=today.weekday() if days > 1 else 0), days
    received = [at for at in corp.mass_received.get(target, []) if at >= since.timestamp()]
    corp.mass_received[target] = received
    if len(received) >= most:
        return False
    received.append(now)
    return True
