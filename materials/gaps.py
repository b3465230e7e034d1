"""What customers ask and no script answers, gathered into groups for those who write scripts."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, or_
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col, delete, func, select

from crm_core import audit
from crm_core.chat.store import ChatStore
from crm_core.db import UnitOfWork
from crm_core.errors import NotFound
from crm_core.ids import CorpId, ExternalUserId
from crm_core.listing import Listed
from crm_core.ports import TextCipher
from materials.private_numbers import hide_numbers
from materials.ranking import Meanings, grams, numpy
from materials.recommend_tables import ScriptGapCaseRow, ScriptGapRow

OPEN, IGNORED, WRITTEN = "open", "ignored", "written"
STATES = {OPEN: "待补", IGNORED: "已忽略", WRITTEN: "已写成话术"}
LIKE, LIKE_WORDS = 0.6, 0.45  # how alike two questions of one group are: cosine from the middle, share of grams
MOST_COMPARED = 3000
LEAST_CHARS, MOST_CHARS = 4, 120
PAGE_SIZE = 30
MOST_EXAMPLES = 8
ASKING = re.compile(
    r"[?？]|[吗么呢]|什么|怎么|怎样|咋|啥|多少|几[天个点月号岁时块]|哪|如何|为什么|为啥|有没有|能不能|可不可以|可以.*[吗么不]|"
    r"是否|是不是|会不会|要不要|行不行|多久|多长|多大|谁"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unanswered:
    """A question that no script answers. vector: raw, None where words alone are compared."""

    position: int
    external_user: str
    text: str
    asked_at: datetime
    model: str = ""
    vector: Any | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A group of such questions. examples: other wordings, newest first, personal numbers hidden."""

    id: int
    label: str
    asked: int
    customers: int
    state: str
    script_id: int
    first_at: datetime
    last_at: datetime
    examples: tuple[str, ...] = ()


def is_asking(text: str) -> bool:
    """Whether a message looks like a question that a script could answer."""
    said = text.strip()
    return LEAST_CHARS <= len(said) <= MOST_CHARS and bool(ASKING.search(said))


def gather(
    uow: UnitOfWork, cipher: TextCipher, corp: CorpId, found: Sequence[Unanswered], meanings: Meanings | None
) -> int:
    """Put questions into their groups, each once, making groups where none is like it. Answers how many were new."""
    uow.lock(f"script-gaps:{corp}")
    known = set(
        uow.session.exec(
            select(ScriptGapCaseRow.position).where(
                ScriptGapCaseRow.corp_id == corp, col(ScriptGapCaseRow.position).in_([one.position for one in found])
            )
        )
    )
    fresh = [one for one in found if one.position not in known]
    if not fresh:
        return 0
    groups = _Groups(uow, cipher, corp, meanings)
    dialect = postgresql if uow.session.get_bind().dialect.name == "postgresql" else sqlite
    for one in fresh:
        row = groups.take(one)
        uow.session.flush()
        uow.session.execute(
            dialect.insert(ScriptGapCaseRow)
            .values(
                corp_id=corp,
                position=one.position,
                gap_id=row.id,
                external_userid=one.external_user,
                asked_at=one.asked_at,
            )
            .on_conflict_do_nothing()
        )
    return len(fresh)


class _Groups:
    """The groups a corp has, as they are compared with new questions."""

    def __init__(self, uow: UnitOfWork, cipher: TextCipher, corp: CorpId, meanings: Meanings | None) -> None:
        self._uow = uow
        self._cipher = cipher
        self._corp = corp
        self._meanings = meanings
        self._rows = list(
            uow.session.exec(
                select(ScriptGapRow)
                .where(ScriptGapRow.corp_id == corp, col(ScriptGapRow.state) != WRITTEN)
                .order_by(col(ScriptGapRow.last_at).desc())
                .limit(MOST_COMPARED)
            )
        )
        self._grams: dict[int, frozenset[str]] = {}

    def take(self, one: Unanswered) -> ScriptGapRow:
        """The group of a question, counted up; a new one where none is like it."""
        row = self._near(one) or self._make(one)
        if one.vector is not None:
            np = numpy()
            before = np.frombuffer(row.vector, dtype="float32") if row.vector else 0
            mean = (before * row.asked + np.asarray(one.vector, dtype="float32")) / (row.asked + 1)
            row.model, row.vector = one.model, mean.astype("float32").tobytes()
        row.asked += 1
        row.first_at, row.last_at = min(row.first_at, one.asked_at), max(row.last_at, one.asked_at)
        self._uow.session.add(row)
        return row

    def _make(self, one: Unanswered) -> ScriptGapRow:
        label = self._cipher.seal(hide_numbers(one.text.strip())[:MOST_CHARS])
        row = ScriptGapRow(corp_id=self._corp, label=label, first_at=one.asked_at, last_at=one.asked_at)
        self._rows.append(row)
        return row

    def _near(self, one: Unanswered) -> ScriptGapRow | None:
        if one.vector is not None and self._meanings is not None:
            same = [row for row in self._rows if row.model == one.model and row.vector]
            if same:
                np = numpy()
                rows = np.frombuffer(b"".join(row.vector for row in same), dtype="float32").reshape(len(same), -1)
                asked = self._meanings.seen_from_middle(np.asarray(one.vector, dtype="float32"))
                near = self._meanings.seen_from_middle(rows) @ asked
                best = int(near.argmax())
                if near[best] >= LIKE:
                    return same[best]
        return self._near_by_words(one)

    def _near_by_words(self, one: Unanswered) -> ScriptGapRow | None:
        mine, best, found = frozenset(grams(hide_numbers(one.text))), LIKE_WORDS, None
        for row in self._rows:
            theirs = self._grams.get(id(row))
            if theirs is None:
                theirs = self._grams[id(row)] = frozenset(grams(self._cipher.unseal(row.label)))
            like = len(mine & theirs) / max(len(mine | theirs), 1)
            if like >= best:
                best, found = like, row
        return found


