"""What staff send of the library goes out by tracked links, one per material and customer or group."""

from collections.abc import Iterable
from datetime import timedelta

from sqlmodel import Session

from crm_core.config import Settings
from crm_core.db import UnitOfWork
from materials import material_lists, radar_links
from materials import service as scripts
from materials.radar_model import LinkTarget
from materials.sending import LinkOf, goes_by_link, material_ids
from sidebar.auth import StaffSession
from sidebar.schemas import SendOutcome
from sop import service as sop


def link_of(uow: UnitOfWork, settings: Settings, signed_in: StaffSession, target: LinkTarget) -> LinkOf:
    """Where a material opens for ``target``."""
    return radar_links.tracked(
        uow,
        signed_in.corp,
        signed_in.app,
        target,
        public_url=settings.server.public_url,
        lasts=timedelta(days=settings.radar.link_days),
    )


def record_sends(uow: UnitOfWork, signed_in: StaffSession, target: LinkTarget, outcome: SendOutcome) -> None:
    """The links of what went out count as sent, once per key."""
    for material_id in _named(uow.session, signed_in, outcome):
        wanted = LinkTarget(
            staff=signed_in.staff, material_id=material_id, external_user=target.external_user, chat=target.chat
        )
        link = radar_links.living(uow.session, signed_in.corp, wanted)
        if link is not None:
            radar_links.record_send(uow, signed_in.corp, link.id, key=f"{signed_in.staff}:{outcome.key}:{material_id}")


def _named(session: Session, signed_in: StaffSession, outcome: SendOutcome) -> Iterable[int]:
    corp, staff = signed_in.corp, signed_in.staff
    if outcome.material_id is not None:
        named = {outcome.material_id}
    elif outcome.script_id is not None:
        named = material_ids(scripts.get(session, corp, outcome.script_id, viewer=staff).messages)
    else:
        named = material_ids([sop.get_todo(session, corp, staff, outcome.todo_id or 0).message])
    return [one for one in sorted(named) if outcome.as_link or goes_by_link(material_lists.get(session, corp, one))]
