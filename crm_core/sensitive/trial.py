"""A trial (试运行): what words would have hit in past messages, before they go live."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlmodel import Session, select

from crm_core.chat.model import StoredMessage
from crm_core.db import UnitOfWork
from crm_core.ids import CorpId
from crm_core.ports import TextCipher
from crm_core.sensitive.hits import AROUND
from crm_core.sensitive.sieve import Sieve
from crm_core.sensitive_tables import SensitiveTrialRow

DAYS = 30
MOST_EXAMPLES = 3  # of each entry
MOST_SHOWN = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A past message. position: its place in the store; parts: before, hit, after."""

    position: int
    conversation: str
    parts: tuple[str, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What one entry would have hit."""

    word: str
    messages: int
    examples: tuple[Example, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialView:
    """A trial for display. messages: looked at; hit: of these."""

    messages: int
    hit: int
    words: tuple[Tried, ...]

    @property
    def share(self) -> float:
        """Hit messages in percent."""
        return self.hit * 100 / self.messages if self.messages else 0.0


@dataclass(slots=True)
class Tally:
    """What a trial has found so far."""

    messages: int = 0
    hit: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[list[object]]] = field(default_factory=dict)

    def take(self, sieve: Sieve, stored: Sequence[StoredMessage]) -> None:
        """Look through a page of messages."""
        texts = [one.message.text for one in stored]
        self.messages += len(texts)
        for number, found in sieve.check(texts):
            self.hit += 1
            text, one = texts[number], stored[number]
            for word in dict.fromkeys(hit.name for hit in found):
                self.counts[word] += 1
                kept = self.examples.setdefault(word, [])
                if len(kept) < MOST_EXAMPLES:
                    hit = next(hit for hit in found if hit.name == word)
                    parts = (
                        text[max(0, hit.start - AROUND) : hit.start],
                        text[hit.start : hit.end],
                        text[hit.end :][:AROUND],
                    )
                    kept.append([one.position, one.message.conversation.kind.value, *parts])


def load(session: Session, cipher: TextCipher, corp: CorpId, task: int) -> Tally:
    """A task's tally as it was last written down."""
    row = _row(session, corp, task)
    if row is None:
        return Tally()
    examples = json.loads(cipher.unseal(row.examples)) if row.examples else {}
    return Tally(row.messages, row.hit, Counter(row.counts), examples)


def store(uow: UnitOfWork, cipher: TextCipher, corp: CorpId, task: int, tally: Tally) -> None:
    """Write the tally down."""
    row = _row(uow.session, corp, task) or SensitiveTrialRow(corp_id=corp, task_id=task)
    row.messages, row.hit, row.counts = tally.messages, tally.hit, dict(tally.counts)
    row.examples = cipher.seal(json.dumps(tally.examples, ensure_ascii=False))
    uow.session.add(row)


def view(session: Session, cipher: TextCipher, corp: CorpId, task: int, wanted: Sequence[str]) -> TrialView:
    """A trial, the entry with the most hits first; entries that hit nothing come last."""
    tally = load(session, cipher, corp, task)
    counts: Mapping[str, int] = {word: tally.counts.get(word, 0) for word in (*tally.counts, *wanted)}
    ordered = sorted(counts, key=lambda word: (-counts[word], word))[:MOST_SHOWN]
    return TrialView(
        messages=tally.messages,
        hit=tally.hit,
        words=tuple(
            Tried(
                word=word, messages=counts[word], examples=tuple(_example(one) for one in tally.examples.get(word, ()))
            )
            for word in ordered
        ),
    )


def _example(told: Sequence[object]) -> Example:
    position, kind, before, found, after = told
    return Example(position=int(str(position)), conversation=str(kind), parts=(str(before), str(found), str(after)))


def _row(session: Session, corp: CorpId, task: int) -> SensitiveTrialRow | None:
    wanted = select(SensitiveTrialRow).where(SensitiveTrialRow.corp_id == corp, SensitiveTrialRow.task_id == task)
    return session.exec(wanted).first()
