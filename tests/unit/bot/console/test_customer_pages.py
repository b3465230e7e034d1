"""Customers at the console: who sees whom, what filters find, what acts do."""

import io
import re

from openpyxl import load_workbook

from crm_core import custom_fields
from crm_core.custom_fields import FieldForm
from crm_core.ids import ExternalUserId, StaffUserId
from tests.console_house import ADMIN, OPERATOR, STAFF, SUPERVISOR, Console

PART = {"HX-Request": "true", "HX-Target": "list"}


def test_everybody_sees_their_own_scope_and_filters_narrow_it(console: Console) -> None:
    admin, staff = console.client(ADMIN), console.client(STAFF)
    assert len(console.names(admin.get("/console/customers"))) == 12
    own = console.names(staff.get("/console/customers"))
    assert 0 < len(own) < 12
    assert "晨曦" not in own
    finds = {
        "q=林小满": {"林小满"},
        "q=lxm": {"林小满"},
        "q=hexiaojie": {"半糖"},
        "staff=LiNa&added=30d": {"晨曦", "林小满"},
        "mobile=yes&q=老陈": {"老陈说装修"},
        "added_from=2099-01-01": set(),
    }
    for query, expected in finds.items():
        assert set(console.names(admin.get(f"/console/customers?{query}", headers=PART))) == expected, query
    assert "没有符合条件的记录" in admin.get("/console/customers?q=没有这个人").get_data(as_text=True)


def test_the_address_follows_the_filters_and_forgets_what_it_does_not_know(console: Console) -> None:
    answer = console.client().get("/console/customers?q=&stage=new&nonsense=1&sort=oldest", headers=PART)
    assert answer.headers["HX-Push-Url"] == "/console/customers?stage=new&sort=oldest"
    assert "<html" not in answer.get_data(as_text=True)
    assert console.client().get("/console/customers?after=garbage").status_code == 400


def test_a_customer_out_of_sight_is_not_there(console: Console) -> None:
    other = console.customer("晨曦")
    for path in ("", "/drawer", "/timeline"):
        assert console.client(STAFF).get(f"/console/customers/{other}{path}").status_code == 404
        assert console.client(ADMIN).get(f"/console/customers/{other}{path}").status_code == 200
    assert console.post(console.client(STAFF), f"/console/customers/{other}/stage", {"stage": "won"}).status_code == 404


def test_a_supervisor_sees_the_departments_below(console: Console) -> None:
    seen = set(console.names(console.client(SUPERVISOR).get("/console/customers")))
    assert {"徐工", "林小满"} <= seen
    assert "豆豆妈" not in seen  # of another department


def test_stage_and_tags_of_one_customer(console: Console) -> None:
    client, who = console.client(OPERATOR), console.customer("糯米团子")
    answer = console.post(client, f"/console/customers/{who}/stage", {"stage": "intent", "note": "问了价格"})
    assert '<option value="intent" selected>' in answer.get_data(as_text=True)
    tag = re.search(r'<option value="(et[^"]+)">三居室', answer.get_data(as_text=True)).group(1)
    assert "添加中" in console.post(client, f"/console/customers/{who}/tags", {"add": tag}).get_data(as_text=True)
    console.product.work()
    page = client.get(f"/console/customers/{who}").get_data(as_text=True)
    assert "去掉标签 三居室" in page
    assert "问了价格" in page


def test_a_whole_phone_number_leaves_an_audit_row(console: Console) -> None:
    who = console.customer("老陈说装修")
    page = console.client(ADMIN).get(f"/console/customers/{who}").get_data(as_text=True)
    assert "137****0002" in page
    assert "13700000002" not in page
    assert console.post(console.client(OPERATOR), f"/console/customers/{who}/mobiles").status_code == 403
    assert "13700000002" in console.post(console.client(ADMIN), f"/console/customers/{who}/mobiles").get_data(
        as_text=True
    )


def test_bulk_tags_are_a_task_with_results_and_can_be_taken_back(console: Console) -> None:
    client = console.client(OPERATOR)
    who = [console.customer("糯米团子"), console.customer("晨曦"), "wm_nobody"]
    form = client.get("/console/customers/bulk/tags", query_string={"who": who}).get_data(as_text=True)
    tag = re.search(r'<span>别墅</span><label class="choice"><input type="checkbox" name="add" value="([^"]+)"', form)
    answer = console.post(client, "/console/customers/bulk/tags", {"who": who, "add": tag.group(1)})
    number = re.search(r'id="task-(\d+)"', answer.get_data(as_text=True)).group(1)
    assert "every 1s" in answer.get_data(as_text=True)
    console.product.work()
    card = client.get(f"/console/tasks/{number}/card").get_data(as_text=True)
    assert "已处理 2 / 3，失败 1" in card
    assert "wm_nobody" in client.get(f"/console/tasks/{number}/failures").get_data(as_text=True)
    assert set(console.names(client.get(f"/console/customers?tag={tag.group(1)}"))) >= {"糯米团子", "晨曦"}
    assert "撤销：批量改标签" in console.post(client, f"/console/tasks/{number}/undo").get_data(as_text=True)
    console.product.work()
    assert not {"糯米团子", "晨曦"} & set(console.names(client.get(f"/console/customers?tag={tag.group(1)}")))
    assert console.post(client, f"/console/tasks/{number}/undo").status_code == 409


