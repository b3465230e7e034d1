"""Auto-tagging: accuracy, macro-F1 and speed of the learner beside a plain SVM, and the reader's messages a second.

``python -m benchmarks.chat_tags [--data FOLDER]``. FOLDER holds the labelled sets (default ../shared/data); of
those without a split of their own, a fifth is kept for the test. ``+25 % wrong`` replaces a quarter of the training
labels by others at random. The plain baseline: character 1-3-gram TF-IDF and LinearSVC as they come.
"""

import argparse
import random
import time
from collections.abc import Iterator
from pathlib import Path

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.svm import LinearSVC

from benchmarks.shared_data import SHARED
from bot.cli_eval_tags import Labelled, figures, read_file
from tagging import learner
from tagging.chat_rules import WORDS, ChatRule, Conditions, WordRules
from tagging.learner import Lesson

WANTED_F1, WANTED_SPEED = 72.0, 5_000
SPLIT_OURSELVES = ("sentiment-takeaway", "sentiment-ecommerce-10cats", "topic-short-text")


def sets(folder: Path) -> Iterator[tuple[str, Labelled, Labelled]]:
    yield (
        "intent-ecommerce-buyer",
        *(read_file(folder / "intent-ecommerce-buyer" / name) for name in ("train-noisy.tsv", "dev-clean.tsv")),
    )
    for name in SPLIT_OURSELVES:
        whole, dice = read_file(folder / name / "labelled.tsv"), random.Random(0)
        order = list(range(len(whole.texts)))
        dice.shuffle(order)
        cut = len(order) * 4 // 5
        train, test = (
            Labelled(texts=[whole.texts[at] for at in part], labels=[whole.labels[at] for at in part], descriptions={})
            for part in (order[:cut], order[cut:])
        )
        yield name, train, test
        labels = sorted(set(train.labels))
        wrong = [dice.choice(labels) if dice.random() < 0.25 else label for label in train.labels]
        yield f"{name} +25 % wrong", Labelled(texts=train.texts, labels=wrong, descriptions={}), test


def plain(train: Labelled, test: Labelled) -> list[str]:
    grams = TfidfVectorizer(analyzer="char", ngram_range=(1, 3), sublinear_tf=True)
    machine = LinearSVC().fit(grams.fit_transform(train.texts), train.labels)
    return list(machine.predict(grams.transform(test.texts)))


def rules_per_second(texts: list[str]) -> float:
    rules = [
        ChatRule(
            id=number,
            version=1,
            kind=WORDS,
            tag_id=f"t{number}",
            mode="suggest",
            confidence=0.8,
            conditions=Conditions(
                words=tuple(f"{texts[number * 7 + at][:3]}" for at in range(5)), patterns=(r"\d+元",)
            ),
        )
        for number in range(50)
    ]
    finder = WordRules(rules)
    began = time.perf_counter()
    for text in texts:
        finder.hits(text, "customer")
    return len(texts) / (time.perf_counter() - began)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=SHARED)
    folder = parser.parse_args().data
    print(
        f"{'set':40s} {'plain acc':>9s} {'macro-F1':>9s} | {'ours acc':>9s} {'macro-F1':>9s} {'train s':>8s} {'msg/s':>8s}"
    )
    faults = []
    for name, train, test in sets(folder):
        base = figures(test.labels, plain(train, test))
        began = time.perf_counter()
        model, _ = learner.train(Lesson(texts=train.texts, labels=train.labels, descriptions=train.descriptions))
        trained = time.perf_counter() - began
        began = time.perf_counter()
        told = [guess.label for guess in model.predict(test.texts)]
        speed = len(test.texts) / (time.perf_counter() - began)
        ours = figures(test.labels, told)
        print(
            f"{name:40s} {base.accuracy * 100:9.1f} {base.macro_f1 * 100:9.1f} | {ours.accuracy * 100:9.1f}"
            f" {ours.macro_f1 * 100:9.1f} {trained:8.1f} {speed:8,.0f}",
            flush=True,
        )
        if name == "intent-ecommerce-buyer":
            print(f"{'50 word rules over the same messages':40s} {rules_per_second(test.texts):,.0f} msg/s")
            if ours.macro_f1 * 100 < WANTED_F1 or speed < WANTED_SPEED:
                faults.append(f"{name}: macro-F1 {ours.macro_f1 * 100:.1f} (≥ {WANTED_F1}), {speed:,.0f} msg/s")
    raise SystemExit("; ".join(faults))


if __name__ == "__main__":
    main()