def listing(
    session: Session, cipher: TextCipher, store: ChatStore, corp: CorpId, *, state: str = OPEN, after: str = ""
) -> Listed[Gap]:
    """A page of groups, the most asked first, with examples. after: the cursor of the page before."""
    statement = select(ScriptGapRow).where(ScriptGapRow.corp_id == corp, ScriptGapRow.state == state)
    asked, _, gap_id = after.partition(".")
    if asked.isdigit() and gap_id.isdigit():
        statement = statement.where(
            or_(
                col(ScriptGapRow.asked) < int(asked),
                and_(col(ScriptGapRow.asked) == int(asked), col(ScriptGapRow.id) < int(gap_id)),
            )
        )
    order = (col(ScriptGapRow.asked).desc(), col(ScriptGapRow.id).desc())
    rows = session.exec(statement.order_by(*order).limit(PAGE_SIZE + 1)).all()
    shown = rows[:PAGE_SIZE]
    people = _people(session, [row.id or 0 for row in shown])
    items = tuple(_gap(row, cipher, people, _examples(session, store, corp, row.id or 0)) for row in shown)
    cursor = f"{shown[-1].asked}.{shown[-1].id}" if len(rows) > PAGE_SIZE else ""
    return Listed(items=items, next_cursor=cursor)


def get(session: Session, cipher: TextCipher, store: ChatStore, corp: CorpId, gap_id: int) -> Gap:
    """One group with examples. Raises: NotFound."""
    row = _row(session, corp, gap_id)
    return _gap(row, cipher, _people(session, [gap_id]), _examples(session, store, corp, gap_id))


def count_open(session: Session, corp: CorpId) -> int:
    """How many groups wait for a script."""
    statement = select(func.count()).select_from(ScriptGapRow)
    return session.exec(statement.where(ScriptGapRow.corp_id == corp, ScriptGapRow.state == OPEN)).one()


def switch(uow: UnitOfWork, corp: CorpId, actor: str, gap_id: int, *, state: str, script_id: int = 0) -> None:
    """Ignore a group, open it again, or say which script answers it now. Raises: NotFound."""
    row = _row(uow.session, corp, gap_id)
    if state not in STATES:
        raise NotFound("没有这个操作")
    row.state, row.script_id, row.changed_by = state, script_id, actor
    uow.session.add(row)
    audit.record(
        uow,
        corp=corp,
        actor=actor,
        act=f"script_gap.{state}",
        object_kind="script_gap",
        object_id=str(gap_id),
        data={"script": script_id} if script_id else None,
    )


def forget(uow: UnitOfWork, corp: CorpId, external_user: ExternalUserId) -> None:
    """Erase which questions a customer asked; groups keep their counts."""
    uow.session.execute(
        delete(ScriptGapCaseRow).where(
            col(ScriptGapCaseRow.corp_id) == corp, col(ScriptGapCaseRow.external_userid) == external_user
        )
    )


def _row(session: Session, corp: CorpId, gap_id: int) -> ScriptGapRow:
    row = session.get(ScriptGapRow, gap_id)
    if row is None or row.corp_id != corp:
        raise NotFound("没有这组提问，可能已被处理")
    return row


def _people(session: Session, ids: Sequence[int]) -> dict[int, int]:
    rows = session.exec(
        select(ScriptGapCaseRow.gap_id, func.count(func.distinct(col(ScriptGapCaseRow.external_userid))))
        .where(col(ScriptGapCaseRow.gap_id).in_(ids))
        .group_by(col(ScriptGapCaseRow.gap_id))
    )
    return dict(rows.all())


def _examples(session: Session, store: ChatStore, corp: CorpId, gap_id: int) -> tuple[str, ...]:
    positions = session.exec(
        select(ScriptGapCaseRow.position)
        .where(ScriptGapCaseRow.gap_id == gap_id)
        .order_by(col(ScriptGapCaseRow.position).desc())
        .limit(MOST_EXAMPLES)
    )
    said = (one.message.text for place in positions for one in store.read(session, corp, place, place))
    return tuple(dict.fromkeys(hide_numbers(text.strip())[:MOST_CHARS] for text in said if text.strip()))


def _gap(row: ScriptGapRow, cipher: TextCipher, people: dict[int, int], examples: tuple[str, ...]) -> Gap:
    return Gap(
        id=row.id or 0,
        label=cipher.unseal(row.label),
        asked=row.asked,
        customers=people.get(row.id or 0, 0),
        state=row.state,
        script_id=row.script_id,
        first_at=row.first_at,
        last_at=row.last_at,
        examples=examples,
    )
