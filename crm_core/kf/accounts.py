"""Customer-service accounts: which there are, how each answers, and who reads what came in."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session, col, select

from crm_core import outbox
from crm_core.db import UnitOfWork
from crm_core.errors import Conflict, NotFound
from crm_core.events import KfHasNews
from crm_core.ids import AppKey, CorpId
from crm_core.kf_port import KfAccountFacts
from crm_core.kf_tables import KfAccountRow

SYNC_JOB, ACCOUNTS_JOB, SWEEP_JOB = "kf.sync", "kf.accounts", "kf.sweep"
LANE = "kf"
SYNC_LEASE = timedelta(seconds=60)
RECEPTIONS = {"pool": "进入等待队列，由接待人员自行接入", "assign": "直接分给在岗、接待最少的人"}
MOST_TEXT_BYTES = 2048  # doc 94677
DEFAULT_WELCOME = "您好，欢迎咨询！请直接告诉我您的问题，需要人工时发送“转人工”。"
DEFAULT_AWAY = "您好，现在不是人工服务时间（人工：{时间}）。请先留言，我们上班后第一时间回复您。"


@dataclass(frozen=True, slots=True, kw_only=True)
class KfAccount:
    """One account as the house sees it."""

    corp: CorpId
    app: AppKey
    open_kfid: str
    name: str
    is_listed: bool
    is_manageable: bool
    is_bot_on: bool
    threshold: float
    reception: str
    welcome: str
    away: str
    is_survey_on: bool
    synced_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountForm:
    """How an account shall answer. threshold: 0–1."""

    is_bot_on: bool
    threshold: float
    reception: str
    welcome: str
    away: str
    is_survey_on: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncTurn:
    """The right to read an account now. cursor: where from; rung: bells that this reading answers."""

    corp: CorpId
    app: AppKey
    open_kfid: str
    owner: str
    cursor: str
    rung: int


def faults(form: AccountForm) -> dict[str, str]:
    """What is wrong with a form, by field."""
    found: dict[str, str] = {}
    if not 0.2 <= form.threshold <= 1:
        found["threshold"] = "把握程度应在 20% 到 100% 之间"
    if form.reception not in RECEPTIONS:
        found["reception"] = "请选择人工接待方式"
    for name, text in (("welcome", form.welcome), ("away", form.away)):
        if len(text.encode("utf-8", "replace")) > MOST_TEXT_BYTES:
            found[name] = f"超过 {MOST_TEXT_BYTES} 字节（约 680 个汉字）"
    if not form.away.strip():
        found["away"] = "请填写非服务时间的答复，否则客户得不到回应"
    return found


def listing(session: Session, corp: CorpId) -> list[KfAccount]:
    """Every account of a corp, those that WeCom still names first."""
    rows = session.exec(select(KfAccountRow).where(KfAccountRow.corp_id == corp)).all()
    return [_view(row) for row in sorted(rows, key=lambda row: (not row.is_listed, row.name, row.open_kfid))]


def everywhere(session: Session) -> list[KfAccount]:
    """The accounts of all corps that can be read."""
    rows = session.exec(select(KfAccountRow).where(col(KfAccountRow.is_listed).is_(True)))
    return [_view(row) for row in rows if row.is_manageable]


def get(session: Session, corp: CorpId, open_kfid: str) -> KfAccount:
    """One account. Raises: NotFound."""
    row = session.get(KfAccountRow, (corp, open_kfid))
    if row is None:
        raise NotFound("没有这个客服账号")
    return _view(row)


def change(uow: UnitOfWork, corp: CorpId, open_kfid: str, form: AccountForm) -> None:
    """Set how an account answers. Raises: NotFound. The form must be without faults."""
    row = _taken(uow, corp, open_kfid)
    row.is_bot_on, row.threshold, row.reception = form.is_bot_on, form.threshold, form.reception
    row.welcome, row.away, row.is_survey_on = form.welcome.strip(), form.away.strip(), form.is_survey_on
    row.changed_at = uow.now()
    uow.session.add(row)


def record_listed(
    uow: UnitOfWork, corp: CorpId, app: AppKey, found: Iterable[KfAccountFacts], *, threshold: float
) -> None:
    """What WeCom names: new ones begin with the bot off; those that are gone stay with their sessions."""
    named = {facts.open_kfid: facts for facts in found}
    uow.lock(f"kf-accounts:{corp}")
    rows = uow.session.exec(select(KfAccountRow).where(KfAccountRow.corp_id == corp, KfAccountRow.app_key == app)).all()
    for row in rows:
        row.is_listed = row.open_kfid in named
        uow.session.add(row)
    for facts in named.values():
        row = _ensured(uow, corp, app, facts.open_kfid, threshold=threshold)
        row.name, row.avatar, row.is_manageable = facts.name, facts.avatar, facts.manageable
        uow.session.add(row)


def ring(uow: UnitOfWork, news: KfHasNews, *, threshold: float) -> None:
    """Something is new at an account: have it read. An account nobody knows yet is asked about, too."""
    row = _ensured(uow, news.corp, news.app, news.open_kfid, threshold=threshold)
    if not row.name:
        ask_accounts(uow, news.corp, news.app, key=news.key)
    _ring(uow, row, key=news.key, token=news.token, received_ms=news.received_ms)


def ring_again(uow: UnitOfWork, account: KfAccount, *, key: str) -> None:
    """Read an account although nobody rang: a bell may have been lost."""
    _ring(uow, _taken(uow, account.corp, account.open_kfid), key=key, token="", received_ms=0)


def ask_accounts(uow: UnitOfWork, corp: CorpId, app: AppKey, *, key: str) -> None:
    """Have the list of accounts read from WeCom."""
    payload = {"corp": corp, "app": app}
    outbox.add_job(uow, ACCOUNTS_JOB, dedupe_key=f"{ACCOUNTS_JOB}:{key}", payload=payload, lane=LANE, corp=corp)


def _ring(uow: UnitOfWork, row: KfAccountRow, *, key: str, token: str, received_ms: int) -> None:
    job = f"{SYNC_JOB}:{row.open_kfid}:{key}"
    payload = {
        "corp": row.corp_id,
        "open_kfid": row.open_kfid,
        "token": token,
        "received_ms": received_ms,
        "owner": job,
    }
    if outbox.add_job(uow, SYNC_JOB, dedupe_key=job, payload=payload, lane=LANE, corp=row.corp_id) is not None:
        row.rung += 1
        uow.session.add(row)


def begin_sync(uow: UnitOfWork, corp: CorpId, open_kfid: str, *, owner: str) -> SyncTurn | None:
    """Take the right to read. None: no bell since the last reading, or somebody else reads and looks again."""
    row = _taken(uow, corp, open_kfid)
    is_held = row.sync_owner not in {"", owner} and row.sync_until is not None and row.sync_until > uow.now()
    if row.rung == row.heard or is_held:
        return None
    return _hold(uow, row, owner)


def advance(uow: UnitOfWork, turn: SyncTurn, cursor: str) -> SyncTurn:
    """What came up to ``cursor`` is kept in this very unit. Raises: Conflict, when somebody else read on meanwhile."""
    row = _taken(uow, turn.corp, turn.open_kfid)
    if row.sync_owner != turn.owner or row.cursor != turn.cursor:
        raise Conflict("另一处已经在读取这个客服账号")
    row.cursor, row.synced_at = cursor, uow.now()
    return _hold(uow, row, turn.owner, rung=turn.rung)


def end_sync(uow: UnitOfWork, turn: SyncTurn, *, is_whole: bool) -> SyncTurn | None:
    """Give the right back. Answers a further turn when the bell rang meanwhile. is_whole: everything was read."""
    row = _taken(uow, turn.corp, turn.open_kfid)
    if row.sync_owner != turn.owner:
        return None
    if is_whole:
        row.heard = max(row.heard, turn.rung)
        if row.rung > row.heard:
            return _hold(uow, row, turn.owner)
    row.sync_owner, row.sync_until = "", None
    uow.session.add(row)
    return None


def _hold(uow: UnitOfWork, row: KfAccountRow, owner: str, *, rung: int | None = None) -> SyncTurn:
    row.sync_owner, row.sync_until = owner, uow.now() + SYNC_LEASE
    uow.session.add(row)
    return SyncTurn(
        corp=CorpId(row.corp_id),
        app=AppKey(row.app_key),
        open_kfid=row.open_kfid,
        owner=owner,
        cursor=row.cursor,
        rung=row.rung if rung is None else rung,
    )


def _ensured(uow: UnitOfWork, corp: CorpId, app: AppKey, open_kfid: str, *, threshold: float) -> KfAccountRow:
    uow.lock(f"kf:{corp}:{open_kfid}")
    row = uow.session.get(KfAccountRow, (corp, open_kfid), with_for_update=True)
    if row is None:
        row = KfAccountRow(
            corp_id=corp,
            open_kfid=open_kfid,
            app_key=app,
            threshold=threshold,
            welcome=DEFAULT_WELCOME,
            away=DEFAULT_AWAY,
            changed_at=uow.now(),
        )
        uow.session.add(row)
        uow.session.flush()
    return row


def _taken(uow: UnitOfWork, corp: CorpId, open_kfid: str) -> KfAccountRow:
    row = uow.session.get(KfAccountRow, (corp, open_kfid), with_for_update=True)
    if row is None:
        raise NotFound("没有这个客服账号")
    return row


def _view(row: KfAccountRow) -> KfAccount:
    return KfAccount(
        corp=CorpId(row.corp_id),
        app=AppKey(row.app_key),
        open_kfid=row.open_kfid,
        name=row.name or row.open_kfid,
        is_listed=row.is_listed,
        is_manageable=row.is_manageable,
        is_bot_on=row.is_bot_on,
        threshold=row.threshold,
        reception=row.reception,
        welcome=row.welcome,
        away=row.away,
        is_survey_on=row.is_survey_on,
        synced_at=row.synced_at,
    )
