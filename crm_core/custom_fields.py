"""Custom fields (自定义字段): defined per corp by admins, filled in per customer by staff."""

import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from sqlalchemy import update
from sqlmodel import Session, col, func, select

from crm_core import audit, staff, timeline
from crm_core.db import UnitOfWork
from crm_core.errors import Conflict, InputInvalid, NotFound
from crm_core.events import StaffUpdated
from crm_core.ids import CorpId, ExternalUserId, StaffUserId
from crm_core.record_tables import CustomFieldRow, CustomValueRow

KINDS = {
    "text": "文本",
    "number": "数字",
    "date": "日期",
    "choice": "单选",
    "multi": "多选",
    "person": "成员",
    "address": "地址",
    "image": "图片",
}
FILE_KEY = re.compile(r"[0-9a-f]{64}")
MOST_FIELDS, MOST_CHOICES, MOST_NAME_CHARS, MOST_CHARS = 60, 50, 20, 200
NUMBER_LIMIT = Decimal(10) ** 12


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldForm:
    """A field as an admin describes it. choices: for choice and multi only. hint: shown under the field."""

    name: str
    kind: str
    choices: tuple[str, ...] = ()
    hint: str = ""
    sort_order: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomField:
    """One field of a corp."""

    id: int
    name: str
    kind: str
    choices: tuple[str, ...]
    hint: str
    sort_order: int
    enabled: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldValue:
    """A field with what one customer has in it.

    value: as stored, None for nothing; of a picture its file's key. said: as people read it.
    """

    field: CustomField
    value: Any
    said: str


def define(uow: UnitOfWork, corp: CorpId, form: FieldForm, *, actor: str) -> int:
    """A new field. Answers its id. Raises: InputInvalid, Conflict (the name is taken, or too many fields)."""
    checked = check(form)
    uow.lock(f"custom_fields:{corp}")
    _refuse_taken(uow.session, corp, checked.name, other_than=0)
    count = uow.session.exec(
        select(func.count()).select_from(CustomFieldRow).where(CustomFieldRow.corp_id == corp)
    ).one()
    if count >= MOST_FIELDS:
        raise Conflict(f"自定义字段最多 {MOST_FIELDS} 个，请先停用并复用已有的字段")
    row = CustomFieldRow(
        corp_id=corp,
        name=checked.name,
        kind=checked.kind,
        choices=list(checked.choices),
        hint=checked.hint,
        sort_order=checked.sort_order,
        created_at=uow.now(),
    )
    uow.session.add(row)
    uow.session.flush()
    _audit(uow, corp, actor, "custom_field.defined", row)
    return row.id or 0


def change(uow: UnitOfWork, corp: CorpId, field_id: int, form: FieldForm, *, enabled: bool, actor: str) -> None:
    """Another name, order, hint or choices, or switched off and on; the kind stays. Values are kept.

    Raises: NotFound, InputInvalid, Conflict.
    """
    uow.lock(f"custom_fields:{corp}")
    row = uow.session.get(CustomFieldRow, field_id)
    if row is None or row.corp_id != corp:
        raise NotFound("没有这个字段")
    checked = check(form)
    if checked.kind != row.kind:
        raise InputInvalid("字段类型不能改，请新建一个字段", field="kind")
    _refuse_taken(uow.session, corp, checked.name, other_than=field_id)
    row.name, row.choices, row.hint = checked.name, list(checked.choices), checked.hint
    row.sort_order, row.enabled = checked.sort_order, enabled
    uow.session.add(row)
    _audit(uow, corp, actor, "custom_field.changed", row)


def fields(session: Session, corp: CorpId, *, enabled_only: bool = True) -> list[CustomField]:
    """The corp's fields in their order."""
    statement = select(CustomFieldRow).where(CustomFieldRow.corp_id == corp)
    if enabled_only:
        statement = statement.where(col(CustomFieldRow.enabled).is_(True))
    rows = session.exec(statement.order_by(col(CustomFieldRow.sort_order).desc(), col(CustomFieldRow.id)))
    return [_view(row) for row in rows]


