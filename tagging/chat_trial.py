"""A rule tried on what was said already, before it goes live: what it would find, and how often it would be right.

Right: the customer carries the tag on some follow. Wrong: somebody refused it for them. The rest nobody knows yet.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from sqlmodel import Session, col, select

from crm_core import customer_acts, customer_list
from crm_core.chat.model import StoredMessage
from crm_core.errors import NotFound
from crm_core.ids import CorpId, ExternalUserId
from tagging.chat_match import Match
from tagging.chat_reader import customer_of, follow_of
from tagging.chat_rules import ChatRule, is_often_enough
from tagging.suggestions import ON, REFUSED
from tagging.tables import FollowTagRow, TagSuggestionRow

MOST_EXAMPLES = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A message that fits. verdict: right | wrong | unknown."""

    position: int
    staff: str
    external_user: str
    text: str
    confidence: float
    verdict: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What a rule would have found in ``looked_at`` messages. missed: others in them who carry the tag."""

    looked_at: int
    hits: int = 0
    customers: int = 0
    right: int = 0
    wrong: int = 0
    missed: int = 0
    examples: tuple[Example, ...] = field(default=())

    @property
    def precision(self) -> float | None:
        """The share of known ones that are right."""
        return self.right / (self.right + self.wrong) if self.right + self.wrong else None

    @property
    def recall(self) -> float | None:
        """The share of those who carry the tag that the rule finds."""
        return self.right / (self.right + self.missed) if self.right + self.missed else None


def judge(
    session: Session,
    corp: CorpId,
    rule: ChatRule,
    messages: Sequence[StoredMessage],
    matches: Sequence[Match],
    visible: AbstractSet[str] | None,
) -> Trial:
    """What the matches of a rule come to, among follows in sight."""
    people = sorted({who for message in messages if (who := customer_of(message))})
    followers = customer_list.follows_of(session, corp, people, visible)
    seen = {who for who in people if followers.get(who)}
    found: dict[tuple[str, str], list[Match]] = {}
    for match in matches:
        who = customer_of(match.message)
        staff = follow_of(match.message, followers.get(who, []))
        if staff:
            found.setdefault((staff, who), []).append(match)
    fitting = {
        place: some
        for place, some in found.items()
        if is_often_enough(rule.conditions, (match.message.message.sent_at for match in some))
        and _is_at_stage(session, corp, rule, place[1])
    }
    carriers, refusers = _carriers(session, corp, rule.tag_id, people), _refusers(session, corp, rule.tag_id, people)
    hit = {who for _, who in fitting}
    return Trial(
        looked_at=len(messages),
        hits=sum(len(some) for some in fitting.values()),
        customers=len(hit),
        right=len(hit & carriers),
        wrong=len((hit & refusers) - carriers),
        missed=len((carriers & seen) - hit),
        examples=tuple(
            Example(
                position=some[-1].message.position,
                staff=staff,
                external_user=who,
                text=some[-1].message.message.text,
                confidence=some[-1].confidence,
                verdict="right" if who in carriers else "wrong" if who in refusers else "unknown",
            )
            for (staff, who), some in sorted(fitting.items(), key=lambda one: -one[1][-1].message.position)[
                :MOST_EXAMPLES
            ]
        ),
    )


def _is_at_stage(session: Session, corp: CorpId, rule: ChatRule, who: str) -> bool:
    if not rule.conditions.stages:
        return True
    try:
        return customer_acts.stage_of(session, corp, ExternalUserId(who)) in rule.conditions.stages
    except NotFound:
        return False


def _carriers(session: Session, corp: CorpId, tag_id: str, people: Sequence[str]) -> set[str]:
    rows = session.exec(
        select(FollowTagRow.external_userid).where(
            FollowTagRow.corp_id == corp, FollowTagRow.tag_id == tag_id, col(FollowTagRow.status).in_(ON)
        )
    )
    return set(rows) & set(people)


def _refusers(session: Session, corp: CorpId, tag_id: str, people: Sequence[str]) -> set[str]:
    rows = session.exec(
        select(TagSuggestionRow.external_userid).where(
            TagSuggestionRow.corp_id == corp,
            TagSuggestionRow.tag_id == tag_id,
            col(TagSuggestionRow.state).in_(REFUSED),
        )
    )
    return set(rows) & set(people)
