"""Sessions of 微信客服: opened by a message, handed from bot to people, ended, rated."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import update
from sqlmodel import Session, col, func, select

from crm_core.db import UnitOfWork
from crm_core.errors import NotFound
from crm_core.events import StaffUpdated
from crm_core.ids import CorpId
from crm_core.kf.rules import ANSWER_WITHIN, Standing, Why, Window
from crm_core.kf_port import KfCustomerFacts
from crm_core.kf_tables import KfCustomerRow, KfSessionRow

AWAY_PAUSE = timedelta(hours=1)  # the hours are not told again sooner
NAME_LASTS = timedelta(days=7)
QUIET, BY_PERSON = "quiet", "person"


@dataclass(frozen=True, slots=True, kw_only=True)
class Talk:
    """An open session as the bot needs it."""

    id: int
    corp: CorpId
    open_kfid: str
    external_user: str
    standing: Standing
    window: Window
    away_told_at: datetime | None

    def is_away_due(self, now: datetime) -> bool:
        """Whether the hours may be told (again)."""
        return self.away_told_at is None or now - self.away_told_at >= AWAY_PAUSE


def heard(uow: UnitOfWork, corp: CorpId, open_kfid: str, external_user: str, at: datetime) -> Talk:
    """The customer wrote: the open session, or a new one where the last is ended or was quiet for 48 hours."""
    row = _open_row(uow, corp, open_kfid, external_user)
    if row is not None and at - (row.last_customer_at or row.opened_at) > ANSWER_WITHIN:
        _end(row, row.opened_at if row.last_customer_at is None else row.last_customer_at + ANSWER_WITHIN, QUIET)
        uow.session.add(row)
        uow.session.flush()
        row = None
    if row is None:
        row = KfSessionRow(corp_id=corp, open_kfid=open_kfid, external_userid=external_user, opened_at=at)
    window = Window(row.last_customer_at, row.used).heard(at)
    row.last_customer_at, row.used = window.last_customer_at, window.used
    uow.session.add(row)
    uow.session.flush()
    return _talk(row)


def heard_of(uow: UnitOfWork, corp: CorpId, open_kfid: str, external_user: str, at: datetime) -> Talk:
    """A session that we learn of otherwise than by a message: it was begun before we read."""
    row = KfSessionRow(corp_id=corp, open_kfid=open_kfid, external_userid=external_user, opened_at=at)
    return _kept(uow, row)


def busy(session: Session, corp: CorpId, open_kfid: str) -> dict[str, int]:
    """How many customers each servicer has now."""
    rows = session.exec(
        select(KfSessionRow.servicer, func.count())
        .where(
            KfSessionRow.corp_id == corp,
            KfSessionRow.open_kfid == open_kfid,
            KfSessionRow.standing == int(Standing.HUMAN),
            col(KfSessionRow.ended_at).is_(None),
        )
        .group_by(KfSessionRow.servicer)
    )
    return dict(rows.all())


def current(uow: UnitOfWork, corp: CorpId, open_kfid: str, external_user: str) -> Talk | None:
    """The open session of a customer."""
    row = _open_row(uow, corp, open_kfid, external_user)
    return None if row is None else _talk(row)


def count_sent(uow: UnitOfWork, talk: Talk, number: int) -> Talk:
    """So many messages are on their way."""
    row = _row(uow, talk.id)
    row.used = talk.window.sent(number).used
    return _kept(uow, row)


def count_answer(uow: UnitOfWork, talk: Talk) -> Talk:
    """The bot answered; a new session is the bot's now."""
    row = _row(uow, talk.id)
    row.answers += 1
    if row.standing == Standing.NEW:
        row.standing = Standing.BOT
    return _kept(uow, row)


def to_people(uow: UnitOfWork, talk: Talk, why: Why, now: datetime) -> Talk:
    """The session goes to people; it waits from now on."""
    row = _row(uow, talk.id)
    row.why, row.misses = why.value, row.misses + (why is Why.UNSURE)
    row.standing, row.waiting_since = Standing.POOL, now
    return _kept(uow, row)


def away_told(uow: UnitOfWork, talk: Talk, why: Why | None, now: datetime) -> Talk:
    """The customer was told the hours."""
    row = _row(uow, talk.id)
    row.away_told_at, row.misses = now, row.misses + (why is Why.UNSURE)
    return _kept(uow, row)


def stands(uow: UnitOfWork, session_id: int, standing: Standing, servicer: str, at: datetime) -> Talk | None:
    """What WeCom says of a session; None when it is over."""
    row = _row(uow, session_id)
    if row.ended_at is not None:
        return None
    if standing is Standing.ENDED:
        _end(row, at, BY_PERSON)
        _kept(uow, row)
        return None
    row.standing, row.servicer = standing, servicer
    if standing is Standing.HUMAN and row.accepted_at is None:
        row.accepted_at = at
    if standing is Standing.POOL and row.waiting_since is None:
        row.waiting_since = at
    return _kept(uow, row)


