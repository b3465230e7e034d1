"""Who carries which tags: for lists, counts and bulk acts."""

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from sqlalchemy import Select, func, select
from sqlmodel import Session, col

from crm_core.ids import CorpId
from tagging.model import TagView
from tagging.tables import FollowTagRow, TagRow

ON = ("set", "adding")


def holders(corp: CorpId, tag_ids: Sequence[str], visible: AbstractSet[str] | None) -> Select[Any]:
    """External users who carry any of the tags on a follow of these staff (None: anybody's); for a customer list."""
    statement = select(FollowTagRow.external_userid).where(  # type: ignore[call-overload]
        col(FollowTagRow.corp_id) == corp,
        col(FollowTagRow.tag_id).in_(tag_ids),
        col(FollowTagRow.status).in_((*ON, "removing")),
    )
    if visible is not None:
        statement = statement.where(col(FollowTagRow.staff_userid).in_(sorted(visible)))
    return statement  # type: ignore[no-any-return]


def tags_of_many(
    session: Session, corp: CorpId, external_users: Sequence[str], visible: AbstractSet[str] | None
) -> dict[str, list[TagView]]:
    """The tags of each customer on follows in sight, each once, in the library's order."""
    statement = (
        select(FollowTagRow.external_userid, FollowTagRow.staff_userid, TagRow.tag_id, TagRow.name)  # type: ignore[call-overload]
        .join(TagRow, (col(TagRow.corp_id) == FollowTagRow.corp_id) & (col(TagRow.tag_id) == FollowTagRow.tag_id))
        .where(
            col(FollowTagRow.corp_id) == corp,
            col(FollowTagRow.external_userid).in_(external_users),
            col(FollowTagRow.status).in_(ON),
        )
        .order_by(col(TagRow.group_id), col(TagRow.sort_order).desc(), col(TagRow.name))
    )
    found: dict[str, dict[str, TagView]] = {one: {} for one in external_users}
    for external_user, userid, tag_id, name in session.connection().execute(statement):
        if visible is None or userid in visible:
            found[external_user].setdefault(tag_id, TagView(tag_id=tag_id, name=name))
    return {external_user: list(tags.values()) for external_user, tags in found.items()}


def carried(
    session: Session, corp: CorpId, external_user: str, tag_ids: Iterable[str], visible: AbstractSet[str] | None
) -> dict[str, set[str]]:
    """Which of these tags each staff member in sight has on the customer."""
    statement = select(FollowTagRow.staff_userid, FollowTagRow.tag_id).where(  # type: ignore[call-overload]
        col(FollowTagRow.corp_id) == corp,
        col(FollowTagRow.external_userid) == external_user,
        col(FollowTagRow.tag_id).in_(list(tag_ids)),
        col(FollowTagRow.status).in_(ON),
    )
    found: dict[str, set[str]] = {}
    for userid, tag_id in session.connection().execute(statement):
        if visible is None or userid in visible:
            found.setdefault(userid, set()).add(tag_id)
    return found


def usage(session: Session, corp: CorpId, visible: AbstractSet[str] | None) -> dict[str, int]:
    """How many customers in sight carry each tag."""
    statement = (
        select(FollowTagRow.tag_id, func.count(func.distinct(FollowTagRow.external_userid)))  # type: ignore[call-overload]
        .where(col(FollowTagRow.corp_id) == corp, col(FollowTagRow.status).in_(ON))
        .group_by(col(FollowTagRow.tag_id))
    )
    if visible is not None:
        statement = statement.where(col(FollowTagRow.staff_userid).in_(sorted(visible)))
    return {tag_id: int(count) for tag_id, count in session.connection().execute(statement)}
