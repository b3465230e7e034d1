"""Finding a script by what it means: vectors kept beside the scripts, and the fusion with what words find.

Where no model is loaded there are no vectors, and words alone decide.
"""

import hashlib
import itertools
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from importlib import import_module
from typing import Any

from sqlalchemy import delete
from sqlmodel import Session, col, func, select

from crm_core import outbox
from crm_core.db import UnitOfWork
from crm_core.ids import CorpId
from crm_core.ports import Embedder
from materials.model import Script
from materials.tables import ScriptVectorRow

EMBED_JOB, LANE = "scripts.embed", "meaning"
BATCH = 32
MOST_AT_ONCE = 500  # ids in one IN list
MOST_CHARS = 400
RANK_SMOOTHING = 20  # reciprocal rank fusion: how little the first places count more than the next ones
NEAR = 0.06  # cosine below the best: E5's scores lie close together, so only what is near the best counts


def texts_of(script: Script) -> list[str]:
    """What is embedded of a script: its wording, its title, and each similar question by itself."""
    wording = f"{script.title} {script.keywords} {script.text}"[:MOST_CHARS]
    return [wording, script.title, *(question[:MOST_CHARS] for question in script.similar)]


def mark(text: str) -> str:
    """Tells whether a vector was made from this very text."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]


class MeaningIndex:
    """The vectors of one corp's scripts under one model. Asking costs one query embedding and one product."""

    def __init__(self, embedder: Embedder, numbers: Sequence[int], vectors: Sequence[bytes]) -> None:
        self._numpy: Any = import_module("numpy")
        self._embedder = embedder
        self._numbers = list(numbers)
        self._matrix = self._numpy.frombuffer(b"".join(vectors), dtype="float32").reshape(len(vectors), -1)

    def __len__(self) -> int:
        return len(self._numbers)

    def rank(self, query: str, *, limit: int = 50) -> list[int]:
        """Script ids, nearest in meaning first; only those near the best."""
        (asked,) = self._embedder.embed([query[:MOST_CHARS]], as_query=True)
        scores = self._matrix @ self._numpy.asarray(asked, dtype="float32")
        best: dict[int, float] = {}
        for place in self._numpy.argsort(-scores)[: limit * 6]:
            best.setdefault(self._numbers[int(place)], float(scores[int(place)]))
        top = max(best.values(), default=0.0)
        return [script_id for script_id, score in best.items() if score >= top - NEAR][:limit]


def read_index(session: Session, corp: CorpId, embedder: Embedder) -> MeaningIndex | None:
    """The index over the vectors this model has made so far; None while there are none."""
    rows = session.exec(
        select(ScriptVectorRow.script_id, ScriptVectorRow.vector)
        .where(ScriptVectorRow.corp_id == corp, ScriptVectorRow.model == embedder.model)
        .order_by(col(ScriptVectorRow.script_id), col(ScriptVectorRow.place))
    ).all()
    return MeaningIndex(embedder, [number for number, _ in rows], [vector for _, vector in rows]) if rows else None


def stamp(session: Session, corp: CorpId, model: str) -> tuple[int, int]:
    """Changes whenever the vectors of a model do."""
    count, last = session.exec(
        select(func.count(), func.max(ScriptVectorRow.made_in)).where(
            ScriptVectorRow.corp_id == corp, ScriptVectorRow.model == model
        )
    ).one()
    return count, last or 0


def read_marks(session: Session, corp: CorpId, model: str) -> dict[int, tuple[str, ...]]:
    """What each script's vectors were made from, place by place."""
    rows = session.exec(
        select(ScriptVectorRow.script_id, ScriptVectorRow.text_mark)
        .where(ScriptVectorRow.corp_id == corp, ScriptVectorRow.model == model)
        .order_by(col(ScriptVectorRow.script_id), col(ScriptVectorRow.place))
    )
    found: dict[int, list[str]] = {}
    for script_id, text_mark in rows:
        found.setdefault(script_id, []).append(text_mark)
    return {script_id: tuple(marks) for script_id, marks in found.items()}


