"""Every domain event, one file, past tense.

Callback events are made by ``bot.wecom.parse`` from WeCom's callbacks (section 2 of the protocol notes), one class per
kind. The others tell of outcomes inside the house. All times are aware UTC.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from crm_core.ids import AppKey, ChatId, CorpId, ExternalUserId, StaffUserId, TagId, WelcomeCode
from crm_core.intercept_port import InterceptRule
from crm_core.kf_port import KfCustomerFacts
from crm_core.ports import ContactWayMade, CustomerFacts, CustomerGroupFacts, TagGroupFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Base of all events.

    corp: the tenant it is about. app: the app whose callback or act caused it.
    key: unique per fact, stable over redelivery; handlers derive their own dedupe keys from it.
    received_ms: when we learnt of it, milliseconds UTC on the work clock (deadlines count from here).
    cause: empty for facts from outside, else the automation that caused it; automation rules skip those.
    """

    corp: CorpId
    app: AppKey
    occurred_at: datetime
    key: str
    received_ms: int = 0
    cause: str = ""


# --- change_external_contact (2.1) ---------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowEvent(Event):
    """Base of what happens between one staff member and one external user."""

    staff: StaffUserId
    external_user: ExternalUserId


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowStarted(FollowEvent):
    """A customer added a staff member, or the reverse (add_external_contact).

    state: the contact way's state, "" when none. welcome_code: None when WeCom gives none (console welcome,
    already chatted, already greeted). link_id: acquisition link, "" when none.
    """

    state: str = ""
    welcome_code: WelcomeCode | None = None
    link_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowHalfStarted(FollowEvent):
    """A customer added a staff member who has not answered yet (add_half_external_contact)."""

    state: str = ""
    welcome_code: WelcomeCode | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowEdited(FollowEvent):
    """A staff member changed remark or tags in the client (edit_external_contact)."""

    state: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowEndedByStaff(FollowEvent):
    """A staff member deleted the customer (del_external_contact).

    source: ``DELETE_BY_TRANSFER`` when a move to another member removed it, else "".
    """

    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowEndedByCustomer(FollowEvent):
    """A customer deleted the staff member (del_follow_user)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferFailed(FollowEvent):
    """A transfer did not happen (transfer_fail); reason: customer_refused | customer_limit_exceed."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveConsentGiven(FollowEvent):
    """A customer agreed to chat archiving (msg_audit_approved)."""

    welcome_code: WelcomeCode | None = None


# --- change_external_chat (2.2) ------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupCreated(Event):
    """A customer group came to be."""

    chat: ChatId


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupDismissed(Event):
    """A customer group was dissolved."""

    chat: ChatId


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupChanged(Event):
    """Members, owner, name or notice of a customer group changed.

    detail: add_member | del_member | change_owner | change_name | change_notice. join_scene: 0 invited, 3 code.
    quit_scene: 0 left, 1 removed. before/after are opaque member versions, "" when absent.
    """

    chat: ChatId
    detail: str
    join_scene: int | None = None
    quit_scene: int | None = None
    member_ids: tuple[str, ...] = ()
    version_before: str = ""
    version_after: str = ""


