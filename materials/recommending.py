"""Recommendation: for what a customer just said, the scripts and materials that answer it, and why.

Each process keeps one index per corp. A request looks whether it is still right with one small query; a changed library
is indexed anew beside it while the old index goes on answering.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlmodel import Session

from crm_core.db import Database
from crm_core.errors import NotFound
from crm_core.ids import CorpId, StaffUserId
from crm_core.ports import Embedder, TextCipher
from materials import lessons, material_lists, meaning, script_statistics, service, suggestable
from materials.material_lists import Viewer
from materials.material_model import Material
from materials.model import Script
from materials.ranking import Meanings, Ranker, Scores, nearness, numpy
from materials.teaching import Teaching

MOST_SUGGESTED = 5
MOST_MATERIALS = 2
MOST_KEPT_VECTORS = 512
LOOK_SECONDS = 0.5  # how often a process looks whether a library changed
USES_SECONDS = 600.0  # how often it counts what is sent usually
SAMPLE = 2000  # scripts whose titles tell where the middle of a library is
EARLIER_SHARE = 0.35  # of each earlier message beside the one after it
CONTEXT_BONUS, MOST_CONTEXT = 0.35, 0.7
SHORT = 4  # characters: so little is understood from what was said before it
WORTH, WORTH_WORDS = 0.3, 0.1  # below it nothing is shown: nearness and cover together, or cover alone
ANSWERED, ANSWERED_WORDS = 0.55, 0.22  # from there on a script is taken to answer the question


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What is known of the customer that may tip the scales: (how it is called, the word to look for)."""

    words: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """A script or a material with its reasons, the strongest first. likeness: percent, 0 where words alone decided."""

    script: Script | None
    material: Material | None
    score: float
    likeness: int
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What is recommended. is_final: False while only words have been asked. trust: how surely the first one answers.

    answered: whether a script is taken to answer the question at all. asked: the question's vector.
    """

    suggestions: tuple[Suggestion, ...] = ()
    is_final: bool = True
    trust: float = 0.0
    answered: bool = False
    model: str = ""
    asked: bytes = b""


@dataclass(slots=True)
class _Kept:
    """A corp's index and what it was made from."""

    looked_at: float = 0.0
    stamp: object = None
    ranker: Ranker | None = None
    counted_at: float = 0.0
    uses: dict[int, int] = field(default_factory=dict)
    taught_by: object = None
    teaching: Teaching | None = None
    making: threading.Lock = field(default_factory=threading.Lock)


