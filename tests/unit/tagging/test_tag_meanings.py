"""Rules by meaning: the examples teach the threshold, the model's fingerprint is kept, and it decides nothing without."""

from collections.abc import Sequence

import numpy as np
import pytest
from sqlmodel import select

from crm_core.outbox import JOBS
from tagging import chat_rule_book
from tagging.chat_rule_book import ChatRuleForm
from tagging.chat_rules import Conditions
from tagging.meanings import MeaningReader
from tagging.semantic import measure
from tagging.tables import ChatTagVectorRow
from tests.chat_tag_house import HURRY, ChatTagHouse
from tests.support.ground import CORP

AXES = ("快", "钱", "退", "狗", "家")  # what the toy model knows: how often each of these is said
EXAMPLES = ("快点发货行吗", "能不能快一点呢", "我要快的那种")


class ToyEmbedder:
    """Sentences that say the same of the five words lie together; the rest lies elsewhere."""

    model = "toy:1"

    def __init__(self) -> None:
        self.read: list[str] = []

    def embed(self, texts: Sequence[str], *, as_query: bool) -> list[list[float]]:
        assert as_query
        self.read += texts
        found = []
        for text in texts:
            vector = [float(text.count(axis)) for axis in AXES] + [0.3 if any(a in text for a in AXES) else 1.0]
            length = sum(part * part for part in vector) ** 0.5
            found.append([part / length for part in vector])
        return found


@pytest.fixture
def embedder() -> ToyEmbedder:
    return ToyEmbedder()


def found(house: ChatTagHouse, meanings: MeaningReader, rule_id: int, first: int = 1) -> list[tuple[int, bool]]:
    meanings.learn(house.ground.unit, CORP)
    with house.ground.reading() as session:
        rule = chat_rule_book.one_at_work(session, CORP, rule_id)
        messages = house.chat.store.read(session, CORP, first, 99)
        return [
            (match.message.position, 0.6 <= match.confidence < 1)
            for match in meanings.matches(session, CORP, [rule], messages)
        ]


def test_sentences_near_the_examples_are_found(chat_tags: ChatTagHouse, embedder: ToyEmbedder) -> None:
    rule = chat_tags.rule(kind="meaning", tag=HURRY, examples=EXAMPLES)
    chat_tags.hear("你们快一点吧", "多少钱一套", "快", "今天天气不错", "狗能进店吗")
    assert found(chat_tags, MeaningReader(embedder), rule) == [(1, True)]
    with chat_tags.ground.reading() as session:
        view = chat_rule_book.get(session, CORP, rule)
    assert view.measure is not None
    assert (view.measure.model, view.measure.recall) == ("toy:1", 1.0)
    assert 0 < view.measure.wrong < 0.05  # 周末愉快 is an everyday sentence that the toy model takes for haste


def test_a_counter_example_keeps_its_like_away(chat_tags: ChatTagHouse, embedder: ToyEmbedder) -> None:
    rule = chat_tags.rule(kind="meaning", tag=HURRY, examples=EXAMPLES, counters=("你家快递真快啊",))
    chat_tags.hear("快点好吗亲", "他家快递是真的快")
    assert found(chat_tags, MeaningReader(embedder), rule) == [(1, True)]


def test_examples_are_read_once_until_they_or_the_model_change(chat_tags: ChatTagHouse, embedder: ToyEmbedder) -> None:
    rule = chat_tags.rule(kind="meaning", tag=HURRY, examples=EXAMPLES)
    meanings = MeaningReader(embedder)
    for _ in range(2):
        meanings.learn(chat_tags.ground.unit, CORP)
    assert [embedder.read.count(example) for example in EXAMPLES] == [1, 1, 1]
    with chat_tags.ground.committed() as uow:
        changed = Conditions(examples=(*EXAMPLES, "麻烦快些送来"))
        form = ChatRuleForm(name="规则", kind="meaning", tag_id=HURRY, conditions=changed)
        chat_rule_book.change(uow, CORP, rule, form)
        assert chat_rule_book.get(uow.session, CORP, rule).waits_for_model
    meanings.learn(chat_tags.ground.unit, CORP)
    assert "麻烦快些送来" in embedder.read
    other = ToyEmbedder()
    other.model = "toy:2"
    MeaningReader(other).learn(chat_tags.ground.unit, CORP)
    kept = chat_tags.ground.all(select(ChatTagVectorRow))
    assert [(row.model, row.place, row.is_counter) for row in kept] == [("toy:2", n, False) for n in range(4)]


def test_a_model_that_has_not_read_the_examples_finds_nothing(chat_tags: ChatTagHouse, embedder: ToyEmbedder) -> None:
    rule_id = chat_tags.rule(kind="meaning", tag=HURRY, examples=EXAMPLES)
    chat_tags.hear("快点快点快点")
    with chat_tags.ground.reading() as session:
        rule = chat_rule_book.one_at_work(session, CORP, rule_id)
        messages = chat_tags.chats.read(session, CORP, 1, 9)
        assert MeaningReader(embedder).matches(session, CORP, [rule], messages) == []


def test_the_reader_leaves_meaning_to_a_job_when_there_is_something_to_compare(chat_tags: ChatTagHouse) -> None:
    chat_tags.rule(kind="meaning", tag=HURRY, examples=EXAMPLES)
    chat_tags.hear("快")
    chat_tags.hear("快点发货可以吗")
    with chat_tags.ground.reading() as session:
        jobs = session.connection().execute(
            select(JOBS.c.payload, JOBS.c.lane).where(JOBS.c.kind == "chat_tags.meaning")
        )
        assert jobs.all() == [({"corp": CORP, "first": 2, "last": 2}, "meaning")]


def test_the_threshold_lies_between_examples_and_strangers() -> None:
    near = np.array([[1, 0.0], [0.98, 0.2], [0.97, 0.24]], dtype="float32")
    near /= np.linalg.norm(near, axis=1, keepdims=True)
    learnt = measure("m", near, np.array([[0.0, 1.0], [0.6, 0.8]], dtype="float32"))
    assert learnt.far < learnt.threshold < learnt.near
    assert (learnt.recall, learnt.wrong) == (1.0, 0.0)
