"""Reads chats for tags: word rules and the learner at once, rules by meaning through a job with time for a model."""

import threading
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from sqlmodel import Session, col, delete, select

from crm_core import customer_acts, customer_list, outbox
from crm_core.chat.model import ConversationKind, PartyKind, StoredMessage
from crm_core.db import UnitOfWork
from crm_core.ids import AppKey, CorpId, ExternalUserId
from tagging import chat_rule_book, learned, suggestions
from tagging.chat_match import Match
from tagging.chat_rules import CUSTOMER, MEANING, STAFF, ChatRule, WordRules, is_often_enough
from tagging.semantic import worth
from tagging.suggestions import RULE, SEMANTIC, Proposal
from tagging.tables import ChatTagHitRow

MEANING_JOB, MEANING_LANE = "chat_tags.meaning", "meaning"
SPEECH = frozenset({"text", "mixed"})  # what somebody said in words of their own, not the title of a link
LEAST_CHARS = 2  # shorter sentences tell the learner nothing
FORGET = timedelta(days=1)


class ChatTagReader:
    """The chat reader ``tagging``. apps: through which app each corp is spoken to."""

    name = "tagging"

    def __init__(self, apps: Mapping[str, AppKey]) -> None:
        self._apps = dict(apps)
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[object, WordRules]] = {}
        self._learner = learned.Learner()

    def read(self, uow: UnitOfWork, corp: CorpId, messages: Sequence[StoredMessage], *, live: bool) -> None:
        """Propose what the messages speak for. History is read by a back-fill, when somebody asks for it."""
        if not live or corp not in self._apps:
            return
        rules = chat_rule_book.at_work(uow.session, corp)
        matches = self.by_words(corp, rules, messages)
        matches += self._learner.matches(uow.session, corp, spoken_by_customers(messages))
        self.record(uow, corp, matches)
        if any(rule.kind == MEANING for rule in rules) and worth([one.message.text for one in messages]):
            first, last = messages[0].position, messages[-1].position
            outbox.add_job(
                uow,
                MEANING_JOB,
                dedupe_key=f"{MEANING_JOB}:{corp}:{first}:{last}",
                payload={"corp": corp, "first": first, "last": last},
                lane=MEANING_LANE,
                corp=corp,
            )

    @property
    def corps(self) -> tuple[CorpId, ...]:
        """The corps it reads for."""
        return tuple(CorpId(corp) for corp in self._apps)

    def app(self, corp: CorpId) -> AppKey:
        """Through which app the corp is spoken to."""
        return self._apps[corp]

    def by_words(self, corp: CorpId, rules: Sequence[ChatRule], messages: Iterable[StoredMessage]) -> list[Match]:
        """What word rules find; the automaton is kept until the rules change."""
        return words_in(self._finder(corp, rules), messages)

    def by_learner(self, session: Session, corp: CorpId, messages: Sequence[StoredMessage]) -> list[Match]:
        """What the learner finds."""
        return self._learner.matches(session, corp, spoken_by_customers(messages))

    def _finder(self, corp: CorpId, rules: Sequence[ChatRule]) -> WordRules:
        now = tuple(rules)
        with self._lock:
            kept = self._kept.get(corp)
            if kept is None or kept[0] != now:
                kept = (now, WordRules(rules))
                self._kept[corp] = kept
            return kept[1]

    def record(self, uow: UnitOfWork, corp: CorpId, matches: Sequence[Match]) -> list[int]:
        """Propose what is found, on follows that live; rules that count wait until there is enough."""
        if not matches:
            return []
        people = sorted({who for match in matches if (who := customer_of(match.message))})
        followers = customer_list.follows_of(uow.session, corp, people, None)
        stages: dict[str, str] = {}
        found = []
        for match in matches:
            who = customer_of(match.message)
            staff = follow_of(match.message, followers.get(who, []))
            if not staff or not _is_at_stage(uow.session, corp, who, match, stages):
                continue
            if match.rule is None or match.rule.conditions.at_least == 1 or _counted(uow, corp, match, staff, who):
                found.append(
                    Proposal(
                        staff=staff,
                        external_user=who,
                        tag_id=match.tag_id,
                        source=match.source,
                        origin=match.origin,
                        version=match.version,
                        confidence=match.confidence,
                        position=match.message.position,
                        mode=match.mode,
                    )
                )
        return suggestions.propose(uow, corp, self.app(corp), found)


