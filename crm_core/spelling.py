"""How Chinese words are typed by their sound: syllables and first letters. Pure."""

import os
import re

os.environ.setdefault("PYPINYIN_NO_PHRASES", "true")  # its phrases cost 45 MB; search by letters does without

from pypinyin import Style, lazy_pinyin

HAN = r"\u3400-\u9fff"
RUNS = re.compile(rf"[{HAN}]+|[a-z0-9]+")


def spell(text: str) -> tuple[str, str]:
    """Pinyin of ``text`` as (syllables joined by spaces, their first letters); Latin runs stay as they are."""
    syllables: list[str] = []
    for run in RUNS.findall(text.lower()):
        syllables += lazy_pinyin(run, style=Style.NORMAL) if is_han(run) else [run]
    return " ".join(syllables), "".join(syllable[0] for syllable in syllables)


def is_han(run: str) -> bool:
    """Whether a run of ``RUNS`` is Chinese."""
    return bool(re.match(rf"[{HAN}]", run))


def sounds(text: str) -> str:
    """What a column keeps so that ``text`` is found by sound: ``wangnvshi wns``; "" without Chinese."""
    if not re.search(rf"[{HAN}]", text):
        return ""
    syllables, letters = spell(text)
    return f"{syllables.replace(' ', '')} {letters}"
