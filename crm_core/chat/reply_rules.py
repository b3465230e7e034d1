"""A corp's rules for replies: when people work, who is told after how long, and what needs no answer."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date, time
from typing import Any, Self
from zoneinfo import ZoneInfo

from sqlmodel import Session

from crm_core import audit
from crm_core.chat.model import ChatMessage
from crm_core.chat.words import alike
from crm_core.chat.work_calendar import WorkCalendar
from crm_core.chat_tables import ReplyRulesRow
from crm_core.config import WorktimePart
from crm_core.db import UnitOfWork
from crm_core.errors import InputInvalid
from crm_core.ids import CorpId

STAFF, SUPERVISOR, HANDOVER = "staff", "supervisor", "handover"
STEP_NAMES = {STAFF: "提醒员工", SUPERVISOR: "通知主管", HANDOVER: "请同事接手"}
MOST_MINUTES = 7 * 24 * 60
MOST_CLOSINGS, MOST_CLOSING_CHARS = 100, 20
USUAL_STEPS = ((STAFF, 10), (SUPERVISOR, 30), (HANDOVER, 120))
USUAL_CLOSINGS = (
    "好", "好的", "好嘞", "好滴", "好哒", "嗯", "嗯嗯", "嗯呢", "哦", "哦哦", "行", "可以", "收到", "知道了",
    "明白", "明白了", "了解", "谢谢", "谢谢你", "谢谢您", "多谢", "感谢", "辛苦了", "麻烦了", "不用了",
    "没事了", "再见", "拜拜", "晚安", "ok", "okk", "好的谢谢", "好谢谢", "谢谢啦", "没问题", "先这样",
)  # fmt: skip
ANSWERED_KINDS = frozenset(
    {"text", "image", "voice", "video", "file", "link", "weapp", "card", "location", "chatrecord", "mixed", "sphfeed"}
)
_CLOCK = re.compile(r"^([01]?[0-9]|2[0-3]):[0-5][0-9]$")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyRules:
    """The rules. steps: (whom, after how many minutes of working time), each after the one before; times: HH:MM."""

    is_on: bool = True
    work_from: str = "09:00"
    work_to: str = "18:00"
    steps: tuple[tuple[str, int], ...] = USUAL_STEPS
    closings: tuple[str, ...] = USUAL_CLOSINGS
    holidays: tuple[str, ...] = ()
    extra_workdays: tuple[str, ...] = ()
    known_closings: frozenset[str] = field(default=frozenset(), compare=False)

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> Self:
        """From what is stored."""
        closings = tuple(str(one) for one in raw.get("closings", USUAL_CLOSINGS))
        return cls(
            is_on=bool(raw.get("is_on", True)),
            work_from=str(raw.get("work_from", "09:00")),
            work_to=str(raw.get("work_to", "18:00")),
            steps=tuple((str(whom), int(minutes)) for whom, minutes in raw.get("steps", USUAL_STEPS)),
            closings=closings,
            holidays=tuple(raw.get("holidays", ())),
            extra_workdays=tuple(raw.get("extra_workdays", ())),
            known_closings=frozenset(_bare(one) for one in closings),
        )

    def calendar(self, part: WorktimePart) -> WorkCalendar:
        """Working time: the days of config.yaml and of these rules, the hours of these rules."""
        return WorkCalendar(
            zone=ZoneInfo(part.time_zone),
            workdays=frozenset(part.workdays),
            work_from=time.fromisoformat(self.work_from),
            work_to=time.fromisoformat(self.work_to),
            extra_workdays=frozenset(map(date.fromisoformat, {*part.extra_workdays, *self.extra_workdays})),
            holidays=frozenset(map(date.fromisoformat, {*part.holidays, *self.holidays})),
        )

    def wants_answer(self, message: ChatMessage) -> bool:
        """Whether a customer's message waits for a reply: no closing words, no emoji alone, nothing of the system."""
        if message.kind not in ANSWERED_KINDS:
            return False
        if message.kind != "text":
            return True
        bare = _bare(message.text)
        return bool(bare) and bare not in self.known_closings


def _bare(text: str) -> str:
    """Letters and digits of a text, as they are compared; 好的~ and [OK] are 好的 and ok."""
    named = re.sub(r"\[[^\[\]]{1,8}\]", "", text)  # [微笑]: WeChat's own emoji
    return "".join(char for char in alike(named) if unicodedata.category(char)[0] in "LN")


def rules_of(session: Session, corp: CorpId) -> ReplyRules:
    """The rules in force."""
    row = session.get(ReplyRulesRow, corp)
    return ReplyRules.of(row.rules if row is not None else {})


def change(uow: UnitOfWork, corp: CorpId, rules: ReplyRules, *, actor: str) -> None:
    """Put other rules in force, with an audit row; waits under way follow them at their next step.

    Raises: InputInvalid.
    """
    _check(rules)
    row = uow.session.get(ReplyRulesRow, corp, with_for_update=True) or ReplyRulesRow(
        corp_id=corp, changed_at=uow.now()
    )
    told = asdict(rules)
    told.pop("known_closings")
    row.rules, row.changed_at, row.changed_by = told, uow.now(), actor
    uow.session.add(row)
    data = {"is_on": rules.is_on, "steps": [list(step) for step in rules.steps]}
    audit.record(uow, corp=corp, actor=actor, act="reply.rules", object_kind="chat", object_id="reply", data=data)


def _check(rules: ReplyRules) -> None:
    for name, said in (("work_from", rules.work_from), ("work_to", rules.work_to)):
        if not _CLOCK.fullmatch(said):
            raise InputInvalid("时间应为 时:分，例如 09:00", field=name)
    if time.fromisoformat(rules.work_from.zfill(5)) > time.fromisoformat(rules.work_to.zfill(5)):
        raise InputInvalid("下班时间要晚于上班时间；相同表示全天", field="work_to")
    _check_steps(rules.steps)
    if len(rules.closings) > MOST_CLOSINGS or any(len(one) > MOST_CLOSING_CHARS for one in rules.closings):
        raise InputInvalid(f"结束语最多 {MOST_CLOSINGS} 条，每条最多 {MOST_CLOSING_CHARS} 个字", field="closings")
    for name in ("holidays", "extra_workdays"):
        for day in getattr(rules, name):
            try:
                date.fromisoformat(day)
            except ValueError:
                raise InputInvalid(f"“{day}”不是日期，应为 2026-10-01 这样的写法", field=name) from None


def _check_steps(steps: tuple[tuple[str, int], ...]) -> None:
    before = 0
    for whom, minutes in steps:
        if whom not in STEP_NAMES or not 0 < minutes <= MOST_MINUTES:
            raise InputInvalid(f"分钟数应在 1 到 {MOST_MINUTES} 之间", field="steps")
        if minutes <= before:
            raise InputInvalid("后一步的分钟数要大于前一步", field="steps")
        before = minutes
