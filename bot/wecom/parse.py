"""Decrypted callback body → one domain event. Pure: no clock, no network, no database.

``MAKERS`` is the whole registry: (MsgType, Event, ChangeType), all lower case, "" where the protocol has none.
"""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime

from bot.wecom import parse_app as app_events
from bot.wecom import parse_contact as contact
from bot.wecom import parse_directory as directory
from bot.wecom.element import Element, read_body
from bot.wecom.parse_bot import bot_event
from bot.wecom.stamp import Maker, Stamp, require
from crm_core.errors import CallbackUnsupported
from crm_core.events import Event
from crm_core.ids import AppKey, CorpId

MAKERS: Mapping[tuple[str, str, str], Maker] = {
    # 2.1 customers
    ("event", "change_external_contact", "add_external_contact"): contact.follow_started,
    ("event", "change_external_contact", "add_half_external_contact"): contact.follow_half_started,
    ("event", "change_external_contact", "edit_external_contact"): contact.follow_edited,
    ("event", "change_external_contact", "del_external_contact"): contact.follow_ended_by_staff,
    ("event", "change_external_contact", "del_follow_user"): contact.follow_ended_by_customer,
    ("event", "change_external_contact", "transfer_fail"): contact.transfer_failed,
    ("event", "change_external_contact", "msg_audit_approved"): contact.archive_consent_given,
    # 2.2 customer groups
    ("event", "change_external_chat", "create"): contact.group_created,
    ("event", "change_external_chat", "update"): contact.group_changed,
    ("event", "change_external_chat", "dismiss"): contact.group_dismissed,
    # 2.3 customer tags
    ("event", "change_external_tag", "create"): contact.tag_created,
    ("event", "change_external_tag", "update"): contact.tag_updated,
    ("event", "change_external_tag", "delete"): contact.tag_deleted,
    ("event", "change_external_tag", "shuffle"): contact.tags_shuffled,
    # 2.4 directory
    ("event", "change_contact", "create_user"): directory.staff_created,
    ("event", "change_contact", "update_user"): directory.staff_updated,
    ("event", "change_contact", "delete_user"): directory.staff_deleted,
    ("event", "change_contact", "create_party"): directory.department_created,
    ("event", "change_contact", "update_party"): directory.department_updated,
    ("event", "change_contact", "delete_party"): directory.department_deleted,
    ("event", "change_contact", "update_tag"): directory.directory_tag_changed,
    # 2.5 acquisition links
    ("event", "customer_acquisition", "balance_low"): contact.acquisition_quota_changed,
    ("event", "customer_acquisition", "balance_exhausted"): contact.acquisition_quota_changed,
    ("event", "customer_acquisition", "balance_increased"): contact.acquisition_quota_changed,
    ("event", "customer_acquisition", "quota_expire_soon"): contact.acquisition_quota_changed,
    ("event", "customer_acquisition", "link_unavailable"): contact.acquisition_link_changed,
    ("event", "customer_acquisition", "delete_link"): contact.acquisition_link_changed,
    ("event", "customer_acquisition", "open_profile"): contact.acquisition_visited,
    ("event", "customer_acquisition", "friend_request"): contact.acquisition_visited,
    ("event", "customer_acquisition", "customer_start_chat"): contact.customer_started_chat,
    ("event", "customer_acquisition", "message_from_customer"): contact.acquisition_message_counted,
    # 2.6 archive, 2.7 customer service
    ("event", "msgaudit_notify", ""): app_events.archive_has_news,
    ("event", "kf_msg_or_event", ""): app_events.kf_has_news,
    ("event", "kf_account_auth_change", ""): app_events.kf_accounts_authorised,
    # 2.8 inside our app
    ("event", "subscribe", ""): app_events.subscribed,
    ("event", "unsubscribe", ""): app_events.unsubscribed,
    ("event", "enter_agent", ""): app_events.entered,
    ("event", "location", ""): app_events.location_reported,  # WeCom writes LOCATION
    ("event", "click", ""): app_events.menu_used("click"),
    ("event", "view", ""): app_events.menu_used("view"),
    ("event", "view_miniprogram", ""): app_events.menu_used("view_miniprogram"),
    ("event", "scancode_push", ""): app_events.menu_used("scancode_push"),
    ("event", "scancode_waitmsg", ""): app_events.menu_used("scancode_waitmsg"),
    ("event", "pic_sysphoto", ""): app_events.menu_used("pic_sysphoto"),
    ("event", "pic_photo_or_album", ""): app_events.menu_used("pic_photo_or_album"),
    ("event", "pic_weixin", ""): app_events.menu_used("pic_weixin"),
    ("event", "location_select", ""): app_events.menu_used("location_select"),
    ("event", "close_inactive_agent", ""): app_events.idled(closed=True),
    ("event", "reopen_inactive_agent", ""): app_events.idled(closed=False),
    ("event", "template_card_event", ""): app_events.card_clicked(from_menu=False),
    ("event", "template_card_menu_event", ""): app_events.card_clicked(from_menu=True),
    ("event", "taskcard_click", ""): app_events.card_clicked(from_menu=False),
    # 2.9 messages to the app
    ("text", "", ""): app_events.message_received("text"),
    ("image", "", ""): app_events.message_received("image"),
    ("voice", "", ""): app_events.message_received("voice"),
    ("video", "", ""): app_events.message_received("video"),
    ("location", "", ""): app_events.message_received("location"),
    ("link", "", ""): app_events.message_received("link"),
    # 2.10 jobs and approval
    ("event", "batch_job_result", ""): app_events.batch_job_finished,
    ("event", "upload_media_job_finish", ""): app_events.media_upload_finished,
    ("event", "sys_approval_change", ""): app_events.approval_changed,
    ("event", "open_approval_change", ""): app_events.open_approval_changed,
}


