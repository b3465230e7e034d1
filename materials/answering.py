"""The script that answers a customer by itself, and how sure that is.

Ranking is the shelf's. Sureness is a figure of its own between 0 and 1, because ranks and fused scores say which script
is best, not whether the best is good: how far the question is the same as a title or similar question, or how much of
what it asks a script's title, keywords and questions hold.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlmodel import Session, col, select

from crm_core.ids import CorpId
from crm_core.spelling import RUNS, is_han
from materials.model import Script
from materials.search import FILLER, MOST_QUERY_CHARS, tokenizer
from materials.service import ScriptShelf
from materials.tables import ScriptGroupRow

LOOKED_AT = 8
COVER_SHARE = 0.9  # the words are there, but said otherwise
KEYWORD_BASE = 0.6  # a keyword of three characters and more stands in the question
LEAST_KEYWORD = 3
STOP = frozenset(
    [
        "你们",
        "我们",
        "请问",
        "一下",
        "这个",
        "那个",
        "什么",
        "怎么",
        "怎样",
        "如何",
        "可以",
        "能不能",
        "有没有",
        "是不是",
        "需要",
        "想问",
        "问一下",
        "知道",
        "现在",
        "家里",
        "你好",
        "您好",
        "老板",
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SureAnswer:
    """The best script for a question. confidence: 0–1."""

    script: Script
    confidence: float


def best_answer(session: Session, corp: CorpId, shelf: ScriptShelf, question: str) -> SureAnswer | None:
    """The script of the company's folders that fits best; None when nothing with words does."""
    company = frozenset(
        session.exec(
            select(ScriptGroupRow.id).where(ScriptGroupRow.corp_id == corp, col(ScriptGroupRow.scope) == "corp")
        )
    )
    found = [one for one in shelf.search(session, corp, question, limit=50) if one.group_id in company]
    sure = [
        SureAnswer(script=one, confidence=confidence(question, one))
        for one in found[:LOOKED_AT]
        if any(str(message.get("text") or "").strip() for message in one.messages)
    ]
    return max(sure, key=lambda answer: answer.confidence, default=None)


def confidence(question: str, script: Script) -> float:
    """How sure it is that ``script`` answers ``question``, 0–1."""
    asked = question.lower()[:MOST_QUERY_CHARS]
    words = _words(asked)
    if not words:
        return 1.0 if asked.strip() and asked.strip() == script.title.lower().strip() else 0.0
    told = (script.title, *script.similar)
    same = max(_alike(asked, one.lower()) for one in told)
    held = _words(" ".join((*told, script.keywords)).lower())
    cover = sum(_held_chars(held, word) for word in words) / sum(map(len, words))
    best = max(same, COVER_SHARE * cover)
    plain = "".join(RUNS.findall(asked))
    if any(len(key) >= LEAST_KEYWORD and key in plain for key in script.keywords.lower().split()):
        best = max(best, KEYWORD_BASE + (1 - KEYWORD_BASE) * cover * COVER_SHARE)
    return round(min(best, 1.0), 3)


def _words(text: str) -> set[str]:
    found: set[str] = set()
    for run in RUNS.findall(text):
        if is_han(run):
            found |= {word for word in tokenizer().cut(run) if word not in STOP and not set(word) <= FILLER}
        else:
            found.add(run)
    return found


def _held_chars(held: Iterable[str], word: str) -> int:
    """How many characters of a word are held: all of it, or the parts that stand inside (优惠 and 活动 in 优惠活动)."""
    if any(word == one or (len(word) > 1 and word in one) for one in held):
        return len(word)
    return min(len(word), sum(len(one) for one in held if len(one) > 1 and one in word))


def _alike(one: str, other: str) -> float:
    """Dice over pairs of characters, 1 for the same words."""
    first, second = _pairs(one), _pairs(other)
    if not first or not second:
        return 1.0 if "".join(RUNS.findall(one)) == "".join(RUNS.findall(other)) != "" else 0.0
    return 2 * len(first & second) / (len(first) + len(second))


def _pairs(text: str) -> set[str]:
    plain = "".join(RUNS.findall(text))
    return {plain[place : place + 2] for place in range(len(plain) - 1)} - {"请问", "你们", "您好", "你好"}
