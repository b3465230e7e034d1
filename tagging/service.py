"""Corp tags on follows: wanted here, written to WeCom, kept in step with what WeCom says."""

from collections.abc import Iterable, Sequence

from sqlalchemy import bindparam
from sqlmodel import Session, col, select

from crm_core import erased, outbox, timeline
from crm_core.db import UnitOfWork
from crm_core.errors import InputInvalid, NotFound
from crm_core.ids import AppKey, CorpId, ExternalUserId, StaffUserId, TagId
from crm_core.ports import FollowFacts, TagGroupFacts
from tagging.model import CustomerTagView, TagGroupView, TagView
from tagging.personal import WECOM
from tagging.tables import FollowTagRow, PersonalTagRow, TagGroupRow, TagRow

CORP_TAG, PERSONAL_TAG = 1, 2

_KNOWN_TAGS = select(TagRow.tag_id).where(
    TagRow.corp_id == bindparam("corp"),
    col(TagRow.tag_id).in_(bindparam("tags", expanding=True)),
    col(TagRow.deleted).is_(False),
)
_TAGS_OF_FOLLOW = select(FollowTagRow).where(
    FollowTagRow.corp_id == bindparam("corp"),
    FollowTagRow.staff_userid == bindparam("staff"),
    FollowTagRow.external_userid == bindparam("external_user"),
)
_PERSONAL_TAGS = select(PersonalTagRow).where(
    PersonalTagRow.corp_id == bindparam("corp"),
    PersonalTagRow.staff_userid == bindparam("staff"),
    PersonalTagRow.external_userid == bindparam("external_user"),
)


def apply_library(uow: UnitOfWork, corp: CorpId, groups: Iterable[TagGroupFacts], *, complete: bool) -> None:
    """Bring the library in step with WeCom. ``complete``: what is not listed was deleted."""
    session = uow.session
    seen_groups: set[str] = set()
    seen_tags: set[str] = set()
    for facts in groups:
        seen_groups.add(facts.group_id)
        session.merge(TagGroupRow(corp_id=corp, group_id=facts.group_id, name=facts.name, sort_order=facts.sort_order))
        for tag in facts.tags:
            seen_tags.add(tag.tag_id)
            session.merge(
                TagRow(
                    corp_id=corp,
                    tag_id=tag.tag_id,
                    group_id=facts.group_id,
                    name=tag.name,
                    sort_order=tag.sort_order,
                )
            )
    session.flush()
    if complete:
        rows = session.exec(select(TagRow).where(TagRow.corp_id == corp, col(TagRow.deleted).is_(False))).all()
        forget_tags(uow, corp, [row.tag_id for row in rows if row.tag_id not in seen_tags])
        gone = select(TagGroupRow).where(TagGroupRow.corp_id == corp, col(TagGroupRow.deleted).is_(False))
        for group in session.exec(gone):
            if group.group_id not in seen_groups:
                group.deleted = True
                session.add(group)


def forget_tags(uow: UnitOfWork, corp: CorpId, tag_ids: Sequence[str]) -> None:
    """Tags were deleted at WeCom: mark them and take them off every follow."""
    if not tag_ids:
        return
    for tag in uow.session.exec(select(TagRow).where(TagRow.corp_id == corp, col(TagRow.tag_id).in_(tag_ids))):
        tag.deleted = True
        uow.session.add(tag)
    for row in uow.session.exec(
        select(FollowTagRow).where(FollowTagRow.corp_id == corp, col(FollowTagRow.tag_id).in_(tag_ids))
    ):
        uow.session.delete(row)


def forget_group(uow: UnitOfWork, corp: CorpId, group_id: str) -> None:
    """A whole group was deleted at WeCom; no event per tag comes, so drop its tags here."""
    group = uow.session.get(TagGroupRow, (corp, group_id))
    if group is not None:
        group.deleted = True
        uow.session.add(group)
    tags = uow.session.exec(select(TagRow.tag_id).where(TagRow.corp_id == corp, TagRow.group_id == group_id)).all()
    forget_tags(uow, corp, list(tags))


def drop_empty_groups(uow: UnitOfWork, corp: CorpId) -> None:
    """WeCom drops a group with its last tag; so do we."""
    for group in library(uow.session, corp):
        if not group.tags:
            forget_group(uow, corp, group.group_id)


