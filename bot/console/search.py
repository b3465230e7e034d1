"""The search of the top bar: customers, staff, live codes, groups, scripts; within sight and rights."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote

from bot.console.access import Sight
from bot.console.room import room
from crm_core import contact_ways, customer_list, group_list, spelling, staff
from crm_core.customer_list import CustomerFilter
from crm_core.group_list import GroupFilter

MOST_HITS = 5
MOST_SPELLED = 1000
MOST_WORDS_CHARS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """One line of the results."""

    title: str
    said: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The hits of one kind. more_url: all of them, "" where there is no such page."""

    name: str
    icon: str
    hits: tuple[Hit, ...]
    more_url: str = ""


@lru_cache(maxsize=20_000)
def _sounds(name: str) -> str:
    return spelling.sounds(name)


def fits(name: str, words: str) -> bool:
    """Whether a name holds the words, or is typed like them in pinyin or its initials."""
    wanted = words.lower()
    letters = wanted.replace(" ", "")
    return wanted in name.lower() or (letters.isascii() and letters.isalpha() and letters in _sounds(name))


def find(sight: Sight, words: str) -> list[Found]:
    """What fits, kind by kind; kinds without a hit or a right are left out."""
    wanted = words.strip()[:MOST_WORDS_CHARS]
    if not wanted:
        return []
    seekers: tuple[tuple[str, Callable[[Sight, str], Found]], ...] = (
        ("customers.read", _customers),
        ("staff.read", _staff),
        ("contact_ways.read", _ways),
        ("groups.read", _groups),
        ("scripts.read", _scripts),
    )
    found = [seek(sight, wanted) for permission, seek in seekers if sight.who.allows(permission)]
    return [one for one in found if one.hits]


def _first(hits: Iterable[Hit]) -> tuple[Hit, ...]:
    return tuple(hit for hit, _ in zip(hits, range(MOST_HITS), strict=False))


def _customers(sight: Sight, words: str) -> Found:
    wanted = CustomerFilter(words=words, visible=sight.visible)
    lines = customer_list.page(sight.session, sight.corp, wanted, limit=MOST_HITS).items
    hits = (
        Hit(
            title=line.name or line.remark or "新客户",
            said=" · ".join(part for part in (line.remark, line.stage_name, line.staff_name) if part),
            url=f"/console/customers/{quote(line.external_user)}",
        )
        for line in lines
    )
    return Found(name="客户", icon="users", hits=_first(hits), more_url=f"/console/customers?q={quote(words)}")


def _staff(sight: Sight, words: str) -> Found:
    people = (
        row
        for row in staff.listing(sight.session, sight.corp)
        if (sight.visible is None or row.userid in sight.visible)
        and (fits(row.name, words) or words.lower() == row.userid.lower())
    )
    hits = (
        Hit(title=row.name or row.userid, said=row.position, url=f"/console/customers?staff={quote(row.userid)}")
        for row in people
    )
    return Found(name="员工（查看其客户）", icon="contact-round", hits=_first(hits))


def _ways(sight: Sight, words: str) -> Found:
    ways = contact_ways.listing(sight.session, sight.corp, limit=MOST_SPELLED)
    hits = (
        Hit(title=way.name, said=way.memo if way.memo != way.name else "", url=f"/console/live-codes/{way.id}")
        for way in ways
        if fits(way.name, words)
    )
    return Found(name="渠道活码", icon="qr-code", hits=_first(hits), more_url=f"/console/live-codes?q={quote(words)}")


def _groups(sight: Sight, words: str) -> Found:
    now, zone = room().db.clock.now(), room().zone
    asked = GroupFilter(words="" if words.isascii() else words, visible=sight.visible)
    limit = MOST_SPELLED if words.isascii() else MOST_HITS
    lines = group_list.page(sight.session, sight.corp, asked, now=now, zone=zone, limit=limit).items
    hits = (
        Hit(
            title=line.name,
            said=f"{line.members} 人 · 群主 {line.owner_name}",
            url=f"/console/groups/{quote(line.chat)}",
        )
        for line in lines
        if fits(line.name, words)
    )
    return Found(name="客户群", icon="messages-square", hits=_first(hits), more_url=f"/console/groups?q={quote(words)}")


def _scripts(sight: Sight, words: str) -> Found:
    viewer = sight.who.staff if sight.visible is not None else None
    found = room().shelf.search(sight.session, sight.corp, words, viewer=viewer, limit=MOST_HITS)
    return Found(
        name="话术",
        icon="message-square-text",
        hits=_first(Hit(title=one.title, said=one.text[:40], url=f"/console/search/script/{one.id}") for one in found),
    )
