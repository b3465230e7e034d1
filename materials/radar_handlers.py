"""What the materials room does when a reader does something: entries on the customer's timeline."""

from typing import Any

from crm_core import timeline
from crm_core.db import UnitOfWork
from crm_core.events import RadarEvent, RadarForwarded, RadarOpened, RadarProgressed, RadarRuleMet
from crm_core.ids import ExternalUserId
from materials.radar_model import Milestone


def note_opened(event: RadarOpened, uow: UnitOfWork) -> None:
    """The customer opened something; what readers they brought do is told once, by ``note_forwarded``."""
    if not event.forwarded:
        _note(event, uow, "radar.opened", {"times": event.times})


def note_progressed(event: RadarProgressed, uow: UnitOfWork) -> None:
    """The customer read something to its end."""
    if event.milestone == Milestone.FINISHED and not event.forwarded:
        _note(event, uow, "radar.finished", {"seconds": event.active_seconds, "pages": event.pages})


def note_forwarded(event: RadarForwarded, uow: UnitOfWork) -> None:
    """Somebody new came by what the customer passed on."""
    _note(event, uow, "radar.forwarded", {"readers": event.readers})


def note_rule_met(event: RadarRuleMet, uow: UnitOfWork) -> None:
    """The customer got interest points."""
    if event.points:
        timeline.append(
            uow,
            corp=event.corp,
            external_user=event.external_user,
            staff=event.staff,
            kind="radar.scored",
            at=event.occurred_at,
            dedupe_key=event.key,
            data={"points": event.points, "reason": event.reason, "rule": event.rule_name},
        )


def _note(event: RadarEvent, uow: UnitOfWork, kind: str, data: dict[str, Any]) -> None:
    if not event.external_user:
        return
    timeline.append(
        uow,
        corp=event.corp,
        external_user=ExternalUserId(event.external_user),
        staff=event.staff,
        kind=kind,
        at=event.occurred_at,
        dedupe_key=event.key,
        data={"title": event.title, "material_id": event.material_id, "subject": event.subject, **data},
    )
