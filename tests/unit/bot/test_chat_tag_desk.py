"""The background of tags from chats, in a whole house: rules, training, back-fill and its undoing."""

from collections.abc import Sequence

import pytest
from click.testing import CliRunner
from sqlmodel import select

from bot import chat_tag_desk
from bot.chat_tag_tasks import BACKFILL
from bot.cli import main
from bot.sync import Syncer
from crm_core import tasks
from crm_core.chat.model import ChatMessage, Conversation, Party, PartyKind
from crm_core.outbox import add_job
from tagging import chat_rule_book, learned, service, suggestions
from tagging.chat_rule_book import ChatRuleForm
from tagging.chat_rules import Conditions
from tagging.tables import TagSuggestionRow
from tests.support.product import APP, InProcess

ASKS = ("{}多少钱一套", "请问{}什么价", "{}的价格发我看看", "想知道{}报价", "{}打完折多少", "{}最低多少钱", "{}贵不贵")
THINGS = ("沙发", "橱柜", "床", "书桌", "地板", "灯", "餐桌")
SMALL_TALK = ("{}放在客厅好看", "{}是实木的吗", "{}有没有现货", "我家{}还能用", "{}颜色很多嘛")


class Told:
    """A settled company that hears customers."""

    def __init__(self, product: InProcess) -> None:
        self.product, self.house = product, product.house
        for gateway in self.house.gateways:
            Syncer(self.house.db, gateway, self.house.files).run(full=True)
        with self.house.db.reading() as session:
            self.tags = [tag.tag_id for group in service.library(session, product.corp) for tag in group.tags]
            rows = session.connection().exec_driver_sql(
                "SELECT staff_userid, external_userid FROM follows WHERE status = 'active' ORDER BY id LIMIT 40"
            )
            self.follows = [tuple(row) for row in rows]
        self.number = 0

    def hear(self, texts: Sequence[str], *, live: bool = True) -> None:
        said = []
        for text in texts:
            staff, who = self.follows[self.number % len(self.follows)]
            self.number += 1
            said.append(
                ChatMessage(
                    msgid=f"m{self.number}", source="archive", conversation=Conversation.single(staff, who),
                    sender=Party(PartyKind.CUSTOMER, who), sent_at=self.product.clock.now(), kind="text", text=text,
                    body={"content": text}, seq=self.number,
                )
            )  # fmt: skip
        with self.house.db.unit() as uow:
            self.house.chat.store.append(uow, self.product.corp, said, live=live)
            uow.commit()
        self.product.work()

    def rule(self, *, on: bool = True, mode: str = "suggest", **conditions: object) -> int:
        with self.house.db.unit() as uow:
            form = ChatRuleForm(name="问价", tag_id=self.tags[0], mode=mode, conditions=Conditions(**conditions))  # type: ignore[arg-type]
            number = chat_rule_book.create(uow, self.product.corp, form, actor="test")
            if on:
                chat_rule_book.switch(uow, self.product.corp, number)
            uow.commit()
            return number

    def rows(self) -> list[TagSuggestionRow]:
        with self.house.db.reading() as session:
            return list(session.exec(select(TagSuggestionRow).order_by(TagSuggestionRow.id)))  # type: ignore[arg-type]

    def task(self, kind: str, asked: dict[str, object]) -> tasks.TaskView:
        with self.house.db.unit() as uow:
            number = tasks.ask(
                uow, corp=self.product.corp, app=APP, kind=kind, title="t", asked=asked, scope=None, created_by="test"
            )  # type: ignore[arg-type]
            uow.commit()
        self.product.work()
        with self.house.db.reading() as session:
            return tasks.get(session, self.product.corp, number)

    def train(self) -> learned.Overview:
        with self.house.db.unit() as uow:
            learned.ask_training(uow, self.product.corp, actor="test")
            uow.commit()
        self.product.work()
        with self.house.db.reading() as session:
            return learned.overview(session, self.product.corp)


@pytest.fixture
def told(product: InProcess) -> Told:
    return Told(product)


def wecom_tags(told: Told) -> int:
    """How many follows carry the first tag at WeCom."""
    corp = told.product.wecom.world.corps[told.product.corp]
    return sum(told.tags[0] in follow.tags for links in corp.by_staff.values() for follow in links.values())


