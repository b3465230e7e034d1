"""The bot that staff talk to in our app: customers, tasks, figures, wording; by words, by menu, by card."""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from html import escape
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from sqlmodel import Session

from bot.staff_words import CARD, HELP, MENU, Ask, Verb, parse_card, parse_words
from crm_core import customer_list, outbox, overview, staff
from crm_core.bus import HandlerTable
from crm_core.config import Settings
from crm_core.customer_list import CustomerFilter
from crm_core.db import UnitOfWork
from crm_core.errors import ScrmError
from crm_core.events import AppEvent, AppMessageReceived, CardClicked, MenuUsed
from crm_core.ids import CorpId, StaffUserId
from materials.service import ScriptShelf
from sop import service as sop
from sop.model import StepState
from sop.service import Todo

MOST_CUSTOMERS, MOST_CARDS, MOST_SCRIPTS = 8, 3, 3
SCRIPT_CHARS = 180
WEEK_DAYS = 7
SETTLED = {"done": (StepState.SENT, "", "已完成"), "skip": (StepState.SKIPPED, "在企业微信卡片上跳过", "已跳过")}


class StaffBot:
    """Answers staff; each answer is an outbox row of the message that asked."""

    def __init__(self, settings: Settings, shelf: ScriptShelf) -> None:
        self._url = settings.server.public_url
        self._zone = ZoneInfo(settings.worktime.time_zone)
        self._shelf = shelf

    def handlers(self) -> HandlerTable:
        """Who reacts to what."""
        return {
            AppMessageReceived: (self.on_message,),
            MenuUsed: (self.on_menu,),
            CardClicked: (self.on_card,),
        }

    def on_message(self, event: AppMessageReceived, uow: UnitOfWork) -> None:
        """A member wrote to the app."""
        if event.kind == "text":
            self._act(uow, event, parse_words(event.text))

    def on_menu(self, event: MenuUsed, uow: UnitOfWork) -> None:
        """A member clicked the menu."""
        verb = MENU.get(event.event_key) if event.action == "click" else None
        if verb is not None:
            self._act(uow, event, Ask(verb, ""))

    def on_card(self, event: CardClicked, uow: UnitOfWork) -> None:
        """A button of a task's card: settle the task once, and say on the card what became of it."""
        clicked = parse_card(event.event_key)
        if clicked is None:
            return
        act, todo_id = clicked
        outcome, reason, said = SETTLED[act]
        try:
            sop.settle_todo(uow, event.corp, event.staff, todo_id, outcome=outcome, reason=reason)
        except ScrmError as error:
            said = error.message[:20]
        outbox.add(
            uow,
            outbox.UPDATE_CARD,
            corp=event.corp,
            app=event.app,
            payload={"staff": event.staff, "response_code": event.response_code, "said": said},
            dedupe_key=f"bot:card:{event.key}",
        )

    def _act(self, uow: UnitOfWork, event: AppEvent, ask: Ask) -> None:
        if not staff.is_active(uow.session, event.corp, event.staff):
            return
        now = uow.now()
        bodies = {
            Verb.FIND: self._found,
            Verb.TASKS: self._tasks,
            Verb.NUMBERS: self._numbers,
            Verb.SAY: self._scripts,
            Verb.HELP: self._help,
        }[ask.verb](uow.session, event.corp, event.staff, ask.about, now, event.key)
        for number, body in enumerate(bodies):
            outbox.add(
                uow,
                outbox.SEND_APP_MESSAGE,
                corp=event.corp,
                app=event.app,
                payload={"staff": [event.staff], "body": body},
                dedupe_key=f"bot:{event.key}:{number}",
            )

    def _found(
        self, session: Session, corp: CorpId, userid: StaffUserId, words: str, now: datetime, _key: str
    ) -> Sequence[dict[str, Any]]:
        if not words:
            return [self._text("想找谁？发送“找 ”加客户的姓名、备注或手机号，例如：找 王女士", now)]
        wanted = CustomerFilter(words=words, visible=frozenset({userid}))
        found = customer_list.page(session, corp, wanted, limit=MOST_CUSTOMERS)
        if not found.items:
            return [self._text(f"您的客户里没有找到“{escape(words)}”", now)]
        lines = [
            f'<a href="{self._link(one.external_user)}">{escape(one.name or "未知客户")}</a>' for one in found.items
        ]
        more = f"\n只列出前 {MOST_CUSTOMERS} 位，请把名字写得更全一些" if found.next_cursor else ""
        return [self._text(f"“{escape(words)}”找到这些客户，点名字打开：\n" + "\n".join(lines) + more, now)]

    def _tasks(
        self, session: Session, corp: CorpId, userid: StaffUserId, _about: str, now: datetime, key: str
    ) -> Sequence[dict[str, Any]]:
        waiting = sop.todos(session, corp, userid)
        if not waiting:
            return [self._text("没有等您处理的任务", now)]
        rest = len(waiting) - MOST_CARDS
        tail = (
            f'，这里是最早的 {MOST_CARDS} 条，其余请<a href="{self._url}/sidebar/">打开客户助手</a>处理'
            if rest > 0
            else ""
        )
        return [
            self._text(f"有 {len(waiting)} 条任务等您处理{tail}", now),
            *(self._card(one, key) for one in waiting[:MOST_CARDS]),
        ]

    def _card(self, todo: Todo, key: str) -> dict[str, Any]:
        due = todo.due_at.astimezone(self._zone)
        mark = hashlib.sha256(f"{key}|{todo.id}".encode()).hexdigest()[:12]
        return {
            "msgtype": "template_card",
            "template_card": {
                "card_type": "button_interaction",
                "source": {"desc": todo.sop_name[:13]},
                "main_title": {"title": todo.title[:26], "desc": str(todo.message.get("text", ""))[:30]},
                "horizontal_content_list": [
                    {"keyname": "客户", "value": (todo.customer_name or "未知客户")[:26]},
                    {"keyname": "到期", "value": f"{due.month}月{due.day}日 {due:%H:%M}"},
                ],
                "jump_list": [{"type": 1, "title": "打开客户", "url": self._link(todo.external_user)}],
                "task_id": f"todo-{todo.id}-{mark}",
                "button_list": [
                    {"type": 0, "text": "已完成", "style": 1, "key": f"{CARD}:done:{todo.id}"},
                    {"type": 0, "text": "跳过", "style": 2, "key": f"{CARD}:skip:{todo.id}"},
                ],
            },
        }

    def _numbers(
        self, session: Session, corp: CorpId, userid: StaffUserId, _about: str, now: datetime, _key: str
    ) -> Sequence[dict[str, Any]]:
        mine = frozenset({userid})
        today = overview.today(session, corp, mine, now, self._zone)
        week = overview.days(session, corp, mine, now, self._zone, WEEK_DAYS)
        waiting = len(sop.todos(session, corp, userid, limit=200))
        told = (
            f"我的客户 {today.customers} 位\n今天：新增 {today.new}，流失 {today.lost}\n"
            f"近 {WEEK_DAYS} 天：新增 {sum(day.new for day in week)}，流失 {sum(day.lost for day in week)}\n"
            f"等我处理的任务 {waiting} 条"
        )
        return [self._text(told, now)]

    def _scripts(
        self, session: Session, corp: CorpId, userid: StaffUserId, about: str, now: datetime, _key: str
    ) -> Sequence[dict[str, Any]]:
        if not about:
            return [self._text("客户说了什么？发送“怎么说 ”加客户的话，例如：怎么说 太贵了", now)]
        found = self._shelf.search(session, corp, about, viewer=userid, limit=MOST_SCRIPTS)
        if not found:
            return [self._text(f"话术库里没有合适“{escape(about)}”的话术", now)]
        told = [
            f"{number}. {escape(one.title)}\n{escape(_short(one.text))}" for number, one in enumerate(found, start=1)
        ]
        return [self._text("\n\n".join(told), now)]

    def _help(
        self, _session: Session, _corp: CorpId, _userid: StaffUserId, _about: str, now: datetime, _key: str
    ) -> Sequence[dict[str, Any]]:
        return [self._text(HELP, now)]

    def _text(self, content: str, now: datetime) -> dict[str, Any]:
        """The moment makes each answer one of its own: WeCom drops what it takes for a repeat."""
        return {"msgtype": "text", "text": {"content": f"{content}\n（{now.astimezone(self._zone):%H:%M:%S}）"}}

    def _link(self, external_user: str) -> str:
        return f"{self._url}/sidebar/?external_userid={quote(external_user, safe='')}"


def _short(text: str) -> str:
    return text if len(text) <= SCRIPT_CHARS else text[: SCRIPT_CHARS - 1] + "…"