class Recommender:
    """Recommends for every corp. embedder: gives the model once it is loaded, None while words alone decide."""

    def __init__(
        self, db: Database, cipher: TextCipher, embedder: Callable[[int], Embedder | None] = lambda _scripts: None
    ) -> None:
        self._db = db
        self._cipher = cipher
        self._embedder = embedder
        self._lock = threading.Lock()
        self._corps: dict[str, _Kept] = {}
        self._vectors: OrderedDict[tuple[str, str], Any] = OrderedDict()

    def answer(
        self,
        session: Session,
        corp: CorpId,
        said: Sequence[str],
        *,
        viewer: StaffUserId | None = None,
        about: About | None = None,
        now: datetime,
        words_only: bool = False,
        limit: int = MOST_SUGGESTED,
    ) -> Answer:
        """The best for what a customer said (oldest first). viewer: only what they see; words_only: at once, unsure."""
        texts = [text.strip() for text in said if text.strip()]
        ranker = self.ranker(session, corp)
        if not texts or not len(ranker):
            return Answer()  # an empty library answers nothing
        embedder = self._embedder(len(ranker)) if ranker.meanings is not None else None
        if embedder is not None and ranker.meanings is not None and embedder.model != ranker.meanings.model:
            embedder = None
        use = None if words_only else embedder
        scores, asked = self._scores(ranker, texts, use)
        teaching = self._teaching(session, corp, ranker, now)
        bonus, lesson_words = teaching.bonus(texts[-1], asked, now)
        order = numpy().argsort(-(scores.total + bonus), kind="stable")
        seen = None if viewer is None else service.visible_folder_ids(session, corp, viewer)
        found = _Finder(session, corp, ranker, scores, viewer, seen, now, use is not None)
        suggestions = found.suggest(order, bonus, lesson_words, texts, about or About(), limit)
        best = found.trust(int(order[0]))
        return Answer(
            suggestions=tuple(suggestions),
            is_final=embedder is None or use is not None,
            trust=best,
            answered=best >= (ANSWERED if use is not None else ANSWERED_WORDS) or bool(scores.same),
            model=use.model if use is not None else "",
            asked=numpy().asarray(asked, dtype="float32").tobytes() if asked is not None else b"",
        )

    def ranker(self, session: Session, corp: CorpId) -> Ranker:
        """The index of a corp; while a new one is made, the one before."""
        kept = self._kept(corp)
        if kept.ranker is not None and time.monotonic() - kept.looked_at < LOOK_SECONDS:
            return kept.ranker
        kept.looked_at = time.monotonic()
        embedder = self._embedder(service.offered_count(session, corp))
        now = self._stamp(session, corp, embedder)
        if kept.ranker is not None and kept.stamp == now:
            return kept.ranker
        if kept.ranker is None:
            with kept.making:
                if kept.ranker is None:
                    self._make(session, corp, kept, embedder, now)
                made: Ranker | None = kept.ranker
        else:
            made = kept.ranker
            if not kept.making.locked():
                threading.Thread(target=self._make_beside, args=(corp, kept), name="script-index", daemon=True).start()
        if made is None:
            raise RuntimeError("an index is made before it is asked for")
        return made

    def refresh(self, corp: CorpId) -> Ranker:
        """The index as of now, made here and now where it is not."""
        kept = self._kept(corp)
        with kept.making, self._db.reading() as session:
            embedder = self._embedder(service.offered_count(session, corp))
            now = self._stamp(session, corp, embedder)
            if kept.ranker is None or kept.stamp != now:
                self._make(session, corp, kept, embedder, now)
        if kept.ranker is None:
            raise RuntimeError("an index is made before it is asked for")
        return kept.ranker

    def vector(self, embedder: Embedder, text: str) -> Any:
        """A question's vector; the last ones are remembered."""
        key = (embedder.model, text[: meaning.MOST_CHARS])
        with self._lock:
            if key in self._vectors:
                self._vectors.move_to_end(key)
                return self._vectors[key]
        (found,) = embedder.embed([key[1]], as_query=True)
        made = numpy().asarray(found, dtype="float32")
        with self._lock:
            self._vectors[key] = made
            while len(self._vectors) > MOST_KEPT_VECTORS:
                self._vectors.popitem(last=False)
        return made

    def remembered(self, text: str) -> tuple[str, bytes]:
        """(model, vector) of a question asked lately; empty where it was answered by words alone."""
        with self._lock:
            for (model, known), vector in reversed(self._vectors.items()):
                if known == text.strip()[: meaning.MOST_CHARS]:
                    return model, vector.tobytes()
        return "", b""

    @staticmethod
    def as_vector(kept: bytes) -> Any:
        """A question's vector as it was kept in an ``Answer``."""
        return numpy().frombuffer(kept, dtype="float32")

    def _scores(self, ranker: Ranker, texts: Sequence[str], embedder: Embedder | None) -> tuple[Scores, Any]:
        """The last message decides; a short one leans on those before it."""
        last = texts[-1]
        asked = self.vector(embedder, last) if embedder is not None else None
        scores = ranker.scores(last, asked)
        share = 1.0 if len(last) <= SHORT else EARLIER_SHARE
        total = scores.total
        for text in reversed(texts[:-1]):
            earlier = ranker.scores(text, self.vector(embedder, text) if embedder is not None else None)
            total = total + share * earlier.total
            share *= EARLIER_SHARE
        return Scores(total=total, cover=scores.cover, meaning=scores.meaning, same=scores.same), asked

    def _kept(self, corp: CorpId) -> _Kept:
        with self._lock:
            return self._corps.setdefault(corp, _Kept())

    def _stamp(self, session: Session, corp: CorpId, embedder: Embedder | None) -> object:
        vectors = (embedder.model, *meaning.stamp(session, corp, embedder.model)) if embedder is not None else ()
        return (suggestable.stamp(session, corp), vectors)

    def _make_beside(self, corp: CorpId, kept: _Kept) -> None:
        if kept.making.acquire(blocking=False):
            try:
                with self._db.reading() as session:
                    embedder = self._embedder(service.offered_count(session, corp))
                    self._make(session, corp, kept, embedder, self._stamp(session, corp, embedder))
            finally:
                kept.making.release()

    def _make(self, session: Session, corp: CorpId, kept: _Kept, embedder: Embedder | None, stamp: object) -> None:
        entries = suggestable.all_entries(session, corp)
        before = kept.ranker
        old = before.meanings if before is not None else None
        meanings = _meanings(session, corp, embedder.model, old) if embedder is not None else None
        kept.ranker = Ranker(entries, before=before, meanings=meanings)
        kept.stamp = stamp

    def _teaching(self, session: Session, corp: CorpId, ranker: Ranker, now: datetime) -> Teaching:
        kept = self._kept(corp)
        stamp = (lessons.stamp(session, corp), ranker)
        if kept.teaching is None or kept.taught_by != stamp:
            taught = lessons.newest(session, corp, self._cipher, now)
            if not kept.counted_at or time.monotonic() - kept.counted_at > USES_SECONDS:
                kept.uses, kept.counted_at = script_statistics.use_counts(session, corp), time.monotonic()
            kept.teaching = Teaching(taught, ranker, kept.uses)
            kept.taught_by = stamp
        return kept.teaching


