"""The customer acquisition assistant (获客助手). Source: WeCom docs 97297, 97298, 97375."""

from __future__ import annotations

from typing import Any

from bot.sandbox import ids
from bot.sandbox.api.call import Answer, Call, Endpoint, page_of
from bot.sandbox.clock import midnight
from bot.sandbox.model import STATUS_ACTIVE
from bot.sandbox.records import AcquiredCustomer, AcquisitionLink
from bot.sandbox.refusal import Refusal, too_long, wrong_field

_DAY = 86_400
_SPAN_DAYS = 30
_LAST_DAYS = 180
_CHAT_KEY_SECONDS = 1800
_QUOTA_DAYS = 365


def _range(call: Call) -> tuple[list[str], list[int]]:
    """Members and departments behind a link; at most acquisition_range people altogether."""
    chosen = call.body.need_child("range")
    users, parties = chosen.texts("user_list"), chosen.numbers("department_list")
    members = [call.corp.need_member(call.app, userid) for userid in users]
    if any(m.status != STATUS_ACTIVE for m in members):
        raise Refusal(41054)
    if any(not m.contact_permission for m in members):
        raise Refusal(84074)
    for party in parties:
        if party not in call.corp.departments:
            raise Refusal(60003)
        if party not in call.corp.visible_departments(call.app):
            raise Refusal(60011)
    people = call.corp.people_in([m.userid for m in members], parties)
    if not people:
        raise wrong_field("range")
    if len(people) > call.world.options.acquisition_range:
        raise too_long("range", call.world.options.acquisition_range)
    return [m.userid for m in members], parties


def _priority(call: Call) -> dict[str, Any]:
    chosen = call.body.child("priority_option")
    if chosen is None:
        return {}
    if chosen.whole("priority_type") not in {1, 2}:
        raise wrong_field("priority_option.priority_type")
    return dict(chosen.values)


def link_url(call: Call, link_id: str) -> str:
    """Where a link leads."""
    return f"{call.world.base_url}/ca/{link_id}"


def _link_json(call: Call, link: AcquisitionLink) -> Answer:
    told: Answer = {
        "link_id": link.link_id,
        "link_name": link.name,
        "url": link_url(call, link.link_id),
        "create_time": link.created,
        "skip_verify": link.skip_verify,
    }
    return told if link.mark_source is None else told | {"mark_source": link.mark_source}


def create_link(call: Call) -> Answer:
    """customer_acquisition/create_link: 41095 over the cap."""
    name = call.body.need_text("link_name", chars=30)
    users, parties = _range(call)
    if len(call.corp.links) >= call.world.options.acquisition_link_limit:
        raise Refusal(41095)
    made = AcquisitionLink(
        ids.opaque("ca", 20),
        next(call.corp.seq),
        call.app.agentid,
        name,
        call.now,
        users,
        parties,
        skip_verify=call.body.flag("skip_verify", default=True),
        priority=_priority(call),
        mark_source=call.body.flag("mark_source") if call.body.has("mark_source") else None,
    )
    call.corp.links[made.link_id] = made
    call.world.touch()
    told = _link_json(call, made)
    return {"link": {name: told[name] for name in ("link_id", "link_name", "url", "create_time")}}


def _need_link(call: Call) -> AcquisitionLink:
    """One of this app's own links."""
    link = call.corp.links.get(call.body.need_text("link_id"))
    if link is None or link.agentid != call.app.agentid:
        raise wrong_field("link_id")
    return link


def get_link(call: Call) -> Answer:
    """customer_acquisition/get: link, range and priority."""
    link = _need_link(call)
    told = _link_json(call, link)
    told.pop("link_id")
    answer: Answer = {"link": told, "range": {"user_list": link.users, "department_list": link.departments}}
    return answer | ({"priority_option": link.priority} if link.priority else {})


