"""What was suggested from chats, for people to look at, and what they said of it."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, or_
from sqlmodel import Session, col, select

from crm_core.errors import NotFound
from crm_core.ids import CorpId, ExternalUserId, StaffUserId
from tagging.suggestions import APPLIED, CONFIRMED, DISMISSED, ON, REFUSED, SUGGESTED
from tagging.tables import FollowTagRow, TagGroupRow, TagRow, TagSuggestionRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """One suggestion for display. position: the message that proves it."""

    id: int
    staff: str
    external_user: str
    tag_id: str
    tag_name: str
    group_name: str
    source: str
    origin: str
    version: int
    confidence: float
    position: int
    state: str
    settled_by: str
    created_at: datetime
    settled_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What people said of one source's suggestions. precision: of those judged, None while nobody has."""

    waiting: int = 0
    right: int = 0
    wrong: int = 0
    applied: int = 0

    @property
    def precision(self) -> float | None:
        """The share of the judged ones that were right."""
        return self.right / (self.right + self.wrong) if self.right + self.wrong else None

    @property
    def trust(self) -> float:
        """How sure the next one is: 0.8 for a rule that nobody has judged, then what people said."""
        return (self.right + 4) / (self.right + self.wrong + 5)


def get(session: Session, corp: CorpId, suggestion_id: int) -> Suggestion:
    """One suggestion. Raises: NotFound."""
    row = session.get(TagSuggestionRow, suggestion_id)
    if row is None or row.corp_id != corp:
        raise NotFound("没有这条标签建议")
    return _views(session, corp, [row])[0]


def of_follow(
    session: Session,
    corp: CorpId,
    staff: StaffUserId,
    external_user: ExternalUserId,
    *,
    since: datetime,
    just_now: datetime,
) -> list[Suggestion]:
    """What a staff member should see of a customer, each tag once: open questions, what was applied by itself since
    ``since``, and what they answered since ``just_now``, to take it back.
    """
    rows = session.exec(
        select(TagSuggestionRow)
        .where(
            TagSuggestionRow.corp_id == corp,
            TagSuggestionRow.staff_userid == staff,
            TagSuggestionRow.external_userid == external_user,
            or_(
                col(TagSuggestionRow.state) == SUGGESTED,
                (col(TagSuggestionRow.state) == APPLIED) & (col(TagSuggestionRow.settled_at) >= since),
                col(TagSuggestionRow.state).in_((CONFIRMED, DISMISSED))
                & (col(TagSuggestionRow.settled_by) == staff)
                & (col(TagSuggestionRow.settled_at) >= just_now),
            ),
        )
        .order_by(col(TagSuggestionRow.confidence).desc(), col(TagSuggestionRow.id))
    ).all()
    if not rows:
        return []
    carried = set(
        session.exec(
            select(FollowTagRow.tag_id).where(
                FollowTagRow.corp_id == corp,
                FollowTagRow.staff_userid == staff,
                FollowTagRow.external_userid == external_user,
                col(FollowTagRow.status).in_(ON),
            )
        )
    )
    seen: dict[str, TagSuggestionRow] = {}
    for row in rows:
        if (row.tag_id in carried) == (row.state in (APPLIED, CONFIRMED)):
            seen.setdefault(row.tag_id, row)
    return _views(session, corp, sorted(seen.values(), key=lambda row: row.state != SUGGESTED))


def of_customer(session: Session, corp: CorpId, external_user: ExternalUserId) -> list[Suggestion]:
    """Everything that was ever suggested for a customer."""
    statement = select(TagSuggestionRow).where(
        TagSuggestionRow.corp_id == corp, TagSuggestionRow.external_userid == external_user
    )
    return _views(session, corp, session.exec(statement.order_by(col(TagSuggestionRow.id))).all())


def of_source(
    session: Session,
    corp: CorpId,
    source: str,
    *,
    visible: AbstractSet[str] | None = None,
    before: int = 0,
    limit: int = 20,
) -> list[Suggestion]:
    """What a rule or the learner proposed on follows of these staff (None: anybody's), the newest first."""
    statement = select(TagSuggestionRow).where(TagSuggestionRow.corp_id == corp, TagSuggestionRow.source == source)
    if visible is not None:
        statement = statement.where(col(TagSuggestionRow.staff_userid).in_(sorted(visible)))
    if before:
        statement = statement.where(col(TagSuggestionRow.id) < before)
    return _views(session, corp, session.exec(statement.order_by(col(TagSuggestionRow.id).desc()).limit(limit)).all())


def _views(session: Session, corp: CorpId, rows: Sequence[TagSuggestionRow]) -> list[Suggestion]:
    names = {
        tag: (name, group)
        for tag, name, group in session.exec(
            select(TagRow.tag_id, TagRow.name, TagGroupRow.name)
            .join(
                TagGroupRow,
                (col(TagGroupRow.corp_id) == TagRow.corp_id) & (col(TagGroupRow.group_id) == TagRow.group_id),
            )
            .where(TagRow.corp_id == corp, col(TagRow.tag_id).in_({row.tag_id for row in rows}))
        )
    }
    return [
        Suggestion(
            id=row.id or 0,
            staff=row.staff_userid,
            external_user=row.external_userid,
            tag_id=row.tag_id,
            tag_name=names.get(row.tag_id, ("已删除的标签", ""))[0],
            group_name=names.get(row.tag_id, ("", ""))[1],
            source=row.source,
            origin=row.origin,
            version=row.version,
            confidence=row.confidence,
            position=row.position,
            state=row.state,
            settled_by=row.settled_by,
            created_at=row.created_at,
            settled_at=row.settled_at,
        )
        for row in rows
    ]


def judgements(session: Session, corp: CorpId) -> dict[str, Judgement]:
    """What people said, by source."""
    counts: dict[str, dict[str, int]] = {}
    rows = session.exec(
        select(TagSuggestionRow.source, TagSuggestionRow.state, func.count())
        .where(TagSuggestionRow.corp_id == corp)
        .group_by(TagSuggestionRow.source, TagSuggestionRow.state)
    )
    for source, state, count in rows:
        counts.setdefault(source, {})[state] = count
    return {
        source: Judgement(
            waiting=found.get(SUGGESTED, 0),
            right=found.get(CONFIRMED, 0),
            wrong=sum(found.get(state, 0) for state in REFUSED),
            applied=found.get(APPLIED, 0),
        )
        for source, found in counts.items()
    }