def parse_callback(
    body: bytes,
    *,
    corp: CorpId,
    app: AppKey,
    received_ms: int,
    key: str,
    expected_tousernames: Collection[str],
) -> Event:
    """The event that a decrypted callback tells of.

    body: decrypted XML (or JSON). received_ms: when it reached us, milliseconds UTC. key: unique per fact and stable
    over redelivery. expected_tousernames: who the body may be addressed to; suite command callbacks and AI bots carry
    no ToUserName, there the receiveid of the envelope has already been checked.

    Raises: CallbackUnsupported (a kind we do not use), CallbackAnomalous (makes no sense; the message is the reason).
    Source: protocol notes 2.1–2.10, 9.1.
    """
    root = read_body(body)
    if root.has("InfoType"):
        return directory.suite_notified(_stamp(root, "TimeStamp", corp, app, key, received_ms), root)
    if root.has("msgtype") and not root.has("MsgType"):
        clock = "create_time" if root.has("create_time") else ""
        return bot_event(_stamp(root, clock, corp, app, key, received_ms), root)
    kind = _kind(root)
    require(sound=root.need("ToUserName") in expected_tousernames, reason="ToUserName 不是本应用的企业")
    stamp = _stamp(root, "CreateTime", corp, app, key, received_ms)
    maker = MAKERS.get(kind)
    if maker is None:
        raise CallbackUnsupported(f"不使用的回调：{'/'.join(kind)}"[:200])
    return maker(stamp, root)


def _kind(root: Element) -> tuple[str, str, str]:
    require(sound=root.has("MsgType"), reason="没有 MsgType 也没有 InfoType")
    msg_type = root.need("MsgType").lower()
    if msg_type != "event":
        return (msg_type, "", "")
    event = root.need("Event").lower()
    change = root.text("ChangeType").lower()
    return (msg_type, event, "" if (msg_type, event, "") in MAKERS else change)


def _stamp(root: Element, clock: str, corp: CorpId, app: AppKey, key: str, received_ms: int) -> Stamp:
    """The common fields. ``clock`` names the element with Unix seconds; "" = none is sent, ours counts."""
    seconds = root.need_number(clock) if clock else received_ms // 1000
    require(sound=0 < seconds <= contact.LATEST_SECOND, reason=f"字段 {clock} 不是合理的时间")
    return Stamp(corp=corp, app=app, occurred_at=datetime.fromtimestamp(seconds, UTC), key=key, received_ms=received_ms)
