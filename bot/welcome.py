"""The one decider per welcome code: contact way, then staff member, then corp."""

from crm_core import contact_ways, outbox, timeline
from crm_core.config import Settings
from crm_core.db import UnitOfWork
from crm_core.events import FollowHalfStarted, FollowStarted, OutboundFinished
from crm_core.ids import ExternalUserId
from crm_core.welcome_messages import for_staff

SAFETY_MS = 500  # stop trying this long before WeCom's own limit


class WelcomeDesk:
    """Greets new customers."""

    def __init__(self, settings: Settings) -> None:
        self._valid_ms = int(settings.wecom.welcome_seconds * 1000) - SAFETY_MS

    def offer_welcome(self, event: FollowStarted | FollowHalfStarted, uow: UnitOfWork) -> None:
        """Decide the greeting and have it sent before its code runs out."""
        if event.welcome_code is None:
            return
        way = contact_ways.of_event(uow, event)
        message = way.welcome if way is not None and way.welcome else None
        message = message or for_staff(uow.session, event.corp, event.staff)
        if message is None:
            return
        outbox.add(
            uow,
            outbox.SEND_WELCOME,
            corp=event.corp,
            app=event.app,
            payload={
                "code": event.welcome_code,
                "staff": event.staff,
                "external_user": event.external_user,
                "message": message,
            },
            dedupe_key=f"welcome:{event.corp}:{event.welcome_code}",
            deadline_ms=event.received_ms + self._valid_ms,
        )


def record_outcome(event: OutboundFinished, uow: UnitOfWork) -> None:
    """Put the greeting, or why there was none, on the customer's timeline."""
    if event.kind != outbox.SEND_WELCOME.name:
        return
    sent = event.outcome == "done"
    timeline.append(
        uow,
        corp=event.corp,
        external_user=ExternalUserId(str(event.subject["external_user"])),
        staff=str(event.subject["staff"]),
        kind="welcome.sent" if sent else "welcome.failed",
        at=event.occurred_at,
        dedupe_key=event.key,
        data={"text": str(event.subject["message"].get("text", ""))[:200], "error": event.error},
    )
