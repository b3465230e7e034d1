"""Plans and follows for the tests of this room."""

from typing import Any

from sqlmodel import select

from crm_core import customers
from crm_core.config import Settings
from sop import service
from sop.engine import SopEngine
from sop.handlers import SopReactions
from sop.model import Plan, parse_plan
from sop.tables import EnrolmentRow, SopRow, StepRunRow
from tests.support.ground import CORP, XIAO, ZHANG, Ground

AT_ONCE = {"kind": "at_once"}
NEXT_WORKDAY = {"kind": "next_workday", "at": "10:00"}


def step(key: str, when: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return {"key": key, "title": f"标题 {key}", "when": when or AT_ONCE, "message": {"text": f"{key} {{昵称}}"}, **more}


def after(minutes: int) -> dict[str, Any]:
    return {"kind": "delay", "minutes": minutes}


def plan(*steps: dict[str, Any], key: str = "first-days") -> Plan:
    return parse_plan({"key": key, "name": f"计划 {key}", "trigger": "follow_started", "steps": list(steps)})


class Desk:
    """An engine with its handlers over a ground."""

    def __init__(self, ground: Ground, **settings: Any) -> None:
        self.ground = ground
        self.engine = SopEngine(Settings(secret_key=ground.settings.secret_key, **settings))
        self.reactions = SopReactions(self.engine)

    def install(self, *steps: dict[str, Any], key: str = "first-days") -> SopRow:
        with self.ground.committed() as uow:
            return service.install_plan(uow, CORP, plan(*steps, key=key))

    def add(self, seconds: float = 0, **more: Any) -> None:
        event = self.ground.added(seconds, **more)
        self.ground.handle(event, customers.record_follow, self.reactions.enrol_new_follow)

    def enrolments(self, who: str = XIAO) -> list[EnrolmentRow]:
        statement = select(EnrolmentRow).where(EnrolmentRow.external_userid == who).order_by(EnrolmentRow.id)  # type: ignore[arg-type]
        return self.ground.all(statement)

    def enrolment(self, who: str = XIAO) -> EnrolmentRow:
        [row] = self.enrolments(who)
        return row

    def runs(self, who: str = XIAO) -> list[StepRunRow]:
        return self.ground.all(
            select(StepRunRow).where(StepRunRow.external_userid == who).order_by(StepRunRow.id)  # type: ignore[arg-type]
        )

    def todos(self, **more: Any) -> list[service.Todo]:
        with self.ground.reading() as session:
            return service.todos(session, CORP, ZHANG, **more)
