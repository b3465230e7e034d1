"""Customers' tags, stage, remarks and own fields from a spreadsheet: each row done, told why not, or taken back."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session

from bot.console.tagging_acts import mark
from bot.spreadsheets import read_rows
from bot.task_desk import CHUNK_ROWS, Bench
from crm_core import custom_fields, customer_acts, customer_list, customers
from crm_core.customers import STAGES
from crm_core.db import UnitOfWork
from crm_core.errors import InputInvalid, NotFound
from crm_core.ids import CorpId, ExternalUserId, StaffUserId
from crm_core.ports import MediaStore
from crm_core.tasks import TaskItem
from tagging import service as tagging

FIELDS = {
    "": "不导入",
    "external_user": "外部联系人 ID",
    "mobile": "手机号（用来找到客户）",
    "tags": "标签（添加）",
    "stage": "阶段",
    "remark": "备注",
    "description": "描述",
}
KEYS = ("external_user", "mobile")
OWN_FIELD = "field:"  # then the field's number
GUESSES = {
    "external_user": ("外部联系人id", "external_userid", "客户id"),
    "mobile": ("手机", "电话", "mobile", "phone"),
    "tags": ("标签", "tag"),
    "stage": ("阶段", "stage"),
    "remark": ("备注", "remark"),
    "description": ("描述", "说明", "description"),
}
SEPARATORS = str.maketrans("，、;；|", ",,,,,")


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """The beginning of a file. mapping: what each column seems to mean, by its place."""

    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    mapping: tuple[str, ...]
    count: int


def columns(session: Session, corp: CorpId) -> dict[str, str]:
    """What a column may be: the fixed ones, and the corp's own fields (a picture does not fit into a cell)."""
    own = [field for field in custom_fields.fields(session, corp) if field.kind != "image"]
    return {**FIELDS, **{f"{OWN_FIELD}{field.id}": field.name for field in own}}


def draft_of(store: MediaStore, file_key: str, filename: str, known: Mapping[str, str], *, shown: int = 5) -> Draft:
    """Read a file's heads and first rows and guess its columns among ``known``. Raises: InputInvalid, NotFound."""
    with store.open(file_key) as content:
        rows = read_rows(content, filename)
        heads = tuple(_heads(rows))
        some = [tuple(row) for row in itertools.islice(rows, shown)]
        count = len(some) + sum(1 for _ in rows)
    if not heads or not some:
        raise InputInvalid("文件里没有数据行；第一行应是列名，例如“外部联系人 ID、标签”", field="file")
    mapping: list[str] = []
    for head in heads:
        text = head.lower().replace(" ", "")
        own = (name for name, said in known.items() if name.startswith(OWN_FIELD) and said.strip() == head.strip())
        fits = (name for name, words in GUESSES.items() if any(word in text for word in words))
        mapping.append(next((name for name in (*own, *fits) if name not in mapping), ""))
    return Draft(heads=heads, rows=tuple(some), mapping=tuple(mapping), count=count)


def _heads(rows: Iterator[list[str]]) -> list[str]:
    """The row of column names; a watermark line of our own exports stands before it."""
    first = next(rows, [])
    return next(rows, []) if sum(bool(cell) for cell in first) == 1 and first[0].startswith("由 ") else first


def check_mapping(mapping: Sequence[str], known: Mapping[str, str]) -> None:
    """Raises: InputInvalid, when nothing finds the customer or nothing is to be changed."""
    chosen = [name for name in mapping if name]
    if len(set(chosen)) != len(chosen) or not set(chosen) <= set(known):
        raise InputInvalid("同一项只能对应一列", field="mapping")
    if not set(chosen) & set(KEYS):
        raise InputInvalid("请指定哪一列是外部联系人 ID 或手机号", field="mapping")
    if not set(chosen) - set(KEYS):
        raise InputInvalid("请至少选择一列要导入的内容", field="mapping")


