"""Tokens, tickets, sign-in and the app itself. Source: WeCom docs 91039, 91023, 95833, 90506, 90227,
92520.
"""

from __future__ import annotations

import hmac
import math

from bot.sandbox import ids
from bot.sandbox.api.call import Answer, Call, Endpoint
from bot.sandbox.model import JsTicket, LoginCode, Staff, UserTicket
from bot.sandbox.refusal import Refusal, wrong_field

_ADDRESSES = ["127.0.0.1"]


def get_token(call: Call) -> Answer:
    """gettoken: the door has found corp and app by their secret; the same token while it is good."""
    grant = call.world.grant(call.corp, call.app)
    left = math.ceil(grant.expires_at - call.world.clock.now())
    return {"access_token": grant.token, "expires_in": left}


def callback_addresses(_call: Call) -> Answer:
    """getcallbackip: where callbacks come from."""
    return {"ip_list": list(_ADDRESSES)}


def api_addresses(_call: Call) -> Answer:
    """get_api_domain_ip: where the API answers."""
    return {"ip_list": list(_ADDRESSES)}


def _ticket(call: Call, agentid: int) -> Answer:
    now = call.world.clock.now()
    ticket = call.corp.js_tickets.get(agentid)
    if ticket is None or now >= ticket.expires_at:
        ticket = JsTicket(ids.letters(86), agentid, now + call.world.options.ticket_ttl_seconds)
        call.corp.js_tickets[agentid] = ticket
    return {"ticket": ticket.ticket, "expires_in": math.ceil(ticket.expires_at - now)}


def corp_ticket(call: Call) -> Answer:
    """get_jsapi_ticket: the corp's ticket, for config; 400 an hour per corp and 100 per app."""
    limits, now = call.world.options, call.world.clock.now()
    scope = f"{call.corp.corp_id} ticket"
    call.world.pacing.count(scope, call.path, 3600, limits.corp_ticket_calls_per_hour, now)
    call.world.pacing.count(f"{scope} {call.app.agentid}", call.path, 3600, limits.app_ticket_calls_per_hour, now)
    return _ticket(call, 0)


def app_ticket(call: Call) -> Answer:
    """ticket/get?type=agent_config: the app's ticket, for agentConfig."""
    if call.query.text("type") != "agent_config":
        raise wrong_field("type")
    return _ticket(call, call.app.agentid)


def _redeem(call: Call) -> LoginCode:
    """The code, used up; Refusal 40029 unknown or late or of another app, 42022 used before."""
    code = call.world.login_codes.get(call.query.text("code"))
    if code is None or code.corp_id != call.corp.corp_id or code.agentid not in {0, call.app.agentid}:
        raise Refusal(40029)
    if code.used:
        raise Refusal(42022)
    if call.world.clock.now() > code.expires_at:
        raise Refusal(40029)
    code.used = True
    return code


def _outsider(call: Call, code: LoginCode) -> tuple[str, str]:
    person = call.world.persons[code.person_id]
    external = person.external_ids.get(call.corp.corp_id, "")
    links = call.corp.by_customer.get(external, {}).values()
    near = any((m := call.corp.member(f.userid)) and call.corp.sees(call.app, m) for f in links)
    return person.openid, external if near else ""


def user_info(call: Call) -> Answer:
    """auth/getuserinfo: the member behind a code, or openid and maybe external_userid of somebody outside."""
    code = _redeem(call)
    if not code.userid:
        openid, external = _outsider(call, code)
        return {"openid": openid} | ({"external_userid": external} if external else {})
    answer: Answer = {"userid": code.userid}
    member = call.corp.member(code.userid)
    if code.private and member and call.corp.sees(call.app, member):
        expires = call.world.clock.now() + call.world.options.user_ticket_ttl_seconds
        ticket = UserTicket(ids.opaque("UT_", 60), code.userid, call.app.agentid, expires)
        call.corp.user_tickets[ticket.ticket] = ticket
        answer["user_ticket"] = ticket.ticket
    return answer


def legacy_user_info(call: Call) -> Answer:
    """user/getuserinfo: the old call with its old casing."""
    code = _redeem(call)
    if code.userid:
        return {"UserId": code.userid, "DeviceId": ""}
    openid, external = _outsider(call, code)
    return {"OpenId": openid, "DeviceId": ""} | ({"external_userid": external} if external else {})


def user_detail(call: Call) -> Answer:
    """auth/getuserdetail: what the member agreed to show, for a ticket of at most 1800 s."""
    ticket = call.corp.user_tickets.get(call.body.text("user_ticket"))
    if ticket is None or ticket.agentid != call.app.agentid:
        raise Refusal(84015)
    if call.world.clock.now() > ticket.expires_at:
        raise Refusal(84014)
    member: Staff = call.corp.staff[ticket.userid.lower()]
    told: Answer = {
        "userid": member.userid,
        "gender": member.gender,
        "avatar": f"{call.world.base_url}/sandbox/avatar/{member.userid}.png",
    }
    told |= {"mobile": member.mobile} if member.mobile else {}
    return told | ({"email": member.email} if member.email else {})


def get_agent(call: Call) -> Answer:
    """agent/get: only the token's own app (301002 otherwise)."""
    wanted = call.query.text("agentid")
    if not wanted.isdigit():
        raise Refusal(40056)
    if int(wanted) != call.app.agentid:
        raise Refusal(301002)
    app = call.app
    return {
        "agentid": app.agentid,
        "name": app.name,
        "square_logo_url": "",
        "description": "",
        "allow_userinfos": {"user": [{"userid": userid} for userid in app.visible_users]},
        "allow_partys": {"partyid": list(app.visible_departments)},
        "allow_tags": {"tagid": []},
        "close": int(app.disabled),
        "redirect_domain": app.trusted_domains[0] if app.trusted_domains else "",
        "report_location_flag": 0,
        "isreportenter": int(app.reports_enter),
        "home_url": app.home_url,
    }


def same_secret(given: str, kept: str) -> bool:
    """Compare two secrets in constant time."""
    return hmac.compare_digest(given.encode(), kept.encode())


ENDPOINTS = {
    "gettoken": Endpoint(get_token, "nothing"),
    "getcallbackip": Endpoint(callback_addresses, "token"),
    "get_api_domain_ip": Endpoint(api_addresses, "token"),
    "get_jsapi_ticket": Endpoint(corp_ticket),
    "ticket/get": Endpoint(app_ticket),
    "auth/getuserinfo": Endpoint(user_info),
    "auth/getuserdetail": Endpoint(user_detail),
    "user/getuserinfo": Endpoint(legacy_user_info),
    "agent/get": Endpoint(get_agent),
}
