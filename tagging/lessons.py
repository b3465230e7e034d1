"""What the learner is taught: sentences whose tag people confirmed, refused or set by hand, and everyday ones."""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

from sqlmodel import Session, col, select

from crm_core.chat.model import Conversation, StoredMessage
from crm_core.chat.store import ChatStore
from crm_core.ids import CorpId
from tagging import service
from tagging.chat_reader import spoken_by_customers
from tagging.learned import NOTHING
from tagging.learner import Lesson
from tagging.semantic import EVERYDAY
from tagging.suggestions import CONFIRMED, REFUSED
from tagging.tables import FollowTagRow, TagSuggestionRow

LEAST_SENTENCES = 5  # a tag with fewer is not learnt
BY_HAND, EVERYDAY_WEIGHT = 0.4, 0.5  # what a tag set by hand was about is a guess; everyday sentences are many
BEFORE, AFTER = timedelta(days=2), timedelta(minutes=10)  # what was said around the moment a tag was set by hand
SENTENCES_BY_HAND = 3
LOOKED_AT = 30
MOST_JUDGED, MOST_BY_HAND, MOST_EVERYDAY = 20_000, 3_000, 3_000
PAGE = 500


class _Notes:
    """Sentences with labels, each once per label. people: customers who have a tag; all they say may be about it."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.labels: list[str] = []
        self.weights: list[float] = []
        self.seen: dict[tuple[str, str], int] = {}
        self.people: set[str] = set()

    def add(self, text: str, label: str, weight: float) -> None:
        """Note a sentence; the same once more with the same label makes it count more, up to 3 times."""
        at = self.seen.get((text, label))
        if at is not None:
            self.weights[at] = min(3.0, self.weights[at] + weight)
            return
        self.seen[text, label] = len(self.texts)
        self.texts.append(text)
        self.labels.append(label)
        self.weights.append(weight)


def gather(session: Session, corp: CorpId, chats: ChatStore, head: int) -> Lesson:
    """All there is to learn from, with the tags' own names as descriptions. head: the last position to look at."""
    notes = _Notes()
    told = _judged(session, corp, chats, notes)
    told |= _by_hand(session, corp, chats, notes, told)
    positives = sum(label != NOTHING for label in notes.labels)
    _everyday(session, corp, chats, notes, told, head=head, most=max(60, 2 * positives))
    counts = Counter(notes.labels)
    kept = [at for at, label in enumerate(notes.labels) if label == NOTHING or counts[label] >= LEAST_SENTENCES]
    names = {tag.tag_id: f"{group.name} {tag.name}" for group in service.library(session, corp) for tag in group.tags}
    kept = [at for at in kept if notes.labels[at] == NOTHING or notes.labels[at] in names]
    return Lesson(
        texts=[notes.texts[at] for at in kept],
        labels=[notes.labels[at] for at in kept],
        weights=[notes.weights[at] for at in kept],
        descriptions={label: names[label] for label in {notes.labels[at] for at in kept} if label != NOTHING},
    )


def _judged(session: Session, corp: CorpId, chats: ChatStore, notes: _Notes) -> set[int]:
    """Suggestions people judged. Tags that a machine applied and nobody looked at teach nothing."""
    rows = session.exec(
        select(TagSuggestionRow)
        .where(TagSuggestionRow.corp_id == corp, col(TagSuggestionRow.state).in_((CONFIRMED, *REFUSED)))
        .order_by(col(TagSuggestionRow.settled_at).desc())
        .limit(MOST_JUDGED)
    ).all()
    said = _texts_at(session, corp, chats, sorted({row.position for row in rows}))
    confirmed = {row.position for row in rows if row.state == CONFIRMED}
    notes.people |= {row.external_userid for row in rows if row.state == CONFIRMED}
    for row in rows:
        text = said.get(row.position, "")
        if text and row.state == CONFIRMED:
            notes.add(text, row.tag_id, 1.0)
        elif text and row.position not in confirmed:
            notes.add(text, NOTHING, 1.0)
    return set(said)


def _texts_at(session: Session, corp: CorpId, chats: ChatStore, positions: Sequence[int]) -> dict[int, str]:
    """What was said at each position that is still there; neighbours are read together."""
    found: dict[int, str] = {}
    wanted, start = set(positions), 0
    while start < len(positions):
        first, end = positions[start], start
        while (
            end + 1 < len(positions) and positions[end + 1] - first < PAGE and positions[end + 1] - positions[end] < 50
        ):
            end += 1
        for message in chats.read(session, corp, first, positions[end]):
            if message.position in wanted:
                found[message.position] = message.message.text.strip()
        start = end + 1
    return found


def _by_hand(session: Session, corp: CorpId, chats: ChatStore, notes: _Notes, told: set[int]) -> set[int]:
    """Tags that staff set by hand: the customer's last sentences before may have been why."""
    rows = session.exec(
        select(FollowTagRow)
        .where(FollowTagRow.corp_id == corp, FollowTagRow.source == "staff", FollowTagRow.status == "set")
        .order_by(col(FollowTagRow.changed_at).desc())
        .limit(MOST_BY_HAND)
    ).all()
    used: set[int] = set()
    notes.people |= {row.external_userid for row in rows}
    for row in rows:
        where = Conversation.single(row.staff_userid, row.external_userid)
        near = [
            one
            for one in spoken_by_customers(chats.last_of(session, corp, where, LOOKED_AT))
            if row.changed_at - BEFORE <= one.message.sent_at <= row.changed_at + AFTER and one.position not in told
        ]
        for one in near[-SENTENCES_BY_HAND:]:
            notes.add(one.message.text.strip(), row.tag_id, BY_HAND)
            used.add(one.position)
    return used


def _everyday(
    session: Session, corp: CorpId, chats: ChatStore, notes: _Notes, told: set[int], *, head: int, most: int
) -> None:
    """Sentences of customers whom nobody tagged, from the newest ones on."""
    for text in EVERYDAY:
        notes.add(text, NOTHING, EVERYDAY_WEIGHT)
    left, last = min(most, MOST_EVERYDAY), head
    while left > 0 and last > 0:
        some: list[StoredMessage] = chats.read(session, corp, max(1, last - PAGE + 1), last)
        spoken = [
            one.message.text.strip()
            for one in spoken_by_customers(some)
            if one.position not in told and one.message.sender.id not in notes.people
        ]
        for text in spoken[-left:]:
            notes.add(text, NOTHING, EVERYDAY_WEIGHT)
        left -= len(spoken)
        last -= PAGE
