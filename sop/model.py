"""Plans and their states. Pure: no clock, no database."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

from crm_core.errors import InputInvalid
from crm_core.messages import dump_message, parse_message
from crm_core.ports import OutboundMessage

MOST_STEPS = 100


class StepState(StrEnum):
    """Where one step of one enrolment stands.

    due: with the staff member, waiting for their act. The rest are final, each with a reason in words
    where it was not simply sent.
    """

    DUE = "due"
    SENT = "sent"
    SKIPPED = "skipped"
    EXPIRED = "expired"
    FAILED = "failed"


class EnrolmentState(StrEnum):
    """active while steps remain; paused together with its plan; finished at the end; stopped early with a reason."""

    ACTIVE = "active"
    PAUSED = "paused"
    FINISHED = "finished"
    STOPPED = "stopped"


OPEN_STATES = (EnrolmentState.ACTIVE.value, EnrolmentState.PAUSED.value)
NEXT_STATES: dict[StepState, frozenset[StepState]] = {
    StepState.DUE: frozenset({StepState.SENT, StepState.SKIPPED, StepState.EXPIRED, StepState.FAILED}),
    StepState.SENT: frozenset(),
    StepState.SKIPPED: frozenset(),
    StepState.EXPIRED: frozenset(),
    StepState.FAILED: frozenset(),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """When a step is due, counted from the step before it (or from enrolment).

    kind at_once: right away. kind delay: after ``minutes``. kind next_workday: at ``at`` (HH:MM local) of the
    next working day after that day.
    """

    kind: Literal["at_once", "delay", "next_workday"]
    minutes: int = 0
    at: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One touch. respects_quiet_hours: put off to the end of the quiet hours when due inside them."""

    key: str
    title: str
    when: When
    respects_quiet_hours: bool
    message: OutboundMessage


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """An ordered plan of touches, as data."""

    key: str
    name: str
    trigger: str
    steps: tuple[Step, ...]


def parse_plan(raw: Mapping[str, Any]) -> Plan:
    """A plan from its YAML or stored form. Raises: InputInvalid naming the place."""
    steps = raw.get("steps")
    if not isinstance(steps, list) or not 1 <= len(steps) <= MOST_STEPS:
        raise InputInvalid(f"SOP 应有 1–{MOST_STEPS} 个步骤", field="steps")
    for name in ("key", "name"):
        if not str(raw.get(name) or "").strip():
            raise InputInvalid(f"缺少 {name}", field=name)
    if raw.get("trigger") != "follow_started":
        raise InputInvalid("触发条件目前只有 follow_started（添加好友）", field="trigger")
    parsed = tuple(_parse_step(step, f"steps.{number}") for number, step in enumerate(steps))
    if len({step.key for step in parsed}) != len(parsed):
        raise InputInvalid("步骤的 key 不能重复", field="steps")
    return Plan(key=str(raw["key"]), name=str(raw["name"]), trigger="follow_started", steps=parsed)


def dump_plan(plan: Plan) -> dict[str, Any]:
    """The stored form; the reverse of ``parse_plan``."""
    return {
        "key": plan.key,
        "name": plan.name,
        "trigger": plan.trigger,
        "steps": [
            {
                "key": step.key,
                "title": step.title,
                "when": _dump_when(step.when),
                "quiet_hours": "respect" if step.respects_quiet_hours else "ignore",
                "message": dump_message(step.message),
            }
            for step in plan.steps
        ],
    }


def _dump_when(when: When) -> dict[str, Any]:
    if when.kind == "delay":
        return {"kind": "delay", "minutes": when.minutes}
    return {"kind": "next_workday", "at": when.at} if when.kind == "next_workday" else {"kind": "at_once"}


def _parse_step(raw: object, place: str) -> Step:
    if not isinstance(raw, Mapping):
        raise InputInvalid("步骤应为键值", field=place)
    message = parse_message(raw.get("message"), field=f"{place}.message")
    if message is None:
        raise InputInvalid("步骤没有内容", field=f"{place}.message")
    quiet = raw.get("quiet_hours", "respect")
    if quiet not in ("respect", "ignore"):
        raise InputInvalid("quiet_hours 只能是 respect 或 ignore", field=f"{place}.quiet_hours")
    key = str(raw.get("key") or "").strip()
    if not key:
        raise InputInvalid("缺少 key", field=f"{place}.key")
    return Step(
        key=key,
        title=str(raw.get("title") or key),
        when=_parse_when(raw.get("when"), f"{place}.when"),
        respects_quiet_hours=quiet == "respect",
        message=message,
    )


def _parse_when(raw: object, place: str) -> When:
    kind = raw.get("kind") if isinstance(raw, Mapping) else None
    if not isinstance(raw, Mapping) or kind not in ("at_once", "delay", "next_workday"):
        raise InputInvalid("when.kind 只能是 at_once、delay、next_workday", field=place)
    if kind == "delay":
        minutes = raw.get("minutes")
        if not isinstance(minutes, int) or isinstance(minutes, bool) or not 1 <= minutes <= 60 * 24 * 366:
            raise InputInvalid("minutes 应为 1 到 527040 的整数", field=place)
        return When(kind="delay", minutes=minutes)
    if kind == "next_workday":
        at = str(raw.get("at") or "")
        hours, _, minutes_text = at.partition(":")
        if not (hours.isdecimal() and minutes_text.isdecimal() and int(hours) < 24 and int(minutes_text) < 60):
            raise InputInvalid("at 应为 HH:MM", field=place)
        return When(kind="next_workday", at=f"{int(hours):02d}:{int(minutes_text):02d}")
    return When(kind="at_once")
