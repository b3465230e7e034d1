"""Custom fields: defined by admins, checked by kind, told on the timeline."""

from typing import Any

import pytest

from crm_core import custom_fields, staff, timeline
from crm_core.custom_fields import FieldForm
from crm_core.errors import Conflict, InputInvalid, NotFound
from crm_core.events import StaffUpdated
from crm_core.ids import StaffUserId
from crm_core.ports import StaffFacts
from tests.support.ground import APP, CORP, LI, OTHER_CORP, XIAO, ZHANG, Ground


def define(ground: Ground, name: str, kind: str, *choices: str, **more: Any) -> int:
    with ground.committed() as uow:
        return custom_fields.define(uow, CORP, FieldForm(name=name, kind=kind, choices=choices, **more), actor="boss")


def save(ground: Ground, given: dict[int, list[str]]) -> int:
    with ground.committed() as uow:
        return custom_fields.save(uow, CORP, XIAO, staff_userid=ZHANG, given=given)


def said(ground: Ground) -> dict[str, str]:
    with ground.reading() as session:
        return {value.field.name: value.said for value in custom_fields.values_of(session, CORP, XIAO)}


@pytest.mark.parametrize(
    ("kind", "given", "shown"),
    [
        ("text", ["  三口之家 "], "三口之家"),
        ("number", ["120,000.50"], "120,000.5"),
        ("number", ["1e3"], "1,000"),
        ("date", ["2026-11-22"], "2026年11月22日"),
        ("choice", ["三居"], "三居"),
        ("multi", ["四居", "两居", "四居"], "两居、四居"),
        ("person", ["li"], "李四"),
        ("address", ["徐汇区 1 号"], "徐汇区 1 号"),
        ("image", ["a" * 64], "已上传图片"),
    ],
)
def test_each_kind_takes_what_fits_and_can_be_cleared(ground: Ground, kind: str, given: list[str], shown: str) -> None:
    with ground.committed() as uow:
        staff.apply_staff(uow, CORP, StaffFacts(userid=LI, name="李四"))
    choices = ("两居", "三居", "四居") if kind in ("choice", "multi") else ()
    field = define(ground, "字段", kind, *choices)
    assert save(ground, {field: given}) == 1
    assert said(ground) == {"字段": shown}
    assert save(ground, {field: given}) == 0
    assert save(ground, {field: [""]}) == 1
    assert said(ground) == {"字段": ""}
    with ground.reading() as session:
        entries = timeline.read(session, CORP, XIAO, kinds=("field.",))
    assert [entry.data["changes"] for entry in entries] == [
        [{"name": "字段", "from": shown, "to": ""}],
        [{"name": "字段", "from": "", "to": shown}],
    ]


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        ("number", "十二"), ("number", "NaN"), ("number", "1e400"), ("date", "22/11/2026"), ("choice", "别墅"),
        ("multi", "别墅"), ("person", "nobody"), ("text", "长" * 201), ("address", "长" * 201),
        ("image", "../../etc/passwd"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_by_the_fields_name(ground: Ground, kind: str, given: str) -> None:
    choices = ("两居",) if kind in ("choice", "multi") else ()
    field = define(ground, "字段", kind, *choices)
    with pytest.raises(InputInvalid, match="「字段」") as refused:
        save(ground, {field: [given]})
    assert refused.value.field == f"field-{field}"
    assert said(ground) == {"字段": ""}


@pytest.mark.parametrize(
    "form",
    [
        FieldForm(name=" ", kind="text"), FieldForm(name="长" * 21, kind="text"), FieldForm(name="a", kind="colour"),
        FieldForm(name="a", kind="choice"), FieldForm(name="a", kind="text", choices=("x",)),
        FieldForm(name="a", kind="multi", choices=tuple(map(str, range(51)))),
        FieldForm(name="a", kind="choice", choices=("长" * 21,)), FieldForm(name="a", kind="text", hint="长" * 201),
    ],
)  # fmt: skip
def test_a_wrong_definition_is_refused(ground: Ground, form: FieldForm) -> None:
    with ground.committed() as uow, pytest.raises(InputInvalid):
        custom_fields.define(uow, CORP, form, actor="boss")


def test_fields_are_changed_switched_off_and_kept_apart_by_corp(ground: Ground) -> None:
    field = define(ground, "户型", "choice", "两居", "三居")
    define(ground, "生日", "date", sort_order=9)
    save(ground, {field: ["两居"]})
    with pytest.raises(Conflict, match="已经有叫"):
        define(ground, "户型", "text")
    with ground.committed() as uow:
        form = FieldForm(name="房型", kind="choice", choices=("两居", "别墅"))
        custom_fields.change(uow, CORP, field, form, enabled=True, actor="boss")
        with pytest.raises(InputInvalid, match="类型不能改"):
            custom_fields.change(uow, CORP, field, FieldForm(name="房型", kind="text"), enabled=True, actor="boss")
        with pytest.raises(NotFound):
            custom_fields.change(uow, OTHER_CORP, field, form, enabled=True, actor="boss")
    assert said(ground) == {"生日": "", "房型": "两居"}
    with ground.committed() as uow:
        custom_fields.change(uow, CORP, field, form, enabled=False, actor="boss")
    assert said(ground) == {"生日": ""}
    with pytest.raises(NotFound, match="停用"):
        save(ground, {field: ["两居"]})
    with ground.reading() as session:
        assert [item.name for item in custom_fields.fields(session, CORP, enabled_only=False)] == ["生日", "房型"]
        assert custom_fields.fields(session, OTHER_CORP) == []


def test_a_changed_userid_is_carried_through(ground: Ground) -> None:
    with ground.committed() as uow:
        staff.apply_staff(uow, CORP, StaffFacts(userid=LI, name="李四"))
    field = define(ground, "介绍人", "person")
    save(ground, {field: [LI]})
    new = StaffUserId("li.si")
    with ground.committed() as uow:
        staff.apply_staff(uow, CORP, StaffFacts(userid=new, name="李四四"))
    event = StaffUpdated(
        corp=CORP, app=APP, occurred_at=ground.clock.now(), key="u", staff=LI, new_staff=new, fields={}
    )
    ground.handle(event, custom_fields.rename_staff)
    assert said(ground) == {"介绍人": "李四四"}
