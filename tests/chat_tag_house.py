"""A ground with follows, a tag library and a chat store whose reader is ``tagging``."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from sqlmodel import select

from bot.chat_desk import ReadingDesk
from bot.ciphers import open_cipher
from bot.jobs import JobRunner
from crm_core import customers
from crm_core.chat.model import ChatMessage, Conversation, Party, PartyKind
from crm_core.chat.reading import LANE, READ_JOB
from crm_core.chat.store import ChatStore
from crm_core.lease import Backoff, LeaseTable
from crm_core.outbox import JOBS
from crm_core.ports import TagFacts, TagGroupFacts
from crm_core.tables import OutboxRow
from tagging import chat_rule_book, service, suggestions
from tagging.chat_reader import ChatTagReader
from tagging.chat_rule_book import ChatRuleForm
from tagging.chat_rules import Conditions
from tagging.tables import FollowTagRow, TagSuggestionRow
from tests.support.ground import APP, CORP, XIAO, ZHANG, Ground

BUDGET, HURRY, PET = "et_budget", "et_hurry", "et_pet"
LIBRARY = TagGroupFacts(
    group_id="g",
    name="意向",
    tags=tuple(TagFacts(tag_id=tag, name=name) for tag, name in ((BUDGET, "问价格"), (HURRY, "着急"), (PET, "养宠物"))),  # type: ignore[arg-type]
)


def message(
    number: int,
    text: str,
    *,
    staff: str = ZHANG,
    who: str = XIAO,
    by: str = "",
    where: Conversation | None = None,
    minutes: float = 0,
    kind: str = "text",
) -> ChatMessage:
    """A message of the customer, or of ``by``."""
    sender = Party(PartyKind.STAFF, by) if by else Party(PartyKind.CUSTOMER, who)
    return ChatMessage(
        msgid=f"m{number}",
        source="archive",
        conversation=where or Conversation.single(staff, who),
        sender=sender,
        sent_at=Ground.at(None, number + minutes * 60),  # type: ignore[arg-type]
        kind=kind,
        text=text,
        body={"content": text},
        seq=number,
    )  # fmt: skip


@dataclass
class ChatTagHouse:
    """The room at work."""

    ground: Ground
    reader: ChatTagReader
    chats: ChatStore
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def rule(self, *, tag: str = BUDGET, mode: str = "suggest", kind: str = "words", **conditions: object) -> int:
        """A rule at work."""
        with self.ground.committed() as uow:
            form = ChatRuleForm(name="规则", kind=kind, tag_id=tag, mode=mode, conditions=Conditions(**conditions))  # type: ignore[arg-type]
            number = chat_rule_book.create(uow, CORP, form, actor="test")
            chat_rule_book.switch(uow, CORP, number)
            return number

    def hear(self, *texts: str, live: bool = True, **more: object) -> None:
        """The customer says something; it is kept and read."""
        self.keep([message(next(self.numbers), text, **more) for text in texts], live=live)  # type: ignore[arg-type]
        self.read()

    def keep(self, messages: Sequence[ChatMessage], *, live: bool = True) -> None:
        with self.ground.committed() as uow:
            self.chats.append(uow, CORP, messages, live=live)

    def read(self) -> None:
        jobs = LeaseTable(JOBS, self.ground.work_clock, lease_seconds=30, backoff=Backoff())
        runner = JobRunner(self.ground.db, jobs, {}, {READ_JOB: ReadingDesk(self.chats, [self.reader]).read})
        while rows := runner.claim((LANE,), "me", 9):
            runner.perform(rows)

    def rows(self) -> list[TagSuggestionRow]:
        return self.ground.all(select(TagSuggestionRow).order_by(TagSuggestionRow.id))  # type: ignore[arg-type]

    def states(self) -> list[tuple[str, str]]:
        return [(row.tag_id, row.state) for row in self.rows()]

    def marks(self) -> list[tuple[list[str], list[str]]]:
        """What WeCom is asked to set and to take, in order."""
        rows = self.ground.all(select(OutboxRow).where(OutboxRow.kind == "mark_tag").order_by(OutboxRow.id))  # type: ignore[arg-type]
        return [(row.payload["add"], row.payload["remove"]) for row in rows]

    def carried(self) -> dict[str, str]:
        return {row.tag_id: row.status for row in self.ground.all(select(FollowTagRow))}

    def act(self, name: str, number: int = 0) -> None:
        """confirm, dismiss, undo or reopen a suggestion, the first one by default."""
        number = number or self.rows()[0].id or 0
        with self.ground.committed() as uow:
            if name in ("confirm", "undo"):
                getattr(suggestions, name)(uow, CORP, APP, number, by=ZHANG)
            else:
                getattr(suggestions, name)(uow, CORP, number, by=ZHANG)

    def settle_marks(self) -> None:
        """WeCom did all that was asked of it."""
        with self.ground.committed() as uow:
            for row in uow.session.exec(select(FollowTagRow)).all():
                service.settle_marks(
                    uow, corp=CORP, staff=ZHANG, external_user=XIAO, error="", key=f"k{next(self.numbers)}",
                    added=[row.tag_id] if row.status == "adding" else [],  # type: ignore[list-item]
                    removed=[row.tag_id] if row.status == "removing" else [],  # type: ignore[list-item]
                )  # fmt: skip


def chat_tag_house(ground: Ground, *, people: Sequence[str] = (XIAO,)) -> ChatTagHouse:
    """A house whose customers are followed by 张."""
    for who in people:
        ground.handle(ground.added(-timedelta(days=9).total_seconds(), who=who), customers.record_follow)
    with ground.committed() as uow:
        service.apply_library(uow, CORP, [LIBRARY], complete=True)
    return ChatTagHouse(ground, ChatTagReader({CORP: APP}), ChatStore(open_cipher(ground.settings), ("tagging",)))
