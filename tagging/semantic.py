"""Sentences that mean the same as a rule's examples: scores, and the threshold that the examples themselves teach.

A sentence's score is the mean cosine to its two nearest examples. The threshold lies where the examples, each judged
by the others, are told best from counter-examples, other rules' examples and everyday sentences.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from itertools import pairwise
from math import exp
from typing import Any

NEAREST = 2
SHORTEST, LONGEST = 4, 120  # characters of a sentence that is worth comparing
MARGIN = 0.005  # how far above the nearest counter-example a sentence must score
# What people say in any chat: a sentence that means something must lie nearer to the examples than these.
EVERYDAY = (
    "您好，在吗",
    "好的，谢谢您",
    "我看一下再回复您",
    "收到，辛苦了",
    "请问您是哪位",
    "不好意思刚才在忙",
    "可以的，没问题",
    "我明天再联系您",
    "哈哈哈好的呀",
    "图片发错了，请忽略",
    "今天天气真不错",
    "周末愉快，早点休息",
    "麻烦把地址发我一下",
    "我和家里人商量一下",
    "这个是什么意思",
    "稍等，我找一下",
    "已经收到了，谢谢",
    "您发的文件打不开",
    "刚刚没看到消息",
    "有什么可以帮您的吗",
    "我们门店几点关门",
    "嗯嗯，知道了",
    "到了给我打电话",
    "路上有点堵车",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """What the examples taught. threshold: least score. recall: examples that the others find; wrong: strangers."""

    model: str
    threshold: float
    near: float
    far: float
    recall: float
    wrong: float


class MeaningRule:
    """The vectors of one rule's examples and counter-examples."""

    def __init__(self, examples: Any, counters: Any, measure: Measure) -> None:
        self._numpy: Any = import_module("numpy")
        self._examples, self._counters, self._measure = examples, counters, measure

    def confidences(self, vectors: Any) -> list[float]:
        """How surely each sentence means the same, 0 where it does not reach the threshold."""
        scores = nearness(self._numpy, vectors, self._examples)
        against = vectors @ self._counters.T if len(self._counters) else None
        found = []
        for at, score in enumerate(scores):
            is_foreign = against is not None and float(against[at].max()) + MARGIN > float(
                (vectors[at] @ self._examples.T).max()
            )
            found.append(0.0 if is_foreign or score < self._measure.threshold else self._sureness(float(score)))
        return found

    def _sureness(self, score: float) -> float:
        """0.6 at the threshold, towards 1 as near as the examples lie to each other and beyond."""
        span = max(self._measure.near - self._measure.threshold, 0.005)
        return min(0.99, 0.6 + 0.35 * (1 - exp(-2 * (score - self._measure.threshold) / span)))


def nearness(numpy: Any, vectors: Any, examples: Any) -> Any:
    """The mean cosine to the nearest examples."""
    cosines = vectors @ examples.T
    count = min(NEAREST, cosines.shape[1])
    return numpy.sort(cosines, axis=1)[:, -count:].mean(axis=1)


def measure(model: str, examples: Any, strangers: Any) -> Measure:
    """Learn the threshold. examples: at least 3 vectors; strangers: vectors of what does not mean it."""
    numpy: Any = import_module("numpy")
    own = numpy.array(
        [nearness(numpy, examples[at : at + 1], numpy.delete(examples, at, axis=0))[0] for at in range(len(examples))]
    )
    other = nearness(numpy, strangers, examples)
    candidates = sorted({float(score) for score in (*own, *other)})
    between = [(low + high) / 2 for low, high in pairwise(candidates)] or candidates

    def gain(threshold: float) -> tuple[float, float]:
        found, let_in = float((own >= threshold).mean()), float((other >= threshold).mean())
        return found - 3 * let_in, threshold

    best = max(between, key=gain)
    return Measure(
        model=model,
        threshold=best,
        near=float(numpy.median(own)),
        far=float(numpy.median(other)),
        recall=float((own >= best).mean()),
        wrong=float((other >= best).mean()),
    )


def worth(texts: Sequence[str]) -> list[int]:
    """Which texts are worth comparing: neither a word nor an essay."""
    return [at for at, text in enumerate(texts) if SHORTEST <= len(text.strip()) <= LONGEST]
