"""Sessions of 微信客服 as people read them: pages, one session, figures. Only reads."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, func, select

from crm_core import customers, staff
from crm_core.errors import NotFound
from crm_core.ids import CorpId
from crm_core.kf.rules import Standing
from crm_core.kf_tables import KfAccountRow, KfCustomerRow, KfSessionRow
from crm_core.listing import Count, Listed, counted, page_of


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionFilter:
    """Which sessions. standing, rating: None any."""

    open_kfid: str = ""
    standing: Standing | None = None
    servicer: str = ""
    rating: int | None = None
    has_problem: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionView:
    """One session for display. waited_seconds: for a person, until now while it waits; None when nobody was asked."""

    id: int
    open_kfid: str
    account_name: str
    external_user: str
    customer_name: str
    standing: Standing
    servicer: str
    servicer_name: str
    why: str
    opened_at: datetime
    last_customer_at: datetime | None
    waiting_since: datetime | None
    accepted_at: datetime | None
    ended_at: datetime | None
    end_reason: str
    answers: int
    misses: int
    rating: int
    problem: str

    @property
    def waited_seconds(self) -> int | None:
        """How long a person was waited for, once somebody came."""
        if self.waiting_since is None or self.accepted_at is None:
            return None
        return max(0, int((self.accepted_at - self.waiting_since).total_seconds()))


@dataclass(frozen=True, slots=True, kw_only=True)
class KfFigures:
    """Since a moment. by_bot: sessions that never went to people; rated: by score."""

    sessions: int
    by_bot: int
    to_people: int
    waiting_now: int
    mean_wait_seconds: int
    answers: int
    misses: int
    rated: dict[int, int]

    @property
    def satisfied(self) -> int | None:
        """Percent of ratings that are 满意; None without ratings."""
        total = sum(self.rated.values())
        return round(100 * self.rated.get(3, 0) / total) if total else None


def page(
    session: Session, corp: CorpId, wanted: SessionFilter, *, cursor: str = "", limit: int = 50
) -> Listed[SessionView]:
    """One page, newest first. Raises: InputInvalid."""
    rows = page_of(
        session,
        select(KfSessionRow.__table__).where(*_clauses(corp, wanted)),  # type: ignore[attr-defined]
        keys=(col(KfSessionRow.opened_at), col(KfSessionRow.id)),
        kinds=(datetime, int),
        descending=True,
        cursor=cursor,
        tell=lambda row: row,
        key_of=lambda row: (row.opened_at, row.id),
        limit=limit,
    )
    return Listed(items=tuple(_views(session, corp, rows.items)), next_cursor=rows.next_cursor)


def count(session: Session, corp: CorpId, wanted: SessionFilter) -> Count:
    """How many sessions."""
    return counted(session, select(KfSessionRow.id).where(*_clauses(corp, wanted)))


def one(session: Session, corp: CorpId, session_id: int) -> SessionView:
    """One session. Raises: NotFound."""
    row = session.get(KfSessionRow, session_id)
    if row is None or row.corp_id != corp:
        raise NotFound("没有这个客服会话")
    return _views(session, corp, [row])[0]


def figures(session: Session, corp: CorpId, since: datetime) -> KfFigures:
    """What happened since a moment."""
    inside = (KfSessionRow.corp_id == corp, KfSessionRow.opened_at >= since)
    total, answers, misses, people = session.exec(
        select(
            func.count(),
            func.coalesce(func.sum(KfSessionRow.answers), 0),
            func.coalesce(func.sum(KfSessionRow.misses), 0),
            func.count(col(KfSessionRow.waiting_since)),
        ).where(*inside)
    ).one()
    waits = session.exec(
        select(KfSessionRow.waiting_since, KfSessionRow.accepted_at)
        .where(*inside, col(KfSessionRow.waiting_since).is_not(None), col(KfSessionRow.accepted_at).is_not(None))
        .order_by(col(KfSessionRow.id).desc())
        .limit(2000)
    ).all()
    spans = [(end - begin).total_seconds() for begin, end in waits if begin is not None and end is not None]
    waiting = session.exec(
        select(func.count())
        .select_from(KfSessionRow)
        .where(KfSessionRow.corp_id == corp, KfSessionRow.standing == int(Standing.POOL))
    ).one()
    rated = session.exec(
        select(KfSessionRow.rating, func.count())
        .where(*inside, KfSessionRow.rating > 0)
        .group_by(col(KfSessionRow.rating))
    ).all()
    return KfFigures(
        sessions=total,
        by_bot=total - people,
        to_people=people,
        waiting_now=waiting,
        mean_wait_seconds=round(sum(spans) / len(spans)) if spans else 0,
        answers=int(answers),
        misses=int(misses),
        rated=dict(rated),
    )


def _clauses(corp: CorpId, wanted: SessionFilter) -> list[ColumnElement[bool]]:
    clauses: list[Any] = [KfSessionRow.corp_id == corp]
    if wanted.open_kfid:
        clauses.append(KfSessionRow.open_kfid == wanted.open_kfid)
    if wanted.standing is not None:
        clauses.append(KfSessionRow.standing == int(wanted.standing))
    if wanted.servicer:
        clauses.append(KfSessionRow.servicer == wanted.servicer)
    if wanted.rating is not None:
        clauses.append(KfSessionRow.rating == wanted.rating)
    if wanted.has_problem:
        clauses.append(KfSessionRow.problem != "")
    return clauses


def _views(session: Session, corp: CorpId, rows: Iterable[Any]) -> Sequence[SessionView]:
    rows = list(rows)
    guests = customer_names(session, corp, {row.external_userid for row in rows})
    people = staff.names(session, corp, {row.servicer for row in rows if row.servicer})
    desks = dict(
        session.exec(select(KfAccountRow.open_kfid, KfAccountRow.name).where(KfAccountRow.corp_id == corp)).all()
    )
    return [
        SessionView(
            id=row.id,
            open_kfid=row.open_kfid,
            account_name=desks.get(row.open_kfid) or row.open_kfid,
            external_user=row.external_userid,
            customer_name=guests.get(row.external_userid) or "微信用户",
            standing=Standing(row.standing),
            servicer=row.servicer,
            servicer_name=people.get(row.servicer, row.servicer),
            why=row.why,
            opened_at=row.opened_at,
            last_customer_at=row.last_customer_at,
            waiting_since=row.waiting_since,
            accepted_at=row.accepted_at,
            ended_at=row.ended_at,
            end_reason=row.end_reason,
            answers=row.answers,
            misses=row.misses,
            rating=row.rating,
            problem=row.problem,
        )
        for row in rows
    ]


def customer_names(session: Session, corp: CorpId, external_users: set[str]) -> dict[str, str]:
    """Names of customers: ours where they are contacts, else what they call themselves in WeChat."""
    if not external_users:
        return {}
    rows = session.exec(
        select(KfCustomerRow.external_userid, KfCustomerRow.nickname).where(
            KfCustomerRow.corp_id == corp, col(KfCustomerRow.external_userid).in_(external_users)
        )
    ).all()
    known = customers.display_names(session, corp, external_users)
    return {**dict(rows), **{user: name for user, name in known.items() if name}}
