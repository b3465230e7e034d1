"""Keeps the vectors of meaning search in step with the scripts and the model, in the background."""

from collections.abc import Callable, Mapping
from typing import Any

from bot.embedders import Ladder
from bot.jobs import JobBody
from crm_core.config import Settings
from crm_core.db import Database
from crm_core.ids import CorpId
from materials import meaning, script_desk, suggestable
from materials import service as scripts

EXPIRE_JOB = "scripts.expire"


class MeaningDesk:
    """The body of the embedding job. A changed model makes all vectors anew; words serve until it is through."""

    def __init__(self, db: Database, settings: Settings, ladder: Ladder) -> None:
        self.ladder = ladder
        self._db = db
        self._corps = [CorpId(corp.corp_id) for corp in settings.corps]

    def bodies(self) -> dict[str, JobBody]:
        """The jobs around the script library, by kind."""
        return {meaning.EMBED_JOB: self.embed, EXPIRE_JOB: self.expire}

    def expire(self, _payload: Mapping[str, Any], _keep_alive: Callable[[], None]) -> None:
        """Take scripts out of force whose time is over."""
        with self._db.unit() as uow:
            script_desk.expire(uow)
            uow.commit()

    def embed(self, _payload: Mapping[str, Any], keep_alive: Callable[[], None]) -> None:
        """Make the missing vectors of every corp whose library is worth it."""
        for corp in self._corps:
            with self._db.reading() as session:
                count = scripts.offered_count(session, corp)
            embedder = self.ladder.embedder() if self.ladder.is_wanted(count) else None
            if embedder is None:
                continue
            with self._db.reading() as session:
                offered = suggestable.all_entries(session, corp)
            meaning.embed_missing(self._db.unit, corp, offered, embedder, keep_alive)
