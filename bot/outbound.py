"""What each kind of outbox row does at WeCom, and the event that tells of it."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from bot.outbound_call import Call, Done
from bot.outbound_kf import KF_PERFORMERS
from crm_core import customers, outbox
from crm_core.errors import InputInvalid, NotReady, ScrmError, WeComError, WeComRefused
from crm_core.events import (
    ContactWayCreated,
    CustomerFetched,
    Event,
    GroupFetched,
    InterceptRuleMade,
    InterceptRulesFetched,
    MediaUploaded,
    OutboundFinished,
    TagsFetched,
    TagsMarked,
)
from crm_core.ids import AppKey, ChatId, CorpId, ExternalUserId, StaffUserId, TagId, WelcomeCode
from crm_core.intercept_port import InterceptRule
from crm_core.messages import NICKNAME, parse_message, with_nickname
from crm_core.ports import ContactWayMade, ContactWayRequest, OutboundMessage
from materials.radar_model import LinkTarget
from materials.sending import ResolvedMessage

ALREADY_GREETED = 41051  # doc 92137: the code was used, or a chat has begun
LAST_MOMENT_MS = 6_000  # so long before the end a greeting goes out without what is not ready
NAME_TAKEN = 40071  # doc 92117
MEDIA_GONE = 40007
RELATION_GONE = frozenset({84061, 40096})  # no relation left, or no visible follower


def _send_welcome(call: Call) -> Done:
    message = parse_message(call.payload["message"]) or OutboundMessage()
    if NICKNAME in message.text:
        name = _nickname(call)
        message = OutboundMessage(text=with_nickname(message.text, name), attachments=message.attachments)
    ready = _made_ready(call, message)
    try:
        call.gateway.send_welcome(WelcomeCode(call.payload["code"]), ready.message)
    except WeComRefused as refused:
        if refused.errcode == MEDIA_GONE and ready.named:
            call.desk.forget(CorpId(call.row.corp_id), ready.message)
            raise NotReady("企业微信已不认识素材的 media_id，正在重新上传") from refused
        if refused.errcode != ALREADY_GREETED:
            raise
        return Done(note="欢迎语已送达过，或对话已开始")
    return Done(note="；".join(ready.problems))


def _made_ready(call: Call, message: OutboundMessage) -> ResolvedMessage:
    """The greeting with its files. One that is still on its way to WeCom is waited for, but not until it is too late.

    Raises: NotReady; InputInvalid when nothing is left to send.
    """
    target = LinkTarget(
        staff=str(call.payload.get("staff", "")), external_user=str(call.payload.get("external_user", ""))
    )
    ready = call.desk.make_ready(CorpId(call.row.corp_id), AppKey(call.row.app_key), message, target)
    deadline = call.row.deadline_at
    if ready.waiting and deadline is not None and deadline - call.now_ms > LAST_MOMENT_MS:
        raise NotReady("欢迎语里的素材正在上传到企业微信")
    if not ready.message.text and not ready.message.attachments:
        raise InputInvalid(f"欢迎语没有可发送的内容：{'；'.join(ready.problems)}")
    return ready


def _nickname(call: Call) -> str:
    """The customer's name, from our record or from WeCom; a welcome without a name beats none."""
    corp, external_user = CorpId(call.row.corp_id), ExternalUserId(call.payload["external_user"])
    with call.db.reading() as session:
        name = customers.display_name(session, corp, external_user)
    if name:
        return name
    try:
        facts = call.gateway.get_customer(external_user)
    except WeComError:
        return ""
    call.recent.put(call.row.corp_id, facts)
    return facts.name


def _fetch_customer(call: Call) -> Done:
    external_user = ExternalUserId(call.payload["external_user"])
    since_ms = int(call.payload.get("since_ms") or call.row.created_ms)
    facts = call.recent.take(call.row.corp_id, external_user, since_ms=since_ms)
    if facts is not None:
        return Done(event_kind=CustomerFetched, fields={"facts": facts})
    try:
        facts = call.gateway.get_customer(external_user)
    except WeComRefused as refused:
        if refused.errcode not in RELATION_GONE:
            raise
        return Done(note="关系已不存在")
    return Done(event_kind=CustomerFetched, fields={"facts": facts})


