"""Moments for customers (客户朋友圈). Source: WeCom docs 95094, 93333, 97612."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bot.sandbox import ids
from bot.sandbox.api.call import Answer, Call, Endpoint, page_of
from bot.sandbox.api.media import need_media
from bot.sandbox.corp import Corp
from bot.sandbox.fields import Fields
from bot.sandbox.model import Media
from bot.sandbox.records import Moment, MomentJob, MomentTask, Remark
from bot.sandbox.refusal import Refusal, wrong_field

_MEMBERS = 100_000
_TEXT_CHARS = 2000
_TEXT_BYTES = 4000
_IMAGES = 9
_DAY = 86_400
_JOB_SECONDS = _DAY
_MOST_DAYS = 30
Picture = dict[str, Any]


def _stored(call: Call, media_id: str, kind: str) -> Media:
    found = need_media(call, media_id, kind)
    if found.scene != 1:
        raise Refusal(41072)
    return found


def _image(call: Call, one: Fields) -> Picture:
    return {"media_id": _stored(call, one.need_text("media_id"), "image").media_id}


def _video(call: Call, one: Fields) -> Picture:
    return {"media_id": _stored(call, one.need_text("media_id"), "video").media_id}


def _link(call: Call, one: Fields) -> Picture:
    cover = _stored(call, one.need_text("media_id"), "image").media_id
    return {"title": one.text("title", size=64), "url": one.need_text("url", size=2048), "media_id": cover}


_READERS: dict[str, Callable[[Call, Fields], Picture]] = {"image": _image, "video": _video, "link": _link}


def _content(call: Call) -> dict[str, Any]:
    """Text and pictures in the form get_moment_list tells them: nine images, or one video, or one link."""
    told: dict[str, Any] = {}
    text = call.body.child("text")
    words = text.text("content", chars=_TEXT_CHARS, size=_TEXT_BYTES) if text else ""
    if words:
        told["text"] = {"content": words}
    attachments = call.body.children("attachments", most=_IMAGES, code=41064)
    kinds = {one.text("msgtype") for one in attachments}
    if not kinds <= set(_READERS):
        raise Refusal(41065)
    if len(kinds) > 1 or (kinds and kinds != {"image"} and len(attachments) > 1):
        raise Refusal(41064)
    read = [_READERS[one.text("msgtype")](call, one.need_child(one.text("msgtype"))) for one in attachments]
    if read:
        kind = next(iter(kinds))
        told[kind] = read if kind == "image" else read[0]
    if not told:
        raise Refusal(41089)
    return told


def add_task(call: Call) -> Answer:
    """externalcontact/add_moment_task: a job makes a task for every sender; they publish by hand."""
    told = _content(call)
    job = MomentJob(ids.opaque("job_", 28), call.world.clock.now(), _moment(call, told), [], [], [], call.app.agentid)
    _fill_range(call, job)
    jobs = [j for j in call.corp.moment_jobs.values() if _status(call, j) < 3]
    if len(jobs) >= call.world.options.moment_jobs_at_once:
        raise Refusal(41078)
    call.corp.moment_jobs[job.jobid] = job
    if job.moment.tasks:
        call.corp.moments[job.moment.moment_id] = job.moment
    else:
        job.errcode = 81013
    call.world.touch()
    return {"jobid": job.jobid}


def _moment(call: Call, told: dict[str, Any]) -> Moment:
    return Moment(ids.opaque("mom", 28), next(call.corp.seq), call.now, told, {}, agentid=call.app.agentid)


def _fill_range(call: Call, job: MomentJob) -> None:
    """Senders and tags of the visible range; what is unknown is named in the job's result."""
    chosen = call.body.child("visible_range")
    senders = chosen.child("sender_list") if chosen else None
    customers = chosen.child("external_contact_list") if chosen else None
    users = senders.texts("user_list", most=_MEMBERS) if senders else []
    parties = senders.numbers("department_list") if senders else []
    tags = customers.texts("tag_list") if customers else []
    seen = {s.userid.lower(): s for s in call.corp.visible_staff(call.app) if s.serves_customers}
    job.bad_users = [u for u in users if u.lower() not in seen]
    job.bad_departments = [d for d in parties if d not in call.corp.visible_departments(call.app)]
    job.bad_tags = [t for t in tags if t not in call.corp.tag_home]
    job.moment.tags = [t for t in tags if t in call.corp.tag_home]
    found = {seen[u.lower()].userid for u in users if u.lower() in seen}
    for party in set(parties) - set(job.bad_departments):
        inside = call.corp.below(party)
        found |= {s.userid for s in seen.values() if inside.intersection(s.departments)}
    if not users and not parties:
        found = {s.userid for s in seen.values()}
    job.moment.tasks = {userid: MomentTask(userid) for userid in sorted(found)}


