"""What tagging does when something happens."""

from sqlalchemy import delete, update
from sqlmodel import SQLModel, col, select

from crm_core import contact_ways, customers, outbox
from crm_core.db import UnitOfWork
from crm_core.events import (
    CustomerFetched,
    FollowStarted,
    RadarRuleMet,
    StaffUpdated,
    TagCreated,
    TagDeleted,
    TagLibraryEvent,
    TagsFetched,
    TagsMarked,
    TagsShuffled,
    TagUpdated,
)
from tagging import service
from tagging.tables import ChatTagHitRow, FollowTagRow, PersonalTagRow, TagSuggestionRow


def apply_contact_way_tags(event: FollowStarted, uow: UnitOfWork) -> None:
    """Put the live code's tags on the new follow."""
    way = contact_ways.of_event(uow, event)
    if way is None or not way.tag_ids:
        return
    if customers.ensure_follow(uow, event).status != "active":
        return
    service.request_marks(
        uow,
        corp=event.corp,
        app=event.app,
        staff=event.staff,
        external_user=event.external_user,
        add=way.tag_ids,
        source="channel",
        dedupe_key=f"channel_tags:{event.key}",
    )


def apply_radar_tags(event: RadarRuleMet, uow: UnitOfWork) -> None:
    """Put a radar rule's tags on the follow, while it lasts."""
    if not event.tag_ids or not customers.is_following(uow.session, event.corp, event.staff, event.external_user):
        return
    service.request_marks(
        uow,
        corp=event.corp,
        app=event.app,
        staff=event.staff,
        external_user=event.external_user,
        add=event.tag_ids,
        source="rule",
        dedupe_key=f"radar_tags:{event.key}",
        cause=event.cause,
    )


def settle_marks(event: TagsMarked, uow: UnitOfWork) -> None:
    """WeCom took or refused the tags."""
    service.settle_marks(
        uow,
        corp=event.corp,
        staff=event.staff,
        external_user=event.external_user,
        added=event.added,
        removed=event.removed,
        error=event.error if event.outcome != "done" else "",
        key=event.key,
    )


def record_fetched(event: CustomerFetched, uow: UnitOfWork) -> None:
    """Bring the tags of every follow in step with what WeCom told."""
    for follow in event.facts.follows:
        service.apply_follow_tags(uow, event.corp, event.facts.external_user, follow, key=event.key)


def ask_library(event: TagCreated | TagUpdated | TagsShuffled, uow: UnitOfWork) -> None:
    """The callback only names the id: ask WeCom for the rest. A shuffle of the groups asks for everything."""
    is_group = event.tag_type == "tag_group" or isinstance(event, TagsShuffled)
    payload: dict[str, list[str]] = {"tag_ids": [], "group_ids": []}
    if event.target_id:
        payload["group_ids" if is_group else "tag_ids"] = [event.target_id]
    _ask(event, uow, payload)


def record_deleted(event: TagDeleted, uow: UnitOfWork) -> None:
    """A tag or a whole group is gone."""
    if event.tag_type == "tag_group":
        service.forget_group(uow, event.corp, event.target_id)
    else:
        service.forget_tags(uow, event.corp, [event.target_id])


def record_library(event: TagsFetched, uow: UnitOfWork) -> None:
    """WeCom told us about the library or a part of it."""
    complete = not event.asked_tags and not event.asked_groups
    service.apply_library(uow, event.corp, event.groups, complete=complete)


def rename_staff(event: StaffUpdated, uow: UnitOfWork) -> None:
    """A changed userid is carried through the tags; a mark that a sync has found under the new one stays single."""
    if event.new_staff is None or event.new_staff == event.staff:
        return
    keyed = ((FollowTagRow, ("tag_id",)), (PersonalTagRow, ("name",)), (TagSuggestionRow, ("tag_id", "source")))
    for table, marks in keyed:
        columns = SQLModel.metadata.tables[str(table.__tablename__)]
        twin = columns.alias()
        of_old = (columns.c.corp_id == event.corp) & (columns.c.staff_userid == event.staff)
        doubled = select(twin.c.corp_id).where(
            twin.c.corp_id == event.corp,
            twin.c.staff_userid == event.new_staff,
            twin.c.external_userid == columns.c.external_userid,
            *(twin.c[mark] == columns.c[mark] for mark in marks),
        )
        uow.session.execute(delete(columns).where(of_old, doubled.exists()))
        uow.session.execute(update(columns).where(of_old).values(staff_userid=event.new_staff))
    hits = update(ChatTagHitRow).where(
        col(ChatTagHitRow.corp_id) == event.corp, col(ChatTagHitRow.staff_userid) == event.staff
    )
    uow.session.execute(hits.values(staff_userid=event.new_staff))


def _ask(event: TagLibraryEvent, uow: UnitOfWork, payload: dict[str, list[str]]) -> None:
    outbox.add(
        uow,
        outbox.FETCH_TAGS,
        corp=event.corp,
        app=event.app,
        payload=payload,
        dedupe_key=f"fetch_tags:{event.key}",
    )