def _mark_tag(call: Call) -> Done:
    added = tuple(TagId(tag) for tag in call.payload["add"])
    removed = tuple(TagId(tag) for tag in call.payload["remove"])
    staff, external_user = _follow(call)
    call.gateway.mark_tag(staff, external_user, added, removed)
    return Done(event_kind=TagsMarked, fields=marked_fields(call.row))


def marked_fields(row: Row[Any]) -> dict[str, Any]:
    """The fields of TagsMarked, also for a call that failed."""
    return {
        "staff": StaffUserId(row.payload["staff"]),
        "external_user": ExternalUserId(row.payload["external_user"]),
        "added": tuple(TagId(tag) for tag in row.payload["add"]),
        "removed": tuple(TagId(tag) for tag in row.payload["remove"]),
    }


def _set_remark(call: Call) -> Done:
    staff, external_user = _follow(call)
    call.gateway.set_remark(staff, external_user, dict(call.payload["fields"]))
    return Done()


def _follow(call: Call) -> tuple[StaffUserId, ExternalUserId]:
    return StaffUserId(call.payload["staff"]), ExternalUserId(call.payload["external_user"])


def _fetch_group(call: Call) -> Done:
    return Done(event_kind=GroupFetched, fields={"facts": call.gateway.get_group(ChatId(call.payload["chat"]))})


def _fetch_tags(call: Call) -> Done:
    tag_ids, group_ids = call.payload["tag_ids"], call.payload["group_ids"]
    groups = call.gateway.list_tag_groups(tag_ids=tag_ids, group_ids=group_ids)
    return Done(
        event_kind=TagsFetched,
        fields={"groups": groups, "asked_tags": tuple(tag_ids), "asked_groups": tuple(group_ids)},
    )


def _send_app_message(call: Call) -> Done:
    staff = [StaffUserId(userid) for userid in call.payload["staff"]]
    answer = call.gateway.send_app_message(staff, dict(call.payload["body"]))
    if len(answer.invalid_staff) >= len(staff):
        raise WeComRefused(81013, "all recipients invalid", "message/send", remedy="接收人不在应用可见范围内")
    return Done(note=f"未送达：{'、'.join(answer.invalid_staff)}" if answer.invalid_staff else "")


def _add_contact_way(call: Call) -> Done:
    return _made(call.gateway.add_contact_way(_way_request(call.payload)))


def _way_request(payload: Mapping[str, Any]) -> ContactWayRequest:
    return ContactWayRequest(
        staff=tuple(StaffUserId(userid) for userid in payload["staff"]),
        departments=tuple(payload["departments"]),
        state=payload["state"],
        memo=payload["memo"],
        skip_verify=payload["skip_verify"],
    )


def _update_contact_way(call: Call) -> Done:
    call.gateway.update_contact_way(str(call.payload["config_id"]), _way_request(call.payload))
    return Done()


def _delete_contact_way(call: Call) -> Done:
    call.gateway.delete_contact_way(str(call.payload["config_id"]))
    return Done()


def _add_tags(call: Call) -> Done:
    payload = call.payload
    group_id = str(payload["group_id"])
    try:
        group = call.gateway.add_tags(names=payload["names"], group_id=group_id, group_name=payload["group_name"])
    except WeComRefused as refused:
        if refused.errcode != NAME_TAKEN or call.row.attempts == 1:
            raise
        groups = call.gateway.list_tag_groups()  # the answer to an earlier try was lost
        return Done(event_kind=TagsFetched, fields={"groups": groups}, note="标签已存在")
    return Done(event_kind=TagsFetched, fields={"groups": (group,), "asked_groups": (group.group_id,)})


def _edit_tag(call: Call) -> Done:
    order = call.payload.get("sort_order")
    call.gateway.edit_tag(str(call.payload["target"]), name=str(call.payload.get("name", "")), sort_order=order)
    return Done()


def _delete_tags(call: Call) -> Done:
    tag_ids = [TagId(tag) for tag in call.payload["tag_ids"]]
    call.gateway.delete_tags(tag_ids=tag_ids, group_ids=call.payload["group_ids"])
    return Done()


def find_lost_contact_way(call: Call) -> Done | None:
    """The answer of add_contact_way was lost: ask WeCom whether the code exists. None: it does not."""
    made = call.gateway.find_contact_way(call.payload["state"], int(call.row.created_ms / 1000) - 60)
    return None if made is None else _made(made)


def _upload_media(call: Call) -> Done:
    return Done(event_kind=MediaUploaded, fields=call.desk.upload(call.gateway, call.payload))


