"""Scripts from a file into the library: first a preview that names every fault and double, then all of it at once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from sqlmodel import Session, col, select

from crm_core.db import UnitOfWork
from crm_core.errors import InputInvalid
from crm_core.ids import CorpId, StaffUserId
from materials import script_desk
from materials.script_model import ScriptForm, parse_form
from materials.script_sheets import SheetRow
from materials.tables import ScriptGroupRow, ScriptRow

DEFAULT_FOLDER = "导入的话术"


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewRow:
    """What becomes of one row. state: new | same (already there word for word) | changed (same title) | faulty.

    fault says what is wrong; twin names the script it equals; script_id is that of the twin.
    """

    place: str
    folder: str
    title: str
    texts: tuple[str, ...]
    state: str
    fault: str = ""
    twin: str = ""
    script_id: int = 0
    form: ScriptForm | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What an import did. waiting: went to approval instead of into force."""

    added: int
    changed: int
    skipped: int
    faulty: int
    waiting: bool


def preview(session: Session, corp: CorpId, rows: Sequence[SheetRow]) -> list[PreviewRow]:
    """Each row judged, in the order of the file; changes nothing."""
    by_title, by_text = _known(session, corp)
    inside: dict[tuple[str, str], str] = {}
    found = []
    for row in rows:
        judged = _judge(row, by_title, by_text, inside)
        inside.setdefault((judged.folder, judged.title), row.place)
        found.append(judged)
    return found


def apply(
    uow: UnitOfWork, corp: CorpId, actor: StaffUserId, rows: Sequence[SheetRow], *, may_approve: bool, change: bool
) -> Imported:
    """Take a file's good rows over: new ones are added, same titles changed if ``change``, the rest is left out."""
    folders = {
        folder.name: folder.id for folder in script_desk.all_folders(uow.session, corp) if folder.scope == "corp"
    }
    counts = {"new": 0, "changed": 0, "same": 0, "faulty": 0, "kept": 0}
    for row in preview(uow.session, corp, rows):
        state = "kept" if row.state == "changed" and not change else row.state
        counts[state] += 1
        if state not in ("new", "changed") or row.form is None:
            continue
        if row.folder not in folders:
            folders[row.folder] = script_desk.create_folder(uow, corp, row.folder)
        form = ScriptForm(
            group_id=folders[row.folder],
            title=row.form.title,
            messages=row.form.messages,
            keywords=row.form.keywords,
            similar=row.form.similar,
        )
        script_desk.save(uow, corp, actor, form, may_approve=may_approve, script_id=row.script_id)
    return Imported(
        added=counts["new"],
        changed=counts["changed"],
        skipped=counts["same"] + counts["kept"],
        faulty=counts["faulty"],
        waiting=not may_approve,
    )


def _known(session: Session, corp: CorpId) -> tuple[dict[tuple[str, str], ScriptRow], dict[str, ScriptRow]]:
    rows = session.exec(
        select(ScriptRow, ScriptGroupRow.name)
        .join(ScriptGroupRow, col(ScriptGroupRow.id) == ScriptRow.group_id)
        .where(ScriptRow.corp_id == corp, col(ScriptRow.deleted_at).is_(None), col(ScriptGroupRow.scope) == "corp")
        .order_by(col(ScriptRow.id))
    ).all()
    by_title = {(folder, row.title): row for row, folder in rows}
    by_text = {_joined(str(message.get("text") or "") for message in row.content): row for row, _ in reversed(rows)}
    return by_title, by_text


def _judge(
    row: SheetRow,
    by_title: dict[tuple[str, str], ScriptRow],
    by_text: dict[str, ScriptRow],
    inside: dict[tuple[str, str], str],
) -> PreviewRow:
    folder, title = " ".join(row.folder.split()) or DEFAULT_FOLDER, " ".join(row.title.split())
    shown = PreviewRow(place=row.place, folder=folder, title=title, texts=row.texts, state="new")
    try:
        form = _form(row, folder, title)
    except InputInvalid as error:
        return replace(shown, state="faulty", fault=error.message)
    earlier = inside.get((folder, title))
    if earlier is not None:
        return replace(shown, state="faulty", fault=f"与文件里{earlier}重复")
    twin, equal = by_title.get((folder, title)), by_text.get(_joined(row.texts))
    if equal is not None and twin in (None, equal) and set(form.similar) <= set(equal.similar):
        return replace(shown, state="same", twin=equal.title, script_id=equal.id or 0, form=form)
    if twin is not None:
        return replace(shown, state="changed", twin=twin.title, script_id=twin.id or 0, form=form)
    return replace(shown, form=form)


def _form(row: SheetRow, folder: str, title: str) -> ScriptForm:
    if not row.texts:
        raise InputInvalid("没有消息内容")
    if len(folder) > script_desk.FOLDER_CHARS:
        raise InputInvalid("分组名称太长")
    return parse_form(
        group_id=0,
        title=title,
        messages=[{"text": text} for text in row.texts],
        keywords=row.keywords,
        similar=row.similar,
    )


def _joined(texts: Iterable[str]) -> str:
    return "\n".join(" ".join(text.split()) for text in texts)