def library(session: Session, corp: CorpId) -> list[TagGroupView]:
    """The library in WeCom's order (larger order first)."""
    groups = session.exec(
        select(TagGroupRow)
        .where(TagGroupRow.corp_id == corp, col(TagGroupRow.deleted).is_(False))
        .order_by(col(TagGroupRow.sort_order).desc(), TagGroupRow.name)
    ).all()
    tags = session.exec(
        select(TagRow)
        .where(TagRow.corp_id == corp, col(TagRow.deleted).is_(False))
        .order_by(col(TagRow.sort_order).desc(), TagRow.name)
    ).all()
    return [
        TagGroupView(
            group_id=group.group_id,
            name=group.name,
            tags=tuple(TagView(tag_id=tag.tag_id, name=tag.name) for tag in tags if tag.group_id == group.group_id),
        )
        for group in groups
    ]


def tags_of(session: Session, corp: CorpId, external_user: ExternalUserId) -> list[CustomerTagView]:
    """Corp tags on any follow of the customer, grouped order."""
    rows = session.exec(
        select(FollowTagRow, TagRow.name, TagGroupRow.name)
        .join(TagRow, (col(TagRow.corp_id) == FollowTagRow.corp_id) & (col(TagRow.tag_id) == FollowTagRow.tag_id))
        .join(
            TagGroupRow,
            (col(TagGroupRow.corp_id) == TagRow.corp_id) & (col(TagGroupRow.group_id) == TagRow.group_id),
        )
        .where(FollowTagRow.corp_id == corp, FollowTagRow.external_userid == external_user)
        .order_by(col(TagGroupRow.sort_order).desc(), TagGroupRow.name, col(TagRow.sort_order).desc(), TagRow.name)
    ).all()
    return [
        CustomerTagView(
            tag_id=row.tag_id,
            name=name,
            group_name=group_name,
            staff=row.staff_userid,
            status=row.status,
            source=row.source,
            error=row.last_error,
        )
        for row, name, group_name in rows
    ]


def recent_tags(session: Session, corp: CorpId, staff: StaffUserId, *, limit: int = 8) -> list[str]:
    """Ids of the tags that a staff member set last by hand, newest first."""
    rows = session.exec(
        select(FollowTagRow.tag_id)
        .where(FollowTagRow.corp_id == corp, FollowTagRow.staff_userid == staff, FollowTagRow.source == "staff")
        .order_by(col(FollowTagRow.changed_at).desc())
        .limit(limit * 10)
    )
    return list(dict.fromkeys(rows))[:limit]


def request_marks(
    uow: UnitOfWork,
    *,
    corp: CorpId,
    app: AppKey,
    staff: StaffUserId,
    external_user: ExternalUserId,
    add: Sequence[str] = (),
    remove: Sequence[str] = (),
    source: str,
    dedupe_key: str,
    cause: str = "",
) -> bool:
    """Want tags set or taken on one follow; WeCom is told after the commit. Answers whether anything changes.

    Unknown or deleted tags are left out when they come from a rule or channel, refused when a person asks.
    Raises: InputInvalid, NotFound.
    """
    known = set(uow.session.exec(_KNOWN_TAGS, params={"corp": corp, "tags": [*add, *remove]}))
    if source == "staff" and not set(add) <= known:
        raise NotFound("标签不存在或已被删除")
    if set(add) & set(remove):
        raise InputInvalid("同一个标签不能同时添加和移除", field="tags")
    given = {"corp": corp, "staff": staff, "external_user": external_user}
    present = {row.tag_id: row for row in uow.session.exec(_TAGS_OF_FOLLOW, params=given)}
    adding = [tag for tag in dict.fromkeys(add) if tag in known and _status(present, tag) not in ("set", "adding")]
    removing = [tag for tag in dict.fromkeys(remove) if _status(present, tag) in ("set", "adding", "failed")]
    if not adding and not removing:
        return False
    payload = {"staff": staff, "external_user": external_user, "add": adding, "remove": removing}
    added = outbox.add(uow, outbox.MARK_TAG, corp=corp, app=app, payload=payload, dedupe_key=dedupe_key, cause=cause)
    if added is None:  # asked for before; how that ended stands
        return False
    for tag, status in [(tag, "adding") for tag in adding] + [(tag, "removing") for tag in removing]:
        row = present.get(tag) or FollowTagRow(
            corp_id=corp, staff_userid=staff, external_userid=external_user, tag_id=tag, changed_at=uow.now()
        )
        row.status, row.last_error, row.changed_at = status, "", uow.now()
        row.source = source
        uow.session.add(row)
    return True


