"""What is done about each entry of 微信客服: greet, answer, hand over, tell the hours, ask for a rating."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from crm_core import customers, outbox
from crm_core.config import Settings
from crm_core.db import UnitOfWork
from crm_core.ids import ExternalUserId
from crm_core.kf import rules, sessions, wording
from crm_core.kf.accounts import KfAccount
from crm_core.kf.rules import Decision, Standing, Step, Why
from crm_core.kf.sessions import Talk
from crm_core.kf_port import KfItem
from materials.answering import SureAnswer
from sop.schedule import Calendar

WELCOME_LASTS_MS = 19_500  # doc 95122: 20 s; tried no longer than that
WEEKDAYS = "一二三四五六日"
ACCEPTED, PASSED_ON, ENDED, ACCEPTED_AGAIN = 1, 2, 3, 4


class KfTalker:
    """Acts on entries inside the unit that keeps them; everything outside is an outbox row."""

    def __init__(self, settings: Settings) -> None:
        self._words = settings.kf.person_words
        self._calendar = Calendar.from_settings(settings.worktime)
        part = settings.worktime
        days = "、".join(f"周{WEEKDAYS[day - 1]}" for day in sorted(set(part.workdays)))
        self.hours = f"{days} {part.quiet_to}–{part.quiet_from}" if part.quiet_from != part.quiet_to else f"{days} 全天"

    def is_open(self, now: datetime) -> bool:
        """Whether people serve at this moment."""
        day = now.astimezone(self._calendar.zone).date()
        return self._calendar.is_workday(day) and not self._calendar.is_quiet(now)

    def asks_bot(self, item: KfItem) -> bool:
        """Whether the bot should look for an answer to this entry."""
        text, menu = str(item.body.get("content", "")), str(item.body.get("menu_id", ""))
        return (
            item.kind == "text"
            and item.origin == wording.FROM_CUSTOMER
            and not rules.rating_of(menu)
            and not rules.wants_person(text, menu, self._words)
        )

    def take(
        self, uow: UnitOfWork, account: KfAccount, item: KfItem, answer: SureAnswer | None, *, received_ms: int
    ) -> None:
        """One new entry. answer: the best script for its text. received_ms: when the bell rang, 0 when nobody did."""
        if item.kind == "event":
            self._event(uow, account, item, received_ms)
        elif item.origin == wording.FROM_CUSTOMER:
            self._message(uow, account, item, answer)

    def hand_over(self, uow: UnitOfWork, account: KfAccount, talk: Talk, why: Why, *, key: str) -> None:
        """Put a session into the hands of people, with a polite word once WeCom took it over."""
        sessions.to_people(uow, talk, why, uow.now())
        wanted = Standing.HUMAN if account.reception == "assign" else Standing.POOL
        busy = sessions.busy(uow.session, account.corp, account.open_kfid) if wanted is Standing.HUMAN else {}
        self._move(uow, account, talk, wanted, key=key, say=wording.HANDED_OVER[why], busy=busy)

    def close(self, uow: UnitOfWork, account: KfAccount, talk: Talk, *, key: str) -> None:
        """Have a session ended at WeCom."""
        self._move(uow, account, talk, Standing.ENDED, key=key, say="")

    def thank_on_end(self, uow: UnitOfWork, account: KfAccount, session_id: int, customer: str, code: str) -> None:
        """Ask for a rating with the code that the end of a session brings."""
        if code and account.is_survey_on:
            content = wording.survey_content(session_id)
            self.on_event(uow, account, code, customer, content, session_id=session_id, lasts_ms=WELCOME_LASTS_MS)

    def on_event(
        self,
        uow: UnitOfWork,
        account: KfAccount,
        code: str,
        customer: str,
        content: Mapping[str, Any],
        *,
        session_id: int = 0,
        lasts_ms: int | None = None,
        received_ms: int = 0,
    ) -> None:
        """Use an event's code. lasts_ms: how long it may be tried, from ``received_ms`` or from now."""
        began = received_ms or uow.work_now_ms()
        outbox.add(
            uow,
            outbox.KF_ON_EVENT,
            corp=account.corp,
            app=account.app,
            payload={
                "code": code,
                "open_kfid": account.open_kfid,
                "external_user": customer,
                "session": session_id,
                "msgid": wording.own_msgid(account.corp, code),
                "content": dict(content),
            },
            dedupe_key=f"kf:code:{account.corp}:{code}",
            deadline_ms=None if lasts_ms is None else began + lasts_ms,
        )

    def _event(self, uow: UnitOfWork, account: KfAccount, item: KfItem, received_ms: int) -> None:
        kind, body = str(item.body.get("event_type", "")), item.body
        code = str(body.get("welcome_code") or "")
        if kind == "enter_session" and code and account.welcome:
            content = wording.text_content(wording.away_text(account.welcome, self.hours))
            self.on_event(
                uow, account, code, item.external_user, content, lasts_ms=WELCOME_LASTS_MS, received_ms=received_ms
            )
        elif kind == "session_status_change":
            self._changed(uow, account, item)
        elif kind == "msg_send_fail":
            talk = sessions.current(uow, account.corp, account.open_kfid, item.external_user)
            reason = wording.FAILS.get(int(body.get("fail_type") or 0), "原因未知")
            if talk is not None:
                sessions.trouble(uow, talk.id, f"消息未送达：{reason}")

    def _changed(self, uow: UnitOfWork, account: KfAccount, item: KfItem) -> None:
        """Accepted from the pool, passed on, ended, accepted again."""
        change = int(item.body.get("change_type") or 0)
        talk = sessions.current(uow, account.corp, account.open_kfid, item.external_user)
        talk = talk or sessions.heard_of(uow, account.corp, account.open_kfid, item.external_user, item.sent_at)
        if change == ENDED:
            sessions.stands(uow, talk.id, Standing.ENDED, "", item.sent_at)
            code = str(item.body.get("msg_code") or "")
            self.thank_on_end(uow, account, talk.id, item.external_user, code)
        elif change in {ACCEPTED, PASSED_ON, ACCEPTED_AGAIN}:
            servicer = str(item.body.get("new_servicer_userid") or "")
            sessions.stands(uow, talk.id, Standing.HUMAN, servicer, item.sent_at)

    def _message(self, uow: UnitOfWork, account: KfAccount, item: KfItem, answer: SureAnswer | None) -> None:
        text, menu = str(item.body.get("content", "")), str(item.body.get("menu_id", ""))
        rated = rules.rating_of(menu)
        if rated and sessions.rate(uow, account.corp, item.external_user, *rated, item.sent_at):
            talk = sessions.current(uow, account.corp, account.open_kfid, item.external_user)
            self._say(uow, account, item.external_user, item.msgid, wording.text_content(wording.THANKS), talk)
            return
        talk = sessions.heard(uow, account.corp, account.open_kfid, item.external_user, item.sent_at)
        decision = rules.decide(
            standing=talk.standing,
            left=talk.window.left(uow.now()),
            is_bot_on=account.is_bot_on,
            is_open=self.is_open(uow.now()),
            asks_person=rules.wants_person(text, menu, self._words),
            is_text=item.kind == "text",
            confidence=answer.confidence if answer is not None else None,
            threshold=account.threshold,
        )
        self._do(uow, account, talk, item, decision, answer)

    def _do(
        self,
        uow: UnitOfWork,
        account: KfAccount,
        talk: Talk,
        item: KfItem,
        decision: Decision,
        answer: SureAnswer | None,
    ) -> None:
        if decision.step is Step.ANSWER and answer is not None:
            self._answer(uow, account, talk, item, answer)
        elif decision.step is Step.HAND_OVER and decision.why is not None:
            self.hand_over(uow, account, talk, decision.why, key=item.msgid)
        elif decision.step is Step.AWAY and (decision.why is Why.ASKED or talk.is_away_due(uow.now())):
            talk = sessions.away_told(uow, talk, decision.why, uow.now())
            content = wording.text_content(wording.away_text(account.away, self.hours))
            self._say(uow, account, talk.external_user, item.msgid, content, talk)

    def _answer(self, uow: UnitOfWork, account: KfAccount, talk: Talk, item: KfItem, answer: SureAnswer) -> None:
        if talk.standing is Standing.NEW:
            self._move(uow, account, talk, Standing.BOT, key=item.msgid, say="")
        talk = sessions.count_answer(uow, talk)
        texts = [str(message.get("text") or "") for message in answer.script.messages]
        name = customers.display_name(uow.session, account.corp, ExternalUserId(talk.external_user))
        name = name or sessions.name_of(uow.session, account.corp, talk.external_user)
        said = wording.answer_text(texts, name=name, account=account.name)
        self._say(uow, account, talk.external_user, item.msgid, wording.answer_content(said), talk)

    def _say(
        self,
        uow: UnitOfWork,
        account: KfAccount,
        customer: str,
        cause: str,
        content: Mapping[str, Any],
        talk: Talk | None,
    ) -> None:
        msgid = wording.own_msgid(account.corp, account.open_kfid, cause)
        outbox.add(
            uow,
            outbox.KF_SEND,
            corp=account.corp,
            app=account.app,
            payload={
                "open_kfid": account.open_kfid,
                "external_user": customer,
                "session": talk.id if talk is not None else 0,
                "msgid": msgid,
                "content": dict(content),
            },
            dedupe_key=f"kf:send:{account.corp}:{msgid}",
        )
        if talk is not None:
            sessions.count_sent(uow, talk, 1)

    def _move(
        self,
        uow: UnitOfWork,
        account: KfAccount,
        talk: Talk,
        wanted: Standing,
        *,
        key: str,
        say: str,
        busy: Mapping[str, int] | None = None,
    ) -> None:
        outbox.add(
            uow,
            outbox.KF_MOVE,
            corp=account.corp,
            app=account.app,
            payload={
                "open_kfid": account.open_kfid,
                "external_user": talk.external_user,
                "session": talk.id,
                "standing": int(wanted),
                "say": say,
                "busy": dict(busy or {}),
            },
            dedupe_key=f"kf:move:{account.corp}:{talk.id}:{int(wanted)}:{key}",
        )