def trouble(uow: UnitOfWork, session_id: int, said: str, *, is_window_closed: bool = False) -> Talk | None:
    """Something did not go out. Answers the session while it is open."""
    row = uow.session.get(KfSessionRow, session_id, with_for_update=True)
    if row is None:
        return None
    row.problem = said[:500]
    if is_window_closed:
        row.used = Window(row.last_customer_at, row.used).closed().used
    talk = _kept(uow, row)
    return talk if row.ended_at is None else None


def rate(uow: UnitOfWork, corp: CorpId, external_user: str, session_id: int, score: int, at: datetime) -> bool:
    """A customer's rating; the last click counts. False: it is not their session."""
    row = uow.session.get(KfSessionRow, session_id, with_for_update=True)
    if row is None or row.corp_id != corp or row.external_userid != external_user:
        return False
    row.rating, row.rated_at = score, at
    uow.session.add(row)
    return True


def end_quiet(uow: UnitOfWork, limit: int = 500) -> int:
    """End sessions in which nobody wrote for 48 hours. Answers how many."""
    before = uow.now() - ANSWER_WITHIN
    rows = uow.session.exec(
        select(KfSessionRow)
        .where(col(KfSessionRow.ended_at).is_(None), col(KfSessionRow.last_customer_at) < before)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    for row in rows:
        _end(row, uow.now(), QUIET)
        uow.session.add(row)
    return len(rows)


def names_to_ask(uow: UnitOfWork, corp: CorpId, external_users: set[str]) -> list[str]:
    """Those whose name is not known or old; they count as asked from now on."""
    known = {
        row.external_userid: row
        for row in uow.session.exec(
            select(KfCustomerRow).where(
                KfCustomerRow.corp_id == corp, col(KfCustomerRow.external_userid).in_(external_users)
            )
        )
    }
    fresh = uow.now() - NAME_LASTS
    wanted = sorted(one for one in external_users if one not in known or known[one].asked_at < fresh)
    for one in wanted:
        row = known.get(one) or KfCustomerRow(corp_id=corp, external_userid=one, asked_at=uow.now())
        row.asked_at = uow.now()
        uow.session.add(row)
    return wanted


def record_names(uow: UnitOfWork, corp: CorpId, found: tuple[KfCustomerFacts, ...]) -> None:
    """What WeCom told of those who wrote."""
    for facts in found:
        row = uow.session.get(KfCustomerRow, (corp, facts.external_user))
        row = row or KfCustomerRow(corp_id=corp, external_userid=facts.external_user, asked_at=uow.now())
        row.nickname, row.avatar = facts.nickname, facts.avatar
        uow.session.add(row)


def name_of(session: Session, corp: CorpId, external_user: str) -> str:
    """What the customer calls themselves, "" while unknown."""
    row = session.get(KfCustomerRow, (corp, external_user))
    return row.nickname if row is not None else ""


def rename_staff(event: StaffUpdated, uow: UnitOfWork) -> None:
    """A changed userid is carried through the sessions."""
    if event.new_staff is not None:
        uow.session.execute(
            update(KfSessionRow)
            .where(col(KfSessionRow.corp_id) == event.corp, col(KfSessionRow.servicer) == event.staff)
            .values(servicer=event.new_staff)
        )


def _open_row(uow: UnitOfWork, corp: CorpId, open_kfid: str, external_user: str) -> KfSessionRow | None:
    return uow.session.exec(
        select(KfSessionRow)
        .where(
            KfSessionRow.corp_id == corp,
            KfSessionRow.open_kfid == open_kfid,
            KfSessionRow.external_userid == external_user,
            col(KfSessionRow.ended_at).is_(None),
        )
        .with_for_update()
    ).first()


def _row(uow: UnitOfWork, session_id: int) -> KfSessionRow:
    row = uow.session.get(KfSessionRow, session_id, with_for_update=True)
    if row is None:
        raise NotFound("没有这个客服会话")
    return row


def _kept(uow: UnitOfWork, row: KfSessionRow) -> Talk:
    uow.session.add(row)
    uow.session.flush()
    return _talk(row)


def _end(row: KfSessionRow, at: datetime, reason: str) -> None:
    row.standing, row.ended_at, row.end_reason = Standing.ENDED, at, reason


def _talk(row: KfSessionRow) -> Talk:
    return Talk(
        id=row.id or 0,
        corp=CorpId(row.corp_id),
        open_kfid=row.open_kfid,
        external_user=row.external_userid,
        standing=Standing(row.standing),
        window=Window(row.last_customer_at, row.used),
        away_told_at=row.away_told_at,
    )
