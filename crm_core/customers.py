"""Customers and follows: what we record of who knows whom."""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Literal

from sqlalchemy import bindparam
from sqlmodel import Session, col, select

from crm_core import accounts, identity, outbox, timeline
from crm_core.clock import from_millis
from crm_core.config import IdentityPart
from crm_core.db import UnitOfWork, remembered
from crm_core.erased import is_erased
from crm_core.errors import InputInvalid, NotFound
from crm_core.events import (
    CustomerFetched,
    FollowEdited,
    FollowEndedByCustomer,
    FollowEndedByStaff,
    FollowEvent,
    FollowHalfStarted,
    FollowStarted,
)
from crm_core.ids import CorpId, CustomerId, ExternalUserId, StaffUserId
from crm_core.ports import CustomerFacts, FollowFacts
from crm_core.spelling import sounds
from crm_core.tables import ExternalUserRow, FollowRow

STAGES = {"new": "新客户", "nurturing": "跟进中", "intent": "意向客户", "won": "已成交", "lost": "已流失"}

NOBODY = CustomerId(0)
REMARK_CHARS, DESCRIPTION_CHARS = 20, 150  # doc 92115

FollowStatus = Literal["half", "active", "ended"]


def ensure_external_user(uow: UnitOfWork, corp: CorpId, external_user: ExternalUserId) -> ExternalUserRow:
    """Our row for this external user, made on first sight together with its customer."""
    row = uow.session.get(ExternalUserRow, (corp, external_user))
    if row is None:
        customer = identity.resolve(uow, corp, external_user)
        row = uow.session.get(ExternalUserRow, (corp, external_user))
    if row is None:
        row = ExternalUserRow(corp_id=corp, external_userid=external_user, customer_id=customer, created_at=uow.now())
        uow.session.add(row)
        uow.session.flush()
    return row


def ensure_follow(uow: UnitOfWork, event: FollowStarted | FollowHalfStarted) -> FollowRow:
    """The follow of this event, begun or brought to life. Safe to call from any handler, in any order.

    News older than what is recorded changes nothing: callbacks arrive out of order.
    """
    return uow.remember(("ensure_follow", event.key), lambda: _begin_follow(uow, event))


def _begin_follow(uow: UnitOfWork, event: FollowStarted | FollowHalfStarted) -> FollowRow:
    status: FollowStatus = "active" if isinstance(event, FollowStarted) else "half"
    ensure_external_user(uow, event.corp, event.external_user)
    row = find_follow(uow.session, event.corp, event.staff, event.external_user)
    if row is None:
        row = FollowRow(
            corp_id=event.corp,
            staff_userid=event.staff,
            external_userid=event.external_user,
            status=status,
            started_at=event.occurred_at,
            state=event.state,
            changed_at=event.occurred_at,
        )
    elif event.occurred_at >= row.changed_at:
        if row.status == "ended":
            row.started_at, row.ended_at, row.ended_by = event.occurred_at, None, ""
        row.status = "active" if row.status == "active" else status
        row.changed_at = event.occurred_at
        row.state = event.state or row.state
    else:
        row.state = row.state or event.state
    uow.session.add(row)
    uow.session.flush()
    return row


def record_follow(event: FollowStarted | FollowHalfStarted, uow: UnitOfWork) -> None:
    """A staff member and a customer got to know each other: record it and ask WeCom who the customer is."""
    ensure_follow(uow, event)
    kind = "follow.started" if isinstance(event, FollowStarted) else "follow.half_started"
    timeline.append(
        uow,
        corp=event.corp,
        external_user=event.external_user,
        staff=event.staff,
        kind=kind,
        at=event.occurred_at,
        dedupe_key=event.key,
        data={"state": event.state} if event.state else {},
    )
    _ask_who(event, uow)


def record_follow_edited(event: FollowEdited, uow: UnitOfWork) -> None:
    """Remark or tags changed in the client: the callback does not say what, so ask WeCom."""
    if is_erased(uow.session, event.corp, event.external_user):
        return
    ensure_external_user(uow, event.corp, event.external_user)
    _ask_who(event, uow)


