"""What recommendation does with chat messages: tell open sidebars, and gather what no script answers."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bot.jobs import JobBody
from crm_core import outbox
from crm_core.chat.model import ConversationKind, StoredMessage
from crm_core.chat.store import ChatStore
from crm_core.db import Database, UnitOfWork
from crm_core.ids import CorpId
from crm_core.ports import TextCipher
from materials import customer_turns, gaps, lessons
from materials.gaps import Unanswered
from materials.meaning import LANE
from materials.recommending import Recommender

GAPS_JOB = "scripts.gaps"
KEEP_ALIVE_EVERY = 40


class RecommendReader:
    """Notes who spoke last, which sends were answered, and tells open pages."""

    name = "recommend"

    def read(self, uow: UnitOfWork, corp: CorpId, messages: Sequence[StoredMessage], *, live: bool) -> None:
        """See ``ChatReader``. What history asks is not gathered: nobody waits for it any more."""
        spoken = [stored for stored in messages if customer_turns.is_question_of_customer(stored)]
        customer_turns.note_turns(uow, corp, spoken)
        if not live:
            return
        for stored in messages:
            customer = stored.message.conversation.external_user
            if customer is not None and stored.message.conversation.kind is not ConversationKind.GROUP:
                uow.wake(customer_turns.news_lane(corp, customer))
        lessons.note_replies(uow, corp, {one.message.sender.id for one in spoken})
        asking = [one.position for one in spoken if gaps.is_asking(one.message.text)]
        if asking:
            outbox.add_job(
                uow,
                GAPS_JOB,
                dedupe_key=f"{GAPS_JOB}:{corp}:{asking[0]}",
                payload={"corp": corp, "positions": asking},
                lane=LANE,
                corp=corp,
            )


class GapDesk:
    """The body of the job that finds out which questions no script answers."""

    def __init__(self, db: Database, store: ChatStore, cipher: TextCipher, recommender: Recommender) -> None:
        self._db = db
        self._store = store
        self._cipher = cipher
        self._recommender = recommender

    def bodies(self) -> dict[str, JobBody]:
        """The jobs, by kind."""
        return {GAPS_JOB: self.gather}

    def gather(self, payload: Mapping[str, Any], keep_alive: Callable[[], None]) -> None:
        """Ask the recommendation each question; those without an answer go into their groups."""
        corp, positions = CorpId(payload["corp"]), sorted(payload["positions"])
        self._recommender.refresh(corp)
        found = []
        with self._db.reading() as session:
            wanted = set(positions)
            asked = [
                one for one in self._store.read(session, corp, positions[0], positions[-1]) if one.position in wanted
            ]
            for number, stored in enumerate(asked, start=1):
                answer = self._recommender.answer(session, corp, [stored.message.text], now=self._db.clock.now())
                if not answer.answered:
                    found.append(self._unanswered(stored, answer.model, answer.asked))
                if number % KEEP_ALIVE_EVERY == 0:
                    keep_alive()
        if not found:
            return
        meanings = self._recommender.refresh(corp).meanings
        with self._db.unit() as uow:
            gaps.gather(uow, self._cipher, corp, found, meanings)
            uow.commit()

    def _unanswered(self, stored: StoredMessage, model: str, asked: bytes) -> Unanswered:
        message = stored.message
        return Unanswered(
            position=stored.position,
            external_user=message.sender.id,
            text=message.text,
            asked_at=message.sent_at,
            model=model,
            vector=self._recommender.as_vector(asked) if asked else None,
        )