def test_a_bulk_stage_over_a_filter_touches_only_what_its_asker_sees(console: Console) -> None:
    staff = console.client(STAFF)
    own = set(console.names(staff.get("/console/customers")))
    console.post(staff, "/console/customers/bulk/stage", {"all": "1", "query": "", "stage": "nurturing"})
    console.product.work()
    assert set(console.names(console.client(ADMIN).get("/console/customers?stage=nurturing"))) == own


def test_an_export_holds_the_filtered_rows_says_who_and_guards_formulas(console: Console) -> None:
    client = console.client(OPERATOR)
    with console.product.house.db.unit() as uow:
        from crm_core.tables import ExternalUserRow

        uow.session.get(ExternalUserRow, (console.product.corp, console.customer("晨曦"))).name = "=1+1"
        uow.commit()
    answer = console.post(client, "/console/tasks/export/customers", {"staff": "LiNa", "added": "30d"})
    number = re.search(r'id="task-(\d+)"', answer.get_data(as_text=True)).group(1)
    console.product.work()
    got = client.get(f"/console/tasks/{number}/file")
    assert got.status_code == 200
    assert "attachment" in got.headers["Content-Disposition"]
    rows = list(load_workbook(io.BytesIO(got.get_data())).active.iter_rows(values_only=True))
    assert rows[0][0].startswith("由 周敏 于 2026-11-20 10:00 导出")
    assert {row[0] for row in rows[2:]} == {"'=1+1", "林小满"}
    mobiles = {row[0]: row[10] for row in rows[2:]}
    assert mobiles["林小满"] in (None, "", "139****0001")
    assert "13900000001" not in mobiles.values()
    assert console.client(STAFF).get(f"/console/tasks/{number}/file").status_code == 403
    assert console.client(SUPERVISOR).get(f"/console/tasks/{number}/file").status_code == 404


def test_saved_filters_are_tabs_and_columns_are_remembered_per_person(console: Console) -> None:
    client, other = console.client(OPERATOR), console.client(SUPERVISOR)
    kept = {"name": "意向客户", "query": "stage=intent&junk=1", "shared": "1"}
    assert console.post(client, "/console/lists/customers/saved", kept).status_code == 204
    assert console.post(client, "/console/lists/customers/saved", kept).status_code == 409
    assert 'href="/console/customers?stage=intent"' in other.get("/console/customers").get_data(as_text=True)
    assert console.post(other, "/console/lists/customers/saved", kept).status_code == 403
    console.post(client, "/console/lists/customers/columns", {"column": ["customer", "mobile"]})
    page = client.get("/console/customers").get_data(as_text=True)
    assert '<th scope="col">手机号</th>' in page
    assert '<th scope="col">来源</th>' not in page
    assert '<th scope="col">来源</th>' in other.get("/console/customers").get_data(as_text=True)
    assert console.post(client, "/console/lists/nothing/columns").status_code == 404


def test_a_person_gets_their_data_and_is_erased_and_no_sync_brings_them_back(console: Console) -> None:
    import json
    import zipfile

    from bot.sync import Syncer

    client, who = console.client(ADMIN), console.customer("老陈说装修")
    got = console.post(client, f"/console/customers/{who}/data")
    told = zipfile.ZipFile(io.BytesIO(got.get_data())).read("customer.json").decode()
    assert json.loads(told)["follows"][0]["remark_mobiles"] == ["13700000002"]
    assert console.post(console.client(OPERATOR), f"/console/customers/{who}/erase", {"sure": "yes"}).status_code == 403
    assert console.post(client, f"/console/customers/{who}/erase").status_code == 400
    assert console.post(client, f"/console/customers/{who}/erase", {"sure": "yes"}).status_code == 204
    house = console.product.house

    def left() -> str:
        from sqlalchemy import text
        from sqlmodel import SQLModel

        found = []
        with house.db.reading() as session:
            for table in SQLModel.metadata.sorted_tables:
                if table.name not in ("inbox", "sync_progress"):
                    found += [str(row) for row in session.connection().execute(text(f"SELECT * FROM {table.name}"))]
        return "\n".join(found)

    assert who not in left()
    assert "13700000002" not in left()
    assert "老陈说装修" not in left()
    for gateway in house.gateways:
        Syncer(house.db, gateway, house.files).run(full=True)
    console.product.work()
    assert who not in left()
    assert "老陈说装修" not in left()
    assert client.get(f"/console/customers/{who}").status_code == 404
    console.product.receive(console.product.add_xml("LiNa", who))  # they come back by themselves
    console.product.work()
    assert client.get(f"/console/customers/{who}").status_code == 200


