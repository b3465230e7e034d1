"""``scrm eval tags``: accuracy and macro-F1 of the tag learner on labelled sentences in TSV files."""

import csv
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from tagging import learner
from tagging.learner import Guess, Lesson

TEXT_COLUMNS = ("message", "text", "content", "sentence")
LABEL_COLUMNS = ("label", "tag")
WORST_SHOWN = 10
ROUNDS = 3  # the same sentences are told so often for the speed, the quickest counts


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """Sentences with their labels. descriptions: what a label means, where the file says so."""

    texts: list[str]
    labels: list[str]
    descriptions: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelFigures:
    """How well one label was told. support: how many sentences carry it."""

    label: str
    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """How well a test went."""

    accuracy: float
    macro_f1: float
    labels: tuple[LabelFigures, ...]


def read_file(path: Path) -> Labelled:
    """A TSV with a head: label, message (or text), and description where there is one.

    Raises: click.ClickException naming what is wrong.
    """
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        heads = rows.fieldnames or []
        text = next((name for name in TEXT_COLUMNS if name in heads), "")
        label = next((name for name in LABEL_COLUMNS if name in heads), "")
        if not text or not label:
            raise click.ClickException(f"{path}：首行应有 label 列和 message（或 text）列，用制表符分隔")
        found = Labelled(texts=[], labels=[], descriptions={})
        for row in rows:
            if row[text] and row[label]:
                found.texts.append(row[text])
                found.labels.append(row[label])
                if row.get("description"):
                    found.descriptions[row[label]] = row["description"]
    if not found.texts:
        raise click.ClickException(f"{path}：没有带标签的句子")
    return found


def figures(wanted: Sequence[str], told: Sequence[str]) -> Figures:
    """Accuracy, and precision, recall and F1 of every label that occurs on either side."""
    are, said = Counter(wanted), Counter(told)
    right = Counter(one for one, other in zip(wanted, told, strict=True) if one == other)
    labels = tuple(
        LabelFigures(
            label=label,
            precision=right[label] / said[label] if said[label] else 0.0,
            recall=right[label] / are[label] if are[label] else 0.0,
            f1=2 * right[label] / (are[label] + said[label]),
            support=are[label],
        )
        for label in sorted(are.keys() | said.keys())
    )
    return Figures(
        accuracy=sum(right.values()) / len(wanted), macro_f1=sum(one.f1 for one in labels) / len(labels), labels=labels
    )


@click.command()
@click.option(
    "--train",
    "train_file",
    required=True,
    help="用来学习的文件",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
)
@click.option(
    "--test",
    "test_file",
    required=True,
    help="用来检验的文件",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
)
@click.option("--labels", is_flag=True, help="列出每个标签的准确率和召回率")
def tags(train_file: Path, test_file: Path, *, labels: bool) -> None:
    """用一份标注好的句子（TSV：label、message 或 text，可有 description）训练自动标签，用另一份检验。"""
    told, asked = read_file(train_file), read_file(test_file)
    if not learner.can_learn(told.labels):
        raise click.ClickException(f"{train_file}：至少要有两个标签，各有两句")
    console = Console()
    began = time.perf_counter()
    lesson = Lesson(texts=told.texts, labels=told.labels, descriptions=told.descriptions)
    with console.status(f"正在学习 {len(told.texts):,} 句"):
        model, report = learner.train(lesson)
    trained = time.perf_counter() - began
    guesses, seconds = _timed(model, asked.texts)
    found = figures(asked.labels, [guess.label for guess in guesses])
    console.print(f"学习 {len(told.texts):,} 句、{len(model.labels)} 个标签，用时 {trained:.1f} 秒；", end="")
    console.print(f"看起来标错的约 {report.doubtful:.0%}")
    console.print(f"检验 {len(asked.texts):,} 句，每秒 {len(asked.texts) / seconds:,.0f} 句")
    console.print(f"准确率 accuracy {found.accuracy * 100:.1f}")
    console.print(f"宏平均 macro-F1 {found.macro_f1 * 100:.1f}")
    sure = [guess.label == label for guess, label in zip(guesses, asked.labels, strict=True) if guess.confidence >= 0.8]
    if sure:
        said = f"置信度 ≥ 80% 的占 {len(sure) / len(guesses):.0%}，其中 {sum(sure) / len(sure):.1%} 正确"
        console.print(said)
    _print_labels(console, found, told.descriptions, every=labels)


def _timed(model: learner.TextModel, texts: Sequence[str]) -> tuple[list[Guess], float]:
    best, guesses = float("inf"), list[Guess]()
    for _ in range(ROUNDS):
        began = time.perf_counter()
        guesses = model.predict(texts)
        best = min(best, time.perf_counter() - began)
    return guesses, best


def _print_labels(console: Console, found: Figures, descriptions: dict[str, str], *, every: bool) -> None:
    shown = sorted(found.labels, key=lambda one: (one.f1, one.label))
    table = Table(title="" if every else f"最难分的 {WORST_SHOWN} 个标签（--labels 列出全部）")
    for head in ("标签", "准确率", "召回率", "F1", "句数"):
        table.add_column(head)
    for one in shown if every else shown[:WORST_SHOWN]:
        name = f"{one.label} {descriptions.get(one.label, '')}".strip()
        table.add_row(name, f"{one.precision:.0%}", f"{one.recall:.0%}", f"{one.f1:.0%}", str(one.support))
    console.print(table)
