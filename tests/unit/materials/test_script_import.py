import io

import docx
import openpyxl
import pytest

from crm_core.errors import InputInvalid
from materials import script_desk, script_import, script_sheets, service
from materials.script_desk import ScriptQuery
from materials.script_model import parse_form
from tests.support.ground import CORP, ZHANG, Ground

from .conftest import zipped

HEAD = ["分组", "标题", "关键词", "相似问", "消息1", "消息2"]


def sheet(*rows: list[object]) -> bytes:
    book, made = openpyxl.Workbook(), io.BytesIO()
    for row in rows:
        book.active.append(row)
    book.save(made)
    return made.getvalue()


def read(data: bytes, name: str = "话术.xlsx") -> list[script_sheets.SheetRow]:
    return script_sheets.read(io.BytesIO(data), name)


def test_a_workbook_is_read_row_by_row_with_its_folders_carried_on():
    rows = read(
        sheet(
            HEAD,
            ["报价", "多少钱", "价格", "怎么收费|贵不贵；啥价", "先量房", "再报价"],
            [],
            [None, "工期", None, None, 45, None],
        )
    )
    assert rows[0] == script_sheets.SheetRow(
        place="第 2 行",
        folder="报价",
        title="多少钱",
        keywords="价格",
        similar=("怎么收费", "贵不贵", "啥价"),
        texts=("先量房", "再报价"),
    )
    assert (rows[1].place, rows[1].folder, rows[1].texts) == ("第 4 行", "报价", ("45",))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", "\t", ";"])
def test_csv_in_every_usual_encoding(encoding, delimiter):
    text = delimiter.join(["标题", "内容", "相似问题"]) + "\r\n" + delimiter.join(["多少钱", '"一平\n八百"', "贵不贵"])
    (row,) = read(text.encode(encoding), "a.csv")
    assert (row.title, row.texts, row.similar) == ("多少钱", ("一平\n八百",), ("贵不贵",))


def test_a_word_document_with_headings_and_with_a_table():
    document, made = docx.Document(), io.BytesIO()
    document.add_heading("报价", 1)
    document.add_heading("多少钱", 2)
    for text in ("关键词：价格 预算", "相似问：怎么收费；贵不贵", "先量房", "免费的", "---", "再报价"):
        document.add_paragraph(text)
    table = document.add_table(2, 2)
    for place, text in enumerate(("标题", "消息1", "工期", "四十五天")):
        table.cell(place // 2, place % 2).text = text
    document.save(made)
    in_table, in_text = read(made.getvalue(), "话术.docx")
    assert (in_table.place, in_table.title, in_table.texts) == ("第 1 个表格第 2 行", "工期", ("四十五天",))
    assert (in_text.folder, in_text.title, in_text.keywords) == ("报价", "多少钱", "价格 预算")
    assert (in_text.similar, in_text.texts) == (("怎么收费", "贵不贵"), ("先量房\n免费的", "再报价"))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "旧版 Office"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "请上传 Excel"),
        (zipped(a=b"1"), "请上传 Excel"),
        (zipped(xl__workbook=b"junk"), "打不开"),
        (zipped(word__document=b"junk"), "打不开"),
        (b"PK\x03\x04junk", "已损坏"),
        ("姓名,电话\n王,1".encode(), "表头"),
        ("标题,消息1\n".encode(), "没有找到话术"),
        (b"\xff\xff\xff", "编码无法识别"),
        (zipped(xl__sheet=b"\0" * 101 * 1024 * 1024), "解开后超过 100 MB"),
        (b"a" * (10 * 1024 * 1024 + 1), "不能超过 10 MB"),
    ],
)
def test_files_that_are_no_script_library_say_what_to_do(data, said):
    with pytest.raises(InputInvalid, match=said):
        read(data, "a.xlsx")


def library(ground: Ground) -> None:
    with ground.committed() as uow:
        folder = script_desk.create_folder(uow, CORP, "报价")
        for title, text in (("多少钱", "先量房"), ("贵不贵", "不贵")):
            form = parse_form(group_id=folder, title=title, messages=[{"text": text}])
            script_desk.save(uow, CORP, ZHANG, form, may_approve=True)


ROWS = sheet(
    HEAD,
    ["报价", "多少钱", "", "", "先量房"],
    ["报价", "贵不贵", "", "", "真的不贵"],
    ["售后", "漏水", "", "", "马上来"],
    ["售后", "漏水", "", "", "明天来"],
    ["售后", "空的", "", "", ""],
    ["售后", "太长" * 40, "", "", "a"],
    ["新分组", "另一个名字", "", "", "先量房"],
)


def test_the_preview_names_every_fault_and_double_and_changes_nothing(ground):
    library(ground)
    with ground.reading() as session:
        found = script_import.preview(session, CORP, read(ROWS))
        assert len(script_desk.listing(session, CORP, ScriptQuery()).items) == 2
    assert [(row.place, row.state, row.fault or row.twin) for row in found] == [
        ("第 2 行", "same", "多少钱"),
        ("第 3 行", "changed", "贵不贵"),
        ("第 4 行", "new", ""),
        ("第 5 行", "faulty", "与文件里第 4 行重复"),
        ("第 6 行", "faulty", "没有消息内容"),
        ("第 7 行", "faulty", "标题应有 1–60 个字"),
        ("第 8 行", "same", "多少钱"),
    ]


@pytest.mark.parametrize("change", [True, False])
def test_what_is_good_is_taken_over_and_doing_it_twice_adds_nothing(ground, change):
    library(ground)
    rows = read(ROWS)

    def take() -> script_import.Imported:
        with ground.committed() as uow:
            return script_import.apply(uow, CORP, ZHANG, rows, may_approve=True, change=change)

    first = take()
    assert (first.added, first.changed, first.skipped, first.faulty) == (1, int(change), 3 - int(change), 3)
    assert (take().added, take().changed) == (0, 0)
    with ground.reading() as session:
        texts = {one.script.title: one.script.text for one in script_desk.listing(session, CORP, ScriptQuery()).items}
    assert texts == {"多少钱": "先量房", "贵不贵": "真的不贵" if change else "不贵", "漏水": "马上来"}


def test_who_may_not_approve_imports_into_the_waiting_list(ground):
    with ground.committed() as uow:
        done = script_import.apply(uow, CORP, ZHANG, read(ROWS), may_approve=False, change=True)
        assert done.waiting
        assert len(script_desk.proposals(uow.session, CORP, state="waiting")) == done.added
        assert service.folders(uow.session, CORP) == []


def test_what_goes_out_can_come_in_again_and_runs_no_formula(ground):
    with ground.committed() as uow:
        folder = script_desk.create_folder(uow, CORP, "=cmd")
        form = parse_form(
            group_id=folder,
            title='=HYPERLINK("http://evil")',
            messages=[{"text": "-1+2"}, {"text": "@SUM(A1)"}],
            similar=("+86", "普通"),
        )
        script_desk.save(uow, CORP, ZHANG, form, may_approve=True)
        items = script_desk.listing(uow.session, CORP, ScriptQuery()).items
    data = script_sheets.write(items)
    cells = [cell.value for row in openpyxl.load_workbook(io.BytesIO(data)).active.iter_rows(min_row=2) for cell in row]
    assert not [cell for cell in cells if isinstance(cell, str) and cell.startswith(("=", "+", "-", "@"))]
    (row,) = read(data)
    assert (row.folder, row.title, row.texts) == ("=cmd", '=HYPERLINK("http://evil")', ("-1+2", "@SUM(A1)"))
    assert row.similar == ("+86", "普通")
    assert len(read(script_sheets.template())) == 1
