"""Long work on tags from chats: a rule, or the learner, over history (回溯), chunk by chunk, and taking it back."""

from collections.abc import Callable, Mapping
from typing import Any

from bot.chat_tag_desk import ChatTagDesk
from bot.task_desk import Bench, TaskBody
from crm_core.db import UnitOfWork
from crm_core.tasks import TaskItem
from tagging import chat_rule_book, suggestions
from tagging.chat_match import Match
from tagging.chat_rules import MEANING

BACKFILL = "chat_tags.backfill"
STEP = 200  # messages a chunk; by meaning some 4 s with the small model
LEARNER = 0  # in place of a rule's number


def task_bodies(desk: ChatTagDesk) -> dict[str, TaskBody]:
    """What the task desk runs."""
    return {BACKFILL: lambda bench: backfill(bench, desk)}


def backfill(bench: Bench, desk: ChatTagDesk) -> None:
    """One rule over all messages up to the newest when it was asked, from where the task stood."""
    find = _finder(bench, desk)
    first = int(bench.task.cursor.get("from", bench.task.asked.get("first", 1)))
    head = int(bench.task.asked["last"])
    bench.count(-(-(head - int(bench.task.asked.get("first", 1)) + 1) // STEP))
    while first <= head:
        last = min(first + STEP - 1, head)
        matches = find(first, last)

        def act(uow: UnitOfWork, thing: str, matches: list[Match] = matches) -> TaskItem:
            made = desk.reader.record(uow, bench.corp, matches)
            said = f"第 {thing} 条消息：新增 {len(made)} 个" if made else f"第 {thing} 条消息：没有新发现"
            return TaskItem(item=thing, outcome="done" if made else "same", message=said, undo={"suggestions": made})

        if not bench.chunk([f"{first}-{last}"], act, cursor={"from": last + 1}):
            return
        first = last + 1


def _finder(bench: Bench, desk: ChatTagDesk) -> Callable[[int, int], list[Match]]:
    rule_id = int(bench.task.asked["rule"])

    def by_learner(first: int, last: int) -> list[Match]:
        with bench.db.reading() as session:
            return desk.reader.by_learner(session, bench.corp, desk.chats.read(session, bench.corp, first, last))

    if rule_id == LEARNER:
        return by_learner
    with bench.db.reading() as session:
        rule = chat_rule_book.one_at_work(session, bench.corp, rule_id)

    def by_meaning(first: int, last: int) -> list[Match]:
        return desk.by_meaning(bench.corp, [rule], bench.keep_alive, first=first, last=last)

    def by_words(first: int, last: int) -> list[Match]:
        with bench.db.reading() as session:
            return desk.reader.by_words(bench.corp, [rule], desk.chats.read(session, bench.corp, first, last))

    return by_meaning if rule.kind == MEANING else by_words


def unmake(bench: Bench, uow: UnitOfWork, thing: str, undo: Mapping[str, Any]) -> TaskItem:
    """Take back what one chunk brought, as far as nobody judged it since."""
    gone = suggestions.withdraw(uow, bench.corp, bench.app, undo.get("suggestions", ()))
    kept = len(undo.get("suggestions", ())) - gone
    said = f"撤回 {gone} 个" + (f"，{kept} 个已有人确认或处理过，保留" if kept else "")
    return TaskItem(item=thing, outcome="done" if gone else "same", message=said, undo={})
