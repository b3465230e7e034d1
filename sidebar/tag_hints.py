"""Read model of the tags that chats speak for: what to answer, what was set by itself, and the way back."""

from dataclasses import dataclass
from datetime import timedelta

from crm_core.ids import ExternalUserId
from sidebar.desk import Desk
from tagging import chat_rule_book, suggestion_list
from tagging.suggestions import APPLIED, CONFIRMED, DISMISSED, LEARNED, ORIGIN_NAMES, SUGGESTED

APPLIED_SHOWN = timedelta(days=7)
ANSWER_SHOWN = timedelta(minutes=5)  # how long the way back stays on the page
MOST_SHOWN, SENTENCE_CHARS = 4, 60
SAID = {SUGGESTED: "建议标签", APPLIED: "已自动打上", CONFIRMED: "已打上", DISMISSED: "已忽略"}


@dataclass(frozen=True, slots=True, kw_only=True)
class TagHint:
    """One tag with the sentence that proves it. back: the act that takes the answer back, "" while it is open."""

    id: int
    said: str
    tag: str
    sentence: str
    why: str
    at: str
    back: str

    @property
    def is_open(self) -> bool:
        """Whether it waits for an answer."""
        return not self.back


def tag_hints(desk: Desk, external_user: ExternalUserId) -> tuple[TagHint, ...]:
    """The hints on one's own follow with a customer."""
    found = suggestion_list.of_follow(
        desk.session,
        desk.corp,
        desk.staff,
        external_user,
        since=desk.now - APPLIED_SHOWN,
        just_now=desk.now - ANSWER_SHOWN,
    )[:MOST_SHOWN]
    if not found:
        return ()
    rules = chat_rule_book.names(desk.session, desk.corp)
    hints = []
    for one in found:
        proof = desk.room.chats.read(desk.session, desk.corp, one.position, one.position)
        origin = ORIGIN_NAMES[one.origin]
        named = origin if one.origin == LEARNED else f"{origin}「{rules.get(one.source, '已删除')}」"
        hints.append(
            TagHint(
                id=one.id,
                said=SAID[one.state],
                tag=one.tag_name,
                sentence=_shortened(proof[0].message.text) if proof else "",
                why=f"{named} · 把握 {one.confidence:.0%}",
                at=desk.spoken(proof[0].message.sent_at) if proof else "",
                back={SUGGESTED: "", DISMISSED: "reopen"}.get(one.state, "undo"),
            )
        )
    return tuple(hints)


def _shortened(text: str) -> str:
    told = " ".join(text.split())
    return told if len(told) <= SENTENCE_CHARS else f"{told[: SENTENCE_CHARS - 1]}…"
