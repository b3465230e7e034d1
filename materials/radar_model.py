"""The radar (素材雷达) as data: tracked links, beacons of reading pages, milestones, rules. Pure."""

import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from crm_core.errors import InputInvalid
from crm_core.ids import AppKey, CorpId

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
TOKEN_LENGTH = 22  # 62^22 > 2^128: nobody finds a link by guessing
TOKEN = re.compile(rf"[{ALPHABET}]{{{TOKEN_LENGTH}}}")
MATERIAL, CARD = "material", "card"
CHANNEL_CHARS = 30
NO_PAGE_KINDS = frozenset({"text"})
MOST_VIEW_MS = 30 * 60 * 1000  # one view counts at most half an hour
SLACK_MS = 5_000  # a browser's clock may run that far ahead of ours within one view
SECOND_PAGE, HALF, WHOLE = 2, 50, 100


class Milestone(StrEnum):
    """What is worth telling about one view, the more telling the later."""

    OPENED = "opened"
    PAGE = "page"
    HALF = "half"
    FINISHED = "finished"
    FORWARDED = "forwarded"


class Condition(StrEnum):
    """What a rule counts, for one customer and one material."""

    OPENS = "opens"
    SECONDS = "seconds"
    DEPTH = "depth"
    FORWARDS = "forwards"


CONDITION_NAMES = {
    Condition.OPENS: "打开次数达到（次）",
    Condition.SECONDS: "累计阅读达到（秒）",
    Condition.DEPTH: "阅读进度达到（%）",
    Condition.FORWARDS: "转发带来新读者（人）",
}
CONDITION_PHRASES = {
    Condition.OPENS: "打开至少 {value} 次",
    Condition.SECONDS: "累计阅读至少 {value} 秒",
    Condition.DEPTH: "阅读进度至少 {value}%",
    Condition.FORWARDS: "转发带来至少 {value} 位新读者",
}
MOST_THRESHOLD = {
    Condition.OPENS: 1000,
    Condition.SECONDS: 36_000,
    Condition.DEPTH: WHOLE,
    Condition.FORWARDS: 1000,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkTarget:
    """Whom a tracked link is for: a customer, a group or a channel, "" where it does not apply.

    staff: who sends, "" for a channel of the whole corp. subject: material | card (material_id 0).
    """

    staff: str
    material_id: int = 0
    subject: str = MATERIAL
    external_user: str = ""
    chat: str = ""
    channel: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RadarLink:
    """雷达链接: one tracked address. sends: how often it was sent."""

    id: int
    corp: CorpId
    app: AppKey
    token: str
    target: LinkTarget
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    sends: int

    def is_open(self, now: datetime) -> bool:
        """Whether it still leads somewhere."""
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > now)


@dataclass(frozen=True, slots=True, kw_only=True)
class Beacon:
    """What a reading page tells about one view so far.

    All values are totals since the view began, and they only grow. So a beacon that comes twice, late or out of order
    changes nothing, and the last one makes up for those that were lost.
    view_id: one page load. ref: the browser, as others may know it. came_from: the ``ref`` in the address, "" if none.
    depth, 0–100; page and pages are 0 where there are none; wants_contact: asked for the staff member's code.
    """

    link_id: int
    view_id: str
    ref: str
    came_from: str
    opened_at: datetime
    at: datetime
    active_ms: int = 0
    depth: int = 0
    page: int = 0
    pages: int = 0
    wants_contact: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How far one view got."""

    active_ms: int = 0
    depth: int = 0
    page: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """What one customer did with one material, over all views of their own; forwards: readers they brought."""

    opens: int
    seconds: int
    depth: int
    forwards: int

    def meets(self, condition: str, threshold: int) -> bool:
        """Whether a rule's condition holds."""
        return bool(getattr(self, Condition(condition).value) >= threshold)


def new_token() -> str:
    """A token nobody can guess; nothing can be read from it."""
    return "".join(secrets.choice(ALPHABET) for _ in range(TOKEN_LENGTH))


def check_channel(channel: str) -> str:
    """A channel's name. Raises: InputInvalid."""
    name = " ".join(channel.split())
    if len(name) > CHANNEL_CHARS:
        raise InputInvalid(f"渠道名称最多 {CHANNEL_CHARS} 个字", field="channel")
    return name


def capped(beacon: Beacon) -> Beacon:
    """The beacon without more time than has passed, and within the limits of its other values."""
    passed = int((beacon.at - beacon.opened_at).total_seconds() * 1000) + SLACK_MS
    pages = max(0, min(beacon.pages, 10_000))
    return replace(
        beacon,
        active_ms=max(0, min(beacon.active_ms, passed, MOST_VIEW_MS)),
        depth=max(0, min(beacon.depth, WHOLE)),
        pages=pages,
        page=max(0, min(beacon.page, pages)),
    )


def folded(beacons: Iterable[Beacon]) -> list[Beacon]:
    """One beacon per view with the largest of all values, in the order in which the views began."""
    found: dict[str, Beacon] = {}
    for beacon in map(capped, beacons):
        known = found.get(beacon.view_id)
        found[beacon.view_id] = beacon if known is None else _larger(known, beacon)
    return sorted(found.values(), key=lambda beacon: (beacon.opened_at, beacon.view_id))


def _larger(one: Beacon, other: Beacon) -> Beacon:
    return replace(
        one,
        at=max(one.at, other.at),
        active_ms=max(one.active_ms, other.active_ms),
        depth=max(one.depth, other.depth),
        page=max(one.page, other.page),
        pages=max(one.pages, other.pages),
        wants_contact=one.wants_contact or other.wants_contact,
    )


def reached(before: Reading, after: Reading) -> list[Milestone]:
    """The milestones that lie between two states of a view; the second page is news, further pages are not."""
    found = []
    if before.page < SECOND_PAGE <= after.page:
        found.append(Milestone.PAGE)
    if before.depth < HALF <= after.depth < WHOLE:
        found.append(Milestone.HALF)
    if before.depth < WHOLE <= after.depth:
        found.append(Milestone.FINISHED)
    return found
