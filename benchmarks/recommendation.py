"""Recommendation: hit rates beside plain BM25 on labelled libraries, and the time of a question among 10,000 scripts.

``python -m benchmarks.recommendation quality FOLDER… [--rung lexical|default|st] [--model M] [--queries N]``
``python -m benchmarks.recommendation speed [--scripts 10000] [--rounds 200]``  (p95 ≤ 60 ms, ≤ 1.3 × the bare model; words ≤ 10 ms)
"""

import argparse
import math
import random
import statistics
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import insert, make_url

from bot.ciphers import open_cipher
from bot.cli_eval_scripts import make_ranker, open_rung, places_of, read_folder, report
from bot.migrate import upgrade
from crm_core.config import Settings
from crm_core.db import Database, open_engine
from crm_core.ids import CorpId
from crm_core.turn import WriteTurn
from materials import meaning, suggestable
from materials.model import Script
from materials.ranking import grams
from materials.recommending import Recommender
from materials.tables import ScriptGroupRow, ScriptRow, ScriptVectorRow
from tests.fakes import FrozenClock, SilentWaker
from tests.support.databases import sqlite_url
from tests.support.product import FRIDAY_MORNING

CORP = CorpId("ww_bench")
PARTS = (
    "怎么",
    "可以",
    "多少钱",
    "什么时候",
    "能不能",
    "请问",
    "退货",
    "发货",
    "安装",
    "保修",
    "发票",
    "尺寸",
    "颜色",
    "优惠",
)
K1, B = 1.2, 0.75


def bm25_places(scripts: list[Script], queries: list[Any]) -> list[int]:
    """Plain BM25 over characters and pairs, written apart from the product's."""
    bags = [grams(" ".join((one.title, one.text, *one.similar))) for one in scripts]
    mean = sum(map(Counter.total, bags)) / len(bags)
    postings: dict[str, list[tuple[int, float]]] = {}
    for number, bag in enumerate(bags):
        share = K1 * (1 - B + B * bag.total() / mean)
        for term, count in bag.items():
            postings.setdefault(term, []).append((number, count * (K1 + 1) / (count + share)))
    places = []
    for query in queries:
        scores = np.zeros(len(scripts))
        for term in grams(query.text[:400]):
            having = postings.get(term, [])
            rarity = math.log(1 + (len(scripts) - len(having) + 0.5) / (len(having) + 0.5))
            for number, weight in having:
                scores[number] += rarity * weight
        mine = scores[query.wanted]
        places.append(int((scores > mine).sum() + (scores[: query.wanted] == mine).sum()))
    return places


