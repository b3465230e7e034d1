"""Tags that messages speak for: proposed once, confirmed, dismissed or applied by rule, and taken back.

A follow, a tag and a source (a rule, or the learner) have one row for ever: what a person said of it stands. Only a
rule whose conditions were changed may propose again, and then it asks, whatever its mode.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Table
from sqlalchemy import select as core_select
from sqlmodel import Session, SQLModel, col, select

from crm_core.db import UnitOfWork
from crm_core.errors import Conflict, NotFound
from crm_core.events import CustomerFetched, TagsMarked
from crm_core.ids import AppKey, CorpId, ExternalUserId, StaffUserId, TagId
from tagging import service
from tagging.chat_rules import APPLY
from tagging.service import CORP_TAG
from tagging.tables import FollowTagRow, TagRow, TagSuggestionRow

SUGGESTIONS: Table = SQLModel.metadata.tables[str(TagSuggestionRow.__tablename__)]
SUGGESTED, CONFIRMED, DISMISSED, APPLIED, UNDONE = "suggested", "confirmed", "dismissed", "applied", "undone"
STATE_NAMES = {
    SUGGESTED: "待确认",
    CONFIRMED: "已确认",
    DISMISSED: "已忽略",
    APPLIED: "自动打上",
    UNDONE: "已撤销",
}
RULE, SEMANTIC, LEARNED = "rule", "semantic", "learned"
ORIGIN_NAMES = {RULE: "规则", SEMANTIC: "例句", LEARNED: "学习"}
REFUSED = (DISMISSED, UNDONE)
SET = (CONFIRMED, APPLIED)
ON = ("set", "adding")
SOURCE, CAUSE = "chat", "chat_tags"
MACHINE, AT_WECOM = "", "wecom"
MOST_NAMES = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A message that speaks for a tag on a follow."""

    staff: str
    external_user: str
    tag_id: str
    source: str
    origin: str
    version: int
    confidence: float
    position: int
    mode: str


class _Ledger:
    """What is known of the follows that a batch of proposals is about, read at once."""

    def __init__(self, session: Session, corp: CorpId, proposals: Sequence[Proposal]) -> None:
        people = sorted({one.external_user for one in proposals})
        tags = sorted({one.tag_id for one in proposals})
        self.known = set(
            session.exec(
                select(TagRow.tag_id).where(
                    TagRow.corp_id == corp, col(TagRow.tag_id).in_(tags), col(TagRow.deleted).is_(False)
                )
            )
        )
        self.rows: dict[tuple[str, str, str, str], Any] = {}
        self.refused: set[tuple[str, str, str]] = set()
        self.carried: set[tuple[str, str, str]] = set()
        for start in range(0, len(people), MOST_NAMES):
            self._read(session, corp, people[start : start + MOST_NAMES], tags)

    def _read(self, session: Session, corp: CorpId, people: Sequence[str], tags: Sequence[str]) -> None:
        columns = SUGGESTIONS.c
        for row in session.connection().execute(
            core_select(
                columns.id,
                columns.staff_userid,
                columns.external_userid,
                columns.tag_id,
                columns.source,
                columns.state,
                columns.version,
                columns.position,
            ).where(columns.corp_id == corp, columns.external_userid.in_(people), columns.tag_id.in_(tags))
        ):
            self.rows[row.staff_userid, row.external_userid, row.tag_id, row.source] = row
            if row.state in REFUSED:
                self.refused.add((row.staff_userid, row.external_userid, row.tag_id))
        marks = select(FollowTagRow.staff_userid, FollowTagRow.external_userid, FollowTagRow.tag_id).where(
            FollowTagRow.corp_id == corp,
            col(FollowTagRow.external_userid).in_(people),
            col(FollowTagRow.tag_id).in_(tags),
            col(FollowTagRow.status).in_(ON),
        )
        self.carried.update((staff, who, tag) for staff, who, tag in session.exec(marks))


