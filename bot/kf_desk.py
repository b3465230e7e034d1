"""微信客服 at work: reads what came in, one reading per account at a time, and writes down what became of our acts."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from bot.jobs import JobBody
from bot.kf_talk import KfTalker
from crm_core import outbox
from crm_core.bus import HandlerTable
from crm_core.chat.store import ChatStore
from crm_core.config import Settings
from crm_core.db import Database, UnitOfWork
from crm_core.errors import NotFound, WeComRefused
from crm_core.events import KfAccountsAuthorised, KfCustomersFetched, KfHasNews, KfMoved, KfSent, OutboundFinished
from crm_core.ids import AppKey, CorpId
from crm_core.kf import accounts, sessions, wording
from crm_core.kf.accounts import KfAccount, SyncTurn
from crm_core.kf.rules import Standing, Why
from crm_core.kf_port import KfItem, KfPage
from crm_core.ports import Gateways, WeComGateway
from materials.answering import SureAnswer, best_answer
from materials.service import ScriptShelf

ITEMS_A_PAGE = 100  # kept in one commit
FRESH = timedelta(minutes=10)  # in a first reading: what is older is history and stays unanswered
TOKEN_OLD = 95007
NO_MORE = frozenset({95001, 95002})
NAMES_AT_ONCE = 100
REFUSED = {
    95001: "WeCom 拒收：客户发言后已发满 5 条",
    95002: "WeCom 拒收：距客户上次发言超过 48 小时",
    95018: "WeCom 拒收：会话已不由机器人接待",
}


class KfDesk:
    """The jobs and handlers of 微信客服."""

    def __init__(
        self, db: Database, settings: Settings, gateways: Gateways, store: ChatStore, shelf: ScriptShelf
    ) -> None:
        self._db = db
        self._gateways = gateways
        self._store = store
        self._shelf = shelf
        self._threshold = settings.kf.threshold
        self.talker = KfTalker(settings)

    def bodies(self) -> dict[str, JobBody]:
        """The jobs, by kind."""
        return {
            accounts.SYNC_JOB: self.sync,
            accounts.ACCOUNTS_JOB: self.read_accounts,
            accounts.SWEEP_JOB: self.sweep,
        }

    def handlers(self) -> HandlerTable:
        """Who reacts to what."""
        return {
            KfHasNews: (self.on_news,),
            KfAccountsAuthorised: (self.on_authorised,),
            KfSent: (self.record_sent,),
            KfMoved: (self.record_moved,),
            KfCustomersFetched: (self.record_customers,),
        }

    # --- handlers ---------------------------------------------------------------------------------

    def on_news(self, event: KfHasNews, uow: UnitOfWork) -> None:
        """The bell rang."""
        accounts.ring(uow, event, threshold=self._threshold)

    def on_authorised(self, event: KfAccountsAuthorised, uow: UnitOfWork) -> None:
        """Accounts came or went."""
        accounts.ask_accounts(uow, event.corp, event.app, key=event.key)

    def record_sent(self, event: KfSent, uow: UnitOfWork) -> None:
        """Keep what we said; what WeCom's rules forbade goes to people."""
        subject = event.subject
        if event.errcode == 0:
            said = wording.own_message(
                open_kfid=str(subject["open_kfid"]),
                external_user=str(subject["external_user"]),
                msgid=str(subject["msgid"]),
                content=subject["content"],
                sent_at=event.occurred_at,
            )
            self._store.append(uow, event.corp, [said])
            return
        closed = event.errcode in NO_MORE
        talk = sessions.trouble(
            uow, int(subject["session"]), REFUSED.get(event.errcode, "WeCom 拒收"), is_window_closed=closed
        )
        if talk is not None and closed and talk.standing in {Standing.NEW, Standing.BOT}:
            account = accounts.get(uow.session, event.corp, talk.open_kfid)
            self.talker.hand_over(uow, account, talk, Why.USED_UP, key=str(subject["msgid"]))

    def record_moved(self, event: KfMoved, uow: UnitOfWork) -> None:
        """Where the session stands now; the polite word goes out by the code that came with it."""
        subject = event.subject
        account = accounts.get(uow.session, event.corp, str(subject["open_kfid"]))
        session_id, customer = int(subject["session"]), str(subject["external_user"])
        standing = Standing(event.standing)
        if standing is not Standing.NEW:
            sessions.stands(uow, session_id, standing, event.servicer, uow.now())
        if standing is Standing.ENDED:
            self.talker.thank_on_end(uow, account, session_id, customer, event.msg_code)
        elif event.msg_code and subject["say"]:
            content = wording.text_content(str(subject["say"]))
            self.talker.on_event(uow, account, event.msg_code, customer, content, session_id=session_id)

    def record_customers(self, event: KfCustomersFetched, uow: UnitOfWork) -> None:
        """Names of those who wrote."""
        sessions.record_names(uow, event.corp, event.found)

    # --- jobs -------------------------------------------------------------------------------------

    def read_accounts(self, payload: Mapping[str, Any], _keep_alive: Callable[[], None]) -> None:
        """Ask WeCom which accounts there are. Raises: the WeComError family."""
        corp, app = CorpId(payload["corp"]), AppKey(payload["app"])
        found = self._gateways.of(corp, app).list_kf_accounts()
        with self._db.unit() as uow:
            accounts.record_listed(uow, corp, app, found, threshold=self._threshold)
            uow.commit()

    def sweep(self, _payload: Mapping[str, Any], keep_alive: Callable[[], None]) -> None:
        """End quiet sessions, and look at every account in case a bell was lost."""
        while self._end_quiet():
            keep_alive()
        with self._db.reading() as session:
            found = accounts.everywhere(session)
        for account in found:
            with self._db.unit() as uow:
                accounts.ring_again(uow, account, key=f"sweep:{uow.now().timestamp():.0f}")
                uow.commit()

    def _end_quiet(self) -> int:
        with self._db.unit() as uow:
            ended = sessions.end_quiet(uow)
            uow.commit()
        return ended

    def sync(self, payload: Mapping[str, Any], keep_alive: Callable[[], None]) -> None:
        """Read an account to its end. Nothing happens when another job has read what this bell was about.

        Raises: the WeComError family, Conflict (somebody else read on; the job comes again and finds it done).
        """
        corp, open_kfid = CorpId(payload["corp"]), str(payload["open_kfid"])
        with self._db.unit() as uow:
            turn = accounts.begin_sync(uow, corp, open_kfid, owner=str(payload["owner"]))
            uow.commit()
        token, is_whole = str(payload["token"]), False
        while turn is not None:
            try:
                turn = self._read_whole(turn, token, int(payload["received_ms"]), keep_alive)
                is_whole = True
            finally:
                with self._db.unit() as uow:
                    turn = accounts.end_sync(uow, turn, is_whole=is_whole)
                    uow.commit()
            token, is_whole = "", False

    def _read_whole(self, turn: SyncTurn, token: str, received_ms: int, keep_alive: Callable[[], None]) -> SyncTurn:
        gateway = self._gateways.of(turn.corp, turn.app)
        is_first = turn.cursor == ""
        while True:
            keep_alive()
            page = self._ask(gateway, turn, token)
            turn = self._keep(turn, page, received_ms, is_first=is_first)
            if not page.has_more:
                return turn

    def _ask(self, gateway: WeComGateway, turn: SyncTurn, token: str) -> KfPage:
        try:
            return gateway.sync_kf(turn.open_kfid, cursor=turn.cursor, token=token, limit=ITEMS_A_PAGE)
        except WeComRefused as refused:
            if refused.errcode != TOKEN_OLD or not token:
                raise
        return gateway.sync_kf(turn.open_kfid, cursor=turn.cursor, token="", limit=ITEMS_A_PAGE)

    def _keep(self, turn: SyncTurn, page: KfPage, received_ms: int, *, is_first: bool) -> SyncTurn:
        """Messages, sessions, answers and the cursor, in one commit."""
        answers = self._answers(turn, page)
        with self._db.unit() as uow:
            turn = accounts.advance(uow, turn, page.cursor)
            account = accounts.get(uow.session, turn.corp, turn.open_kfid)
            since = uow.now() - FRESH
            history = [one for one in page.items if is_first and one.sent_at < since]
            recent = [one for one in page.items if not (is_first and one.sent_at < since)]
            self._append(uow, turn.corp, history, live=False)
            fresh = self._append(uow, turn.corp, recent, live=True)
            for item in recent:
                if item.msgid in fresh:
                    self.talker.take(uow, account, item, answers.get(item.msgid), received_ms=received_ms)
            self._ask_names(uow, account, page)
            uow.commit()
        return turn

    def _append(self, uow: UnitOfWork, corp: CorpId, items: list[KfItem], *, live: bool) -> set[str]:
        forms = [form for item in items if (form := wording.normal_form(item)) is not None]
        return {stored.message.msgid for stored in self._store.append(uow, corp, forms, live=live)}

    def _answers(self, turn: SyncTurn, page: KfPage) -> dict[str, SureAnswer]:
        """The best script for each question, found before anything is locked."""
        with self._db.reading() as session:
            try:
                account = accounts.get(session, turn.corp, turn.open_kfid)
            except NotFound:
                return {}
            asked = [one for one in page.items if account.is_bot_on and self.talker.asks_bot(one)]
            found = {
                one.msgid: best_answer(session, turn.corp, self._shelf, str(one.body.get("content", "")))
                for one in asked
            }
        return {msgid: answer for msgid, answer in found.items() if answer is not None}

    def _ask_names(self, uow: UnitOfWork, account: KfAccount, page: KfPage) -> None:
        wanted = sessions.names_to_ask(
            uow, account.corp, {one.external_user for one in page.items if one.external_user}
        )
        for start in range(0, len(wanted), NAMES_AT_ONCE):
            some = wanted[start : start + NAMES_AT_ONCE]
            outbox.add(
                uow,
                outbox.KF_FETCH_CUSTOMERS,
                corp=account.corp,
                app=account.app,
                payload={"external_users": some},
                dedupe_key=f"kf:names:{account.corp}:{some[0]}:{uow.now().timestamp():.0f}",
            )


def record_not_done(event: OutboundFinished, uow: UnitOfWork) -> None:
    """An answer or a hand-over did not happen: people see it at the session."""
    said = {outbox.KF_SEND.name: "回复未发出", outbox.KF_MOVE.name: "接待状态未变更"}.get(event.kind)
    if said is not None and event.outcome != "done":
        sessions.trouble(uow, int(event.subject["session"]), f"{said}：{event.error}")
