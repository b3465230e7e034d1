"""Script libraries as files people edit: Excel, CSV and Word in, Excel out.

A sheet has the columns of ``COLUMNS``; a Word document has folders as Heading 1, titles as Heading 2 and the wording
below, or a table with the same columns. Cells that a spreadsheet would run as a formula are guarded on the way out.
"""

import codecs
import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any, BinaryIO

from crm_core.errors import InputInvalid
from materials.intake import MEGABYTE, unpacked_names
from materials.model import MOST_MESSAGES
from materials.script_model import ManagedScript

COLUMNS = ("分组", "标题", "关键词", "相似问", *(f"消息{number}" for number in range(1, MOST_MESSAGES + 1)))
OTHER_NAMES = {
    "分类": "分组", "话术分组": "分组", "文件夹": "分组", "话术标题": "标题", "名称": "标题", "问题": "标题",
    "关键字": "关键词", "相似问题": "相似问", "相似问法": "相似问", "内容": "消息1", "话术": "消息1",
    "话术内容": "消息1", "回复": "消息1", "答案": "消息1", "消息": "消息1",
}  # fmt: skip
MOST_BYTES, MOST_UNPACKED, MOST_ROWS = 10 * MEGABYTE, 100 * MEGABYTE, 5000
GUARDED = ("=", "+", "-", "@", "\t", "\r")
BETWEEN_MESSAGES = frozenset({"---", "———", "——", "***"})


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetRow:
    """One script as it stands in a file. place: where, in words."""

    place: str
    folder: str
    title: str
    keywords: str
    similar: tuple[str, ...]
    texts: tuple[str, ...]


def read(content: BinaryIO, filename: str) -> list[SheetRow]:
    """The scripts of a file, whatever its name says it is. Raises: InputInvalid, in plain words."""
    data = content.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise InputInvalid(f"导入文件不能超过 {MOST_BYTES // MEGABYTE} MB", field="file")
    if data.startswith(b"PK\x03\x04"):
        names = unpacked_names(io.BytesIO(data), MOST_UNPACKED)
        if any(name.startswith("xl/") for name in names):
            rows = _from_cells(_excel_cells(data))
        elif any(name.startswith("word/") for name in names):
            rows = _from_word(data)
        else:
            raise InputInvalid("请上传 Excel（.xlsx）、Word（.docx）或 CSV 文件", field="file")
    elif data.startswith(b"\xd0\xcf\x11\xe0"):
        raise InputInvalid("这是旧版 Office 文件，请另存为 .xlsx 或 .docx 再上传", field="file")
    elif b"\x00" in data and not data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise InputInvalid("请上传 Excel（.xlsx）、Word（.docx）或 CSV 文件", field="file")
    else:
        rows = _from_cells(_csv_cells(decode(data)))
    found = list(rows)
    if not found:
        raise InputInvalid(f"“{filename}”里没有找到话术，请对照模板检查", field="file")
    return found


