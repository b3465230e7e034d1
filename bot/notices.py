"""What staff are told in WeCom when something happens to their customers."""

from collections.abc import Callable, Mapping
from html import escape
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from bot.jobs import JobBody
from crm_core import customers, outbox, reminders, staff
from crm_core.config import Settings
from crm_core.db import Database, UnitOfWork
from crm_core.events import FollowEndedByCustomer, FollowEndedByStaff, TransferFailed
from crm_core.ids import AppKey, CorpId, StaffUserId
from crm_core.reminders import Reminder

REMINDERS_AT_ONCE = 200
TRANSFER_REASONS = {"customer_refused": "客户拒绝了", "customer_limit_exceed": "接替成员的客户数已达上限"}


class NoticeDesk:
    """Writes app messages to staff."""

    def __init__(self, settings: Settings) -> None:
        self._public_url = settings.server.public_url

    def tell_churn(self, event: FollowEndedByCustomer | FollowEndedByStaff, uow: UnitOfWork) -> None:
        """Tell the staff member that a follow ended. A transfer is no news to them."""
        if isinstance(event, FollowEndedByStaff) and event.source:
            return
        name = customers.display_name(uow.session, event.corp, event.external_user) or "一位客户"
        by_customer = isinstance(event, FollowEndedByCustomer)
        title = f"{name} 删除了你" if by_customer else f"你删除了客户 {name}"
        hint = "客户资料与动态仍保留，可查看后决定如何挽回" if by_customer else "如为误删，可从客户资料中重新邀请"
        self._tell(event, uow, title, hint)

    def tell_transfer_failed(self, event: TransferFailed, uow: UnitOfWork) -> None:
        """Tell the takeover member that a customer did not come over."""
        name = customers.display_name(uow.session, event.corp, event.external_user) or "一位客户"
        reason = TRANSFER_REASONS.get(event.reason, event.reason)
        self._tell(event, uow, f"{name} 未能接替给你", f"原因：{reason}")

    def _tell(
        self, event: FollowEndedByCustomer | FollowEndedByStaff | TransferFailed, uow: UnitOfWork, title: str, hint: str
    ) -> None:
        outbox.add(
            uow,
            outbox.SEND_APP_MESSAGE,
            corp=event.corp,
            app=event.app,
            payload={
                "staff": [event.staff],
                "external_user": event.external_user,
                "body": {
                    "msgtype": "textcard",
                    "textcard": {
                        "title": title,
                        "description": f'<div class="gray">{event.occurred_at:%m-%d %H:%M} UTC</div>{hint}',
                        "url": f"{self._public_url}/sidebar/?external_userid={event.external_user}",
                        "btntxt": "看客户",
                    },
                },
            },
            dedupe_key=f"notice:{event.key}",
        )


def reminder_body(db: Database, settings: Settings) -> JobBody:
    """The job behind the reminders' tick."""

    def ring(_payload: Mapping[str, Any], keep_alive: Callable[[], None]) -> None:
        while ring_reminders(db, settings) >= REMINDERS_AT_ONCE:
            keep_alive()

    return ring


def ring_reminders(db: Database, settings: Settings) -> int:
    """Tell staff of their reminders whose time has come. Answers how many were taken up, at most REMINDERS_AT_ONCE.

    A reminder counts as told in the commit that writes its message down. Nobody is told who has left.
    """
    zone = ZoneInfo(settings.worktime.time_zone)
    with db.unit() as uow:
        due = reminders.take_due(uow, limit=REMINDERS_AT_ONCE)
        for reminder in due:
            if staff.is_active(uow.session, CorpId(reminder.corp), StaffUserId(reminder.staff)):
                _ring(uow, reminder, settings.server.public_url, zone)
        uow.commit()
    return len(due)


def _ring(uow: UnitOfWork, reminder: Reminder, public_url: str, zone: ZoneInfo) -> None:
    due = reminder.due_at.astimezone(zone)
    note = escape(reminder.note or "到了您约定的跟进时间")
    outbox.add(
        uow,
        outbox.SEND_APP_MESSAGE,
        corp=CorpId(reminder.corp),
        app=AppKey(reminder.app),
        payload={
            "staff": [reminder.staff],
            "external_user": reminder.external_user,
            "body": {
                "msgtype": "textcard",
                "textcard": {
                    "title": f"跟进提醒：{reminder.customer_name or '一位客户'}",
                    "description": f'<div class="gray">{due.month}月{due.day}日 {due:%H:%M}</div>{note}',
                    "url": f"{public_url}/sidebar/?external_userid={quote(reminder.external_user, safe='')}",
                    "btntxt": "去跟进",
                },
            },
        },
        dedupe_key=f"reminder:{reminder.id}:{reminder.due_at.timestamp():.0f}",
    )
