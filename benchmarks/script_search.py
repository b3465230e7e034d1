"""Hit rates of script search on a labelled library: words alone, meaning alone, and both fused.

``python -m benchmarks.script_search FOLDER [--queries N]``; the folder holds scripts.tsv and queries.tsv.
"""

import argparse
import csv
import time
from array import array
from pathlib import Path

from bot.embedders import NanoEmbedder
from materials.meaning import MeaningIndex, fuse, texts_of
from materials.model import Script
from materials.search import ScriptIndex

DEPTH = 50
PLACES = (1, 3, 10)


def scripts_of(folder: Path) -> tuple[list[Script], list[str]]:
    with (folder / "scripts.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    scripts = [
        Script(
            id=number,
            group_id=1,
            title=row["title"],
            keywords="",
            messages=({"text": row["content"], "attachments": []},),
            pinyin="",
            initials="",
            similar=tuple(part for part in (row["variants"] or "").split(" || ") if part),
        )
        for number, row in enumerate(rows)
    ]
    return scripts, [row["script_id"] for row in rows]


def queries_of(folder: Path, most: int) -> list[tuple[str, str]]:
    with (folder / "queries.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    step = max(1, len(rows) // most)
    return [(row["query"], row["script_id"]) for row in rows[::step]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--queries", type=int, default=100_000)
    given = parser.parse_args()
    scripts, names = scripts_of(given.folder)
    queries = queries_of(given.folder, given.queries)
    words, embedder = ScriptIndex(scripts), NanoEmbedder()
    numbers = [script.id for script in scripts for _ in texts_of(script)]
    began = time.perf_counter()
    texts = [text for script in scripts for text in texts_of(script)]
    vectors = [array("f", vector).tobytes() for vector in embedder.embed(texts, as_query=False)]
    print(
        f"{len(scripts)} scripts, {len(texts)} texts embedded in {time.perf_counter() - began:.1f} s ({embedder.model})"
    )
    meaning = MeaningIndex(embedder, numbers, vectors)
    hits = {name: dict.fromkeys(PLACES, 0) for name in ("words", "meaning", "fused")}
    spent = dict.fromkeys(hits, 0.0)
    for query, wanted in queries:
        t0 = time.perf_counter()
        by_words = words.rank(query, limit=DEPTH)
        t1 = time.perf_counter()
        by_meaning = words.several(meaning.rank(query, limit=DEPTH))
        t2 = time.perf_counter()
        found = {"words": by_words, "meaning": by_meaning, "fused": fuse(by_words, by_meaning, limit=DEPTH)}
        for name, cost in (("words", t1 - t0), ("meaning", t2 - t1), ("fused", t2 - t0)):
            spent[name] += cost
            order = [names[script.id] for script in found[name]]
            place = order.index(wanted) if wanted in order else DEPTH
            for most in PLACES:
                hits[name][most] += place < most
    print(f"{len(queries)} queries")
    for name, counts in hits.items():
        rates = "  ".join(f"hit@{most} {100 * count / len(queries):5.1f}" for most, count in counts.items())
        print(f"{name:8} {rates}   {1000 * spent[name] / len(queries):6.2f} ms/query")


if __name__ == "__main__":
    main()
