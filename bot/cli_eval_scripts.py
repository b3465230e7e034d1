"""``scrm eval scripts``: hit rates of script recommendation on a folder with scripts.tsv and queries.tsv."""

import csv
import time
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import track

from bot.embedders import NANO, OWN, WORDS, Ladder
from crm_core.config import MaterialsPart
from crm_core.ports import Embedder
from materials.meaning import texts_of
from materials.model import Script
from materials.ranking import Meanings, Ranker, numpy

RUNGS = {"lexical": WORDS, "default": NANO, "st": OWN, NANO: NANO, OWN: OWN}
PLACES = (1, 3, 5)
BATCH = 32
ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A question whose right answer is known. wanted: the script's place in the library."""

    domain: str
    text: str
    wanted: int


def read_folder(folder: Path) -> tuple[list[Script], list[Query]]:
    """scripts.tsv (script_id, title, content, variants apart by `` || ``) and queries.tsv (query, script_id, domain).

    Raises: click.ClickException naming what is wrong.
    """
    rows = list(_rows(folder / "scripts.tsv", ("script_id", "title")))
    places = {row["script_id"]: number for number, row in enumerate(rows)}
    scripts = [_script(number, row) for number, row in enumerate(rows)]
    queries = []
    for number, row in enumerate(_rows(folder / "queries.tsv", ("query", "script_id")), start=2):
        if row["script_id"] not in places:
            raise click.ClickException(f"queries.tsv 第 {number} 行：scripts.tsv 里没有话术 {row['script_id']}")
        domain = row.get("domain") or ALL
        queries.append(Query(domain=domain, text=row["query"], wanted=places[row["script_id"]]))
    if not scripts or not queries:
        raise click.ClickException("scripts.tsv 与 queries.tsv 至少各要有一行")
    return scripts, queries


def _rows(file: Path, needed: Sequence[str]) -> Iterator[dict[str, str]]:
    try:
        with file.open(encoding="utf-8-sig", newline="") as opened:
            reader = csv.DictReader(opened, delimiter="\t", quoting=csv.QUOTE_NONE)
            missing = [name for name in needed if name not in (reader.fieldnames or ())]
            if missing:
                raise click.ClickException(f"{file.name} 缺少列：{'、'.join(missing)}")
            yield from reader
    except OSError as error:
        raise click.ClickException(f"读不了 {file}：{error.strerror}") from None
    except UnicodeDecodeError:
        raise click.ClickException(f"{file.name} 不是 UTF-8 编码") from None


def _script(number: int, row: dict[str, str]) -> Script:
    content = row.get("content") or ""
    return Script(
        id=number,
        group_id=1,
        title=row["title"] or "",
        keywords=row.get("keywords") or "",
        messages=({"text": content, "attachments": []},) if content else (),
        pinyin="",
        initials="",
        similar=tuple(part for part in (row.get("variants") or "").split(" || ") if part),
    )


def make_ranker(
    scripts: Sequence[Script], embedder: Embedder | None, progress: Callable[[list[Any], str], Any] | None = None
) -> Ranker:
    """An index over scripts as the product makes it."""
    if embedder is None:
        return Ranker(scripts)
    texts = [(script.id, place, text) for script in scripts for place, text in enumerate(texts_of(script))]
    starts = list(range(0, len(texts), BATCH))
    vectors: dict[int, dict[int, bytes]] = {script.id: {} for script in scripts}
    for start in progress(starts, "话术") if progress else starts:
        batch = texts[start : start + BATCH]
        found = embedder.embed([text for _, _, text in batch], as_query=False)
        for (script_id, place, _), vector in zip(batch, found, strict=True):
            vectors[script_id][place] = array("f", vector).tobytes()
    meanings = Meanings.around(embedder.model, [places[1] for places in vectors.values()][:2000])
    for script_id, places in vectors.items():
        meanings.put(script_id, "", places)
    return Ranker(scripts, meanings=meanings)


def places_of(
    ranker: Ranker,
    queries: Sequence[Query],
    embedder: Embedder | None,
    progress: Callable[[list[Any], str], Any] | None = None,
) -> list[int]:
    """At which place (from 0) each query's right script came."""
    np, places = numpy(), []
    starts = list(range(0, len(queries), BATCH))
    for start in progress(starts, "提问") if progress else starts:
        batch = queries[start : start + BATCH]
        asked: list[Any] = [None] * len(batch)
        if embedder is not None:
            asked = list(embedder.embed([query.text[:400] for query in batch], as_query=True))
        for query, vector in zip(batch, asked, strict=True):
            total = ranker.scores(query.text, vector).total
            better = np.flatnonzero(total >= total[query.wanted])
            ahead = [one for one in better if total[one] > total[query.wanted] or one < query.wanted]
            places.append(len(ahead))
    return places


def report(queries: Sequence[Query], places: Sequence[int]) -> list[str]:
    """A line a domain, and one for all."""
    lines, domains = [], sorted({query.domain for query in queries})
    for name in [*(domains if len(domains) > 1 else ()), ALL]:
        found = [place for query, place in zip(queries, places, strict=True) if name in (ALL, query.domain)]
        rates = "  ".join(f"hit@{most} {100 * sum(one < most for one in found) / len(found):.1f}" for most in PLACES)
        mrr = 100 * sum(1 / (place + 1) for place in found) / len(found)
        lines.append(f"{name:20} {len(found):5} queries  {rates}  MRR {mrr:.1f}")
    return lines


def open_rung(rung: str, model: str, prefix: str) -> Embedder | None:
    """The embedder of a rung; None for words alone. Raises: click.ClickException when it does not load."""
    wish: Any = RUNGS[rung]
    if wish == WORDS:
        return None
    ladder = Ladder(MaterialsPart(embedder=wish, embedder_model=model, embedder_query_prefix=prefix))
    found = ladder.embedder()
    if found is None or not found.model.startswith(wish):
        raise click.ClickException("；".join(ladder.fallen) or f"{rung} 未能加载")
    return found


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--rung", type=click.Choice(sorted(RUNGS)), default="default", show_default=True, help="用哪一级模型")
@click.option("--model", default="BAAI/bge-small-zh-v1.5", show_default=True, help="st 的模型名或文件夹")
@click.option("--query-prefix", default="", help="st 的模型要求加在问题前面的文字")
@click.option("--queries", "most", type=click.IntRange(1), default=None, help="最多用多少条提问（均匀抽取）")
def scripts(folder: Path, rung: str, model: str, query_prefix: str, most: int | None) -> None:
    """话术推荐的命中率：DIR 里放 scripts.tsv 与 queries.tsv（制表符分隔）。"""
    library, queries = read_folder(folder)
    if most is not None:
        queries = queries[:: max(1, len(queries) // most)][:most]
    embedder = open_rung(rung, model, query_prefix)
    console = Console(stderr=True)

    def progress(items: list[Any], name: str) -> Any:
        return track(items, description=name, console=console, disable=not console.is_terminal)

    began = time.perf_counter()
    ranker = make_ranker(library, embedder, progress)
    places = places_of(ranker, queries, embedder, progress)
    click.echo(
        f"{len(library)} scripts, rung {rung}{f' ({embedder.model})' if embedder else ''}, "
        f"{time.perf_counter() - began:.1f} s"
    )
    for line in report(queries, places):
        click.echo(line)
