"""Sensitive words at work: the reader of messages, and the tasks around them (trial, export)."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from zoneinfo import ZoneInfo

from sqlmodel import Session

from bot.console.hit_query import filter_of
from bot.console.list_specs import HITS
from bot.console.list_state import ListState
from bot.task_desk import Bench, TaskBody
from crm_core import tasks
from crm_core.chat.store import ChatStore
from crm_core.config import Settings
from crm_core.ids import AppKey
from crm_core.ports import TextCipher
from crm_core.sensitive import trial, words
from crm_core.sensitive.hits import Hit, HitBook
from crm_core.sensitive.matcher import Matcher
from crm_core.sensitive.reader import SensitiveReader
from crm_core.sensitive.sieve import Sieve
from crm_core.sensitive.telling import Teller

TRIAL, EXPORT = "sensitive.trial", "export.hits"
PAGE_MESSAGES = 1000
COLUMNS = (
    "时间",
    "分类",
    "严重程度",
    "命中",
    "写法",
    "员工",
    "客户",
    "客户群",
    "说话的是",
    "原文",
    "状态",
    "备注",
    "负责人",
    "处理期限",
)


class SensitiveDesk:
    """What the house needs of sensitive words."""

    def __init__(self, settings: Settings, cipher: TextCipher) -> None:
        zone = ZoneInfo(settings.worktime.time_zone)
        apps = {corp.corp_id: AppKey(corp.contact_app) for corp in settings.corps}
        self.cipher = cipher
        self.hits = HitBook(cipher)
        self.reader = SensitiveReader(self.hits, Teller(settings.server.public_url, zone), apps, zone)

    def bodies(self, chats: ChatStore) -> dict[str, TaskBody]:
        """The kinds of tasks of this desk."""
        return {TRIAL: lambda bench: self._try(bench, chats), EXPORT: self._export}

    def _try(self, bench: Bench, chats: ChatStore) -> None:
        """The asked words over the messages of the last 30 days, page by page."""
        with bench.db.reading() as session:
            ids = [int(one) for one in bench.task.asked["words"]]
            book = words.book(session, bench.corp, drafts_of=ids, only=True)
            tally = trial.load(session, self.cipher, bench.corp, bench.task.id)
        sieve = Sieve(Matcher(book.rules))
        until = bench.task.created_at + timedelta(minutes=1)  # clocks differ a little
        since = until - timedelta(days=trial.DAYS)
        after = int(bench.task.cursor.get("after", 0))
        goes_on = True
        while goes_on:
            bench.keep_alive()
            with bench.db.reading() as session:
                page = chats.between(session, bench.corp, since, until, after=after, limit=PAGE_MESSAGES)
            tally.take(sieve, page)
            after = page[-1].position if page else after
            with bench.db.unit() as uow:
                trial.store(uow, self.cipher, bench.corp, bench.task.id, tally)
                goes_on = tasks.advance(uow, bench.task, cursor={"after": after}, done=len(page))
                uow.commit()
            goes_on = goes_on and len(page) == PAGE_MESSAGES

    def _export(self, bench: Bench) -> None:
        """The hits that fit what was asked, within the asker's sight."""
        wanted = filter_of(ListState.of_query(HITS, str(bench.task.asked.get("query", ""))))
        with bench.db.reading() as session:
            bench.count(self.hits.count(session, bench.corp, wanted, bench.task.scope).value)

        def rows(session: Session) -> Iterator[Sequence[object]]:
            cursor = ""
            while True:
                page = self.hits.page(session, bench.corp, wanted, bench.task.scope, cursor=cursor, limit=200)
                for hit in page.items:
                    yield _row(hit, bench)
                cursor = page.next_cursor
                if not cursor:
                    return

        bench.sheet("敏感词命中", COLUMNS, rows)


def _row(hit: Hit, bench: Bench) -> Sequence[object]:
    due = f"{hit.due_at.astimezone(bench.zone):%Y-%m-%d}" if hit.due_at else ""
    return (
        f"{hit.sent_at.astimezone(bench.zone):%Y-%m-%d %H:%M:%S}",
        hit.category_name,
        hit.severity_name,
        "、".join(dict.fromkeys(place.name for place in hit.places)),
        hit.way_name,
        hit.staff_name,
        hit.customer_name,
        hit.chat_name,
        hit.sender_name,
        hit.text,
        hit.state_name,
        hit.note,
        hit.assignee_name,
        due,
    )