def _fetch_intercept_rules(call: Call) -> Done:
    return Done(event_kind=InterceptRulesFetched, fields={"rules": call.gateway.list_intercept_rules()})


def _intercept_rule(payload: Mapping[str, Any]) -> InterceptRule:
    told: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in payload["rule"].items()
    }
    return InterceptRule(**told, rule_id=str(payload["rule_id"]))


def _add_intercept_rule(call: Call) -> Done:
    made = call.gateway.add_intercept_rule(_intercept_rule(call.payload))
    return Done(event_kind=InterceptRuleMade, fields={"rule_id": made})


def find_lost_intercept_rule(call: Call) -> Done | None:
    """The answer of add_intercept_rule was lost: names are unique at WeCom, so look for ours. None: it is not there."""
    name = call.payload["rule"]["name"]
    found = next((rule for rule in call.gateway.list_intercept_rules() if rule.name == name), None)
    return None if found is None else Done(event_kind=InterceptRuleMade, fields={"rule_id": found.rule_id})


def _update_intercept_rule(call: Call) -> Done:
    call.gateway.update_intercept_rule(_intercept_rule(call.payload))
    return Done()


def _delete_intercept_rule(call: Call) -> Done:
    call.gateway.delete_intercept_rule(str(call.payload["rule_id"]))
    return Done()


def _made(made: ContactWayMade) -> Done:
    return Done(event_kind=ContactWayCreated, fields={"made": made})


PERFORMERS: dict[str, Callable[[Call], Done]] = {
    outbox.SEND_WELCOME.name: _send_welcome,
    outbox.FETCH_CUSTOMER.name: _fetch_customer,
    outbox.MARK_TAG.name: _mark_tag,
    outbox.SET_REMARK.name: _set_remark,
    outbox.FETCH_GROUP.name: _fetch_group,
    outbox.FETCH_TAGS.name: _fetch_tags,
    outbox.SEND_APP_MESSAGE.name: _send_app_message,
    outbox.ADD_CONTACT_WAY.name: _add_contact_way,
    outbox.UPDATE_CONTACT_WAY.name: _update_contact_way,
    outbox.DELETE_CONTACT_WAY.name: _delete_contact_way,
    outbox.ADD_TAGS.name: _add_tags,
    outbox.EDIT_TAG.name: _edit_tag,
    outbox.DELETE_TAGS.name: _delete_tags,
    outbox.UPLOAD_MEDIA.name: _upload_media,
    **KF_PERFORMERS,
    outbox.FETCH_INTERCEPT_RULES.name: _fetch_intercept_rules,
    outbox.ADD_INTERCEPT_RULE.name: _add_intercept_rule,
    outbox.UPDATE_INTERCEPT_RULE.name: _update_intercept_rule,
    outbox.DELETE_INTERCEPT_RULE.name: _delete_intercept_rule,
}

LOST_ANSWER_QUERIES: dict[str, Callable[[Call], Done | None]] = {
    outbox.ADD_CONTACT_WAY.name: find_lost_contact_way,
    outbox.ADD_INTERCEPT_RULE.name: find_lost_intercept_rule,
}


def finished_event(row: Row[Any], *, outcome: str, done: Done | None, error: str, now: datetime, now_ms: int) -> Event:
    """The event that tells how an outbox row ended."""
    kind: type[OutboundFinished] = done.event_kind if done is not None else OutboundFinished
    fields = dict(done.fields) if done is not None else {}
    if done is None and row.kind == outbox.MARK_TAG.name:
        kind, fields = TagsMarked, marked_fields(row)
    return kind(
        corp=CorpId(row.corp_id),
        app=AppKey(row.app_key),
        occurred_at=now,
        key=f"outbox:{row.id}:{outcome}",
        received_ms=now_ms,
        cause=row.cause,
        kind=row.kind,
        outcome=outcome,
        outbox_id=row.id,
        subject=dict(row.payload),
        error=error,
        **fields,
    )


def say_error(error: Exception) -> str:
    """One sentence for the row: our words, then the vendor's code and text. No tokens: errmsg has none."""
    if isinstance(error, WeComError):
        return f"{error.message}（{error.call} {error.errcode}: {error.errmsg[:300]}）"
    if isinstance(error, ScrmError):
        return error.message
    return f"{type(error).__name__}: {error}"