def propose(uow: UnitOfWork, corp: CorpId, app: AppKey, proposals: Sequence[Proposal]) -> list[int]:
    """Write down what is new of these, and have applied what a rule may apply. Answers the ids of what is new.

    Nothing comes of a tag that is there already or no more, nor of what was proposed before.
    """
    if not proposals:
        return []
    uow.lock(f"tag_suggestions:{corp}")
    ledger = _Ledger(uow.session, corp, proposals)
    made: list[TagSuggestionRow] = []
    for one in proposals:
        place = (one.staff, one.external_user, one.tag_id)
        if one.tag_id not in ledger.known or place in ledger.carried:
            continue
        row = ledger.rows.get((*place, one.source))
        if row is not None and not _may_ask_again(row, one):
            continue
        is_applied = one.mode == APPLY and row is None and place not in ledger.refused
        kept = uow.session.get(TagSuggestionRow, row.id) if row is not None else None
        made.append(_written(uow, corp, one, kept, state=APPLIED if is_applied else SUGGESTED))
        ledger.rows[*place, one.source] = made[-1]
        if is_applied:
            ledger.carried.add(place)
    uow.session.flush()
    for new in made:
        if new.state == APPLIED:
            _mark(uow, app, new, wanted=True)
    return [new.id or 0 for new in made]


def _may_ask_again(row: Any, one: Proposal) -> bool:
    return row.state in REFUSED and one.version > row.version and one.position > row.position and one.origin != LEARNED


def _written(
    uow: UnitOfWork, corp: CorpId, one: Proposal, row: TagSuggestionRow | None, *, state: str
) -> TagSuggestionRow:
    now = uow.now()
    row = row or TagSuggestionRow(
        corp_id=corp,
        staff_userid=one.staff,
        external_userid=one.external_user,
        tag_id=one.tag_id,
        source=one.source,
        origin=one.origin,
        version=one.version,
        confidence=one.confidence,
        position=one.position,
        state=state,
        created_at=now,
        settled_at=now,
    )
    row.version, row.confidence, row.position = one.version, one.confidence, one.position
    row.state, row.settled_by, row.settled_at = state, MACHINE, now
    row.changes += 1
    uow.session.add(row)
    return row


def confirm(uow: UnitOfWork, corp: CorpId, app: AppKey, suggestion_id: int, *, by: StaffUserId) -> None:
    """A person agrees: the tag is set at WeCom too; other suggestions of it on the follow are settled with it.

    Also takes back a dismissal or an undoing. Raises: NotFound.
    """
    row = _row(uow.session, corp, suggestion_id)
    if row.state in SET:
        return
    for other in _of_tag(uow.session, row):
        if other.id == row.id or other.state == SUGGESTED:
            _settle(uow, other, CONFIRMED, by)
    _mark(uow, app, row, wanted=True)


def dismiss(uow: UnitOfWork, corp: CorpId, suggestion_id: int, *, by: StaffUserId) -> None:
    """A person disagrees: the tag is not proposed again, and the learner hears of it. Raises: NotFound, Conflict."""
    row = _row(uow.session, corp, suggestion_id)
    if row.state in REFUSED:
        return
    if row.state != SUGGESTED:
        raise Conflict("标签已经打上，请用“撤销”")
    for other in _of_tag(uow.session, row):
        if other.state == SUGGESTED:
            _settle(uow, other, DISMISSED, by)


def undo(uow: UnitOfWork, corp: CorpId, app: AppKey, suggestion_id: int, *, by: StaffUserId) -> None:
    """Take the tag off again, at WeCom too; the learner hears that it was wrong. Raises: NotFound, Conflict."""
    row = _row(uow.session, corp, suggestion_id)
    if row.state == UNDONE:
        return
    if row.state not in SET:
        raise Conflict("标签还没有打上")
    for other in _of_tag(uow.session, row):
        if other.state in SET:
            _settle(uow, other, UNDONE, by)
    _mark(uow, app, row, wanted=False)


def reopen(uow: UnitOfWork, corp: CorpId, suggestion_id: int, *, by: StaffUserId) -> None:
    """Take a dismissal back: the question is open again. Raises: NotFound, Conflict."""
    row = _row(uow.session, corp, suggestion_id)
    if row.state == SUGGESTED:
        return
    if row.state != DISMISSED:
        raise Conflict("这条建议没有被忽略")
    _settle(uow, row, SUGGESTED, by)