def read_vectors(
    session: Session, corp: CorpId, model: str, script_ids: Sequence[int]
) -> Iterator[tuple[int, dict[int, bytes]]]:
    """The vectors of these scripts, by place."""
    for start in range(0, len(script_ids), MOST_AT_ONCE):
        rows = session.exec(
            select(ScriptVectorRow.script_id, ScriptVectorRow.place, ScriptVectorRow.vector)
            .where(
                ScriptVectorRow.corp_id == corp,
                ScriptVectorRow.model == model,
                col(ScriptVectorRow.script_id).in_(script_ids[start : start + MOST_AT_ONCE]),
            )
            .order_by(col(ScriptVectorRow.script_id), col(ScriptVectorRow.place))
        )
        for script_id, group in itertools.groupby(rows, key=lambda row: row[0]):
            yield script_id, {place: vector for _, place, vector in group}


def fuse(by_words: Sequence[Script], by_meaning: Sequence[Script], *, limit: int) -> list[Script]:
    """Both orders in one: each list gives a script 1 / (smoothing + its place), the larger sum comes first."""
    scores: dict[int, float] = {}
    known: dict[int, Script] = {}
    for found in (by_words, by_meaning):
        for place, script in enumerate(found, start=1):
            known[script.id] = script
            scores[script.id] = scores.get(script.id, 0.0) + 1 / (RANK_SMOOTHING + place)
    return [known[script_id] for script_id in sorted(scores, key=lambda one: (-scores[one], one))[:limit]]


def embed_missing(
    unit: Callable[[], UnitOfWork],
    corp: CorpId,
    scripts: Iterable[Script],
    embedder: Embedder,
    keep_alive: Callable[[], None],
) -> int:
    """Bring a corp's vectors in step with its scripts and this model, batch by batch. Answers how many were made."""
    scripts = list(scripts)
    wanted = {(script.id, place): text for script in scripts for place, text in enumerate(texts_of(script))}
    with unit() as uow:
        there = {
            (row.script_id, row.place): (row.model, row.text_mark)
            for row in uow.session.exec(select(ScriptVectorRow).where(ScriptVectorRow.corp_id == corp))
        }
        for script_id, place in [key for key in there if key not in wanted]:
            _drop(uow, corp, script_id, place)
        uow.commit()
    missing = [key for key, text in wanted.items() if there.get(key) != (embedder.model, mark(text))]
    for start in range(0, len(missing), BATCH):
        batch = missing[start : start + BATCH]
        vectors = embedder.embed([wanted[key] for key in batch], as_query=False)
        with unit() as uow:
            made_in = uow.session.exec(
                select(func.coalesce(func.max(ScriptVectorRow.made_in), 0) + 1).where(ScriptVectorRow.corp_id == corp)
            ).one()
            for (script_id, place), vector in zip(batch, vectors, strict=True):
                _drop(uow, corp, script_id, place)
                uow.session.add(
                    ScriptVectorRow(
                        corp_id=corp,
                        script_id=script_id,
                        place=place,
                        model=embedder.model,
                        text_mark=mark(wanted[script_id, place]),
                        vector=array("f", vector).tobytes(),
                        made_in=made_in,
                    )
                )
            uow.commit()
        keep_alive()
    return len(missing)


def want_vectors(uow: UnitOfWork, corp: CorpId) -> None:
    """What can be recommended has changed: bring the vectors in step soon after the commit, once per second."""
    second = int(uow.now().timestamp())
    outbox.add_job(uow, EMBED_JOB, dedupe_key=f"{EMBED_JOB}:{corp}:{second}", lane=LANE, corp=corp)


def progress(session: Session, corp: CorpId, model: str) -> int:
    """How many scripts and materials have vectors of this model."""
    statement = select(func.count(func.distinct(col(ScriptVectorRow.script_id))))
    return session.exec(statement.where(ScriptVectorRow.corp_id == corp, ScriptVectorRow.model == model)).one()


def of_folders(scripts: Iterable[Script], folders: AbstractSet[int] | None) -> list[Script]:
    """Those in the folders somebody sees; None sees all."""
    return [script for script in scripts if folders is None or script.group_id in folders]


def _drop(uow: UnitOfWork, corp: CorpId, script_id: int, place: int) -> None:
    uow.session.execute(
        delete(ScriptVectorRow).where(
            col(ScriptVectorRow.corp_id) == corp,
            col(ScriptVectorRow.script_id) == script_id,
            col(ScriptVectorRow.place) == place,
        )
    )