def words_in(finder: WordRules, messages: Iterable[StoredMessage]) -> list[Match]:
    """What word rules find in messages."""
    if not finder.rules:
        return []
    return [
        match_of(message, rule, rule.confidence)
        for message in messages
        if message.message.text and (speaker := speaker_of(message))
        for rule in finder.hits(message.message.text, speaker)
    ]


def match_of(message: StoredMessage, rule: ChatRule, confidence: float) -> Match:
    """A message that fits a rule."""
    return Match(
        message=message,
        tag_id=rule.tag_id,
        source=rule.source,
        origin=SEMANTIC if rule.kind == MEANING else RULE,
        version=rule.version,
        confidence=confidence,
        mode=rule.mode,
        rule=rule,
    )


def speaker_of(message: StoredMessage) -> str:
    """Who says it, as rules ask; "" for robots and the system, and where no customer is addressed."""
    said = message.message
    if said.sender.kind is PartyKind.CUSTOMER:
        return CUSTOMER
    return STAFF if said.sender.kind is PartyKind.STAFF and said.conversation.external_user else ""


def customer_of(message: StoredMessage) -> str:
    """Whom it tells something about; "" for nobody."""
    said = message.message
    if said.sender.kind is PartyKind.CUSTOMER:
        return said.sender.id
    return said.conversation.external_user or ""


def follow_of(message: StoredMessage, followers: Sequence[str]) -> str:
    """Whose follow the tag belongs on: the one who chats, else the longest one; "" while nobody follows."""
    said = message.message.conversation
    if said.kind is ConversationKind.SINGLE:
        return str(said.staff) if said.staff in followers else ""
    return followers[0] if followers else ""


def spoken_by_customers(messages: Iterable[StoredMessage]) -> list[StoredMessage]:
    """Sentences of customers."""
    return [
        one
        for one in messages
        if one.message.sender.kind is PartyKind.CUSTOMER
        and one.message.kind in SPEECH
        and len(one.message.text.strip()) >= LEAST_CHARS
    ]


def _is_at_stage(session: Session, corp: CorpId, who: str, match: Match, known: dict[str, str]) -> bool:
    wanted = match.rule.conditions.stages if match.rule is not None else ()
    if not wanted:
        return True
    if who not in known:
        known[who] = customer_acts.stage_of(session, corp, ExternalUserId(who))
    return known[who] in wanted


def _counted(uow: UnitOfWork, corp: CorpId, match: Match, staff: str, who: str) -> bool:
    """Write a hit of a counting rule down; answers whether there are enough of them now."""
    rule = match.rule
    if rule is None:
        return True
    of_rule = (ChatTagHitRow.rule_id == rule.id, ChatTagHitRow.version == rule.version)
    of_follow = (ChatTagHitRow.staff_userid == staff, ChatTagHitRow.external_userid == who)
    position, sent_at = match.message.position, match.message.message.sent_at
    rows = uow.session.exec(select(ChatTagHitRow).where(*of_rule, *of_follow)).all()
    moments: list[datetime] = [row.sent_at for row in rows]
    if all(row.position != position for row in rows):
        moments.append(sent_at)
        uow.session.add(
            ChatTagHitRow(
                corp_id=corp,
                rule_id=rule.id,
                version=rule.version,
                staff_userid=staff,
                external_userid=who,
                position=position,
                sent_at=sent_at,
            )
        )
        uow.session.flush()
    is_enough = is_often_enough(rule.conditions, moments)
    if is_enough:
        uow.session.execute(delete(ChatTagHitRow).where(*of_rule, *of_follow))  # type: ignore[arg-type]
    return is_enough


def drop_old_hits(uow: UnitOfWork) -> None:
    """Forget hits that no window reaches any more."""
    for corp_rule in uow.session.exec(select(ChatTagHitRow.corp_id, ChatTagHitRow.rule_id).distinct()).all():
        corp, rule_id = corp_rule
        rule = next((one for one in chat_rule_book.at_work(uow.session, CorpId(corp)) if one.id == rule_id), None)
        days = timedelta(days=rule.conditions.within_days) + FORGET if rule is not None else FORGET
        uow.session.execute(
            delete(ChatTagHitRow).where(
                col(ChatTagHitRow.rule_id) == rule_id, col(ChatTagHitRow.sent_at) < uow.now() - days
            )
        )
