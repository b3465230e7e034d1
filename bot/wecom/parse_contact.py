"""Customers, customer groups, customer tags and acquisition links (protocol notes 2.1, 2.2, 2.3, 2.5). Pure.

Source: protocol notes 2.1–2.3, 2.5 (WeCom docs 92137, 97298 for what the fields are good for).
"""

from datetime import UTC, datetime

from bot.wecom.element import Element
from bot.wecom.stamp import Stamp, external_user_of, staff_of, welcome_code_of
from crm_core.events import (
    AcquisitionLinkChanged,
    AcquisitionMessageCounted,
    AcquisitionQuotaChanged,
    AcquisitionVisited,
    ArchiveConsentGiven,
    CustomerStartedChat,
    FollowEdited,
    FollowEndedByCustomer,
    FollowEndedByStaff,
    FollowHalfStarted,
    FollowStarted,
    GroupChanged,
    GroupCreated,
    GroupDismissed,
    TagCreated,
    TagDeleted,
    TagLibraryEvent,
    TagsShuffled,
    TagUpdated,
    TransferFailed,
)
from crm_core.ids import ChatId

LATEST_SECOND = 253_402_300_799


def follow_started(stamp: Stamp, body: Element) -> FollowStarted:
    """add_external_contact."""
    return FollowStarted(
        **stamp,
        staff=staff_of(body),
        external_user=external_user_of(body),
        state=body.text("State"),
        welcome_code=welcome_code_of(body),
        link_id=body.text("LinkId"),
    )


def follow_half_started(stamp: Stamp, body: Element) -> FollowHalfStarted:
    """add_half_external_contact."""
    return FollowHalfStarted(
        **stamp,
        staff=staff_of(body),
        external_user=external_user_of(body),
        state=body.text("State"),
        welcome_code=welcome_code_of(body),
    )


def follow_edited(stamp: Stamp, body: Element) -> FollowEdited:
    """edit_external_contact."""
    return FollowEdited(**stamp, staff=staff_of(body), external_user=external_user_of(body), state=body.text("State"))


def follow_ended_by_staff(stamp: Stamp, body: Element) -> FollowEndedByStaff:
    """del_external_contact."""
    return FollowEndedByStaff(
        **stamp, staff=staff_of(body), external_user=external_user_of(body), source=body.text("Source")
    )


def follow_ended_by_customer(stamp: Stamp, body: Element) -> FollowEndedByCustomer:
    """del_follow_user."""
    return FollowEndedByCustomer(**stamp, staff=staff_of(body), external_user=external_user_of(body))


def transfer_failed(stamp: Stamp, body: Element) -> TransferFailed:
    """transfer_fail; UserID is the member who was to take over."""
    return TransferFailed(
        **stamp, staff=staff_of(body), external_user=external_user_of(body), reason=body.text("FailReason")
    )


def archive_consent_given(stamp: Stamp, body: Element) -> ArchiveConsentGiven:
    """msg_audit_approved."""
    return ArchiveConsentGiven(
        **stamp,
        staff=staff_of(body),
        external_user=external_user_of(body),
        welcome_code=welcome_code_of(body),
    )


def group_created(stamp: Stamp, body: Element) -> GroupCreated:
    """change_external_chat / create."""
    return GroupCreated(**stamp, chat=ChatId(body.need("ChatId")))


def group_dismissed(stamp: Stamp, body: Element) -> GroupDismissed:
    """change_external_chat / dismiss."""
    return GroupDismissed(**stamp, chat=ChatId(body.need("ChatId")))


def group_changed(stamp: Stamp, body: Element) -> GroupChanged:
    """change_external_chat / update; a new UpdateDetail is passed on as it is."""
    return GroupChanged(
        **stamp,
        chat=ChatId(body.need("ChatId")),
        detail=body.text("UpdateDetail"),
        join_scene=body.number("JoinScene"),
        quit_scene=body.number("QuitScene"),
        member_ids=body.child("MemChangeList").texts("Item"),
        version_before=body.text("LastMemVer"),
        version_after=body.text("CurMemVer"),
    )


def tag_created(stamp: Stamp, body: Element) -> TagLibraryEvent:
    """change_external_tag / create."""
    return TagCreated(
        **stamp, target_id=body.need("Id"), tag_type=body.text("TagType"), strategy_id=body.text("StrategyId")
    )


def tag_updated(stamp: Stamp, body: Element) -> TagLibraryEvent:
    """change_external_tag / update."""
    return TagUpdated(
        **stamp, target_id=body.need("Id"), tag_type=body.text("TagType"), strategy_id=body.text("StrategyId")
    )


def tag_deleted(stamp: Stamp, body: Element) -> TagLibraryEvent:
    """change_external_tag / delete."""
    return TagDeleted(
        **stamp, target_id=body.need("Id"), tag_type=body.text("TagType"), strategy_id=body.text("StrategyId")
    )


def tags_shuffled(stamp: Stamp, body: Element) -> TagLibraryEvent:
    """change_external_tag / shuffle; Id is the group, empty when the groups themselves moved."""
    return TagsShuffled(**stamp, target_id=body.text("Id"), tag_type="tag_group", strategy_id=body.text("StrategyId"))


def acquisition_quota_changed(stamp: Stamp, body: Element) -> AcquisitionQuotaChanged:
    """balance_low | balance_exhausted | balance_increased | quota_expire_soon."""
    expires = body.number("ExpireTime")
    known = expires is not None and 0 < expires <= LATEST_SECOND
    return AcquisitionQuotaChanged(
        **stamp,
        change=body.text("ChangeType"),
        expires_at=datetime.fromtimestamp(expires or 0, UTC) if known else None,
        expiring_count=body.number("ExpireQuotaNum") or 0,
    )


def acquisition_link_changed(stamp: Stamp, body: Element) -> AcquisitionLinkChanged:
    """link_unavailable | delete_link."""
    return AcquisitionLinkChanged(**stamp, change=body.text("ChangeType"), link_id=body.need("LinkId"))


def acquisition_visited(stamp: Stamp, body: Element) -> AcquisitionVisited:
    """open_profile | friend_request."""
    return AcquisitionVisited(
        **stamp, change=body.text("ChangeType"), link_id=body.need("LinkId"), state=body.text("State")
    )


def customer_started_chat(stamp: Stamp, body: Element) -> CustomerStartedChat:
    """customer_start_chat."""
    return CustomerStartedChat(
        **stamp, staff=staff_of(body), external_user=external_user_of(body), link_id=body.text("LinkId")
    )


def acquisition_message_counted(stamp: Stamp, body: Element) -> AcquisitionMessageCounted:
    """message_from_customer; the chat key is swapped for the people it is about."""
    return AcquisitionMessageCounted(
        **stamp, link_id=body.text("LinkId"), state=body.text("State"), chat_key=body.need("ChatKey")
    )