def withdraw(uow: UnitOfWork, corp: CorpId, app: AppKey, suggestion_ids: Iterable[int]) -> int:
    """Make undone what a back-fill did, as far as no person has judged it since. Answers how many went."""
    gone = 0
    for number in suggestion_ids:
        row = uow.session.get(TagSuggestionRow, number)
        if row is None or row.corp_id != corp or row.state not in (SUGGESTED, APPLIED):
            continue
        if row.state == APPLIED:
            row.changes += 1
            _mark(uow, app, row, wanted=False)
        uow.session.delete(row)
        gone += 1
    return gone


def _settle(uow: UnitOfWork, row: TagSuggestionRow, state: str, by: str) -> None:
    row.state, row.settled_by, row.settled_at = state, by, uow.now()
    row.changes += 1
    uow.session.add(row)


def _mark(uow: UnitOfWork, app: AppKey, row: TagSuggestionRow, *, wanted: bool) -> None:
    tags = [row.tag_id]
    service.request_marks(
        uow,
        corp=CorpId(row.corp_id),
        app=app,
        staff=StaffUserId(row.staff_userid),
        external_user=ExternalUserId(row.external_userid),
        add=tags if wanted else (),
        remove=() if wanted else tags,
        source=SOURCE,
        dedupe_key=f"chat_tag:{row.id}:{row.changes}",
        cause=CAUSE,
    )


def _row(session: Session, corp: CorpId, suggestion_id: int) -> TagSuggestionRow:
    row = session.get(TagSuggestionRow, suggestion_id, with_for_update=True)
    if row is None or row.corp_id != corp:
        raise NotFound("没有这条标签建议")
    return row


def _of_tag(session: Session, row: TagSuggestionRow) -> list[TagSuggestionRow]:
    statement = select(TagSuggestionRow).where(
        TagSuggestionRow.corp_id == row.corp_id,
        TagSuggestionRow.staff_userid == row.staff_userid,
        TagSuggestionRow.external_userid == row.external_userid,
        TagSuggestionRow.tag_id == row.tag_id,
    )
    return list(session.exec(statement))


def note_marked(event: TagsMarked, uow: UnitOfWork) -> None:
    """A person set or took the tag elsewhere (tag sheet, console): that answers the suggestion as well."""
    if event.outcome != "done" or event.cause:  # what an automation did is no answer
        return
    for added, states, following in ((True, (SUGGESTED, *REFUSED), CONFIRMED), (False, SET, UNDONE)):
        tags = [str(tag) for tag in (event.added if added else event.removed)]
        _answer(uow, event.corp, event.external_user, event.staff, tags, states, following)


def note_fetched(event: CustomerFetched, uow: UnitOfWork) -> None:
    """WeCom told which tags a follow carries: one of ours that is gone was taken off there."""
    for follow in () if not event.facts.follows else event.facts.follows:
        listed = {str(mark.tag_id) for mark in follow.tags if mark.kind == CORP_TAG}
        rows = uow.session.exec(
            select(TagSuggestionRow).where(
                TagSuggestionRow.corp_id == event.corp,
                TagSuggestionRow.external_userid == event.facts.external_user,
                TagSuggestionRow.staff_userid == follow.staff,
                col(TagSuggestionRow.state).in_(SET),
            )
        ).all()
        for row in rows:
            mark = uow.session.get(FollowTagRow, (event.corp, follow.staff, row.external_userid, row.tag_id))
            if row.tag_id not in listed and (mark is None or mark.status == "set"):
                _settle(uow, row, UNDONE, AT_WECOM)


def _answer(
    uow: UnitOfWork,
    corp: CorpId,
    external_user: ExternalUserId,
    staff: StaffUserId,
    tags: Sequence[str | TagId],
    states: Sequence[str],
    following: str,
) -> None:
    if not tags:
        return
    rows = uow.session.exec(
        select(TagSuggestionRow).where(
            TagSuggestionRow.corp_id == corp,
            TagSuggestionRow.external_userid == external_user,
            TagSuggestionRow.staff_userid == staff,
            col(TagSuggestionRow.tag_id).in_(tags),
            col(TagSuggestionRow.state).in_(states),
        )
    )
    for row in rows:
        _settle(uow, row, following, staff)
