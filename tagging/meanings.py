"""Example sentences as vectors: made when a rule or the model changed, kept with the model's fingerprint."""

import hashlib
import threading
from array import array
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

from sqlalchemy import delete
from sqlmodel import Session, col, select

from crm_core.chat.model import StoredMessage
from crm_core.db import UowFactory
from crm_core.ids import CorpId
from crm_core.ports import Embedder
from tagging import chat_rule_book
from tagging.chat_match import Match
from tagging.chat_reader import match_of, speaker_of
from tagging.chat_rule_book import ChatRuleView
from tagging.chat_rules import ANYBODY, MEANING, ChatRule
from tagging.semantic import EVERYDAY, MeaningRule, Measure, measure, worth
from tagging.tables import ChatTagVectorRow

BATCH = 32


class MeaningReader:
    """Rules by meaning with one embedder. Calls no network; a sentence costs some 20 ms with the small model."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._numpy: Any = import_module("numpy")
        self._lock = threading.Lock()
        self._everyday: Any = None

    @property
    def model(self) -> str:
        """The embedder's fingerprint."""
        return self._embedder.model

    def vectors(self, texts: Sequence[str], keep_alive: Callable[[], None] = lambda: None) -> Any:
        """One vector per text, each text read once."""
        numpy = self._numpy
        known = {text: at for at, text in enumerate(dict.fromkeys(texts))}
        distinct = list(known)
        made: list[list[float]] = []
        for start in range(0, len(distinct), BATCH):
            made += self._embedder.embed(distinct[start : start + BATCH], as_query=True)
            keep_alive()
        if not made:
            return numpy.zeros((0, 0), dtype="float32")
        matrix = numpy.array(made, dtype="float32")
        return matrix[[known[text] for text in texts]]

    def learn(self, unit: UowFactory, corp: CorpId, keep_alive: Callable[[], None] = lambda: None) -> None:
        """Read the examples of rules that are new, changed, or were read by another model, and learn from them."""
        with unit() as uow:
            rules = chat_rule_book.meaning_rules(uow.session, corp)
        stale = [rule for rule in rules if rule.measure is None or rule.measure.model != self.model]
        if not stale:
            return
        for rule in stale:
            self._keep_vectors(unit, corp, rule, keep_alive)
        self._measure_all(unit, corp, rules)

    def _keep_vectors(self, unit: UowFactory, corp: CorpId, rule: ChatRuleView, keep_alive: Callable[[], None]) -> None:
        sentences = [*rule.conditions.examples, *rule.conditions.counters]
        vectors = self.vectors(sentences, keep_alive)
        with unit() as uow:
            uow.session.execute(delete(ChatTagVectorRow).where(col(ChatTagVectorRow.rule_id) == rule.id))
            for place, (sentence, vector) in enumerate(zip(sentences, vectors, strict=True)):
                uow.session.add(
                    ChatTagVectorRow(
                        rule_id=rule.id,
                        place=place,
                        corp_id=corp,
                        is_counter=place >= len(rule.conditions.examples),
                        model=self.model,
                        text_mark=_mark(sentence),
                        vector=array("f", vector).tobytes(),
                    )
                )
            uow.commit()

    def _measure_all(self, unit: UowFactory, corp: CorpId, rules: Sequence[ChatRuleView]) -> None:
        """Every rule against its counter-examples, the examples of rules for other tags, and everyday sentences."""
        numpy, everyday = self._numpy, self.everyday()
        with unit() as uow:
            kept = {rule.id: self._read(uow.session, rule.id) for rule in rules}
            for rule in rules:
                examples, counters = kept[rule.id]
                if len(examples) != len(rule.conditions.examples):
                    continue
                others = [kept[one.id][0] for one in rules if one.tag_id != rule.tag_id and len(kept[one.id][0])]
                strangers = numpy.concatenate([everyday, *([counters] if len(counters) else []), *others])
                chat_rule_book.teach(uow, corp, rule.id, rule.version, measure(self.model, examples, strangers))
            uow.commit()

    def everyday(self) -> Any:
        """The vectors of everyday sentences."""
        with self._lock:
            if self._everyday is None:
                self._everyday = self.vectors(EVERYDAY)
            return self._everyday

    def _read(self, session: Session, rule_id: int) -> tuple[Any, Any]:
        """Vectors of examples and of counter-examples that this model made."""
        rows = session.exec(
            select(ChatTagVectorRow)
            .where(ChatTagVectorRow.rule_id == rule_id, ChatTagVectorRow.model == self.model)
            .order_by(col(ChatTagVectorRow.place))
        ).all()
        sides = ([row.vector for row in rows if not row.is_counter], [row.vector for row in rows if row.is_counter])
        examples, counters = (
            self._numpy.frombuffer(b"".join(side), dtype="float32").reshape(len(side), -1)
            if side
            else self._numpy.zeros((0, 0))
            for side in sides
        )
        return examples, counters

    def matches(
        self,
        session: Session,
        corp: CorpId,
        rules: Sequence[ChatRule],
        messages: Sequence[StoredMessage],
        keep_alive: Callable[[], None] = lambda: None,
    ) -> list[Match]:
        """What rules by meaning find; those whose examples this model has not read find nothing."""
        measures = chat_rule_book.measures(session, corp)
        ready = [
            (rule, MeaningRule(*self._read(session, rule.id), measures[rule.id]))
            for rule in rules
            if rule.kind == MEANING and rule.id in measures and measures[rule.id].model == self.model
        ]
        return self._told(ready, messages, keep_alive)

    def tried(self, rule: ChatRule, messages: Sequence[StoredMessage]) -> tuple[Measure, list[Match]]:
        """A rule nobody has saved: what its examples teach, and what it finds."""
        examples, counters = self.vectors(rule.conditions.examples), self.vectors(rule.conditions.counters)
        strangers = self._numpy.concatenate([self.everyday(), *([counters] if len(counters) else [])])
        learnt = measure(self.model, examples, strangers)
        return learnt, self._told([(rule, MeaningRule(examples, counters, learnt))], messages, lambda: None)

    def _told(
        self,
        ready: Sequence[tuple[ChatRule, MeaningRule]],
        messages: Sequence[StoredMessage],
        keep_alive: Callable[[], None],
    ) -> list[Match]:
        speakers = {rule.conditions.speaker for rule, _ in ready}
        asked = [messages[at] for at in worth([one.message.text for one in messages])]
        asked = [one for one in asked if (who := speaker_of(one)) and (who in speakers or ANYBODY in speakers)]
        if not ready or not asked:
            return []
        vectors = self.vectors([one.message.text.strip() for one in asked], keep_alive)
        return [
            match_of(message, rule, round(confidence, 4))
            for rule, meaning in ready
            for message, confidence in zip(asked, meaning.confidences(vectors), strict=True)
            if confidence and rule.conditions.speaker in (speaker_of(message), ANYBODY)
        ]


def _mark(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]
