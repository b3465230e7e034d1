"""Plans: every fault named, versions, and the plans that come with the product."""

from typing import Any

import pytest
from sqlmodel import select

from crm_core.errors import InputInvalid
from sop import service
from sop.model import NEXT_STATES, StepState, When, dump_plan, parse_plan
from sop.tables import SopRow
from tests.support.ground import CORP, OTHER_CORP, Ground
from tests.unit.sop.sop_plans import plan, step

RAW: dict[str, Any] = {"key": "k", "name": "名", "trigger": "follow_started", "steps": [step("a")]}


def with_step(**more: Any) -> dict[str, Any]:
    return RAW | {"steps": [step("ok"), {**step("b"), **more}]}


def with_when(when: Any) -> dict[str, Any]:
    return with_step(when=when)


FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"steps": None}, "steps"),
    ({"steps": []}, "steps"),
    ({"steps": "one"}, "steps"),
    ({"steps": [step(str(number)) for number in range(101)]}, "steps"),
    ({"steps": [step("a"), step("a")]}, "steps"),
    ({"steps": ["a"]}, "steps.0"),
    ({"key": ""}, "key"),
    ({"key": None}, "key"),
    ({"name": "  "}, "name"),
    ({"trigger": "tag_added"}, "trigger"),
    ({"trigger": None}, "trigger"),
    (with_step(message=None), "steps.1.message"),
    (with_step(message={"text": ""}), "steps.1.message"),
    (with_step(message={"text": "a" * 4001}), "steps.1.message"),
    (with_step(message="您好"), "steps.1.message"),
    (with_step(key=" "), "steps.1.key"),
    (with_step(key=None), "steps.1.key"),
    (with_step(quiet_hours="sometimes"), "steps.1.quiet_hours"),
    (with_step(quiet_hours=None), "steps.1.quiet_hours"),
    (with_when(None), "steps.1.when"),
    (with_when("at_once"), "steps.1.when"),
    (with_when({"kind": "someday"}), "steps.1.when"),
    (with_when({"kind": "delay"}), "steps.1.when"),
    (with_when({"kind": "delay", "minutes": 0}), "steps.1.when"),
    (with_when({"kind": "delay", "minutes": 527_041}), "steps.1.when"),
    (with_when({"kind": "delay", "minutes": 1.5}), "steps.1.when"),
    (with_when({"kind": "delay", "minutes": True}), "steps.1.when"),
    (with_when({"kind": "delay", "minutes": "5"}), "steps.1.when"),
    (with_when({"kind": "next_workday"}), "steps.1.when"),
    (with_when({"kind": "next_workday", "at": "24:00"}), "steps.1.when"),
    (with_when({"kind": "next_workday", "at": "09:60"}), "steps.1.when"),
    (with_when({"kind": "next_workday", "at": "9"}), "steps.1.when"),
    (with_when({"kind": "next_workday", "at": "²:00"}), "steps.1.when"),
    (with_when({"kind": "next_workday", "at": "-1:00"}), "steps.1.when"),
]


@pytest.mark.parametrize(("fault", "field"), FAULTS)
def test_every_fault_is_named_with_its_place(fault: dict[str, Any], field: str) -> None:
    with pytest.raises(InputInvalid) as caught:
        parse_plan(RAW | fault)
    assert caught.value.field == field


def test_limits_are_inclusive() -> None:
    for minutes in (1, 527_040):
        assert parse_plan(with_when({"kind": "delay", "minutes": minutes})).steps[1].when.minutes == minutes
    assert len(parse_plan(RAW | {"steps": [step(str(number)) for number in range(100)]}).steps) == 100


def test_a_plan_there_and_back() -> None:
    steps = [
        step("a"),
        step("b", {"kind": "delay", "minutes": 30}, quiet_hours="ignore"),
        step("c", {"kind": "next_workday", "at": "9:5"}, title=None),
    ]
    parsed = parse_plan(RAW | {"steps": steps})
    assert [one.when for one in parsed.steps] == [
        When(kind="at_once"), When(kind="delay", minutes=30), When(kind="next_workday", at="09:05")
    ]  # fmt: skip
    assert [one.respects_quiet_hours for one in parsed.steps] == [True, False, True]
    assert parsed.steps[2].title == "c"
    assert parse_plan(dump_plan(parsed)) == parsed


def test_a_step_ends_once() -> None:
    assert set(NEXT_STATES) == set(StepState)
    assert NEXT_STATES[StepState.DUE] == set(StepState) - {StepState.DUE}
    assert not any(after for state, after in NEXT_STATES.items() if state is not StepState.DUE)


def versions(ground: Ground) -> list[tuple[int, bool]]:
    rows = ground.all(select(SopRow).where(SopRow.corp_id == CORP).order_by(SopRow.id))  # type: ignore[arg-type]
    return [(row.version, row.enabled) for row in rows]


def test_installing_the_same_keeps_the_version_and_a_change_makes_the_next(ground: Ground) -> None:
    first, second = plan(step("a")), plan(step("a"), step("b"))
    for one, expected in (
        (first, [(1, True)]),
        (first, [(1, True)]),
        (second, [(1, False), (2, True)]),
        (first, [(1, False), (2, False), (3, True)]),
    ):
        with ground.committed() as uow:
            row = service.install_plan(uow, CORP, one)
        assert (row.version, row.enabled) == expected[-1]
        assert versions(ground) == expected


def test_plans_of_another_key_or_corp_are_left_alone(ground: Ground) -> None:
    with ground.committed() as uow:
        service.install_plan(uow, OTHER_CORP, plan(step("a")))
        service.install_plan(uow, CORP, plan(step("a"), key="other"))
        service.install_plan(uow, CORP, plan(step("a")))
    assert versions(ground) == [(1, True), (1, True)]


def test_the_builtin_plans_are_valid_and_given_once(ground: Ground) -> None:
    builtin = service.builtin_plans()
    assert builtin
    with ground.committed() as uow:
        service.install_missing(uow, CORP)
        for row in uow.session.exec(select(SopRow)):
            row.enabled = False
            uow.session.add(row)
    with ground.committed() as uow:
        service.install_missing(uow, CORP)
    assert versions(ground) == [(1, False)] * len(builtin)
