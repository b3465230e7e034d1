"""Spreadsheets in and out, row by row: xlsx written without holding it, xlsx and csv read whatever their encoding."""

import csv
import io
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from openpyxl import Workbook, load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from crm_core.errors import InputInvalid

MOST_ROWS = 100_000
MOST_COLUMNS = 60
MOST_CELL_CHARS = 2000
MOST_FILE_BYTES = 20_000_000
MOST_UNPACKED_BYTES = 200_000_000
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
ENCODINGS = ("utf-8-sig", "gb18030")


def guarded(value: object) -> object:
    """A cell that no spreadsheet program will take for a formula."""
    if isinstance(value, str):
        text = "".join(char for char in value if char >= " " or char in "\t\n\r")
        return f"'{text}" if text.startswith(FORMULA_STARTS) else text
    return value


def write_sheet(place: Path, columns: Sequence[str], rows: Iterable[Sequence[object]], *, watermark: str) -> int:
    """Write an xlsx to ``place``: a line that says who and when, the column heads, the rows. Answers how many rows."""
    book = Workbook(write_only=True)
    sheet = book.create_sheet("数据")
    sheet.freeze_panes = "A3"
    sheet.append([guarded(watermark)])
    sheet.append([guarded(name) for name in columns])
    count = 0
    for row in rows:
        sheet.append([guarded(value) for value in row])
        count += 1
    book.save(place)
    return count


def read_rows(content: BinaryIO, filename: str) -> Iterator[list[str]]:
    """Every row of the first sheet as texts, the heads first; empty rows are left out. Raises: InputInvalid."""
    content.seek(0, io.SEEK_END)
    if content.tell() > MOST_FILE_BYTES:
        raise InputInvalid(f"文件超过 {MOST_FILE_BYTES // 1_000_000} MB，请拆开再导入", field="file")
    content.seek(0)
    start = content.read(4)
    content.seek(0)
    if start.startswith(b"PK"):
        rows = _read_xlsx(content)
    elif filename.lower().endswith((".csv", ".txt")):
        rows = _read_csv(content)
    else:
        raise InputInvalid("只支持 .xlsx 和 .csv 文件；旧版 .xls 请在 Excel 里另存为 .xlsx", field="file")
    for number, row in enumerate(rows):
        if number > MOST_ROWS:
            raise InputInvalid(f"一次最多导入 {MOST_ROWS:,} 行，请拆开再导入", field="file")
        cells = [cell.strip()[:MOST_CELL_CHARS] for cell in row[:MOST_COLUMNS]]
        if any(cells):
            yield cells


def _read_xlsx(content: BinaryIO) -> Iterator[list[str]]:
    try:
        with zipfile.ZipFile(content) as packed:
            if sum(part.file_size for part in packed.infolist()) > MOST_UNPACKED_BYTES:
                raise InputInvalid("文件解压后过大，请拆开再导入", field="file")
        content.seek(0)
        book = load_workbook(content, read_only=True, data_only=True)
    except (zipfile.BadZipFile, InvalidFileException, KeyError, ValueError, OSError) as error:
        raise InputInvalid("文件已损坏或不是 Excel 文件，请重新另存后再试", field="file") from error
    try:
        for row in book.worksheets[0].iter_rows(values_only=True):
            yield [_text(value) for value in row]
    finally:
        book.close()


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))  # a phone number typed as a number
    return str(value)


def _read_csv(content: BinaryIO) -> Iterator[list[str]]:
    raw = content.read()
    for encoding in ENCODINGS:
        try:
            text = raw.decode(encoding)
            break
        except UnicodeDecodeError:
            continue
    else:
        raise InputInvalid("认不出文件的编码，请另存为 UTF-8 的 CSV", field="file")
    yield from csv.reader(io.StringIO(text))
