"""What members do inside our app, messages to the app, jobs, approval, archive and kf hints (2.6–2.10). Pure.

Source: protocol notes 2.6–2.10.
"""

from collections.abc import Callable

from bot.wecom.element import Element
from bot.wecom.stamp import ENVELOPE, Maker, Stamp, staff_of
from crm_core.events import (
    AppEntered,
    AppIdled,
    AppMessageReceived,
    ApprovalChanged,
    AppSubscribed,
    AppUnsubscribed,
    ArchiveHasNews,
    BatchJobFinished,
    CardClicked,
    KfAccountsAuthorised,
    KfHasNews,
    LocationReported,
    MediaUploadFinished,
    MenuUsed,
)

MENU_DETAILS = ("ScanCodeInfo", "SendPicsInfo", "SendLocationInfo")
NOT_MESSAGE_FIELDS = ENVELOPE | {"MsgId", "AgentID", "Content"}


def archive_has_news(stamp: Stamp, body: Element) -> ArchiveHasNews:
    """msgaudit_notify; nothing inside."""
    del body
    return ArchiveHasNews(**stamp)


def kf_has_news(stamp: Stamp, body: Element) -> KfHasNews:
    """kf_msg_or_event."""
    return KfHasNews(**stamp, open_kfid=body.need("OpenKfId"), token=body.need("Token"))


def kf_accounts_authorised(stamp: Stamp, body: Element) -> KfAccountsAuthorised:
    """kf_account_auth_change."""
    return KfAccountsAuthorised(**stamp, added=body.texts("AuthAddOpenKfId"), removed=body.texts("AuthDelOpenKfId"))


def subscribed(stamp: Stamp, body: Element) -> AppSubscribed:
    """Subscribe."""
    return AppSubscribed(**stamp, staff=staff_of(body, "FromUserName"), agent_id=body.text("AgentID"))


def unsubscribed(stamp: Stamp, body: Element) -> AppUnsubscribed:
    """Unsubscribe."""
    return AppUnsubscribed(**stamp, staff=staff_of(body, "FromUserName"), agent_id=body.text("AgentID"))


def entered(stamp: Stamp, body: Element) -> AppEntered:
    """enter_agent."""
    return AppEntered(**stamp, staff=staff_of(body, "FromUserName"), agent_id=body.text("AgentID"))


def location_reported(stamp: Stamp, body: Element) -> LocationReported:
    """LOCATION."""
    return LocationReported(
        **stamp,
        staff=staff_of(body, "FromUserName"),
        agent_id=body.text("AgentID"),
        latitude=body.need_decimal("Latitude"),
        longitude=body.need_decimal("Longitude"),
        precision=body.decimal("Precision") or 0.0,
    )


def menu_used(action: str) -> Maker:
    """A maker for one kind of menu entry."""

    def make(stamp: Stamp, body: Element) -> MenuUsed:
        extra = next((body.child(name) for name in MENU_DETAILS if body.has(name)), None)
        return MenuUsed(
            **stamp,
            staff=staff_of(body, "FromUserName"),
            agent_id=body.text("AgentID"),
            action=action,
            event_key=body.text("EventKey"),
            details=extra.plain() if extra else {},
        )

    return make


def idled(*, closed: bool) -> Maker:
    """A maker for close_inactive_agent and reopen_inactive_agent."""

    def make(stamp: Stamp, body: Element) -> AppIdled:
        return AppIdled(**stamp, closed=closed, agent_id=body.text("AgentID"))

    return make


def card_clicked(*, from_menu: bool) -> Maker:
    """A maker for template_card_event, template_card_menu_event and the legacy taskcard_click."""

    def make(stamp: Stamp, body: Element) -> CardClicked:
        return CardClicked(
            **stamp,
            staff=staff_of(body, "FromUserName"),
            agent_id=body.text("AgentID"),
            event_key=body.text("EventKey"),
            task_id=body.need("TaskId"),
            card_type=body.text("CardType"),
            response_code=body.text("ResponseCode"),
            from_menu=from_menu,
            selected=_selected(body.child("SelectedItems")),
        )

    return make


def _selected(items: Element) -> dict[str, tuple[str, ...]]:
    """Question key → option ids; WeCom spells the list OptionIds or OpitonIds."""
    return {
        item.need("QuestionKey"): tuple(
            option
            for ids in (*item.each("OptionIds"), *item.each("OpitonIds"))
            for option in ids.texts("OptionId") + ids.texts("OpitonId")
        )
        for item in items.each("SelectedItem")
    }


def message_received(kind: str) -> Callable[[Stamp, Element], AppMessageReceived]:
    """A maker for one kind of message to the app; media ids inside live 3 days."""

    def make(stamp: Stamp, body: Element) -> AppMessageReceived:
        return AppMessageReceived(
            **stamp,
            staff=staff_of(body, "FromUserName"),
            agent_id=body.text("AgentID"),
            kind=kind,
            message_id=body.need("MsgId"),
            text=body.raw("Content"),
            fields=body.plain(NOT_MESSAGE_FIELDS),
        )

    return make


def batch_job_finished(stamp: Stamp, body: Element) -> BatchJobFinished:
    """batch_job_result."""
    job = body.child("BatchJob")
    return BatchJobFinished(
        **stamp,
        job_id=job.need("JobId"),
        job_type=job.text("JobType"),
        errcode=job.number("ErrCode") or 0,
        errmsg=job.text("ErrMsg"),
    )


def media_upload_finished(stamp: Stamp, body: Element) -> MediaUploadFinished:
    """upload_media_job_finish."""
    return MediaUploadFinished(**stamp, job_id=body.need("JobId"))


def approval_changed(stamp: Stamp, body: Element) -> ApprovalChanged:
    """sys_approval_change; StatuChangeEvent is WeCom's spelling."""
    info = body.child("ApprovalInfo")
    return ApprovalChanged(
        **stamp,
        approval_no=info.need("SpNo"),
        name=info.text("SpName"),
        status=info.need_number("SpStatus"),
        applicant=info.child("Applyer").text("UserId"),
        change=info.number("StatuChangeEvent") or 0,
        details=info.plain(),
    )


def open_approval_changed(stamp: Stamp, body: Element) -> ApprovalChanged:
    """open_approval_change, the older flow of third-party approval engines."""
    info = body.child("ApprovalInfo")
    return ApprovalChanged(
        **stamp,
        approval_no=info.need("ThirdNo"),
        name=info.text("OpenSpName"),
        status=info.need_number("OpenSpStatus"),
        applicant=info.text("ApplyUserId"),
        third_party=True,
        details=info.plain(),
    )