def values_of(session: Session, corp: CorpId, external_user: ExternalUserId) -> list[FieldValue]:
    """Every enabled field with the customer's value."""
    held = {
        row.field_id: row.value
        for row in session.exec(
            select(CustomValueRow).where(
                CustomValueRow.corp_id == corp, CustomValueRow.external_userid == external_user
            )
        )
    }
    found = fields(session, corp)
    people = [str(held[field.id]) for field in found if field.kind == "person" and held.get(field.id)]
    known = staff.names(session, corp, people) if people else {}
    return [
        FieldValue(field=field, value=held.get(field.id), said=_said(field, held.get(field.id), known))
        for field in found
    ]


def save(
    uow: UnitOfWork,
    corp: CorpId,
    external_user: ExternalUserId,
    *,
    staff_userid: StaffUserId,
    given: Mapping[int, Sequence[str]],
) -> int:
    """Write the values of the fields in ``given`` (what a form submits, by field id). Answers how many changed.

    An empty value clears the field. Raises: InputInvalid naming ``field-<id>``, NotFound.
    """
    known = {field.id: field for field in fields(uow.session, corp)}
    if not set(given) <= set(known):
        raise NotFound("字段已被管理员停用，请刷新后再填")
    uow.lock(f"custom_values:{corp}:{external_user}")
    before = {value.field.id: value for value in values_of(uow.session, corp, external_user)}
    changed = []
    for field_id, texts in given.items():
        field = known[field_id]
        value = _checked(uow.session, corp, field, [text.strip() for text in texts if text.strip()])
        if value != before[field_id].value:
            _write(uow, corp, external_user, field_id, value, staff_userid)
            changed.append(field)
    if changed:
        uow.session.flush()
        after = {value.field.id: value for value in values_of(uow.session, corp, external_user)}
        _tell(uow, corp, external_user, staff_userid, [(before[field.id], after[field.id]) for field in changed])
    return len(changed)


def rename_staff(event: StaffUpdated, uow: UnitOfWork) -> None:
    """A changed userid is carried through the fields that name people."""
    if event.new_staff is None or event.new_staff == event.staff:
        return
    people = select(CustomFieldRow.id).where(CustomFieldRow.corp_id == event.corp, CustomFieldRow.kind == "person")
    for row in uow.session.exec(
        select(CustomValueRow).where(CustomValueRow.corp_id == event.corp, col(CustomValueRow.field_id).in_(people))
    ):
        if row.value == event.staff:
            row.value = str(event.new_staff)
            uow.session.add(row)
    uow.session.execute(
        update(CustomValueRow)
        .where(col(CustomValueRow.corp_id) == event.corp, col(CustomValueRow.changed_by) == event.staff)
        .values(changed_by=event.new_staff)
    )


def check(form: FieldForm) -> FieldForm:
    """The form, cleaned. Raises: InputInvalid naming the field."""
    name = form.name.strip()
    if not 1 <= len(name) <= MOST_NAME_CHARS:
        raise InputInvalid(f"字段名称应有 1–{MOST_NAME_CHARS} 个字", field="name")
    if form.kind not in KINDS:
        raise InputInvalid("没有这种字段类型", field="kind")
    choices = tuple(dict.fromkeys(choice.strip() for choice in form.choices if choice.strip()))
    if form.kind in ("choice", "multi"):
        if not 1 <= len(choices) <= MOST_CHOICES:
            raise InputInvalid(f"选项应有 1–{MOST_CHOICES} 个", field="choices")
        if any(len(choice) > MOST_NAME_CHARS for choice in choices):
            raise InputInvalid(f"每个选项最多 {MOST_NAME_CHARS} 个字", field="choices")
    elif choices:
        raise InputInvalid("只有单选和多选有选项", field="choices")
    if len(form.hint) > MOST_CHARS:
        raise InputInvalid("说明太长，请删短一些", field="hint")
    return FieldForm(name=name, kind=form.kind, choices=choices, hint=form.hint.strip(), sort_order=form.sort_order)


def _refuse_taken(session: Session, corp: CorpId, name: str, *, other_than: int) -> None:
    taken = session.exec(
        select(CustomFieldRow.id).where(
            CustomFieldRow.corp_id == corp, CustomFieldRow.name == name, CustomFieldRow.id != other_than
        )
    ).first()
    if taken is not None:
        raise Conflict(f"已经有叫「{name}」的字段，请换个名称")