def test_an_import_maps_columns_does_good_rows_and_tells_bad_ones(console: Console) -> None:
    client, lin = console.client(OPERATOR), console.customer("林小满")
    table = (
        "客户 ID,手机号码,标签,阶段,备注\n"
        f"{lin},,别墅、软装,已成交,林总\n"
        ",137 0000 0002,小户型,,\n"
        ",13999999999,小户型,,\n"
        f"{lin},,没有的标签,,\n"
        f"{lin},,,没有的阶段,\n"
    )
    given = {"file": (io.BytesIO(table.encode("gb18030")), "客户.csv")}
    preview = console.post(client, "/console/tasks/import", given, content_type="multipart/form-data")
    page = preview.get_data(as_text=True)
    assert "共 5 行" in page
    assert page.count("selected") == 5
    wrong = console.post(client, "/console/tasks/import/start", {"column": ["", "", "tags", "", ""]})
    assert "请指定哪一列是外部联系人 ID 或手机号" in wrong.get_data(as_text=True)
    columns = ["external_user", "mobile", "tags", "stage", "remark"]
    assert console.post(client, "/console/tasks/import/start", {"column": columns}).status_code == 302
    console.product.work()
    failures = client.get("/console/tasks/1/failures").get_data(as_text=True)
    assert "第 4 行" in failures
    assert "没有这些标签：没有的标签" in failures
    assert "没有“没有的阶段”这个阶段" in failures
    assert "已处理 2 / 5，失败 3" in client.get("/console/tasks/1/card").get_data(as_text=True)
    shown = client.get(f"/console/customers/{lin}").get_data(as_text=True)
    assert "去掉标签 软装" in shown
    assert '<option value="won" selected>' in shown
    bad = {"file": (io.BytesIO(b"PK\x03\x04 nonsense"), "x.xlsx")}
    answer = console.post(client, "/console/tasks/import", bad, content_type="multipart/form-data")
    assert answer.status_code == 422
    assert "不是 Excel 文件" in answer.get_data(as_text=True)


def test_an_import_fills_own_fields_and_is_taken_back_where_nobody_changed_it_since(console: Console) -> None:
    client, lin, corp = console.client(OPERATOR), console.customer("林小满"), console.product.corp
    with console.product.house.db.unit() as uow:
        area = custom_fields.define(uow, corp, FieldForm(name="面积", kind="number"), actor="t")
        likes = custom_fields.define(uow, corp, FieldForm(name="喜好", kind="multi", choices=("木", "石")), actor="t")
        uow.commit()
    table = f"客户ID,面积,喜好,阶段,标签\n{lin},120,木、石,已成交,软装\n{lin},一百,,,\n"
    given = {"file": (io.BytesIO(table.encode()), "a.csv")}
    page = console.post(client, "/console/tasks/import", given, content_type="multipart/form-data").get_data(
        as_text=True
    )
    columns = re.findall(r'<option value="([^"]*)" selected>', page)
    assert columns == ["external_user", f"field:{area}", f"field:{likes}", "stage", "tags"]
    assert console.post(client, "/console/tasks/import/start", {"column": columns}).status_code == 302
    console.product.work()
    assert "应是数字" in client.get("/console/tasks/1/failures").get_data(as_text=True)
    assert held(console, lin) == {"面积": "120", "喜好": ["木", "石"]}
    with console.product.house.db.unit() as uow:
        custom_fields.save(uow, corp, lin, staff_userid=StaffUserId("zhang.san"), given={area: ["90"]})
        uow.commit()
    assert console.post(client, "/console/tasks/1/undo").status_code < 400
    console.product.work()
    assert held(console, lin) == {"面积": "90", "喜好": None}
    shown = client.get(f"/console/customers/{lin}").get_data(as_text=True)
    assert "去掉标签 软装" not in shown
    assert '<option value="won" selected>' not in shown


def held(console: Console, external_user: str) -> dict[str, object]:
    with console.product.house.db.reading() as session:
        values = custom_fields.values_of(session, console.product.corp, ExternalUserId(external_user))
    return {one.field.name: one.value for one in values if one.field.name in {"面积", "喜好"}}


def test_merges_are_told_and_can_be_taken_back(console: Console) -> None:
    from crm_core import duplicates

    client, corp = console.client(ADMIN), console.product.corp
    kept, other = console.customer("林小满"), console.customer("半糖")
    with console.product.house.db.unit() as uow:
        duplicates.merge(uow, corp, StaffUserId("zhang.san"), ExternalUserId(kept), other)
        uow.commit()
    page = client.get(f"/console/customers/{kept}").get_data(as_text=True)
    assert "合并记录" in page
    number = re.search(r"/merges/(\d+)/undo", page).group(1)
    assert (
        console.post(client, f"/console/customers/{console.customer('徐工')}/merges/{number}/undo").status_code == 404
    )
    assert console.post(client, f"/console/customers/{kept}/merges/{number}/undo").status_code == 204
    assert "合并记录" not in client.get(f"/console/customers/{kept}").get_data(as_text=True)
