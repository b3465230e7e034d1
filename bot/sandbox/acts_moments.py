"""Moments as people see them: members publish, customers look, like and comment."""

from __future__ import annotations

from typing import Any

from bot.sandbox import ids
from bot.sandbox.acts import ActRefused, member_of
from bot.sandbox.api.moments import viewers
from bot.sandbox.corp import Corp
from bot.sandbox.model import Person
from bot.sandbox.records import Moment, MomentTask, Remark
from bot.sandbox.world import World


def make_moment(
    world: World,
    corp: Corp,
    told: dict[str, Any],
    userids: list[str],
    *,
    creator: str = "",
    tags: list[str] | None = None,
) -> Moment:
    """A moment made by hand: in the admin console for several members, or by a member (`creator`) and out at once."""
    if not told:
        raise ActRefused("朋友圈没有内容")
    names = [member_of(corp, userid).userid for userid in userids]
    made = Moment(
        ids.opaque("mom", 28), next(corp.seq), world.clock.stamp(), told, {}, tags=tags or [], creator=creator
    )
    made.tasks = {userid: MomentTask(userid) for userid in names}
    corp.moments[made.moment_id] = made
    if creator:
        publish(world, corp, creator, made.moment_id)
    world.touch()
    return made


def publish(world: World, corp: Corp, userid: str, moment_id: str) -> MomentTask:
    """A member presses 发表; who may see it is settled now."""
    moment = corp.moments.get(moment_id)
    task = moment.tasks.get(member_of(corp, userid).userid) if moment else None
    if moment is None or task is None:
        raise ActRefused("没有这条朋友圈任务")
    if moment.cancelled:
        raise ActRefused("这条朋友圈已被停止")
    if task.published_at:
        raise ActRefused("已经发表过了")
    task.published_at = world.clock.stamp()
    task.chosen = viewers(corp, moment, task.userid)
    world.touch()
    return task


def _need_post(corp: Corp, moment_id: str, userid: str) -> Moment:
    moment = corp.moments.get(moment_id)
    if moment is None or userid not in moment.tasks or not moment.tasks[userid].published_at:
        raise ActRefused("这条朋友圈不存在")
    return moment


def shows(corp: Corp, task: MomentTask, external_userid: str) -> bool:
    """Whether a customer sees a member's publication on the phone."""
    link = corp.follow(task.userid, external_userid)
    return bool(
        task.published_at
        and external_userid in task.chosen
        and link
        and link.stage == "full"
        and not link.left_by_customer
    )


def like(world: World, corp: Corp, person: Person, moment_id: str, userid: str) -> bool:
    """A customer likes a publication, or takes the like back; whether it is liked now."""
    moment, external = _need_post(corp, moment_id, userid), _viewer(corp, person, moment_id, userid)
    likes = moment.likes.setdefault(userid, [])
    given = next((r for r in likes if r.external_userid == external), None)
    if given:
        likes.remove(given)
    else:
        likes.append(Remark(world.clock.stamp(), external_userid=external))
    world.touch()
    return given is None


def comment(world: World, corp: Corp, person: Person, moment_id: str, userid: str, content: str) -> Remark:
    """A customer writes under a publication."""
    moment, external = _need_post(corp, moment_id, userid), _viewer(corp, person, moment_id, userid)
    if not content.strip():
        raise ActRefused("评论不能为空")
    made = Remark(world.clock.stamp(), external_userid=external, content=content.strip()[:500])
    moment.comments.setdefault(userid, []).append(made)
    world.touch()
    return made


def _viewer(corp: Corp, person: Person, moment_id: str, userid: str) -> str:
    external = person.external_ids.get(corp.corp_id, "")
    moment = _need_post(corp, moment_id, userid)
    if not shows(corp, moment.tasks[userid], external):
        raise ActRefused("看不到这条朋友圈")
    return external
