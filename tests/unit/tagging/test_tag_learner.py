"""The learner: told apart, sure when it should be, bearing wrong labels, and stored without anything that runs."""

import io
import pickle
import random

import numpy as np
import pytest

from tagging import learner
from tagging.learner import Lesson

TOPICS = {
    "price": ("多少钱", "价格", "便宜点", "打几折", "报价"),
    "delivery": ("几天到", "发货", "快递", "物流", "送到"),
    "return": ("退货", "退款", "不想要了", "换一个", "坏了"),
}
FRAMES = tuple(
    f"{before}{{}}{after}"
    for before in ("请问", "这个", "你好，", "想问一下", "麻烦看看", "昨天说的")
    for after in ("", "呀", "，谢谢", "怎么说", "？在线等")
)


def sentences() -> list[tuple[str, str]]:
    return [(frame.format(word), label) for label, words in TOPICS.items() for word in words for frame in FRAMES]


def lesson(wrong: float = 0.0) -> tuple[Lesson, list[tuple[str, str]]]:
    dice = random.Random(3)
    told = sentences()
    dice.shuffle(told)
    train, test = told[:300], told[300:]
    labels = [dice.choice(sorted(TOPICS)) if dice.random() < wrong else label for _, label in train]
    return Lesson(texts=[text for text, _ in train], labels=labels, descriptions={"price": "问价格"}), test


def accuracy(model: learner.TextModel, test: list[tuple[str, str]]) -> float:
    told = model.predict([text for text, _ in test])
    return sum(guess.label == label for guess, (_, label) in zip(told, test, strict=True)) / len(test)


def test_it_tells_sentences_it_has_not_seen_and_knows_how_well() -> None:
    given, test = lesson()
    model, report = learner.train(given)
    assert accuracy(model, test) > 0.95
    assert report.texts == 300
    assert report.accuracy > 0.9
    assert report.macro_f1 > 0.9
    assert {score.label for score in report.labels} == set(TOPICS)
    assert all(score.precision > 0.8 and 0.3 <= score.threshold <= 0.95 for score in report.labels)


def test_wrong_labels_are_noticed_and_borne() -> None:
    given, test = lesson(wrong=0.3)
    model, report = learner.train(given)
    assert report.doubtful > 0.1
    assert accuracy(model, test) > 0.95


def test_confidence_is_low_for_what_speaks_for_nothing() -> None:
    model, _ = learner.train(lesson()[0])
    known, unknown = model.predict(["请问多少钱", "zzz qqq"])
    assert (known.label, known.confidence > 0.7) == ("price", True)
    assert unknown.confidence < known.confidence


def test_a_model_comes_back_as_it_was() -> None:
    model, _ = learner.train(lesson()[0])
    again = learner.load(model.dump())
    texts = [text for text, _ in sentences()]
    assert [guess.label for guess in again.predict(texts)] == [guess.label for guess in model.predict(texts)]
    assert np.allclose(again.probabilities(texts), model.probabilities(texts), atol=0.01)


class Trap:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (pytest.fail, ("unpickled",))


def test_nothing_runs_when_a_model_is_read() -> None:
    into = io.BytesIO()
    np.savez(into, head=np.array([Trap()], dtype=object))
    for content in (into.getvalue(), pickle.dumps(Trap()), b"", learner.train(lesson()[0])[0].dump()[:500]):
        with pytest.raises(ValueError):
            learner.load(content)


@pytest.mark.parametrize(
    ("labels", "wanted"),
    [(["a", "a", "b", "b"], True), (["a", "a", "a", "b"], False), (["a", "a"], False), ([], False)],
)
def test_too_little_to_learn_from(labels: list[str], wanted: bool) -> None:
    assert learner.can_learn(labels) is wanted
    if not wanted:
        with pytest.raises(ValueError, match="two labels"):
            learner.train(Lesson(texts=["句"] * len(labels), labels=labels))


def test_the_least_there_can_be_is_learnt_too() -> None:
    model, _ = learner.train(Lesson(texts=["多少钱", "价格多少", "几天到", "几天送到"], labels=["a", "a", "b", "b"]))
    assert [guess.label for guess in model.predict(["多少", "几天"])] == ["a", "b"]
