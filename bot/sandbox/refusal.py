"""Errors as WeCom gives them: HTTP 200, an errcode, and a wordy errmsg nobody may match on."""

from __future__ import annotations

import secrets
import time
from typing import Any

MESSAGES: dict[int, str] = {
    -1: "system busy",
    301042: "ip not in the archive allow-list",
    301053: "chat archive not enabled",
    301059: "not an internal group",
    301060: "more than 100 items",
    301061: "userid or exteranalopenid unknown",
    40001: "invalid credential",
    40003: "invalid userid",
    40004: "invalid media type",
    40005: "invalid media type param",
    40006: "invalid media size",
    40007: "invalid media_id",
    40008: "invalid message type",
    40009: "invalid image size",
    40011: "invalid video size",
    40013: "invalid corpid",
    40014: "invalid access_token",
    40029: "invalid oauth_code",
    40031: "invalid userid list",
    40032: "list too long",
    40035: "invalid parameter",
    40050: "invalid chatid",
    40056: "invalid agentid",
    40058: "invalid Request Parameter",
    40063: "some parameters are empty",
    40068: "invalid tagid",
    40071: "tag name already exist",
    40072: "invalid tag name length",
    40088: "invalid jobid",
    40089: "job result purged",
    40091: "secret is invalid",
    40093: "invalid signature",
    40096: "invalid external userid",
    40097: "user not resigned",
    40098: "user not real name verified",
    40099: "user customer count exceed limit",
    40100: "external user is in transfer",
    40123: "invalid image content",
    40126: "tag count exceed limit",
    40128: "external user transferred too often",
    40129: "external user is in transfer",
    40130: "handover and takeover are the same",
    40131: "handover is not the follower",
    40205: "handover resigned too long ago",
    41001: "access_token missing",
    41002: "corpid missing",
    41004: "corpsecret missing",
    41035: "missing external userid",
    41037: "missing contact way type",
    41038: "missing contact way scene",
    41039: "invalid contact way type",
    41040: "invalid contact way scene",
    41041: "contact way users exceed limit",
    41042: "invalid contact way style",
    41043: "missing contact way config id",
    41044: "invalid contact way config id",
    41045: "api contact way count exceed limit",
    41046: "missing mass msg id",
    41047: "invalid mass msg id",
    41048: "no customer to send to",
    41049: "missing welcome code",
    41050: "invalid welcome code",
    41051: "externaluser has started chatting",
    41053: "customer has not accepted chat archiving",
    41054: "user not activated",
    41055: "group welcome template count exceed limit",
    41058: "not the creator of the template",
    41059: "missing moment id",
    41060: "invalid moment id",
    41061: "moment not sent by this user",
    41062: "moment not published yet",
    41063: "mass msg is being dispatched",
    41064: "too many attachments",
    41065: "invalid attachments msgtype",
    41067: "not a corp moment",
    41068: "too many words",
    41069: "too many intercept rules",
    41070: "invalid rule id",
    41071: "rule deleted",
    41072: "invalid attachment upload scene",
    41076: "applicable range exceed limit",
    41077: "rule name exists",
    41078: "too many moment jobs",
    41079: "moment is being dispatched",
    41080: "invalid image size",
    41081: "invalid image resolution",
    41082: "invalid video duration",
    41083: "invalid word",
    41084: "invalid semantics",
    41089: "moment is empty",
    41090: "invalid video format",
    41091: "join way chat count exceed limit",
    41093: "mass msg cancelled",
    41094: "remind too often",
    41095: "acquisition link count exceed limit",
    41096: "welcome msg is being distributed",
    42001: "access_token expired",
    42012: "jsapi ticket of another type or app",
    42022: "oauth code already used",
    44001: "empty media data",
    44004: "empty content",
    45001: "media size exceed limit",
    45002: "content size out of limit",
    45009: "api freq out of limit",
    45033: "api concurrent out of limit",
    48001: "api unauthorized",
    48002: "api forbidden",
    48009: "api forbidden for the contacts secret from this ip",
    49008: "chat has been dismissed",
    50001: "redirect_uri unauthorized",
    50002: "user not in app range",
    50003: "app disabled",
    50100: "invalid cursor",
    60003: "department not found",
    60011: "no privilege to access/modify contact/party/agent",
    60020: "not allow to access from your ip",
    60111: "userid not found",
    60123: "invalid party id",
    60140: "invalid response_code",
    80001: "domain not in the trusted list",
    81013: "user & party & tag all invalid",
    81017: "too many objects requested",
    82001: "all touser, toparty and totag are empty",
    84014: "user_ticket expired",
    84015: "invalid user_ticket",
    84025: "invalid state",
    84061: "not external contact",
    84074: "no external contact permission",
    90206: "miniprogram not linked",
    90500: "group owner has not left",
    90501: "not a customer group",
    90502: "group owner has left",
    90503: "group full",
    90504: "group owner unchanged",
    90507: "group transfer in progress",
    90508: "group already inherited",
    95000: "invalid open_kfid",
    95001: "kf message count limit",
    95002: "kf message time limit",
    95004: "open_kfid not exist",
    95005: "kf account count limit",
    95006: "invalid kf account name",
    95007: "invalid msg token",
    95008: "too many menu items",
    95013: "kf session ended",
    95014: "not a servicer",
    95016: "illegal session transition",
    95017: "kf api switched off",
    95018: "session state forbids sending",
    95019: "servicer stopped",
    301002: "not allow to operate another agent with this accesstoken",
}


class Refusal(Exception):
    """One call WeCom refuses: `errcode`, and `detail` which goes in front of the usual wording."""

    def __init__(self, errcode: int, detail: str = "") -> None:
        super().__init__(errcode, detail)
        self.errcode = errcode
        self.detail = detail


def too_long(field: str, limit: int, *, code: int = 40058) -> Refusal:
    """The refusal of a field over its limit; the errmsg names the field."""
    return Refusal(code, f"field `{field}` exceed max length {limit}. ")


def wrong_field(field: str, *, code: int = 40058) -> Refusal:
    """The refusal of a missing or unusable field; the errmsg names it."""
    return Refusal(code, f"field `{field}` missing or invalid. ")


def error_body(refusal: Refusal, ip: str, *, warned: bool = False) -> dict[str, Any]:
    """The JSON answer of a refused call, with hint, caller's address and the vendor's page."""
    code = refusal.errcode
    text = refusal.detail + MESSAGES.get(code, "request refused")
    hint = f"{int(time.time())}_{secrets.randbelow(90) + 10}_{secrets.token_hex(16)}"
    warning = " Warning: wrong json format." if warned else ""
    more = f"more info at https://open.work.weixin.qq.com/devtool/query?e={code}"
    return {"errcode": code, "errmsg": f"{text}, hint: [{hint}], from ip: {ip}, {more}.{warning}"}
