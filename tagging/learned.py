"""What the learner may do in a company: its trainings, the tags it may tell, and the model at work."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete as sql_delete
from sqlalchemy import func
from sqlmodel import Session, col, select

from crm_core import outbox
from crm_core.chat.model import StoredMessage
from crm_core.db import UnitOfWork
from crm_core.errors import Conflict, InputInvalid
from crm_core.ids import CorpId
from tagging import learner
from tagging.chat_match import Match
from tagging.chat_rules import APPLY, SUGGEST
from tagging.learner import Report, TextModel
from tagging.tables import LearnedTagRow, TagModelRow, TagSuggestionRow

TRAIN_JOB, TRAIN_LANE = "chat_tags.train", "meaning"
WAITING, READY, FAILED = "waiting", "ready", "failed"
OFF = "off"
MODES = {OFF: "不用", SUGGEST: "建议", APPLY: "直接打上"}
NOTHING = ""  # the label of a sentence that speaks for no tag
SOURCE = "learned"
SOUND = 0.7  # precision by cross-validation from which a new tag is suggested without being asked for
LEAST, MOST = 0.3, 0.99
KEPT_MODELS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class TagLesson:
    """How well one tag was learnt, and what the learner may do with it. support: sentences it was learnt from."""

    tag_id: str
    precision: float
    recall: float
    support: int
    mode: str
    threshold: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """One training. state: waiting | ready | failed."""

    id: int
    state: str
    last_error: str
    asked_by: str
    asked_at: datetime
    finished_at: datetime | None
    texts: int
    doubtful: float
    accuracy: float
    macro_f1: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """The learner's state. current: the training at work; last: the newest one; judged_since: answers not yet used."""

    current: Training | None
    last: Training | None
    tags: tuple[TagLesson, ...]
    judged_since: int


class Learner:
    """Tells tags of sentences by each corp's model, read once and kept while it is at work."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[int, TextModel]] = {}

    def matches(self, session: Session, corp: CorpId, messages: Sequence[StoredMessage]) -> list[Match]:
        """What the model is sure enough of, for tags that are not switched off."""
        allowed = {row.tag_id: row for row in _settings(session, corp) if row.mode != OFF} if messages else {}
        found = self.model(session, corp) if allowed else None
        if found is None:
            return []
        version, model = found
        columns = [(at, allowed[label]) for at, label in enumerate(model.labels) if label in allowed]
        rows = model.probabilities([one.message.text for one in messages]) if columns else ()
        return [
            Match(
                message=message,
                tag_id=setting.tag_id,
                source=SOURCE,
                origin=SOURCE,
                version=version,
                confidence=round(float(row[at]), 4),
                mode=setting.mode,
            )
            for message, row in zip(messages, rows, strict=False)
            for at, setting in columns
            if row[at] >= setting.threshold
        ]

    def model(self, session: Session, corp: CorpId) -> tuple[int, TextModel] | None:
        """The number of the training at work and its model; None before the first."""
        number = _current_id(session, corp)
        if number is None:
            return None
        with self._lock:
            kept = self._kept.get(corp)
            if kept is None or kept[0] != number:
                row = session.get(TagModelRow, number)
                if row is None or not row.content:
                    return None
                try:
                    kept = (number, learner.load(row.content))
                except ValueError:  # written by another version of the product: the next training mends it
                    return None
                self._kept[corp] = kept
            return kept


def ask_training(uow: UnitOfWork, corp: CorpId, *, actor: str) -> int:
    """Have the learner trained anew in the background. Answers the training's id. Raises: Conflict (one waits)."""
    last = _last(uow.session, corp)
    if last is not None and last.state == WAITING:
        raise Conflict("已有一次训练在排队或进行中")
    row = TagModelRow(corp_id=corp, asked_by=actor, asked_at=uow.now())
    uow.session.add(row)
    uow.session.flush()
    outbox.add_job(
        uow,
        TRAIN_JOB,
        dedupe_key=f"{TRAIN_JOB}:{row.id}",
        payload={"corp": corp, "model": row.id},
        lane=TRAIN_LANE,
        corp=corp,
    )
    return row.id or 0