def decode(data: bytes) -> str:
    """Text in the encodings that Chinese spreadsheets write: UTF-8, UTF-16 with a mark, GBK. Raises: InputInvalid."""
    is_wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    for encoding in ("utf-16",) if is_wide else ("utf-8-sig", "gb18030"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise InputInvalid("文件编码无法识别，请另存为 UTF-8 或 GBK 编码的 CSV", field="file")


def _csv_cells(text: str) -> Iterator[tuple[str, ...]]:
    head = text.partition("\n")[0]
    delimiter = max(",\t;", key=head.count)
    try:
        for row in csv.reader(io.StringIO(text), delimiter=delimiter, strict=False):
            yield tuple(row)
    except csv.Error as error:
        raise InputInvalid("CSV 文件格式有误，请用 Excel 另存一次再上传", field="file") from error


def _excel_cells(data: bytes) -> Iterator[tuple[str, ...]]:
    try:
        book = _excel().load_workbook(io.BytesIO(data), read_only=True, data_only=True)
        try:
            for row in book.worksheets[0].iter_rows(values_only=True, max_col=20):
                yield tuple("" if cell is None else str(cell) for cell in row)
        finally:
            book.close()
    except Exception as error:
        raise InputInvalid("Excel 文件打不开，请另存一次再上传", field="file") from error


def _from_cells(rows: Iterable[Sequence[str]]) -> Iterator[SheetRow]:
    columns: dict[str, int] = {}
    folder, count = "", 0
    for number, raw in enumerate(rows, start=1):
        cells = [_unguarded(cell.strip()) for cell in raw]
        if not any(cells):
            continue
        if not columns:
            columns = _columns(cells)
            continue
        count += 1
        if count > MOST_ROWS:
            raise InputInvalid(f"一次最多导入 {MOST_ROWS} 条，请拆成几个文件", field="file")
        named = {name: cells[place] if place < len(cells) else "" for name, place in columns.items()}
        folder = named.get("分组") or folder
        yield SheetRow(
            place=f"第 {number} 行",
            folder=folder,
            title=named.get("标题", ""),
            keywords=named.get("关键词", ""),
            similar=_questions(named.get("相似问", "")),
            texts=tuple(text for name in COLUMNS[4:] if (text := named.get(name, ""))),
        )


def _columns(cells: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for place, cell in enumerate(cells):
        name = cell.replace(" ", "")
        name = OTHER_NAMES.get(name, name)
        if name in COLUMNS:
            found.setdefault(name, place)
    if "标题" not in found or "消息1" not in found:
        raise InputInvalid("第一行应是表头，至少要有“标题”和“消息1”两列，请对照模板", field="file")
    return found


def _questions(cell: str) -> tuple[str, ...]:
    for mark in ("||", "|", "；", ";"):
        cell = cell.replace(mark, "\n")
    return tuple(question for line in cell.splitlines() if (question := line.strip()))


def _from_word(data: bytes) -> Iterator[SheetRow]:
    try:
        document = import_module("docx").Document(io.BytesIO(data))
    except Exception as error:
        raise InputInvalid("Word 文件打不开，请另存一次再上传", field="file") from error
    for number, table in enumerate(document.tables, start=1):
        for row in _from_cells([cell.text for cell in line.cells] for line in table.rows):
            yield replace(row, place=f"第 {number} 个表格{row.place}")
    paragraphs = ((str(one.style.name if one.style is not None else ""), one.text) for one in document.paragraphs)
    yield from _from_paragraphs(paragraphs)


def _from_paragraphs(paragraphs: Iterable[tuple[str, str]]) -> Iterator[SheetRow]:
    folder, title, keywords, place = "", "", "", ""
    similar: tuple[str, ...] = ()
    texts: list[list[str]] = [[]]

    def row() -> Iterator[SheetRow]:
        said = tuple("\n".join(lines).strip() for lines in texts if any(lines))
        if title:
            yield SheetRow(place=place, folder=folder, title=title, keywords=keywords, similar=similar, texts=said)

    for number, (style, raw) in enumerate(paragraphs, start=1):
        text, level = raw.strip(), _heading_level(style)
        if level == 1:
            yield from row()
            folder, title = text, ""
        elif level > 1:
            yield from row()
            title, keywords, similar, texts, place = text, "", (), [[]], f"第 {number} 段"
        elif text.startswith(("关键词：", "关键词:")):
            keywords = text[4:].strip()
        elif text.startswith(("相似问：", "相似问:")):
            similar += _questions(text[4:])
        elif text in BETWEEN_MESSAGES:
            texts.append([])
        else:
            texts[-1].append(text)
    yield from row()


def _heading_level(style: str) -> int:
    for beginning in ("Heading ", "标题 ", "标题"):
        rest = style.removeprefix(beginning)
        if rest != style and rest.strip().isdecimal():
            return int(rest)
    return 0


def write(scripts: Iterable[ManagedScript]) -> bytes:
    """An Excel file of scripts that can be imported again. Attachments are named, not exported."""
    book = _excel().Workbook(write_only=True)
    sheet = book.create_sheet("话术")
    sheet.append([*COLUMNS, "附件（只供查看）", "发送次数"])
    for one in scripts:
        script = one.script
        texts = [str(message.get("text") or "") for message in script.messages]
        named = [
            str(item.get(str(item.get("msgtype")), {}).get("title") or item.get("msgtype"))
            for message in script.messages
            for item in message.get("attachments") or []
        ]
        cells = [one.folder, script.title, script.keywords, "\n".join(script.similar)]
        cells += (texts + [""] * MOST_MESSAGES)[:MOST_MESSAGES]
        sheet.append([*map(_guarded, cells), _guarded("、".join(named)), one.usage.sends])
    return _saved(book)


def template() -> bytes:
    """An empty sheet with the columns and one example."""
    book = _excel().Workbook(write_only=True)
    sheet = book.create_sheet("话术")
    sheet.append(list(COLUMNS))
    sheet.append(
        [
            "报价与优惠",
            "报价前先问面积",
            "报价 面积",
            "多少钱能装\n装修大概什么价",
            "{昵称}，方便说下房子面积和小区吗？",
            "我按您的户型给您估个范围。",
        ]
    )
    return _saved(book)


def _excel() -> Any:
    """openpyxl, loaded when the first sheet is read or written: it costs 30 MB."""
    return import_module("openpyxl")


def _saved(book: Any) -> bytes:
    made = io.BytesIO()
    book.save(made)
    return made.getvalue()


def _guarded(cell: str) -> str:
    return f"'{cell}" if cell.startswith(GUARDED) else cell


def _unguarded(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(GUARDED) else cell
