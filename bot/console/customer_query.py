"""From a customer list's address to what the services are asked, and the choices its filters offer."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlmodel import Session
from werkzeug.datastructures import MultiDict

from bot.console.list_specs import CUSTOMERS
from bot.console.list_state import ListState
from crm_core import contact_ways, roles, staff
from crm_core.clock import midnight_of
from crm_core.customer_list import CustomerFilter, Order
from crm_core.customers import STAGES
from crm_core.ids import CorpId
from crm_core.profile import ADD_WAYS
from tagging import holders
from tagging import service as tagging

SPANS = {"today": "今天", "yesterday": "昨天", "7d": "近 7 天", "30d": "近 30 天"}
STATUSES = {"active": "好友", "half": "待员工通过", "ended": "已流失"}
YES_NO = (("yes", "有"), ("no", "没有"))
MOST_WAYS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """Where and when a list is asked. visible: whose customers count, None for everybody's."""

    session: Session
    corp: CorpId
    visible: AbstractSet[str] | None
    now: datetime
    zone: ZoneInfo


def span_of(value: str, now: datetime, zone: ZoneInfo) -> tuple[datetime | None, datetime | None]:
    """From when until when a choice of ``SPANS`` reaches; (None, None) for anything else."""
    midnight = midnight_of(now, zone)
    day = timedelta(days=1)
    spans = {
        "today": (midnight, None),
        "yesterday": (midnight - day, midnight),
        "7d": (midnight - 6 * day, None),
        "30d": (midnight - 29 * day, None),
    }
    if value in spans:
        return spans[value]
    one_day = _day(value, zone)
    return (one_day, one_day + day) if one_day else (None, None)


def _day(text: str, zone: ZoneInfo) -> datetime | None:
    try:
        return datetime.combine(date.fromisoformat(text), datetime.min.time(), zone)
    except ValueError:
        return None


def filter_of(ask: Ask, state: ListState) -> CustomerFilter:
    """What the address asks for, within what the asker may see."""
    added_from, added_until = span_of(state.one("added"), ask.now, ask.zone)
    lost_from, lost_until = span_of(state.one("lost"), ask.now, ask.zone)
    first, last = _day(state.one("added_from"), ask.zone), _day(state.one("added_until"), ask.zone)
    tags = state.several("tag")
    add_way = state.one("add_way")
    return CustomerFilter(
        words=state.one("q"),
        visible=ask.visible,
        staff=_staff(ask, state),
        status=state.one("status") if state.one("status") in STATUSES else "",
        stages=tuple(stage for stage in state.several("stage") if stage in STAGES),
        contact_way=state.number("way"),
        add_way=int(add_way) if add_way.isascii() and add_way.isdigit() and int(add_way) in ADD_WAYS else None,
        added_from=first or added_from,
        added_until=last + timedelta(days=1) if last else added_until,
        lost_from=lost_from,
        lost_until=lost_until,
        has_mobile={"yes": True, "no": False}.get(state.one("mobile")),
        in_group={"yes": True, "no": False}.get(state.one("group")),
        chat=state.one("chat"),
        within=(holders.holders(ask.corp, tags, ask.visible),) if tags else (),
    )


def order_of(state: ListState) -> Order:
    """The order of the list: those lost by when they were lost."""
    return Order.LOST if state.one("lost") else Order(state.sort)


def _staff(ask: Ask, state: ListState) -> frozenset[str] | None:
    wanted: frozenset[str] | None = frozenset({state.one("staff")}) if state.one("staff") else None
    department = state.number("department")
    if department:
        inside = roles.staff_below(ask.session, ask.corp, {department})
        wanted = inside if wanted is None else wanted & inside
    return wanted


def choices_of(ask: Ask) -> dict[str, list[tuple[str, str]]]:
    """What each filter offers to this asker."""
    people = [row for row in staff.listing(ask.session, ask.corp) if ask.visible is None or row.userid in ask.visible]
    library = tagging.library(ask.session, ask.corp)
    ways = contact_ways.listing(ask.session, ask.corp, limit=MOST_WAYS)
    return {
        "staff": [(row.userid, row.name or row.userid) for row in people],
        "department": [(str(number), name) for number, name in staff.departments(ask.session, ask.corp)],
        "tag": [(tag.tag_id, f"{group.name} · {tag.name}") for group in library for tag in group.tags],
        "stage": list(STAGES.items()),
        "added": list(SPANS.items()),
        "lost": list(SPANS.items()),
        "way": [(str(row.id), row.name) for row in ways],
        "add_way": [(str(number), name) for number, name in ADD_WAYS.items()],
        "status": list(STATUSES.items()),
        "mobile": list(YES_NO),
        "group": [("yes", "在群"), ("no", "不在群")],
    }


def state_of(args: MultiDict[str, str]) -> ListState:
    """The state of the customer list in an address."""
    return ListState.of(CUSTOMERS, args)