def import_customers(bench: Bench) -> None:
    """Work the file off row by row, from where the task stood."""
    asked = bench.task.asked
    mapping = [str(name) for name in asked["mapping"]]
    at = int(bench.task.cursor.get("at", 0))
    with bench.db.reading() as session:
        check_mapping(mapping, columns(session, bench.corp))
        book = customer_list.phone_book(session, bench.corp, bench.task.scope) if "mobile" in mapping else {}
        tags = {tag.name: tag.tag_id for group in tagging.library(session, bench.corp) for tag in group.tags}
    bench.count(int(asked["count"]))
    desk = _RowDesk(bench, book, tags)
    with bench.store.open(str(asked["file_key"])) as content:
        rows = read_rows(content, str(asked["filename"]))
        _heads(rows)
        numbered = itertools.islice(enumerate(rows, start=2), at, None)
        while some := list(itertools.islice(numbered, CHUNK_ROWS)):
            at += len(some)
            desk.rows = {f"第 {number} 行": dict(zip(mapping, row, strict=False)) for number, row in some}
            if not bench.chunk(list(desk.rows), desk.take, cursor={"at": at}):
                return


class _RowDesk:
    """Does one row. rows: those of the chunk under way, by name."""

    def __init__(self, bench: Bench, book: Mapping[str, set[str]], tags: Mapping[str, str]) -> None:
        self._bench, self._book, self._tags = bench, book, tags
        self.rows: dict[str, dict[str, str]] = {}

    def take(self, uow: UnitOfWork, thing: str) -> TaskItem:
        """Everything in the row is checked before anything is written. Raises: NotFound, InputInvalid."""
        row, bench = self.rows[thing], self._bench
        external_user = self._find(uow, row)
        wanted = [name.strip() for name in row.get("tags", "").translate(SEPARATORS).split(",") if name.strip()]
        unknown = [name for name in wanted if name not in self._tags]
        if unknown:
            raise NotFound(f"没有这些标签：{'、'.join(unknown)}")
        stage = _stage(row.get("stage", ""))
        fields = {int(name.removeprefix(OWN_FIELD)): _texts(cell) for name, cell in row.items() if _is_own(name, cell)}
        followers = customer_list.follows_of(uow.session, bench.corp, [external_user], bench.task.scope)[external_user]
        told = {name: row[name] for name in ("remark", "description") if row.get(name)}
        if (wanted or told) and not followers:
            raise InputInvalid("没有您可操作的好友关系，不能打标签或改备注")
        key = f"task:{bench.task.id}:{bench.task.run}:{thing}"
        undo: dict[str, Any] = {"external_user": external_user}
        if fields:
            undo["fields"] = _write_fields(uow, bench, external_user, fields)
        if told:
            undo["remark"] = self._remark(uow, external_user, StaffUserId(followers[0]), told, key)
        if wanted:
            add = [self._tags[name] for name in wanted]
            scope = bench.task.scope
            done = mark(
                uow, corp=bench.corp, app=bench.app, external_user=external_user, visible=scope, add=add, key=key
            )
            undo["added"] = done.added
        if stage:
            by, before = (
                StaffUserId(bench.task.created_by),
                customer_acts.stage_of(uow.session, bench.corp, external_user),
            )
            if customers.change_stage(uow, bench.corp, external_user, stage=stage, staff=by, note="导入"):
                undo["stage"] = [before, stage]
        return TaskItem(item=thing, outcome="done", message="", undo=undo)

    def _find(self, uow: UnitOfWork, row: Mapping[str, str]) -> ExternalUserId:
        wanted = row.get("external_user", "")
        if not wanted:
            found = self._book.get(row.get("mobile", "").replace(" ", "").replace("-", ""), set())
            if len(found) > 1:
                raise InputInvalid("这个手机号对应多位客户，请改用外部联系人 ID")
            wanted = next(iter(found), "")
        known = ExternalUserId(wanted)
        if not wanted or not customers.is_known(uow.session, self._bench.corp, known, self._bench.task.scope):
            raise NotFound("没有找到这位客户，或发起人没有权限")
        return known

    def _remark(
        self, uow: UnitOfWork, external_user: ExternalUserId, staff: StaffUserId, told: Mapping[str, str], key: str
    ) -> dict[str, Any]:
        follow = customers.find_follow(uow.session, self._bench.corp, staff, external_user)
        before = (follow.remark, follow.description) if follow is not None else ("", "")
        after = (told.get("remark", before[0]), told.get("description", before[1]))
        customer_acts.ask_remark(
            uow,
            corp=self._bench.corp,
            app=self._bench.app,
            staff=staff,
            external_user=external_user,
            remark=after[0],
            description=after[1],
            key=key,
        )
        return {"staff": staff, "from": before, "to": after}


