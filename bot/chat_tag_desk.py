"""Background work around tags from chats: rules by meaning, training the learner, and tidying up."""

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

import structlog
from sqlmodel import Session

from bot.embedders import Ladder
from bot.jobs import JobBody
from crm_core.chat.model import StoredMessage
from crm_core.chat.store import ChatStore
from crm_core.db import Database
from crm_core.errors import Conflict
from crm_core.ids import CorpId
from tagging import chat_reader, chat_rule_book, chat_trial, learned, learner, lessons
from tagging.chat_match import Match
from tagging.chat_reader import MEANING_JOB, ChatTagReader
from tagging.chat_rules import MEANING, ChatRule, WordRules
from tagging.chat_trial import Trial
from tagging.learned import TRAIN_JOB
from tagging.meanings import MeaningReader
from tagging.semantic import Measure

log = structlog.get_logger()

TEND_JOB = "chat_tags.tend"
MOST_TRIED, MOST_TRIED_BY_MEANING, PAGE = 5_000, 200, 500  # messages a trial looks at; by meaning some 4 s
ENOUGH_JUDGED = 30  # new answers from which the learner is trained again by itself
TOO_LITTLE = "确认过的标签还不够：至少要有 1 个标签有 5 句以上，请先用规则给出建议并由员工确认"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialRun:
    """A trial and, for a rule by meaning, what its examples taught. has_model: False where no model loads."""

    trial: Trial
    measure: Measure | None = None
    has_model: bool = True


class ChatTagDesk:
    """The bodies of the jobs, and what tasks and pages ask of rules by meaning."""

    def __init__(self, db: Database, chats: ChatStore, reader: ChatTagReader, ladder: Ladder) -> None:
        self.chats = chats
        self.reader = reader
        self._db = db
        self._ladder = ladder
        self._meanings: MeaningReader | None = None

    def bodies(self) -> dict[str, JobBody]:
        """The jobs, by kind."""
        return {MEANING_JOB: self.read_meanings, TRAIN_JOB: self.train, TEND_JOB: self.tend}

    def meanings(self) -> MeaningReader | None:
        """The reader of meanings; None where no model loads."""
        embedder = self._ladder.embedder()
        if embedder is not None and (self._meanings is None or self._meanings.model != embedder.model):
            self._meanings = MeaningReader(embedder)
        return self._meanings

    def read_meanings(self, payload: Mapping[str, Any], keep_alive: Callable[[], None]) -> None:
        """Rules by meaning over the messages of one batch."""
        corp = CorpId(payload["corp"])
        with self._db.reading() as session:
            rules = [rule for rule in chat_rule_book.at_work(session, corp) if rule.kind == MEANING]
        matches = self.by_meaning(corp, rules, keep_alive, first=payload["first"], last=payload["last"])
        if matches:
            with self._db.unit() as uow:
                self.reader.record(uow, corp, matches)
                uow.commit()

    def by_meaning(
        self, corp: CorpId, rules: Sequence[ChatRule], keep_alive: Callable[[], None], *, first: int, last: int
    ) -> list[Match]:
        """What rules by meaning find between two positions; nothing without rules or a model."""
        meanings = self.meanings() if rules else None
        if meanings is None:
            return []
        meanings.learn(self._db.unit, corp, keep_alive)
        with self._db.reading() as session:
            messages: list[StoredMessage] = self.chats.read(session, corp, first, last)
            return meanings.matches(session, corp, rules, messages, keep_alive)

    def trial(self, session: Session, corp: CorpId, rule: ChatRule, visible: AbstractSet[str] | None) -> TrialRun:
        """A rule, saved or not, over the newest messages."""
        by_meaning = rule.kind == MEANING
        meanings = self.meanings() if by_meaning else None
        if by_meaning and meanings is None:
            return TrialRun(trial=Trial(looked_at=0), has_model=False)
        head, most = self.chats.head(session, corp), MOST_TRIED if not by_meaning else MOST_TRIED_BY_MEANING
        messages: list[StoredMessage] = []
        for last in range(head, max(0, head - most), -PAGE):
            first = max(1, last - PAGE + 1, head - most + 1)
            messages = self.chats.read(session, corp, first, last) + messages
        if meanings is None:
            matches, learnt = chat_reader.words_in(WordRules([rule]), messages), None
        else:
            learnt, matches = meanings.tried(rule, messages)
        return TrialRun(trial=chat_trial.judge(session, corp, rule, messages, matches, visible), measure=learnt)

    def train(self, payload: Mapping[str, Any], keep_alive: Callable[[], None]) -> None:
        """Train a corp's learner on what people judged."""
        model_id = int(payload["model"])
        corp = CorpId(payload["corp"])
        with self._db.reading() as session:
            if not learned.is_waiting(session, corp, model_id):
                return
            lesson = lessons.gather(session, corp, self.chats, self.chats.head(session, corp))
        keep_alive()
        if not any(label != learned.NOTHING for label in lesson.labels) or not learner.can_learn(lesson.labels):
            with self._db.unit() as uow:
                learned.fail(uow, corp, model_id, TOO_LITTLE)
                uow.commit()
            return
        model, report = learner.train(lesson, keep_alive)
        with self._db.unit() as uow:
            learned.finish(uow, corp, model_id, model, report)
            uow.commit()
        log.info("learner_trained", corp=corp, texts=report.texts, accuracy=round(report.accuracy, 3))

    def tend(self, _payload: Mapping[str, Any], keep_alive: Callable[[], None]) -> None:
        """Train again where people judged enough since, read changed examples, forget old hits."""
        for corp in self.reader.corps:
            keep_alive()
            with self._db.unit() as uow:
                found = learned.overview(uow.session, corp)
                if found.judged_since >= ENOUGH_JUDGED:
                    try:
                        learned.ask_training(uow, corp, actor="")
                    except Conflict:
                        continue
                    uow.commit()
        with self._db.unit() as uow:
            chat_reader.drop_old_hits(uow)
            uow.commit()
