"""How the console says times, numbers and states: what the templates use."""

from collections.abc import Callable
from datetime import datetime

from bot.console.room import room
from sidebar.sentences import masked_mobile, spoken_time

STAGE_TONES = {"intent": "blue", "won": "good", "lost": "bad", "nurturing": "warn"}
FOLLOW_TONES = {"active": "good", "half": "warn", "ended": "bad"}
FOLLOW_STATES = {"active": "好友", "half": "待通过", "ended": "已流失"}
ENDED_BY = {"customer": "客户删除了员工", "staff": "员工删除了客户", "transfer": "已转给同事"}


def when(moment: datetime | None) -> str:
    """今天 14:05; "" for never."""
    return spoken_time(moment, room().db.clock.now(), room().zone) if moment is not None else ""


def day(moment: datetime | None) -> str:
    """2026年11月22日 14:05 in full, for titles and files."""
    if moment is None:
        return ""
    local = moment.astimezone(room().zone)
    return f"{local.year}年{local.month}月{local.day}日 {local:%H:%M}"


def size(count: int) -> str:
    """12 KB, 3.4 MB."""
    if count < 1024 * 1024:
        return f"{max(1, count // 1024)} KB"
    return f"{count / 1024 / 1024:.1f} MB"


WORDS: dict[str, Callable[..., object] | dict[str, str]] = {
    "when": when,
    "day": day,
    "size": size,
    "masked": masked_mobile,
    "stage_tone": STAGE_TONES,
    "follow_tone": FOLLOW_TONES,
    "follow_state": FOLLOW_STATES,
    "ended_by": ENDED_BY,
}