def record_follow_ended(event: FollowEndedByStaff | FollowEndedByCustomer, uow: UnitOfWork) -> None:
    """One side deleted the other: the follow ends, the customer and its timeline stay."""
    ended_by = "customer"
    if isinstance(event, FollowEndedByStaff):
        ended_by = "transfer" if event.source == "DELETE_BY_TRANSFER" else "staff"
    if is_erased(uow.session, event.corp, event.external_user):
        return
    ensure_external_user(uow, event.corp, event.external_user)
    row = find_follow(uow.session, event.corp, event.staff, event.external_user) or FollowRow(
        corp_id=event.corp,
        staff_userid=event.staff,
        external_userid=event.external_user,
        started_at=event.occurred_at,
        changed_at=event.occurred_at,
    )
    if event.occurred_at >= row.changed_at:
        row.status, row.ended_at, row.ended_by = "ended", event.occurred_at, ended_by
        row.changed_at = event.occurred_at
        uow.session.add(row)
    timeline.append(
        uow,
        corp=event.corp,
        external_user=event.external_user,
        staff=event.staff,
        kind="follow.ended",
        at=event.occurred_at,
        dedupe_key=event.key,
        data={"ended_by": ended_by},
    )


def _ask_who(event: FollowEvent, uow: UnitOfWork) -> None:
    outbox.add(
        uow,
        outbox.FETCH_CUSTOMER,
        corp=event.corp,
        app=event.app,
        payload={"staff": event.staff, "external_user": event.external_user, "since_ms": event.received_ms},
        dedupe_key=f"fetch_customer:{event.key}",
        cause=event.cause,
    )


class CustomerFiles:
    """Applies what WeCom tells about customers. Holds the One ID settings."""

    def __init__(self, settings: IdentityPart) -> None:
        self._settings = settings

    def record_fetched(self, event: CustomerFetched, uow: UnitOfWork) -> None:
        """WeCom answered who the customer is."""
        self.apply_facts(uow, event.corp, event.facts)

    def apply_facts(self, uow: UnitOfWork, corp: CorpId, facts: CustomerFacts) -> CustomerId:
        """Bring our record in step with WeCom's. Answers the customer, which a shared identity may have merged.

        An erased person (0) is only known again when they become a contact anew.
        """
        if is_erased(uow.session, corp, facts.external_user):
            return NOBODY
        row = ensure_external_user(uow, corp, facts.external_user)
        row.name, row.avatar_url = facts.name or row.name, facts.avatar_url or row.avatar_url
        row.kind, row.gender = facts.kind, facts.gender or row.gender
        row.unionid = facts.unionid or row.unionid
        row.corp_name, row.position = facts.corp_name or row.corp_name, facts.position or row.position
        row.sounds, row.fetched_at = sounds(row.name), uow.now()
        uow.session.add(row)
        for follow in facts.follows:
            _apply_follow(uow, corp, facts.external_user, follow)
        uow.session.flush()
        accounts.index_mobiles(uow, corp, facts.external_user)
        customer = CustomerId(row.customer_id)
        if facts.unionid and self._settings.merge_on_unionid:
            customer = identity.learn(uow, corp, customer, identity.UNIONID, facts.unionid)
        if self._settings.merge_on_mobile:
            mobiles = {mobile for follow in facts.follows for mobile in follow.remark_mobiles if mobile}
            for mobile in sorted(mobiles):
                customer = identity.learn(uow, corp, customer, identity.MOBILE, mobile)
        uow.session.refresh(row)
        return customer


def _apply_follow(uow: UnitOfWork, corp: CorpId, external_user: ExternalUserId, facts: FollowFacts) -> None:
    started = from_millis(facts.created_at * 1000) if facts.created_at else uow.now()
    row = find_follow(uow.session, corp, facts.staff, external_user)
    if row is None:
        row = FollowRow(
            corp_id=corp,
            staff_userid=facts.staff,
            external_userid=external_user,
            started_at=started,
            changed_at=started,
        )
    elif row.status == "ended" and started > (row.ended_at or row.changed_at):
        row.status, row.started_at, row.ended_at, row.ended_by = "active", started, None, ""
        row.changed_at = started
    row.remark, row.description = facts.remark, facts.description
    row.remark_sounds = sounds(facts.remark)
    row.remark_corp_name = facts.remark_corp_name
    row.remark_mobiles = list(facts.remark_mobiles)
    row.add_way, row.oper_userid = facts.add_way, facts.oper_userid
    row.state = facts.state or row.state
    row.synced_at = uow.now()
    uow.session.add(row)


_FIND_FOLLOW = select(FollowRow).where(
    FollowRow.corp_id == bindparam("corp"),
    FollowRow.staff_userid == bindparam("staff"),
    FollowRow.external_userid == bindparam("external_user"),
)


def find_follow(session: Session, corp: CorpId, staff: StaffUserId, external_user: ExternalUserId) -> FollowRow | None:
    """The follow between these two, whatever its status."""
    given = {"corp": corp, "staff": staff, "external_user": external_user}
    key = ("follow", corp, staff, external_user)
    return remembered(session, key, lambda: session.exec(_FIND_FOLLOW, params=given).first())


