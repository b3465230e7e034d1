"""Words from a text or a sheet: what each line is, and what is double, named before anything is taken over."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlmodel import Session, select

from crm_core.db import UnitOfWork
from crm_core.errors import InputInvalid
from crm_core.ids import CorpId
from crm_core.sensitive import words
from crm_core.sensitive.normal import fold
from crm_core.sensitive.words import EXCEPTION, REGEX, WORD, CategoryForm
from crm_core.sensitive_tables import SensitiveWordRow

MOST_LINES = 5000
NEW, KNOWN, DOUBLE, FAULTY = "new", "known", "double", "faulty"
STATES = {NEW: "新增", KNOWN: "已存在", DOUBLE: "文件内重复", FAULTY: "有误"}
_KINDS = {
    "": WORD,
    "词": WORD,
    "词语": WORD,
    "正则": REGEX,
    "正则表达式": REGEX,
    "例外": EXCEPTION,
    "白名单": EXCEPTION,
}
_HEADS = {
    "text": ("词", "敏感词", "关键词", "word"),
    "category": ("分类", "类别", "category"),
    "kind": ("类型", "kind"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line as given. number: from 1; category "" stands for the one that was chosen."""

    number: int
    text: str
    category: str = ""
    kind: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What becomes of a line. said: with what it is double, or what is wrong with it."""

    line: Line
    state: str
    said: str = ""

    @property
    def state_name(self) -> str:
        """The state in words."""
        return STATES[self.state]


def lines_of_text(text: str) -> list[Line]:
    """One entry a line; on a line several may stand apart by commas of any kind. Raises: InputInvalid (too many)."""
    parts: list[str] = []
    for row in text.splitlines():
        parts += row.replace("，", ",").replace("、", ",").replace("；", ",").replace("\t", ",").split(",")
    return _limited([Line(number=number, text=part.strip()) for number, part in enumerate(parts, 1) if part.strip()])


def lines_of_rows(rows: Iterable[Sequence[str]]) -> list[Line]:
    """Rows of a sheet: with heads (词语, 分类, 类型) or just words in the first column. Raises: InputInvalid."""
    found: list[Line] = []
    places = {"text": 0, "category": -1, "kind": -1}
    for number, row in enumerate(rows, 1):
        if number == 1 and (heads := _places(row)):
            places = heads
            continue
        cells = {name: row[at].strip() if 0 <= at < len(row) else "" for name, at in places.items()}
        if cells["text"]:
            found.append(Line(number=number, **cells))
    return _limited(found)


def _limited(found: list[Line]) -> list[Line]:
    if not found:
        raise InputInvalid("没有读到词语：每行一个，或第一列为词语", field="text")
    if len(found) > MOST_LINES:
        raise InputInvalid(f"一次最多导入 {MOST_LINES} 条，请分几次", field="text")
    return found


def _places(row: Sequence[str]) -> dict[str, int]:
    lowered = [cell.strip().casefold() for cell in row]
    places = {
        name: next((at for at, cell in enumerate(lowered) if any(cell.startswith(mark) for mark in marks)), -1)
        for name, marks in _HEADS.items()
    }
    is_head = places["text"] >= 0 and all(len(cell) <= 6 for cell in lowered)
    exact = any(cell in {"词语", "敏感词", "关键词", "word", "分类", "类型"} for cell in lowered)
    return places if is_head and exact else {}


def judged(session: Session, corp: CorpId, lines: Sequence[Line], usual: str) -> list[Judged]:
    """What becomes of each line. usual: the category of lines that name none."""
    names = {one.id: one.form.name for one in words.listing(session, corp)} | {words.EVERYWHERE: "全局例外"}
    rows = session.exec(select(SensitiveWordRow).where(SensitiveWordRow.corp_id == corp)).all()
    known = {
        _key(row.text, row.kind): f"“{row.text}”，分类“{names[row.category_id]}”"
        for row in rows
        if row.category_id in names
    }
    seen: dict[tuple[str, str], int] = {}
    found = []
    for line in lines:
        try:
            text, kind = _read(line, usual)
        except InputInvalid as error:
            found.append(Judged(line=line, state=FAULTY, said=error.message))
            continue
        key = _key(text, kind)
        if key in seen:
            found.append(Judged(line=line, state=DOUBLE, said=f"与第 {seen[key]} 行等价"))
        elif key in known:
            found.append(Judged(line=line, state=KNOWN, said=f"已有{known[key]}"))
        else:
            seen[key] = line.number
            found.append(Judged(line=line, state=NEW, said=line.category or usual))
    return found


def _read(line: Line, usual: str) -> tuple[str, str]:
    """The entry and its kind. Raises: InputInvalid."""
    kind = _KINDS.get(line.kind)
    if kind is None:
        raise InputInvalid(f"没有“{line.kind}”这种类型，可填：词、正则、例外")
    if not (line.category or usual):
        raise InputInvalid("没有写分类，也没有选择分类")
    return words.clean(line.text, kind), kind


def _key(text: str, kind: str) -> tuple[str, str]:
    """Entries that match the same have the same key."""
    folded = fold(text)
    spelled = "".join(run.symbol * len(run.places) for run in folded.runs)
    return (kind, text) if kind == REGEX or not spelled else (kind, spelled)


def take(uow: UnitOfWork, corp: CorpId, found: Sequence[Judged], usual: str, *, actor: str, state: str) -> int:
    """Take over what is new; categories that are missing are made. Answers how many entries."""
    known = {one.form.name: one.id for one in words.listing(uow.session, corp)}
    by_place: dict[tuple[str, str], list[str]] = {}
    for one in found:
        if one.state == NEW:
            by_place.setdefault((one.line.category or usual, _KINDS[one.line.kind]), []).append(one.line.text)
    added = 0
    for (name, kind), texts in by_place.items():
        if name not in known:
            known[name] = words.save(uow, corp, CategoryForm(name=name), actor=actor)
        added += words.add(uow, corp, known[name], texts, kind=kind, actor=actor, state=state)
    return added