# --- change_external_tag (2.3) -------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class TagLibraryEvent(Event):
    """Base of changes in the corp tag library. tag_type: tag | tag_group. strategy_id: "" for plain tags."""

    target_id: str
    tag_type: str
    strategy_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TagCreated(TagLibraryEvent):
    """A tag or tag group was made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TagUpdated(TagLibraryEvent):
    """A tag or tag group was renamed or moved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TagDeleted(TagLibraryEvent):
    """A tag or a whole tag group was deleted (no event per tag then)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TagsShuffled(TagLibraryEvent):
    """The order of tags in a group (or of the groups, target "") changed."""


# --- change_contact (2.4) ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class StaffCreated(Event):
    """A member joined the directory; fields: whatever WeCom told, under its own names."""

    staff: StaffUserId
    fields: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class StaffUpdated(Event):
    """A member changed; new_staff is set when the userid itself was changed."""

    staff: StaffUserId
    new_staff: StaffUserId | None = None
    fields: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class StaffDeleted(Event):
    """A member left the directory."""

    staff: StaffUserId


@dataclass(frozen=True, slots=True, kw_only=True)
class DepartmentCreated(Event):
    """A department was made. name and parent_id are None when WeCom does not tell."""

    dept_id: int
    name: str | None = None
    parent_id: int | None = None
    sort_order: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DepartmentUpdated(Event):
    """A department was renamed or moved."""

    dept_id: int
    name: str | None = None
    parent_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DepartmentDeleted(Event):
    """A department is gone."""

    dept_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectoryTagChanged(Event):
    """Members of a directory tag (not a customer tag) changed."""

    tag_id: str
    added_staff: tuple[str, ...] = ()
    removed_staff: tuple[str, ...] = ()
    added_departments: tuple[str, ...] = ()
    removed_departments: tuple[str, ...] = ()


# --- customer_acquisition (2.5) ------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class AcquisitionQuotaChanged(Event):
    """balance_low | balance_exhausted | balance_increased | quota_expire_soon."""

    change: str
    expires_at: datetime | None = None
    expiring_count: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AcquisitionLinkChanged(Event):
    """link_unavailable | delete_link."""

    change: str
    link_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AcquisitionVisited(Event):
    """open_profile | friend_request on an acquisition link."""

    change: str
    link_id: str
    state: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerStartedChat(FollowEvent):
    """A customer's first message after an acquisition link (customer_start_chat)."""

    link_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AcquisitionMessageCounted(Event):
    """The 3rd, 5th or 10th message (message_from_customer); chat_key is valid for 30 minutes."""

    link_id: str
    state: str
    chat_key: str


# --- archive, kf (2.6, 2.7) ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveHasNews(Event):
    """The chat archive has new messages (msgaudit_notify); a hint without content."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KfHasNews(Event):
    """WeChat customer service has news (kf_msg_or_event); token is valid for 10 minutes."""

    open_kfid: str
    token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KfAccountsAuthorised(Event):
    """kf_account_auth_change."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