def _status(call: Call, job: MomentJob) -> int:
    age, wait = call.world.clock.now() - job.created, call.world.options.moment_job_seconds
    return 3 if age >= wait else 2 if age >= wait / 2 else 1


def task_result(call: Call) -> Answer:
    """externalcontact/get_moment_task_result: status 1, 2, 3; 40088 unknown, 40089 after 24 hours."""
    job = call.corp.moment_jobs.get(call.query.text("jobid"))
    if job is None or job.agentid != call.app.agentid:
        raise Refusal(40088)
    if call.world.clock.now() - job.created > _JOB_SECONDS:
        raise Refusal(40089)
    status = _status(call, job)
    answer: Answer = {"status": status, "type": "add_moment_task"}
    if status == 3:
        answer["result"] = {
            "errcode": job.errcode,
            "errmsg": "ok" if not job.errcode else "invalid sender",
            "moment_id": job.moment.moment_id if not job.errcode else "",
            "invalid_sender_list": {"user_list": job.bad_users, "department_list": job.bad_departments},
            "invalid_external_contact_list": {"tag_list": job.bad_tags},
        }
    return answer


def _ready(call: Call, moment: Moment) -> bool:
    job = next((j for j in call.corp.moment_jobs.values() if j.moment is moment), None)
    return job is None or _status(call, job) == 3


def _need_moment(call: Call, *, corp_only: bool = False) -> Moment:
    """A moment by id; 41059 missing, 41060 unknown, 41079 still being made, 41067 when a corp one is wanted."""
    found = call.corp.moments.get(call.body.need_text("moment_id", missing=41059))
    if found is None:
        raise Refusal(41060)
    if not _ready(call, found):
        raise Refusal(41079)
    if corp_only and found.creator:
        raise Refusal(41067)
    return found


def cancel_task(call: Call) -> Answer:
    """externalcontact/cancel_moment_task: whoever has not published cannot any more."""
    moment = _need_moment(call, corp_only=True)
    moment.cancelled = True
    call.world.touch()
    return {}


def _page_size(call: Call, usual: int, most: int) -> int:
    asked = call.body.whole("limit", usual)
    return usual if not 1 <= asked <= most else asked


def list_moments(call: Call) -> Answer:
    """externalcontact/get_moment_list: both ends of the span are excluded; 20 a page."""
    body = call.body
    start, end = body.whole("start_time"), body.whole("end_time")
    if not 0 < start < end or end - start > _MOST_DAYS * _DAY:
        raise wrong_field("start_time")
    creator, kind = body.text("creator"), body.whole("filter_type", 2)
    found = [
        m
        for m in call.corp.moments.values()
        if start < m.created < end
        and creator in {"", m.creator}
        and kind in {2, int(bool(m.creator))}
        and _ready(call, m)
    ]
    page, cursor = page_of(call, found, lambda m: m.seq, _page_size(call, 20, 20), [start, end, creator, kind])
    return {"moment_list": [_moment_json(m) for m in page], "next_cursor": cursor}