def _meanings(session: Session, corp: CorpId, model: str, before: Meanings | None) -> Meanings | None:
    """The vectors of a corp, those that changed since ``before`` read anew."""
    marks = meaning.read_marks(session, corp, model)
    if not marks:
        return None
    if before is None or before.model != model:
        sample = [
            vectors.get(1) or vectors[min(vectors)]
            for _, vectors in meaning.read_vectors(session, corp, model, sorted(marks)[:SAMPLE])
        ]
        found = Meanings.around(model, sample)
    else:
        found = before.copied()
    known = found.marks()
    found.drop([script_id for script_id in known if script_id not in marks])
    changed = [script_id for script_id, mark in marks.items() if known.get(script_id) != mark]
    for script_id, vectors in meaning.read_vectors(session, corp, model, changed):
        found.put(script_id, marks[script_id], vectors)
    return found


@dataclass(slots=True)
class _Finder:
    """Walks down an order and takes what the viewer may have."""

    session: Session
    corp: CorpId
    ranker: Ranker
    scores: Scores
    viewer: StaffUserId | None
    seen: AbstractSet[int] | None
    now: datetime
    by_meaning: bool

    def trust(self, place: int) -> float:
        """How surely an entry answers; comparable with the thresholds."""
        near = float(self.scores.meaning[place]) if self.scores.meaning is not None else 0.0
        return near + float(self.scores.cover[place])

    def suggest(
        self,
        order: Any,
        bonus: Any,
        lesson_words: Callable[[int], tuple[str, ...]],
        texts: Sequence[str],
        about: About,
        limit: int,
    ) -> list[Suggestion]:
        """The first ones of an order that are worth showing, tipped by what is known of the customer."""
        found: list[Suggestion] = []
        materials = 0
        floor = WORTH if self.by_meaning else WORTH_WORDS
        for place in order[: limit * 8]:
            script = self.ranker.scripts[int(place)]
            if self.trust(int(place)) < floor and bonus[place] <= 0 and int(place) not in self.scores.same:
                continue
            if script.group_id == suggestable.SHELF and materials >= MOST_MATERIALS:
                continue
            material = self._material(script)
            if material is None and not self._may_see(script):
                continue
            materials += material is not None
            extra, context = _context(script, about)
            found.append(
                Suggestion(
                    script=None if material is not None else script,
                    material=material,
                    score=float(self.scores.total[place] + bonus[place]) + extra,
                    likeness=nearness(float(self.scores.meaning[place])) if self.scores.meaning is not None else 0,
                    reasons=(*self._reasons(int(place), script, texts), *lesson_words(script.id), *context),
                )
            )
            if len(found) >= limit * 2:
                break
        return sorted(found, key=lambda one: -one.score)[:limit]

    def _may_see(self, script: Script) -> bool:
        return script.group_id != suggestable.SHELF and (self.seen is None or script.group_id in self.seen)

    def _material(self, script: Script) -> Material | None:
        if script.group_id != suggestable.SHELF:
            return None
        viewer = Viewer(staff=self.viewer, now=self.now) if self.viewer is not None else None
        try:
            return material_lists.get(self.session, self.corp, -script.id, viewer=viewer)
        except NotFound:
            return None

    def _reasons(self, place: int, script: Script, texts: Sequence[str]) -> list[str]:
        if place in self.scores.same:
            return ["就是这句问法"]
        reasons = []
        if self.scores.meaning is not None and self.trust(place) >= WORTH:
            reasons.append(f"意思相近 {nearness(float(self.scores.meaning[place]))}%")
        hits = self.ranker.words.hits(texts[-1], script)
        if hits:
            reasons.append(f"命中：{'、'.join(hits)}")
        return reasons


def _context(script: Script, about: About) -> tuple[float, tuple[str, ...]]:
    text = f"{script.title} {script.keywords}"
    told = [name for name, word in about.words if len(word) > 1 and word in text]
    return min(CONTEXT_BONUS * len(told), MOST_CONTEXT), tuple(dict.fromkeys(told))[:1]