def test_a_back_fill_finds_history_applies_it_at_wecom_and_can_be_taken_back(told: Told) -> None:
    before = wecom_tags(told)
    told.hear([ask.format("沙发") for ask in ASKS] + ["你好"] * 300, live=False)
    rule = told.rule(words=("多少钱", "报价"), mode="apply")
    assert told.rows() == []
    done = told.task(BACKFILL, {"rule": rule, "first": 1, "last": 307})
    assert (done.state, done.done, done.total, done.percent) == ("done", 2, 2, 100)
    found = len(told.rows())
    assert found >= 2
    assert wecom_tags(told) == before + found
    again = told.task(BACKFILL, {"rule": rule, "first": 1, "last": 307})
    assert (again.state, len(told.rows())) == ("done", found)
    with told.house.db.unit() as uow:
        suggestions.undo(uow, told.product.corp, APP, told.rows()[0].id or 0, by="zhang.san")  # type: ignore[arg-type]
        uow.commit()
    undone = told.task("bulk.undo", {"task": done.id, "total": 2})
    assert undone.state == "done"
    assert [row.state for row in told.rows()] == ["undone"]
    assert wecom_tags(told) == before


def test_the_learner_is_trained_on_what_people_confirmed_and_tells_the_next_sentences(told: Told) -> None:
    assert told.train().last.last_error == chat_tag_desk.TOO_LITTLE  # type: ignore[union-attr]
    told.rule(words=("多少", "价", "贵"))
    for thing in THINGS[:5]:
        told.hear([ask.format(thing) for ask in ASKS] + [talk.format(thing) for talk in SMALL_TALK])
    asked = told.rows()
    assert len(asked) >= 8
    with told.house.db.unit() as uow:
        for row in asked:
            suggestions.confirm(uow, told.product.corp, APP, row.id or 0, by="zhang.san")  # type: ignore[arg-type]
        uow.commit()
    told.product.work()
    found = told.train()
    assert found.current is not None
    assert found.current.state == "ready"
    (lesson,) = found.tags
    assert (lesson.tag_id, lesson.support) == (told.tags[0], len(asked))
    assert lesson.mode == ("suggest" if lesson.precision >= learned.SOUND else "off")
    with told.house.db.unit() as uow:
        for rule in chat_rule_book.listing(uow.session, told.product.corp):
            chat_rule_book.delete(uow, told.product.corp, rule.id)
        uow.session.execute(TagSuggestionRow.__table__.delete())  # type: ignore[attr-defined]
        uow.session.connection().exec_driver_sql("DELETE FROM follow_tags")
        learned.allow(uow, told.product.corp, told.tags[0], mode="suggest", threshold=0.5)
        uow.commit()
    told.hear(["餐桌多少钱呀", "灯有没有现货", "周末愉快"])
    (row,) = told.rows()
    assert (row.source, row.origin, row.version, row.state) == ("learned", "learned", found.current.id, "suggested")
    assert row.confidence >= 0.5
    learner_task = told.task(BACKFILL, {"rule": 0, "first": 1, "last": 5})
    assert learner_task.state == "done"
    assert len(told.rows()) > 1


def test_the_nightly_job_trains_when_people_judged_enough(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat_tag_desk, "ENOUGH_JUDGED", 2)
    told.rule(words=("多少钱",))
    told.hear(["多少钱"] * 9)

    def tend(key: str) -> learned.Training | None:
        with told.house.db.unit() as uow:
            add_job(uow, chat_tag_desk.TEND_JOB, dedupe_key=key)
            uow.commit()
        told.product.work()
        with told.house.db.reading() as session:
            return learned.overview(session, told.product.corp).last

    assert tend("a") is None
    with told.house.db.unit() as uow:
        for row in told.rows():
            suggestions.dismiss(uow, told.product.corp, row.id or 0, by="zhang.san")  # type: ignore[arg-type]
        uow.commit()
    last = tend("b")
    assert last is not None
    assert (last.state, last.asked_by) == ("failed", "")


def test_eval_prints_accuracy_and_macro_f1(tmp_path) -> None:
    rows = ["label\tmessage\tdescription"]
    rows += [f"price\t{ask.format(thing)}\t客户问价格" for ask in ASKS for thing in THINGS]
    rows += [f"talk\t{talk.format(thing)}\t闲聊" for talk in SMALL_TALK for thing in THINGS]
    train, test, bad = (tmp_path / name for name in ("train.tsv", "test.tsv", "bad.tsv"))
    train.write_text("\n".join(rows[:1] + rows[1::2]), "utf-8")
    test.write_text("\ufeff" + "\n".join(rows[:1] + rows[2::2]), "utf-8")
    bad.write_text("a\tb\n1\t2", "utf-8")
    done = CliRunner().invoke(main, ["eval", "tags", "--train", str(train), "--test", str(test), "--labels"])
    assert done.exit_code == 0, done.output
    assert "accuracy 100.0" in done.output
    assert "macro-F1 100.0" in done.output
    refused = CliRunner().invoke(main, ["eval", "tags", "--train", str(bad), "--test", str(test)])
    assert refused.exit_code == 1
    assert "首行应有 label" in refused.output
