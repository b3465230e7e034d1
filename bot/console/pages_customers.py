"""Customers: the list, a drawer beside it, and each one's own page."""

from dataclasses import dataclass

from flask import render_template, request
from flask.typing import ResponseReturnValue

from bot.console import lists
from bot.console.access import Sight, looking
from bot.console.customer_query import Ask, choices_of, filter_of, order_of, state_of
from bot.console.room import room
from bot.console.views import page
from crm_core import custom_fields, customer_list, duplicates, profile, staff, timeline
from crm_core.custom_fields import FieldValue
from crm_core.customers import STAGES
from crm_core.duplicates import Merge
from crm_core.ids import ExternalUserId
from crm_core.profile import CustomerProfile, FollowView
from materials import radar_rules
from materials.radar_rules import InterestPoint
from sidebar.sentences import FILTERS, tell
from tagging import holders
from tagging import service as tagging
from tagging.model import CustomerTagView, TagGroupView

TIMELINE_ROWS = 20
POINT_ROWS = 10


def ask_of(sight: Sight) -> Ask:
    """The question of this visitor, now."""
    return Ask(
        session=sight.session, corp=sight.corp, visible=sight.visible, now=room().db.clock.now(), zone=room().zone
    )


@page("/customers", permission="customers.read")
def customers_page() -> ResponseReturnValue:
    """The customer list."""
    state = state_of(request.args)
    with looking() as sight:
        ask = ask_of(sight)
        wanted, order = filter_of(ask, state), order_of(state)
        found = customer_list.page(sight.session, sight.corp, wanted, order=order, cursor=state.after)
        count = customer_list.count(sight.session, sight.corp, wanted)
        shown = [line.external_user for line in found.items]
        tags = holders.tags_of_many(sight.session, sight.corp, shown, sight.visible)
        choices = choices_of(ask)
    return lists.show("console/customers.html", state, found, count=count, choices=choices, tags=tags)


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerCard:
    """What the drawer and the page show. follows: those in sight; hidden_follows: how many others there are."""

    profile: CustomerProfile
    follows: tuple[FollowView, ...]
    hidden_follows: int
    tags: tuple[CustomerTagView, ...]
    library: tuple[TagGroupView, ...]
    can_tag: bool
    fields: tuple[FieldValue, ...]
    merges: tuple[Merge, ...]
    interest: int
    points: tuple[InterestPoint, ...]

    @property
    def name(self) -> str:
        """The WeChat name, or what stands for it while WeCom has not told it."""
        return self.profile.name or "新客户（资料同步中）"


def card_of(sight: Sight, external_user: ExternalUserId) -> CustomerCard:
    """Everything about one customer that this visitor may see."""
    found = profile.read(sight.session, sight.corp, external_user)
    seen = tuple(one for one in found.follows if sight.visible is None or one.staff in sight.visible)
    tags = tagging.tags_of(sight.session, sight.corp, external_user)
    return CustomerCard(
        profile=found,
        follows=seen,
        hidden_follows=len(found.follows) - len(seen),
        tags=tuple(tag for tag in tags if sight.visible is None or tag.staff in sight.visible),
        library=tuple(tagging.library(sight.session, sight.corp)),
        fields=tuple(custom_fields.values_of(sight.session, sight.corp, external_user)),
        merges=tuple(duplicates.merges_of(sight.session, sight.corp, external_user)),
        interest=radar_rules.interest(sight.session, sight.corp, external_user),
        points=tuple(radar_rules.points_of(sight.session, sight.corp, external_user, limit=POINT_ROWS)),
        can_tag=any(one.status == "active" for one in seen),
    )


def _shown(template: str, external_userid: str) -> str:
    with looking() as sight:
        external_user = sight.customer(external_userid)
        card = card_of(sight, external_user)
        moments = _moments(sight, external_user)
    return render_template(template, card=card, stages=STAGES, timeline_filters=FILTERS, **moments)


@page("/customers/<external_userid>", permission="customers.read")
def customer_page(external_userid: str) -> str:
    """One customer's own page. Raises: NotFound."""
    return _shown("console/customer.html", external_userid)


@page("/customers/<external_userid>/drawer", permission="customers.read")
def customer_drawer(external_userid: str) -> str:
    """One customer beside the list. Raises: NotFound."""
    return _shown("console/customer_drawer.html", external_userid)


@page("/customers/<external_userid>/timeline", permission="customers.read")
def customer_timeline(external_userid: str) -> ResponseReturnValue:
    """A page of the timeline, of one kind where asked. Raises: NotFound."""
    with looking() as sight:
        moments = _moments(sight, sight.customer(external_userid))
    return render_template(
        "console/customer_timeline.html", external_user=external_userid, timeline_filters=FILTERS, **moments
    )


def _moments(sight: Sight, external_user: ExternalUserId) -> dict[str, object]:
    kind = request.args.get("kind", "all")
    _, kinds = FILTERS.get(kind, FILTERS["all"])
    before = timeline.place_of(request.args.get("before", ""))
    entries = timeline.read(
        sight.session, sight.corp, external_user, before=before, kinds=kinds, limit=TIMELINE_ROWS + 1
    )
    shown = entries[:TIMELINE_ROWS]
    names = staff.names(sight.session, sight.corp, {entry.staff for entry in shown if entry.staff})
    return {
        "moments": [(entry, tell(entry.kind, entry.data, names.get(entry.staff, ""))) for entry in shown],
        "before": timeline.place(shown[-1]) if len(entries) > TIMELINE_ROWS else "",
        "kind": kind if kind in FILTERS else "all",
    }