def take_back_row(bench: Bench, uow: UnitOfWork, thing: str, undo: Mapping[str, Any]) -> TaskItem:
    """What an imported row changed becomes what it was, where nobody has changed it since. Raises: NotFound."""
    external_user, kept = ExternalUserId(undo["external_user"]), []
    if not customers.is_known(uow.session, bench.corp, external_user, bench.task.scope):
        raise NotFound("没有找到这位客户，或发起人没有权限")
    key = f"task:{bench.task.id}:{bench.task.run}:{thing}"
    for staff, tags in undo.get("added", {}).items():
        scope = frozenset({staff})
        mark(uow, corp=bench.corp, app=bench.app, external_user=external_user, visible=scope, remove=tags, key=key)
    if "stage" in undo and not _unmove(bench, uow, external_user, *undo["stage"]):
        kept.append("阶段")
    if "remark" in undo and not _unremark(bench, uow, external_user, undo["remark"], key):
        kept.append("备注与描述")
    if "fields" in undo and not _unwrite_fields(bench, uow, external_user, undo["fields"]):
        kept.append("自定义字段")
    said = f"后来被改过，保持现在的内容：{'、'.join(kept)}" if kept else ""
    return TaskItem(item=thing, outcome="done", message=said, undo={})


def _unmove(bench: Bench, uow: UnitOfWork, external_user: ExternalUserId, before: str, after: str) -> bool:
    if customer_acts.stage_of(uow.session, bench.corp, external_user) != after:
        return False
    by = StaffUserId(bench.task.created_by)
    customers.change_stage(uow, bench.corp, external_user, stage=before, staff=by, note="撤销导入")
    return True


def _unremark(bench: Bench, uow: UnitOfWork, external_user: ExternalUserId, undo: Mapping[str, Any], key: str) -> bool:
    follow = customers.find_follow(uow.session, bench.corp, undo["staff"], external_user)
    if follow is None or [follow.remark, follow.description] != list(undo["to"]):
        return False
    remark, description = undo["from"]
    customer_acts.ask_remark(
        uow,
        corp=bench.corp,
        app=bench.app,
        staff=undo["staff"],
        external_user=external_user,
        remark=remark,
        description=description,
        key=key,
    )
    return True


def _is_own(name: str, cell: str) -> bool:
    return name.startswith(OWN_FIELD) and bool(_texts(cell))


def _texts(cell: str) -> list[str]:
    return [text.strip() for text in cell.split("、") if text.strip()]


def _values(uow: UnitOfWork, corp: CorpId, external_user: ExternalUserId) -> dict[int, list[str]]:
    held = {one.field.id: one.value for one in custom_fields.values_of(uow.session, corp, external_user)}
    return {
        field_id: [] if value is None else list(value) if isinstance(value, list) else [str(value)]
        for field_id, value in held.items()
    }


def _write_fields(
    uow: UnitOfWork, bench: Bench, external_user: ExternalUserId, given: Mapping[int, list[str]]
) -> dict[str, Any]:
    """Answers by field number what each was and became. A text keeps its 、; only choices are taken apart."""
    kinds = {field.id: field.kind for field in custom_fields.fields(uow.session, bench.corp)}
    wanted = {number: texts if kinds.get(number) == "multi" else ["、".join(texts)] for number, texts in given.items()}
    before, by = _values(uow, bench.corp, external_user), StaffUserId(bench.task.created_by)
    custom_fields.save(uow, bench.corp, external_user, staff_userid=by, given=wanted)
    after = _values(uow, bench.corp, external_user)
    return {str(number): [before[number], after[number]] for number in wanted}


def _unwrite_fields(
    bench: Bench, uow: UnitOfWork, external_user: ExternalUserId, undo: Mapping[str, Sequence[list[str]]]
) -> bool:
    now = _values(uow, bench.corp, external_user)
    same = {int(number): before for number, (before, after) in undo.items() if now.get(int(number)) == after}
    by = StaffUserId(bench.task.created_by)
    custom_fields.save(uow, bench.corp, external_user, staff_userid=by, given=same)
    return len(same) == len(undo)


def _stage(text: str) -> str:
    by_name = {name: value for value, name in STAGES.items()}
    if text and text not in STAGES and text not in by_name:
        raise InputInvalid(f"没有“{text[:20]}”这个阶段，可用：{'、'.join(STAGES.values())}")
    return by_name.get(text, text)