def _moment_json(moment: Moment) -> Answer:
    told: Answer = {
        "moment_id": moment.moment_id,
        "create_time": moment.created,
        "create_type": int(bool(moment.creator)),
        "visible_type": 0 if moment.tags else 1,
        **moment.told,
    }
    return told | ({"creator": moment.creator} if moment.creator else {})


def list_tasks(call: Call) -> Answer:
    """externalcontact/get_moment_task: who has published (publish_status 0 or 1); corp moments only."""
    moment = _need_moment(call, corp_only=True)
    numbered = list(enumerate(moment.tasks.values(), 1))
    page, cursor = page_of(call, numbered, lambda one: one[0], _page_size(call, 500, 1000), moment.moment_id)
    rows = [{"userid": t.userid, "publish_status": int(bool(t.published_at))} for _, t in page]
    return {"task_list": rows, "next_cursor": cursor}


def _published(call: Call) -> tuple[Moment, MomentTask]:
    """The moment and one member's publication; 41061 not theirs, 41062 not yet published."""
    moment = _need_moment(call)
    member = call.corp.need_member(call.app, call.body.need_text("userid", missing=40003))
    task = moment.tasks.get(member.userid)
    if task is None:
        raise Refusal(41061)
    if not task.published_at:
        raise Refusal(41062)
    return moment, task


def viewers(corp: Corp, moment: Moment, userid: str) -> list[str]:
    """Customers in range of a member's publication: their friends, narrowed by the moment's tags."""
    links = corp.by_staff.get(userid, {}).values()
    return [
        f.external_userid for f in links if f.stage == "full" and (not moment.tags or set(f.tags) & set(moment.tags))
    ]


def list_chosen(call: Call) -> Answer:
    """externalcontact/get_moment_customer_list: the range chosen when publishing."""
    moment, task = _published(call)
    numbered = list(enumerate(task.chosen, 1))
    page, cursor = page_of(
        call, numbered, lambda one: one[0], _page_size(call, 500, 1000), [moment.moment_id, task.userid]
    )
    return {
        "customer_list": [{"userid": task.userid, "external_userid": one} for _, one in page],
        "next_cursor": cursor,
    }


def list_reached(call: Call) -> Answer:
    """externalcontact/get_moment_send_result: who can really see it: the chosen who did not delete the member."""
    moment, task = _published(call)
    links = call.corp.by_staff.get(task.userid, {})
    seen = [one for one in task.chosen if one in links and not links[one].left_by_customer]
    numbered = list(enumerate(seen, 1))
    page, cursor = page_of(
        call, numbered, lambda one: one[0], _page_size(call, 3000, 5000), [moment.moment_id, task.userid]
    )
    return {"customer_list": [{"external_userid": one} for _, one in page], "next_cursor": cursor}


def list_comments(call: Call) -> Answer:
    """externalcontact/get_moment_comments: likes and comments under one member's publication."""
    moment, task = _published(call)
    return {
        "comment_list": [_remark_json(r) for r in moment.comments.get(task.userid, [])],
        "like_list": [_remark_json(r) for r in moment.likes.get(task.userid, [])],
    }


def _remark_json(remark: Remark) -> Answer:
    who = {"userid": remark.userid} if remark.userid else {"external_userid": remark.external_userid}
    return who | {"create_time": remark.at}


ENDPOINTS = {
    "externalcontact/add_moment_task": Endpoint(add_task, "customers"),
    "externalcontact/get_moment_task_result": Endpoint(task_result, "customers"),
    "externalcontact/cancel_moment_task": Endpoint(cancel_task, "customers"),
    "externalcontact/get_moment_list": Endpoint(list_moments, "customers"),
    "externalcontact/get_moment_task": Endpoint(list_tasks, "customers"),
    "externalcontact/get_moment_customer_list": Endpoint(list_chosen, "customers"),
    "externalcontact/get_moment_send_result": Endpoint(list_reached, "customers"),
    "externalcontact/get_moment_comments": Endpoint(list_comments, "customers"),
}