# --- app interaction and messages to the app (2.8, 2.9) ------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class AppEvent(Event):
    """Base of what a staff member does inside our app."""

    staff: StaffUserId
    agent_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AppSubscribed(AppEvent):
    """A member gained the app."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AppUnsubscribed(AppEvent):
    """A member lost the app."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AppEntered(AppEvent):
    """A member opened the app (enter_agent)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocationReported(AppEvent):
    """A member's position; degrees, precision in metres."""

    latitude: float
    longitude: float
    precision: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class MenuUsed(AppEvent):
    """A menu entry was used.

    action: click | view | view_miniprogram | scancode_push | scancode_waitmsg | pic_sysphoto |
    pic_photo_or_album | pic_weixin | location_select. details: WeCom's extra object, if any.
    """

    action: str
    event_key: str
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class AppIdled(Event):
    """close_inactive_agent | reopen_inactive_agent: WeCom switched the app off or on again."""

    closed: bool
    agent_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CardClicked(AppEvent):
    """A button of a template card was pressed (template_card_event, template_card_menu_event, taskcard_click).

    selected: question key → chosen option ids. response_code: single use, "" for legacy task cards.
    """

    event_key: str
    task_id: str
    card_type: str = ""
    response_code: str = ""
    from_menu: bool = False
    selected: dict[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class AppMessageReceived(AppEvent):
    """A member wrote to the app. kind: text | image | voice | video | location | link; fields under WeCom's names.

    AI bots also send mixed and file; ``agent_id`` is their bot id, a chat id in ``fields`` tells of a group.
    """

    kind: str
    message_id: str
    text: str = ""
    fields: dict[str, Any] = field(default_factory=dict)


# --- jobs, approval (2.10) -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchJobFinished(Event):
    """batch_job_result."""

    job_id: str
    job_type: str
    errcode: int = 0
    errmsg: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaUploadFinished(Event):
    """upload_media_job_finish."""

    job_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalChanged(Event):
    """sys_approval_change, or open_approval_change (third_party). status: see the protocol notes 2.10."""

    approval_no: str
    name: str
    status: int
    applicant: str = ""
    change: int = 0
    third_party: bool = False
    details: dict[str, Any] = field(default_factory=dict)


# --- suite command callbacks (third-party and agency apps) ----------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteNotified(Event):
    """A command callback (InfoType) of a suite; kept for provider apps, fields under WeCom's names."""

    info_type: str
    suite_id: str = ""
    fields: dict[str, Any] = field(default_factory=dict)


# --- outcomes inside the house --------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboundFinished(Event):
    """An outbox row reached its end.

    kind: the outbound kind. outcome: done | expired | dead | unknown. subject: the ids the row was about.
    """

    kind: str
    outcome: str
    outbox_id: int
    subject: dict[str, Any] = field(default_factory=dict)
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerFetched(OutboundFinished):
    """WeCom told us about a customer."""

    facts: CustomerFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactWayCreated(OutboundFinished):
    """WeCom made a live code for the contact way ``subject["contact_way_id"]``."""

    made: ContactWayMade


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaUploaded(OutboundFinished):
    """WeCom has a copy of a file. media_id and its Unix second of birth, or url where the copy lasts for ever."""

    media_id: str = ""
    created_at: int = 0
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TagsMarked(OutboundFinished):
    """A mark_tag call reached its end."""

    staff: StaffUserId
    external_user: ExternalUserId
    added: tuple[TagId, ...] = ()
    removed: tuple[TagId, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TagsFetched(OutboundFinished):
    """WeCom told us about part of the tag library; asked names the ids that were asked for."""

    groups: tuple[TagGroupFacts, ...]
    asked_tags: tuple[str, ...] = ()
    asked_groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class KfSent(OutboundFinished):
    """Our message to a customer of 微信客服 was taken (errcode 0), or the rules forbid it (95001, 95002, 95018)."""

    errcode: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class KfMoved(OutboundFinished):
    """Where a session of 微信客服 stands after we asked to hand it on. msg_code: for one message about it, or ""."""

    standing: int
    servicer: str = ""
    msg_code: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class KfCustomersFetched(OutboundFinished):
    """WeCom told who wrote to 微信客服."""

    found: tuple[KfCustomerFacts, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupFetched(OutboundFinished):
    """WeCom told us about a customer group."""

    facts: CustomerGroupFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class InterceptRuleMade(OutboundFinished):
    """WeCom made a rule for sensitive words, for the category and part named in ``subject``."""

    rule_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InterceptRulesFetched(OutboundFinished):
    """WeCom told all its rules for sensitive words."""

    rules: tuple[InterceptRule, ...]


# --- radar: what readers of tracked links do ------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class RadarEvent(Event):
    """Base of what a reader does with something that was sent by a tracked link.

    staff: who sent it, "" for a channel of the whole corp. external_user: the customer it was sent to, "" for a group
    or a channel. subject: material | card. forwarded: the reader is not the one it was sent to. title: what it is
    called now. chat, channel: where it was sent, "" where it does not apply.
    """

    staff: str
    external_user: str
    link_id: int
    view_id: str
    subject: str
    material_id: int
    title: str
    forwarded: bool = False
    chat: str = ""
    channel: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RadarOpened(RadarEvent):
    """Somebody opened a tracked link and the page ran. times: how often this reader did so by now."""

    times: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class RadarProgressed(RadarEvent):
    """A view got somewhere. milestone: page | half | finished. depth in percent; pages is 0 where there are none."""

    milestone: str
    depth: int
    page: int = 0
    pages: int = 0
    active_seconds: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RadarForwarded(RadarEvent):
    """A tracked link was passed on and opened by somebody new. readers: how many came that way by now."""

    readers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RadarRuleMet(FollowEvent):
    """A customer's behaviour met a radar rule. points were given already; the tags are to be set."""

    rule_id: int
    rule_name: str
    material_id: int
    title: str
    reason: str
    points: int = 0
    tag_ids: tuple[TagId, ...] = ()