def is_known(session: Session, corp: CorpId, external_user: ExternalUserId, visible: AbstractSet[str] | None) -> bool:
    """Whether one of these staff (None: anybody) has or had a follow with the customer."""
    statement = select(FollowRow.staff_userid).where(
        FollowRow.corp_id == corp, FollowRow.external_userid == external_user
    )
    followers = session.exec(statement)
    return any(visible is None or userid in visible for userid in followers)


def is_following(session: Session, corp: CorpId, staff: StaffUserId, external_user: ExternalUserId) -> bool:
    """Whether the staff member may still write to the customer."""
    row = find_follow(session, corp, staff, external_user)
    return row is not None and row.status != "ended"


def others_following(session: Session, corp: CorpId, external_user: ExternalUserId, staff: str) -> list[str]:
    """Other members who follow the customer now, the earliest first."""
    statement = select(FollowRow.staff_userid).where(
        FollowRow.corp_id == corp,
        FollowRow.external_userid == external_user,
        FollowRow.status == "active",
        FollowRow.staff_userid != staff,
    )
    return list(session.exec(statement.order_by(FollowRow.started_at, FollowRow.staff_userid)))  # type: ignore[arg-type]


def end_missing_follows(
    uow: UnitOfWork, corp: CorpId, staff: StaffUserId, *, listing_began: datetime, listed: set[str] | None = None
) -> int:
    """Reconcile after a full listing: follows of ``staff`` that WeCom no longer lists are ended. Answers how many.

    ``listed`` names the external users still there; None: those synced since ``listing_began``. News that came in
    since then is left alone.
    """
    rows = uow.session.exec(
        select(FollowRow).where(
            FollowRow.corp_id == corp,
            FollowRow.staff_userid == staff,
            FollowRow.status == "active",
            col(FollowRow.changed_at) < listing_began,
        )
    ).all()
    gone = [row for row in rows if not _is_listed(row, listing_began, listed)]
    for row in gone:
        row.status, row.ended_at, row.ended_by, row.changed_at = "ended", listing_began, "staff", listing_began
        uow.session.add(row)
        timeline.append(
            uow,
            corp=corp,
            external_user=ExternalUserId(row.external_userid),
            staff=staff,
            kind="follow.ended",
            at=listing_began,
            dedupe_key=f"sync-ended:{row.id}:{int(row.started_at.timestamp())}",
            data={"ended_by": "staff", "found_by": "sync"},
        )
    return len(gone)


def _is_listed(row: FollowRow, listing_began: datetime, listed: set[str] | None) -> bool:
    if listed is not None:
        return row.external_userid in listed
    return row.synced_at is not None and row.synced_at >= listing_began


def active_external_users(session: Session, corp: CorpId, staff: StaffUserId) -> set[str]:
    """The external users that ``staff`` follows now, as far as we know."""
    return set(
        session.exec(
            select(FollowRow.external_userid).where(
                FollowRow.corp_id == corp, FollowRow.staff_userid == staff, FollowRow.status == "active"
            )
        )
    )


def change_stage(
    uow: UnitOfWork, corp: CorpId, external_user: ExternalUserId, *, stage: str, staff: StaffUserId, note: str = ""
) -> bool:
    """Move a customer to another lifecycle stage. Answers whether it was another. Raises: InputInvalid, NotFound."""
    if stage not in STAGES:
        raise InputInvalid("没有这个客户阶段", field="stage")
    row = uow.session.get(ExternalUserRow, (corp, external_user))
    if row is None:
        raise NotFound("客户不存在")
    if row.lifecycle_stage == stage:
        return False
    now = uow.now()
    timeline.append(
        uow,
        corp=corp,
        external_user=external_user,
        staff=staff,
        kind="stage.changed",
        at=now,
        dedupe_key=f"stage:{external_user}:{now.timestamp():.6f}",
        data={"from": row.lifecycle_stage, "to": stage, "note": note},
    )
    row.lifecycle_stage = stage
    uow.session.add(row)
    return True


def display_name(session: Session, corp: CorpId, external_user: ExternalUserId) -> str:
    """The customer's WeChat name, "" while WeCom has not told it."""
    row = session.get(ExternalUserRow, (corp, external_user))
    return row.name if row is not None else ""


def display_names(session: Session, corp: CorpId, external_users: Iterable[str]) -> dict[str, str]:
    """WeChat names by external user, in one query; "" while WeCom has not told it."""
    wanted = set(external_users)
    rows = session.exec(
        select(ExternalUserRow.external_userid, ExternalUserRow.name).where(
            ExternalUserRow.corp_id == corp, col(ExternalUserRow.external_userid).in_(wanted)
        )
    ).all()
    return dict.fromkeys(wanted, "") | dict(rows)