def _status(present: dict[str, FollowTagRow], tag: str) -> str:
    row = present.get(tag)
    return row.status if row is not None else ""


def settle_marks(
    uow: UnitOfWork,
    *,
    corp: CorpId,
    staff: StaffUserId,
    external_user: ExternalUserId,
    added: Sequence[TagId],
    removed: Sequence[TagId],
    error: str,
    key: str,
) -> None:
    """A mark_tag call reached its end: make the wanted tags real, or say why they are not."""
    changes = []
    for tag, wanted in [(tag, True) for tag in added] + [(tag, False) for tag in removed]:
        row = uow.session.get(FollowTagRow, (corp, staff, external_user, tag))
        if row is None:
            continue
        if error:
            row.status, row.last_error = ("failed" if wanted else "set"), error
            uow.session.add(row)
        elif wanted:
            row.status, row.last_error = "set", ""
            uow.session.add(row)
            changes.append((tag, True, row.source))
        else:
            uow.session.delete(row)
            changes.append((tag, False, row.source))
    uow.session.flush()
    _tell_timeline(uow, corp, staff, external_user, changes, key)


def apply_follow_tags(
    uow: UnitOfWork, corp: CorpId, external_user: ExternalUserId, facts: FollowFacts, *, key: str
) -> None:
    """Bring the tags of one follow in step with WeCom; what we are writing, and erased people, are left alone."""
    if erased.is_erased(uow.session, corp, external_user):
        return
    marks = [mark for mark in facts.tags if mark.kind == CORP_TAG and mark.tag_id]
    listed = {str(mark.tag_id) for mark in marks}
    given = {"corp": corp, "staff": facts.staff, "external_user": external_user}
    rows = uow.session.exec(_TAGS_OF_FOLLOW, params=given).all()
    changes: list[tuple[str, bool, str]] = []
    for row in rows:
        if row.tag_id not in listed and row.status == "set":
            uow.session.delete(row)
            changes.append((row.tag_id, False, "wecom"))
        elif row.tag_id in listed and row.status in ("adding", "failed"):
            row.status, row.last_error = "set", ""
            uow.session.add(row)
    for tag in sorted(listed - {row.tag_id for row in rows}):
        uow.session.add(
            FollowTagRow(
                corp_id=corp,
                staff_userid=facts.staff,
                external_userid=external_user,
                tag_id=tag,
                status="set",
                source="wecom",
                changed_at=uow.now(),
            )
        )
        changes.append((tag, True, "wecom"))
    if not facts.tag_ids_only:
        _apply_personal(uow, corp, external_user, facts)
    uow.session.flush()
    _tell_timeline(uow, corp, facts.staff, external_user, changes, key)


def _apply_personal(uow: UnitOfWork, corp: CorpId, external_user: ExternalUserId, facts: FollowFacts) -> None:
    wanted = {mark.name for mark in facts.tags if mark.kind == PERSONAL_TAG}
    given = {"corp": corp, "staff": facts.staff, "external_user": external_user}
    for row in uow.session.exec(_PERSONAL_TAGS, params=given):
        if row.name in wanted:
            wanted.discard(row.name)
        elif row.source == WECOM:
            uow.session.delete(row)
    for name in sorted(wanted):
        uow.session.add(
            PersonalTagRow(
                corp_id=corp,
                staff_userid=facts.staff,
                external_userid=external_user,
                name=name,
                source=WECOM,
                added_at=uow.now(),
            )
        )


def _tell_timeline(
    uow: UnitOfWork,
    corp: CorpId,
    staff: StaffUserId,
    external_user: ExternalUserId,
    changes: Sequence[tuple[str, bool, str]],
    key: str,
) -> None:
    if not changes:
        return
    names = dict(
        uow.session.exec(
            select(TagRow.tag_id, TagRow.name).where(
                TagRow.corp_id == corp, col(TagRow.tag_id).in_([tag for tag, _, _ in changes])
            )
        ).all()
    )
    for wanted, kind in ((True, "tag.added"), (False, "tag.removed")):
        told = [(tag, source) for tag, is_added, source in changes if is_added is wanted]
        if told:
            timeline.append(
                uow,
                corp=corp,
                external_user=external_user,
                staff=staff,
                kind=kind,
                at=uow.now(),
                dedupe_key=f"{kind}:{key}:{staff}",
                data={"tags": [names.get(tag, tag) for tag, _ in told], "source": told[0][1]},
            )
