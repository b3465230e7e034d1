"""``scrm eval sensitive`` and ``false-alarms``: how well sensitive words are found, on files that operators bring."""

import csv
import time
from collections import defaultdict
from pathlib import Path

import click

from crm_core.errors import ScrmError
from crm_core.sensitive import measuring, starter

TEXT_HEADS = ("message", "text", "content", "消息", "内容", "文本")
SHOWN_WRONG = 50


@click.command("sensitive")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def sensitive(file: Path) -> None:
    """逐条检验绕过写法。FILE 为制表符分隔，列：id kind dictionary options input expected。"""
    rows = _rows(file)
    if not rows or not {"id", "kind", "dictionary", "input"} <= rows[0].keys():
        raise click.ClickException("文件应有这些列：id、kind、dictionary、options、input、expected")
    kinds: defaultdict[str, list[bool]] = defaultdict(list)
    wrong = []
    for row in rows:
        try:
            answer = measuring.answer(measuring.case_of(row))
        except ScrmError as error:
            raise click.ClickException(f"{row['id']}：{error.message}") from None
        kinds[row["kind"]].append(answer.is_right)
        if not answer.is_right:
            wrong.append(answer)
        click.echo(f"{'✓' if answer.is_right else '✗'} {row['id']}  {row['kind']}")
    click.echo("\n按写法：")
    for kind, answers in sorted(kinds.items()):
        click.echo(f"  {sum(answers)}/{len(answers)}  {kind}")
    for one in wrong[:SHOWN_WRONG]:
        click.echo(f"\n✗ {one.case.id} {one.case.kind}")
        click.echo(f"  原文：{one.case.text}")
        click.echo(f"  应为：{' | '.join(one.case.expected) or '（不命中）'}")
        click.echo(f"  实为：{' | '.join(one.found) or '（不命中）'}")
    click.echo(f"\n合计：{len(rows) - len(wrong)} / {len(rows)} 正确")


@click.command("false-alarms")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--column", default="", help="消息所在的列名；不写时按常见列名寻找")
def false_alarms(file: Path, column: str) -> None:
    """起步词库会命中多少条消息。FILE 为制表符分隔的消息（messages.tsv），应为没有问题的对话。"""
    rows = _rows(file)
    heads = list(rows[0]) if rows else []
    name = column or next((head for head in TEXT_HEADS if head in heads), "")
    if name not in heads:
        raise click.ClickException(f"没有找到消息列，请用 --column 指定，现有列：{'、'.join(heads)}")
    texts = [row[name] or "" for row in rows]
    names = {number: one.name for number, one in enumerate(starter.categories(), start=1)}
    began = time.perf_counter()
    found = measuring.alarms(texts, starter.rulebook(), names)
    seconds = time.perf_counter() - began
    click.echo(f"消息 {found.messages:,} 条，命中 {found.hit:,} 条，占 {found.share:.3%}（{seconds:.2f} 秒）")
    for category in found.categories:
        click.echo(f"\n{category.name}：{category.messages} 条")
        for text, hit, word in category.examples:
            click.echo(f"  “{hit}”（{word}）：{text[:80]}")
    if found.words:
        click.echo("\n命中最多的词：" + "、".join(f"{word} {count}" for word, count in found.words))


def _rows(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8-sig", newline="") as content:
        return list(csv.DictReader(content, delimiter="\t", quoting=csv.QUOTE_NONE))