def _text(field: CustomField, text: str) -> str:
    if len(text) > MOST_CHARS:
        raise InputInvalid(f"「{field.name}」最多 {MOST_CHARS} 个字", field=f"field-{field.id}")
    return text


def _number(field: CustomField, text: str) -> str:
    try:
        number = Decimal(text.replace(",", ""))
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or abs(number) > NUMBER_LIMIT:
        raise InputInvalid(f"「{field.name}」应是数字，例如 12 或 3.5", field=f"field-{field.id}")
    return f"{number.normalize():f}"


def _date(field: CustomField, text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise InputInvalid(f"「{field.name}」应是日期，例如 2026-11-22", field=f"field-{field.id}") from None


def _choice(field: CustomField, text: str) -> str:
    if text not in field.choices:
        raise InputInvalid(f"「{field.name}」没有选项“{text[:20]}”，请刷新后重选", field=f"field-{field.id}")
    return text


def _picture(field: CustomField, text: str) -> str:
    if not FILE_KEY.fullmatch(text):
        raise InputInvalid(f"「{field.name}」的图片没有上传成功，请重新选择", field=f"field-{field.id}")
    return text


CHECKS: dict[str, Callable[[CustomField, str], str]] = {
    "text": _text,
    "address": _text,
    "number": _number,
    "date": _date,
    "choice": _choice,
    "image": _picture,
}


def _checked(session: Session, corp: CorpId, field: CustomField, texts: list[str]) -> Any:
    """What is stored for the submitted texts; None for nothing."""
    if not texts:
        return None
    if field.kind == "multi":
        wanted = {_choice(field, text) for text in texts}
        return [choice for choice in field.choices if choice in wanted]
    if field.kind == "person":
        if not staff.is_known(session, corp, StaffUserId(texts[0])):
            raise InputInvalid(f"「{field.name}」没有这位成员，请重选", field=f"field-{field.id}")
        return texts[0]
    return CHECKS[field.kind](field, texts[0])


def _said(field: CustomField, value: Any, known: Mapping[str, str]) -> str:
    if value is None:
        return ""
    tellers: dict[str, Callable[[], str]] = {
        "multi": lambda: "、".join(str(item) for item in value),
        "person": lambda: known.get(str(value), str(value)),
        "image": lambda: "已上传图片",
        "number": lambda: f"{Decimal(str(value)):,f}",
        "date": lambda: _spoken_day(date.fromisoformat(str(value))),
    }
    teller = tellers.get(field.kind)
    return teller() if teller else str(value)


def _spoken_day(day: date) -> str:
    return f"{day.year}年{day.month}月{day.day}日"


def _write(
    uow: UnitOfWork, corp: CorpId, external_user: ExternalUserId, field_id: int, value: Any, by: StaffUserId
) -> None:
    row = uow.session.get(CustomValueRow, (corp, external_user, field_id))
    if value is None:
        if row is not None:
            uow.session.delete(row)
        return
    row = row or CustomValueRow(
        corp_id=corp, external_userid=external_user, field_id=field_id, value=value, changed_by=by, changed_at=uow.now()
    )
    row.value, row.changed_by, row.changed_at = value, by, uow.now()
    uow.session.add(row)


def _tell(
    uow: UnitOfWork,
    corp: CorpId,
    external_user: ExternalUserId,
    by: StaffUserId,
    changes: list[tuple[FieldValue, FieldValue]],
) -> None:
    timeline.append(
        uow,
        corp=corp,
        external_user=external_user,
        staff=by,
        kind="field.changed",
        at=uow.now(),
        dedupe_key=f"field.changed:{uuid.uuid4().hex}",  # the values tell whether it was news
        data={
            "changes": [{"name": after.field.name, "from": before.said, "to": after.said} for before, after in changes]
        },
    )


def _audit(uow: UnitOfWork, corp: CorpId, actor: str, act: str, row: CustomFieldRow) -> None:
    audit.record(
        uow,
        corp=corp,
        actor=actor,
        act=act,
        object_kind="custom_field",
        object_id=str(row.id),
        data={"name": row.name, "enabled": row.enabled},
    )


def _view(row: CustomFieldRow) -> CustomField:
    return CustomField(
        id=row.id or 0,
        name=row.name,
        kind=row.kind,
        choices=tuple(row.choices),
        hint=row.hint,
        sort_order=row.sort_order,
        enabled=row.enabled,
    )
