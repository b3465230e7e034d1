"""Custom fields at the console: defined, changed, switched off and on; a form that says what is wrong."""

from crm_core import custom_fields
from crm_core.roles import Role
from tests.console_system_house import ConsoleHouse


def fields(console: ConsoleHouse) -> dict[str, custom_fields.CustomField]:
    with console.product.house.db.reading() as session:
        found = custom_fields.fields(session, console.product.corp, enabled_only=False)
    return {field.name: field for field in found}


def test_a_field_is_defined_changed_and_switched(shared_console: ConsoleHouse) -> None:
    admin = shared_console.signed_in()
    form = {
        "name": "装修预算档",
        "kind": "choice",
        "choices": "3 万内\n3–5 万\n3–5 万",
        "hint": "按首次沟通",
        "sort_order": "9",
    }
    assert shared_console.write(admin, "/fields/new", **form).status_code == 204
    made = fields(shared_console)["装修预算档"]
    assert (made.choices, made.enabled) == (("3 万内", "3–5 万"), True)
    assert "按首次沟通" in shared_console.read(admin, "/fields")

    change = {"name": "预算档", "choices": "3 万内\n3–5 万\n5 万以上", "hint": "", "sort_order": "1"}
    assert shared_console.write(admin, f"/fields/{made.id}", **change).status_code == 204
    changed = fields(shared_console)["预算档"]
    assert (changed.id, changed.kind, len(changed.choices)) == (made.id, "choice", 3)

    answer = shared_console.write(admin, f"/fields/{made.id}/switch")
    assert f"/console/fields/{made.id}/switch" in answer.headers["HX-Trigger"]
    assert not fields(shared_console)["预算档"].enabled
    shared_console.write(admin, f"/fields/{made.id}/switch")
    assert fields(shared_console)["预算档"].enabled


def test_what_is_wrong_stands_beside_its_field(shared_console: ConsoleHouse) -> None:
    admin = shared_console.signed_in()
    answer = shared_console.write(admin, "/fields/new", name="", kind="multi", choices="", sort_order="x")
    text = answer.get_data(as_text=True)
    assert answer.status_code == 422
    for said in ("请填写字段名称", "请填写选项", "排序应为 0 到 999 的整数"):
        assert said in text
    check = shared_console.write(admin, "/fields/new", name="装" * 21, kind="text", _check="name")
    assert "最多 20 个字" in check.get_data(as_text=True)
    assert "装" * 21 not in fields(shared_console)


def test_only_who_may_define_fields_sees_them(shared_console: ConsoleHouse) -> None:
    assert shared_console.signed_in(Role.STAFF).get("/console/fields").status_code == 403
    assert shared_console.signed_in(Role.OPERATOR).get("/console/fields").status_code == 200
    assert shared_console.signed_in().get("/console/fields/999999").status_code == 404