def quality(given: argparse.Namespace) -> None:
    for folder in given.folders:
        scripts, queries = read_folder(folder)
        queries = queries[:: max(1, len(queries) // given.queries)][: given.queries]
        print(f"== {folder.name}: {len(scripts)} scripts, {len(queries)} queries")
        print("\n".join(f"BM25     {line}" for line in report(queries, bm25_places(scripts, queries))))
        for rung in given.rung or ["lexical", "default"]:
            embedder = open_rung(rung, given.model, given.query_prefix)
            places = places_of(make_ranker(scripts, embedder), queries, embedder)
            print("\n".join(f"{rung:8} {line}" for line in report(queries, places)), flush=True)


class Timed:
    """An embedder that remembers how long it took."""

    def __init__(self, inner: Any) -> None:
        self._inner, self.model, self.spent = inner, inner.model, 0.0

    def embed(self, texts: Any, *, as_query: bool) -> Any:
        began = time.perf_counter()
        found = self._inner.embed(texts, as_query=as_query)
        self.spent = time.perf_counter() - began
        return found


def speed(given: argparse.Namespace) -> None:
    rand = random.Random(7)
    with tempfile.TemporaryDirectory() as folder:
        url = sqlite_url(Path(folder))
        upgrade(url)
        db = Database(
            open_engine(url),
            FrozenClock(FRIDAY_MORNING),
            SilentWaker(),
            None,
            WriteTurn(Path(make_url(url).database or "")),
        )
        fill(db, given.scripts, rand)
        embedder = Timed(open_rung("default", "", ""))
        with db.reading() as session:
            entries = suggestable.all_entries(session, CORP)
        fill_vectors(db, entries, embedder.model, rand)
        recommender = Recommender(db, open_cipher(Settings(secret_key="k" * 40)), lambda _: embedder)
        began = time.perf_counter()
        recommender.refresh(CORP)
        print(f"{given.scripts} scripts indexed in {time.perf_counter() - began:.2f} s")
        whole, bare, words = [], [], []
        for number in range(given.rounds):
            text = "".join(rand.sample(PARTS, 4)) + str(number)
            for kind, quick in ((words, True), (whole, False)):
                began = time.perf_counter()
                with db.reading() as session:
                    recommender.answer(session, CORP, [text], now=FRIDAY_MORNING, words_only=quick)
                kind.append(1000 * (time.perf_counter() - began))
            bare.append(1000 * embedder.spent)
        over = [one - two for one, two in zip(whole, bare, strict=True)]
        print(f"beside the model: best {min(over):.1f} ms, median {statistics.median(over):.1f} ms")
        for name, taken in (("bare model", bare), ("recommended", whole), ("words first", words)):
            print(f"{name:12} median {statistics.median(taken):6.1f} ms  p95 {np.percentile(taken, 95):6.1f} ms")
        print(f"recommended / bare model: {statistics.median(whole) / statistics.median(bare):.2f}")
        with db.unit() as uow:
            row = uow.session.get(ScriptRow, 1)
            row.title, row.changed_at = "刚刚改过的标题", uow.now()
            row.changed_at = FRIDAY_MORNING.replace(hour=3)
            uow.session.add(row)
            uow.commit()
        began = time.perf_counter()
        while True:
            with db.reading() as session:
                found = recommender.answer(session, CORP, ["刚刚改过的标题"], now=FRIDAY_MORNING, words_only=True)
            if found.suggestions and found.suggestions[0].script and found.suggestions[0].script.id == 1:
                break
            time.sleep(0.01)
        print(f"an edit is found after {time.perf_counter() - began:.2f} s")
        db.close()


def fill(db: Database, count: int, rand: random.Random) -> None:
    with db.unit() as uow:
        uow.session.add(ScriptGroupRow(id=1, corp_id=CORP, name="全部"))
        for number in range(1, count + 1):
            title = f"{''.join(rand.sample(PARTS, 3))}{number}"
            text = "".join(rand.choices(PARTS, k=20))
            uow.session.add(
                ScriptRow(
                    id=number,
                    corp_id=CORP,
                    group_id=1,
                    title=title,
                    content=[{"text": text, "attachments": []}],
                    similar=["".join(rand.sample(PARTS, 3)) for _ in range(3)],
                    changed_at=uow.now(),
                )
            )
        uow.commit()


def fill_vectors(db: Database, entries: list[Script], model: str, rand: random.Random) -> None:
    """Random unit vectors: time does not depend on what they mean."""
    made = np.random.default_rng(rand.randrange(99))
    keys = [(entry.id, place, text) for entry in entries for place, text in enumerate(meaning.texts_of(entry))]
    rows = made.normal(size=(len(keys), 384)).astype("float32")
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    with db.unit() as uow:
        uow.session.execute(
            insert(ScriptVectorRow),
            [
                {
                    "corp_id": CORP,
                    "script_id": number,
                    "place": place,
                    "model": model,
                    "text_mark": meaning.mark(text),
                    "vector": row.tobytes(),
                    "made_in": 1,
                }
                for (number, place, text), row in zip(keys, rows, strict=True)
            ],
        )
        uow.commit()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    kinds = parser.add_subparsers(required=True)
    how_good = kinds.add_parser("quality")
    how_good.add_argument("folders", type=Path, nargs="+")
    how_good.add_argument("--rung", action="append", choices=["lexical", "default", "st"])
    how_good.add_argument("--model", default="BAAI/bge-small-zh-v1.5")
    how_good.add_argument("--query-prefix", default="")
    how_good.add_argument("--queries", type=int, default=100_000)
    how_good.set_defaults(run=quality)
    how_fast = kinds.add_parser("speed")
    how_fast.add_argument("--scripts", type=int, default=10_000)
    how_fast.add_argument("--rounds", type=int, default=200)
    how_fast.set_defaults(run=speed)
    given = parser.parse_args()
    given.run(given)


if __name__ == "__main__":
    main()
