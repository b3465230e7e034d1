"""What a company teaches its recommendation: scripts that were sent in answer to something, and thumbs.

A lesson counts less the older it is, and only for what was said like it; so one busy script does not climb everywhere.
"""

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import update
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col, delete, func, select

from crm_core.db import UnitOfWork
from crm_core.errors import InputInvalid
from crm_core.ids import CorpId, ExternalUserId, StaffUserId
from crm_core.ports import TextCipher
from materials import service
from materials.recommend_tables import ScriptLessonRow

SENT, UP, DOWN = "sent", "up", "down"
VERDICTS = frozenset((SENT, UP, DOWN))
MOST_SAID_CHARS = 400
MOST_LESSONS = 4000
MOST_OPENED = 200  # of which the words are read too; the others are compared by their vectors
KEEP_DAYS = 180
REPLY_WINDOW = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """One lesson as the ranking uses it. vector: float32, empty where no model was loaded when it was written."""

    script_id: int
    verdict: str
    said: str
    model: str
    vector: bytes
    replied: bool
    happened_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a customer said, with its vector where there is one."""

    text: str
    model: str = ""
    vector: bytes = b""


def token_of(corp: CorpId, external_user: str) -> str:
    """Names a customer in lessons without telling who it is."""
    return hashlib.sha256(f"{corp}\n{external_user}".encode()).hexdigest()[:32]


def learn(
    uow: UnitOfWork,
    cipher: TextCipher,
    corp: CorpId,
    staff: StaffUserId,
    external_user: ExternalUserId,
    *,
    script_id: int,
    verdict: str,
    said: Said,
    key: str,
) -> bool:
    """Write a lesson down, once per ``key``; a new thumb replaces the one before. Answers whether it was new.

    Raises: InputInvalid, NotFound (also when the script is not theirs to see).
    """
    if verdict not in VERDICTS:
        raise InputInvalid("不认识的评价", field="verdict")
    service.get(uow.session, corp, script_id, viewer=staff)
    dialect = postgresql if uow.session.get_bind().dialect.name == "postgresql" else sqlite
    fields = {
        "script_id": script_id,
        "staff_userid": staff,
        "customer_token": token_of(corp, external_user),
        "verdict": verdict,
        "said": cipher.seal(said.text[:MOST_SAID_CHARS]),
        "model": said.model,
        "vector": said.vector,
        "replied": False,
        "happened_at": uow.now(),
    }
    statement = dialect.insert(ScriptLessonRow).values(corp_id=corp, lesson_key=f"{staff}:{key}"[:200], **fields)
    if verdict == SENT:
        statement = statement.on_conflict_do_nothing(index_elements=["corp_id", "lesson_key"])
    else:
        statement = statement.on_conflict_do_update(
            index_elements=["corp_id", "lesson_key"], set_={"verdict": verdict, "happened_at": uow.now()}
        )
    return uow.session.execute(statement.returning(col(ScriptLessonRow.id))).scalar_one_or_none() is not None


def unlearn(uow: UnitOfWork, corp: CorpId, staff: StaffUserId, key: str) -> None:
    """Take a thumb back."""
    uow.session.execute(
        delete(ScriptLessonRow).where(
            col(ScriptLessonRow.corp_id) == corp, col(ScriptLessonRow.lesson_key) == f"{staff}:{key}"[:200]
        )
    )


def note_replies(uow: UnitOfWork, corp: CorpId, customers: Iterable[str]) -> None:
    """These customers spoke: what was sent to them within a day was answered."""
    tokens = sorted({token_of(corp, one) for one in customers})
    now = uow.now()
    for start in range(0, len(tokens), 500):
        uow.session.execute(
            update(ScriptLessonRow)
            .where(
                col(ScriptLessonRow.corp_id) == corp,
                col(ScriptLessonRow.customer_token).in_(tokens[start : start + 500]),
                col(ScriptLessonRow.replied).is_(False),
                col(ScriptLessonRow.happened_at) >= now - REPLY_WINDOW,
                col(ScriptLessonRow.happened_at) < now,
            )
            .values(replied=True)
        )


def newest(session: Session, corp: CorpId, cipher: TextCipher, now: datetime) -> list[Lesson]:
    """The lessons that still count, newest first."""
    rows = session.exec(
        select(ScriptLessonRow)
        .where(ScriptLessonRow.corp_id == corp, col(ScriptLessonRow.happened_at) >= now - timedelta(days=KEEP_DAYS))
        .order_by(col(ScriptLessonRow.happened_at).desc(), col(ScriptLessonRow.id).desc())
        .limit(MOST_LESSONS)
    )
    return [
        Lesson(
            script_id=row.script_id,
            verdict=row.verdict,
            said=cipher.unseal(row.said) if row.said and place < MOST_OPENED else "",
            model=row.model,
            vector=row.vector,
            replied=row.replied,
            happened_at=row.happened_at,
        )
        for place, row in enumerate(rows)
    ]


def stamp(session: Session, corp: CorpId) -> tuple[int, int, int]:
    """Changes whenever the lessons do."""
    count, last, replied = session.exec(
        select(
            func.count(),
            func.max(ScriptLessonRow.happened_at),
            func.count().filter(col(ScriptLessonRow.replied).is_(True)),
        ).where(ScriptLessonRow.corp_id == corp)
    ).one()
    return count, int(last.timestamp() * 1000) if last else 0, replied


def thumbs_of(session: Session, corp: CorpId, staff: StaffUserId, keys: Sequence[str]) -> dict[str, str]:
    """The verdicts this member gave under these keys."""
    wanted = {f"{staff}:{key}"[:200]: key for key in keys}
    rows = session.exec(
        select(ScriptLessonRow.lesson_key, ScriptLessonRow.verdict).where(
            ScriptLessonRow.corp_id == corp, col(ScriptLessonRow.lesson_key).in_(list(wanted))
        )
    )
    return {wanted[key]: verdict for key, verdict in rows}


def counts(session: Session, corp: CorpId, ids: Collection[int]) -> dict[int, dict[str, int]]:
    """For each script: recommended sends, thumbs, and how many sends the customer answered."""
    rows = session.exec(
        select(
            ScriptLessonRow.script_id,
            ScriptLessonRow.verdict,
            func.count(),
            func.count().filter(col(ScriptLessonRow.replied).is_(True)),
        )
        .where(ScriptLessonRow.corp_id == corp, col(ScriptLessonRow.script_id).in_(ids))
        .group_by(col(ScriptLessonRow.script_id), col(ScriptLessonRow.verdict))
    )
    found: dict[int, dict[str, int]] = {one: {SENT: 0, UP: 0, DOWN: 0, "replied": 0} for one in ids}
    for script_id, verdict, count, replied in rows:
        found[script_id][verdict] = count
        if verdict == SENT:
            found[script_id]["replied"] = replied
    return found


def forget(uow: UnitOfWork, corp: CorpId, external_user: ExternalUserId) -> None:
    """Erase what a customer said from all lessons."""
    uow.session.execute(
        delete(ScriptLessonRow).where(
            col(ScriptLessonRow.corp_id) == corp,
            col(ScriptLessonRow.customer_token) == token_of(corp, external_user),
        )
    )