def finish(uow: UnitOfWork, corp: CorpId, model_id: int, model: TextModel, report: Report) -> None:
    """A training is through: its model works from now on. Tags that are learnt for the first time are suggested when
    they are told well enough; settings that people made stay.
    """
    row = uow.session.get(TagModelRow, model_id)
    if row is None or row.corp_id != corp or row.state != WAITING:
        return
    row.state, row.content, row.finished_at = READY, model.dump(), uow.now()
    row.report = asdict(report)
    uow.session.add(row)
    known = {setting.tag_id for setting in _settings(uow.session, corp)}
    for score in report.labels:
        if score.label != NOTHING and score.label not in known:
            mode = SUGGEST if score.precision >= SOUND else OFF
            uow.session.add(
                LearnedTagRow(corp_id=corp, tag_id=score.label, mode=mode, threshold=min(score.threshold, MOST))
            )
    uow.session.flush()
    ready = (TagModelRow.corp_id == corp, TagModelRow.state == READY)
    kept = uow.session.exec(
        select(TagModelRow.id).where(*ready).order_by(col(TagModelRow.id).desc()).limit(KEPT_MODELS)
    ).all()
    uow.session.execute(
        sql_delete(TagModelRow).where(
            col(TagModelRow.corp_id) == corp, col(TagModelRow.state) != WAITING, col(TagModelRow.id).not_in(kept)
        )
    )


def fail(uow: UnitOfWork, corp: CorpId, model_id: int, said: str) -> None:
    """A training came to nothing; the former model goes on working."""
    row = uow.session.get(TagModelRow, model_id)
    if row is not None and row.corp_id == corp and row.state == WAITING:
        row.state, row.last_error, row.finished_at = FAILED, said, uow.now()
        uow.session.add(row)


def is_waiting(session: Session, corp: CorpId, model_id: int) -> bool:
    """Whether a training is still to be done."""
    row = session.get(TagModelRow, model_id)
    return row is not None and row.corp_id == corp and row.state == WAITING


def allow(uow: UnitOfWork, corp: CorpId, tag_id: str, *, mode: str, threshold: float) -> None:
    """Say what the learner may do with a tag. Raises: InputInvalid naming the field."""
    if mode not in MODES:
        raise InputInvalid("请选择不用、建议或直接打上", field="mode")
    if not LEAST <= threshold <= MOST:
        raise InputInvalid(f"置信度应在 {LEAST:.0%} 到 {MOST:.0%} 之间", field="threshold")
    row = uow.session.get(LearnedTagRow, (corp, tag_id))
    if row is None:
        raise InputInvalid("这个标签还没有学过，请先训练", field="tag")
    row.mode, row.threshold = mode, threshold
    uow.session.add(row)


def overview(session: Session, corp: CorpId) -> Overview:
    """How the learner stands."""
    number = _current_id(session, corp)
    current = session.get(TagModelRow, number) if number is not None else None
    last = _last(session, corp)
    scores = {one["label"]: one for one in (current.report["labels"] if current is not None else ())}
    since = current.asked_at if current is not None else None
    return Overview(
        current=_training(current) if current is not None else None,
        last=_training(last) if last is not None else None,
        tags=tuple(
            TagLesson(
                tag_id=setting.tag_id,
                precision=scores[setting.tag_id]["precision"],
                recall=scores[setting.tag_id]["recall"],
                support=scores[setting.tag_id]["support"],
                mode=setting.mode,
                threshold=setting.threshold,
            )
            for setting in _settings(session, corp)
            if setting.tag_id in scores
        ),
        judged_since=judged_since(session, corp, since),
    )


def judged_since(session: Session, corp: CorpId, since: datetime | None) -> int:
    """How many suggestions people have judged since."""
    statement = select(func.count()).where(
        TagSuggestionRow.corp_id == corp, col(TagSuggestionRow.state).in_(("confirmed", "dismissed", "undone"))
    )
    if since is not None:
        statement = statement.where(TagSuggestionRow.settled_at > since)
    return session.exec(statement).one()


def _settings(session: Session, corp: CorpId) -> Sequence[LearnedTagRow]:
    return session.exec(select(LearnedTagRow).where(LearnedTagRow.corp_id == corp).order_by(LearnedTagRow.tag_id)).all()


def _current_id(session: Session, corp: CorpId) -> int | None:
    statement = select(func.max(TagModelRow.id)).where(TagModelRow.corp_id == corp, TagModelRow.state == READY)
    return session.exec(statement).one()


def _last(session: Session, corp: CorpId) -> TagModelRow | None:
    statement = select(TagModelRow).where(TagModelRow.corp_id == corp).order_by(col(TagModelRow.id).desc())
    return session.exec(statement.limit(1)).first()


def _training(row: TagModelRow) -> Training:
    told: Mapping[str, Any] = row.report
    return Training(
        id=row.id or 0,
        state=row.state,
        last_error=row.last_error,
        asked_by=row.asked_by,
        asked_at=row.asked_at,
        finished_at=row.finished_at,
        texts=told.get("texts", 0),
        doubtful=told.get("doubtful", 0.0),
        accuracy=told.get("accuracy", 0.0),
        macro_f1=told.get("macro_f1", 0.0),
    )