def update_link(call: Call) -> Answer:
    """customer_acquisition/update_link: what is left out stays."""
    link = _need_link(call)
    name = call.body.text("link_name", link.name, chars=30)
    users, parties = _range(call) if call.body.has("range") else (link.users, link.departments)
    priority = _priority(call) if call.body.has("priority_option") else link.priority
    link.name, link.users, link.departments, link.priority = name, users, parties, priority
    link.skip_verify = call.body.flag("skip_verify", default=link.skip_verify)
    call.world.touch()
    return {}


def delete_link(call: Call) -> Answer:
    """customer_acquisition/delete_link: no event for a deletion by API."""
    del call.corp.links[_need_link(call).link_id]
    call.world.touch()
    return {}


def _limit(call: Call, most: int) -> int:
    limit = call.body.whole("limit", most)
    if not 1 <= limit <= most:
        raise wrong_field("limit")
    return limit


def list_links(call: Call) -> Answer:
    """customer_acquisition/list_link: ids of this app's own links."""
    own = [link for link in call.corp.links.values() if link.agentid == call.app.agentid]
    page, cursor = page_of(call, own, lambda one: one.seq, _limit(call, 100), "links")
    return {"link_id_list": [link.link_id for link in page], "next_cursor": cursor}


def _chat_status(one: AcquiredCustomer) -> int:
    return 1 if one.wrote else 0


def list_customers(call: Call) -> Answer:
    """customer_acquisition/customer: who came through a link; chat_status 0 silent, 1 has written."""
    link = _need_link(call)
    page, cursor = page_of(call, link.customers, lambda c: c.seq, _limit(call, 1000), link.link_id)
    rows = [
        {"external_userid": c.external_userid, "userid": c.userid, "chat_status": _chat_status(c), "state": c.state}
        for c in page
    ]
    return {"customer_list": rows, "next_cursor": cursor}


def link_statistic(call: Call) -> Answer:
    """customer_acquisition/statistic: whole days, at most thirty of the last 180."""
    link = _need_link(call)
    start, end = midnight(call.body.whole("start_time")), midnight(call.body.whole("end_time")) + _DAY
    if start >= end or end - start > (_SPAN_DAYS + 1) * _DAY or start < call.now - _LAST_DAYS * _DAY:
        raise wrong_field("start_time")
    return {
        "click_link_customer_cnt": len({who for at, who in link.clicks if start <= at < end}),
        "new_customer_cnt": sum(start <= c.at < end for c in link.customers),
    }


def quota(call: Call) -> Answer:
    """externalcontact/customer_acquisition_quota: used so far, what is left, and when it expires."""
    expires = int(midnight(call.now + _QUOTA_DAYS * _DAY))
    balance = call.corp.link_balance
    rows = [{"expire_date": expires, "balance": balance}] if balance else []
    return {"total": call.corp.links_used, "balance": balance, "quota_list": rows}


def chat_info(call: Call) -> Answer:
    """customer_acquisition/get_chat_info: who wrote, for a chat_key of the last thirty minutes."""
    key = call.corp.chat_keys.get(call.body.need_text("chat_key"))
    if key is None or call.world.clock.now() - key.created > _CHAT_KEY_SECONDS:
        raise wrong_field("chat_key")
    one = key.customer
    info = {"recv_msg_cnt": key.wrote, "link_id": key.link_id, "state": one.state}
    return {"userid": one.userid, "external_userid": one.external_userid, "chat_info": info}


_BASE = "externalcontact/customer_acquisition"
ENDPOINTS = {
    f"{_BASE}/list_link": Endpoint(list_links, "customers"),
    f"{_BASE}/get": Endpoint(get_link, "customers"),
    f"{_BASE}/create_link": Endpoint(create_link, "customers"),
    f"{_BASE}/update_link": Endpoint(update_link, "customers"),
    f"{_BASE}/delete_link": Endpoint(delete_link, "customers"),
    f"{_BASE}/customer": Endpoint(list_customers, "customers"),
    f"{_BASE}/statistic": Endpoint(link_statistic, "customers"),
    f"{_BASE}/get_chat_info": Endpoint(chat_info, "customers"),
    f"{_BASE}_quota": Endpoint(quota, "customers"),
}
