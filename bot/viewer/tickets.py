"""Signed notes that travel with a reading page: which link, which view, which browser.

A ticket comes with the page. The page's script shows it once and gets a pass, which its beacons carry. Neither can be
made up, and neither says anything about customer, staff or material. Browsers are known by a random cookie; others
know a browser by its ``ref``, from which the cookie cannot be found.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from itsdangerous import BadSignature, URLSafeSerializer

from crm_core.clock import from_millis, to_millis
from crm_core.config import Settings
from crm_core.errors import InputInvalid
from materials.radar_model import RadarLink, new_token

VALID = timedelta(hours=48)
REF_CHARS = 20
READER_BYTES = 18


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """One view of one link. came_from: the ``ref`` in the address, "" if none; ref: "" until the script ran."""

    link_id: int
    view_id: str
    opened_at: datetime
    came_from: str = ""
    ref: str = ""


def new_reader() -> str:
    """What the cookie of a browser holds."""
    return secrets.token_urlsafe(READER_BYTES)


def ref_of(settings: Settings, corp: str, reader: str) -> str:
    """How a corp's readers know this browser; another corp's know it by another one."""
    key = settings.secret_key.get_secret_value().encode()
    return hmac.new(key, f"reader:{corp}:{reader}".encode(), hashlib.sha256).hexdigest()[:REF_CHARS]


def issue(settings: Settings, link: RadarLink, came_from: str, now: datetime) -> str:
    """The ticket of a page that is about to be shown."""
    return _sign(settings, Ticket(link_id=link.id, view_id=new_token(), opened_at=now, came_from=came_from))


def make_pass(settings: Settings, ticket: Ticket, ref: str) -> str:
    """The pass of a page whose script ran in a browser."""
    return _sign(
        settings,
        Ticket(
            link_id=ticket.link_id,
            view_id=ticket.view_id,
            opened_at=ticket.opened_at,
            came_from=ticket.came_from,
            ref=ref,
        ),
    )


def read(settings: Settings, signed: str, now: datetime) -> Ticket:
    """What a ticket or pass says. Raises: InputInvalid (not ours, or too old)."""
    try:
        link_id, view_id, opened_ms, came_from, ref = _signer(settings).loads(signed)
    except (BadSignature, ValueError, TypeError):
        raise InputInvalid("页面已过期，请重新打开") from None
    ticket = Ticket(link_id=link_id, view_id=view_id, opened_at=from_millis(opened_ms), came_from=came_from, ref=ref)
    if now - ticket.opened_at > VALID:
        raise InputInvalid("页面已过期，请重新打开")
    return ticket


def _sign(settings: Settings, ticket: Ticket) -> str:
    parts = [ticket.link_id, ticket.view_id, to_millis(ticket.opened_at), ticket.came_from, ticket.ref]
    return str(_signer(settings).dumps(parts))


def _signer(settings: Settings) -> URLSafeSerializer:
    return URLSafeSerializer(
        settings.secret_key.get_secret_value(),
        salt="viewer-ticket",
        signer_kwargs={"digest_method": hashlib.sha256},
    )
