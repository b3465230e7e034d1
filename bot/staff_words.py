"""What staff may say to the bot, and the menu below its conversation. Pure."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

CARD = "scrm_todo"
HELP = (
    "我可以帮您：\n"
    "找 王女士 —— 在您的客户里找人\n"
    "任务 —— 等您处理的跟进任务，可直接完成或跳过\n"
    "数据 —— 您今天和近 7 天的数据\n"
    "怎么说 太贵了 —— 客户这样说时的参考话术\n"
    "帮助 —— 再看一次这份说明"
)
_CARD = re.compile(CARD + r":(done|skip):(\d{1,18})")


class Verb(StrEnum):
    """What somebody wants."""

    FIND = "find"
    TASKS = "tasks"
    NUMBERS = "numbers"
    SAY = "say"
    HELP = "help"


WORDS: tuple[tuple[Verb, tuple[str, ...]], ...] = (
    (Verb.SAY, ("怎么说", "怎么回", "怎么答", "话术")),
    (Verb.FIND, ("找客户", "查客户", "找", "查", "搜")),
    (Verb.TASKS, ("我的任务", "今日任务", "任务", "待办")),
    (Verb.NUMBERS, ("我的数据", "数据", "业绩")),
    (Verb.HELP, ("帮助", "help", "?", "？", "菜单")),
)
MENU = {f"scrm_{verb.value}": verb for verb in Verb}
ALONE = frozenset({Verb.TASKS, Verb.NUMBERS, Verb.HELP})  # words that must be all of the message


@dataclass(frozen=True, slots=True)
class Ask:
    """A wish and what it is about."""

    verb: Verb
    about: str


def parse_words(text: str) -> Ask:
    """A message as a wish; what nobody understands gets the help."""
    said = " ".join(text.split())
    for verb, words in WORDS:
        for word in words:
            if said.lower().startswith(word) and (verb not in ALONE or len(said) == len(word)):
                return Ask(verb, said[len(word) :].strip(" :：，,。")[:100])
    return Ask(Verb.HELP, "")


def parse_card(key: str) -> tuple[str, int] | None:
    """What a button does (done, skip), and the todo's number; None for a button that is not ours."""
    found = _CARD.fullmatch(key)
    return (found[1], int(found[2])) if found else None


def menu_buttons(public_url: str) -> list[dict[str, Any]]:
    """The menu as WeCom takes it."""

    def click(name: str, verb: Verb) -> dict[str, Any]:
        return {"type": "click", "name": name, "key": f"scrm_{verb.value}"}

    more = [
        {"type": "view", "name": "打开客户助手", "url": f"{public_url}/sidebar/"},
        click("找客户", Verb.FIND),
        click("怎么说", Verb.SAY),
        click("帮助", Verb.HELP),
    ]
    return [click("任务", Verb.TASKS), click("数据", Verb.NUMBERS), {"name": "更多", "sub_button": more}]
