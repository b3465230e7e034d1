"""Exports of messages and of waits for replies: bodies of tasks."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta

from sqlmodel import Session

from bot.console.chat_bubbles import KIND_NAMES
from bot.console.list_specs import CHAT_SEARCH, WAITS
from bot.console.list_state import ListState
from bot.task_desk import Bench, TaskBody
from crm_core import customers, staff
from crm_core.chat import conversations, reply_report, search
from crm_core.chat.model import PartyKind, StoredMessage
from crm_core.chat.reply_report import Period, Wait, WaitFilter
from crm_core.chat.search import Search
from crm_core.chat.store import ChatStore

CHAT_COLUMNS = ("时间", "会话", "类型", "发送者", "身份", "消息类型", "内容", "文件", "消息编号")
WAIT_COLUMNS = ("客户", "员工", "从何时起", "未回消息", "结果", "回复于", "回复人", "回复用时（分钟）", "已提醒")
SIDES = {PartyKind.STAFF: "员工", PartyKind.CUSTOMER: "客户", PartyKind.ROBOT: "机器人", PartyKind.SYSTEM: "系统"}
TALKS = {"single": "单聊", "group": "客户群", "kf": "微信客服", "internal": "同事"}
OUTCOMES = {"": "等待回复", "answered": "已回复", "dismissed": "无需回复", "closed": "已不是好友"}
STEPS = {"staff": "员工", "supervisor": "主管", "handover": "同事"}
AT_ONCE = 200


def chat_exports(store: ChatStore) -> Mapping[str, TaskBody]:
    """The task bodies, by kind."""

    def chats(bench: Bench) -> None:
        """Every message that the search finds, within the asker's sight."""
        bench.sheet("会话消息", CHAT_COLUMNS, lambda session: _messages(bench, session, store))

    return {"export.chats": chats, "export.replies": _replies}


def _messages(bench: Bench, session: Session, store: ChatStore) -> Iterator[Sequence[object]]:
    batch: list[StoredMessage] = []
    for one in search.every(session, store, bench.corp, _search(bench)):
        batch.append(one)
        if len(batch) == AT_ONCE:
            yield from _rows(bench, session, batch)
            batch = []
    yield from _rows(bench, session, batch)


def _rows(bench: Bench, session: Session, batch: Sequence[StoredMessage]) -> Iterator[Sequence[object]]:
    titles = conversations.titles(session, bench.corp, {one.message.conversation for one in batch})
    senders = {one.message.sender for one in batch}
    guests = {one.id for one in senders if one.kind is PartyKind.CUSTOMER}
    names = {
        **customers.display_names(session, bench.corp, guests),
        **staff.names(session, bench.corp, {one.id for one in senders if one.kind is PartyKind.STAFF}),
    }
    for one in batch:
        message = one.message
        yield (
            f"{message.sent_at.astimezone(bench.zone):%Y-%m-%d %H:%M:%S}",
            titles[message.conversation],
            TALKS[message.conversation.kind.value],
            names.get(message.sender.id, "") or message.sender.id,
            SIDES[message.sender.kind],
            KIND_NAMES.get(message.kind, message.kind),
            message.text,
            "、".join(ref.filename or ref.kind for ref in message.media),
            message.msgid,
        )


def _search(bench: Bench) -> Search:
    state = ListState.of_query(CHAT_SEARCH, str(bench.task.asked.get("query", "")))
    return Search(
        words=state.one("q"),
        staff=state.one("staff"),
        external_user=state.one("customer"),
        chat=state.one("chat"),
        kind=state.one("kind"),
        since=_day(bench, state.one("since"), 0),
        until=_day(bench, state.one("until"), 1),
        visible=bench.task.scope,
    )


def _day(bench: Bench, text: str, days: int) -> datetime | None:
    try:
        return datetime.combine(date.fromisoformat(text) + timedelta(days=days), time(), tzinfo=bench.zone)
    except (ValueError, OverflowError):
        return None


def _replies(bench: Bench) -> None:
    """Every wait of the list, within the asker's sight."""
    state = ListState.of_query(WAITS, str(bench.task.asked.get("query", "")))
    week = state.number("week")
    period = Period.week_of(bench.task.created_at, bench.zone, weeks_ago=week) if state.one("week") else None
    wanted = WaitFilter(staff=state.one("staff"), state=state.one("state"), period=period, visible=bench.task.scope)

    def rows(session: Session) -> Iterator[Sequence[object]]:
        batch: list[Wait] = []
        for one in reply_report.every_wait(session, bench.corp, wanted):
            batch.append(one)
            if len(batch) == AT_ONCE:
                yield from _wait_rows(bench, session, batch)
                batch = []
        yield from _wait_rows(bench, session, batch)

    bench.sheet("回复时效", WAIT_COLUMNS, rows)


def _spoken(bench: Bench, at: datetime | None) -> str:
    return f"{at.astimezone(bench.zone):%Y-%m-%d %H:%M}" if at else ""


def _wait_rows(bench: Bench, session: Session, batch: Sequence[Wait]) -> Iterator[Sequence[object]]:
    titles = conversations.titles(session, bench.corp, {one.conversation for one in batch})
    people = {person for one in batch for person in (one.staff, one.answered_by) if person}
    names = staff.names(session, bench.corp, people)
    for one in batch:
        yield (
            titles[one.conversation],
            names.get(one.staff, one.staff),
            _spoken(bench, one.since),
            one.messages,
            OUTCOMES[one.outcome],
            _spoken(bench, one.ended_at) if one.outcome == "answered" else "",
            names.get(one.answered_by, one.answered_by),
            round(one.worked_seconds / 60, 1) if one.worked_seconds is not None else "",
            "、".join(STEPS.get(str(step["whom"]), "") for step in one.told),
        )
