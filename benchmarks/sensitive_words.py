"""How fast messages are checked for 10,000 sensitive words, beside the bare automaton on the same messages and words.

``python -m benchmarks.sensitive_words [messages.tsv]``. CPU time of one core; both take turns, the best of each counts.
"""

import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import ahocorasick_rs

from benchmarks.shared_data import chat_messages, column
from crm_core.sensitive.matcher import Matcher
from crm_core.sensitive.rulebook import ALL_ON, CategoryRules, Detector, Entry, Options, Rulebook
from crm_core.sensitive.sieve import BATCH, Sieve

WORDS = 10_000
ROUNDS = 7
OWN = (
    "您好，请问这款沙发现在有活动吗？",
    "有的，满5000减300，送货上门",
    "那我周六下午过来看看，大概3点",
    "好的，我给您留一下车位，地址在徐汇店二楼。",
    "ok 谢谢",
    "布料是可以拆洗的吗，家里有小孩和猫",
    "可以的，全部可拆洗，另外送一套抱枕套哈",
    "发票怎么开？公司抬头",
)


def messages() -> list[str]:
    """Messages from a file, else from the shared chats, else our own."""
    given = [text for name in sys.argv[1:] for text in column(Path(name), "message")]
    found = given or chat_messages()
    return found or [f"{text}{number}" for number in range(2000) for text in OWN]


def dictionary(texts: Sequence[str]) -> list[str]:
    """Words of 2 to 6 characters out of the usual characters, none of which is said in the messages."""
    chance = random.Random(11)
    usual = [char for char, _ in Counter("".join(texts)).most_common(2500) if "\u4e00" <= char <= "\u9fa5"]
    said = "\n".join(texts)
    made: dict[str, None] = {}
    while len(made) < WORDS:
        word = "".join(chance.choices(usual, k=chance.choice((2, 2, 3, 3, 4, 4, 5, 6))))
        if word not in said:
            made[word] = None
    return list(made)


def seconds(act: Callable[[list[str]], object], texts: Sequence[str]) -> float:
    fresh = [(text + " ")[:-1] for text in texts]  # no string keeps what an earlier round made of it
    began = time.process_time()
    act(fresh)
    return time.process_time() - began


def one_by_one(sieve: Sieve, texts: Sequence[str]) -> None:
    for text in texts:
        sieve.check([text])


def main() -> None:
    texts = messages()
    words = dictionary(texts)
    size = sum(map(len, texts)) / len(texts)
    print(f"{len(texts):,} messages of {size:.1f} characters, {len(words):,} words")
    bare = ahocorasick_rs.AhoCorasick(words)
    numbers = tuple(Detector(kind=kind) for kind in ("phone", "id_card", "bank_card", "qq", "wechat"))
    every = tuple(Entry(number, word) for number, word in enumerate(words, 1))
    made = {
        "defaults": (Options(), ()),
        "all normalising": (ALL_ON, ()),
        "all normalising, numbers": (ALL_ON, numbers),
    }
    for name, (options, detectors) in made.items():
        began = time.process_time()
        rules = CategoryRules(id=1, entries=every, options=options, detectors=detectors)
        matcher = Matcher(Rulebook(categories=(rules,)))
        sieve = Sieve(matcher)
        sieve.check(texts[:BATCH])
        built = time.process_time() - began
        acts: dict[str, Callable[[list[str]], object]] = {
            "bare": lambda some: [bare.find_matches_as_indexes(text) for text in some],
            "batches": sieve.check,
            "one by one": partial(one_by_one, sieve),
        }
        best = dict.fromkeys(acts, float("inf"))
        for _ in range(ROUNDS):
            for kind, act in acts.items():
                best[kind] = min(best[kind], seconds(act, texts))
        hit = len(sieve.check(texts))
        print(f"\n{name} (made in {built:.1f} s, {hit} messages hit)")
        for kind, took in best.items():
            rate = len(texts) / took
            print(
                f"  {kind:12} {rate:>12,.0f} messages/s  {took / len(texts) * 1e6:6.2f} µs  ratio {best['bare'] / took:.2f}"
            )


if __name__ == "__main__":
    main()
