"""Live codes (渠道活码): made at WeCom, recognised by their state when a customer comes in."""

import secrets
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam
from sqlmodel import Session, col, func, select

from crm_core import customers, outbox
from crm_core.customers import REMARK_CHARS
from crm_core.db import UnitOfWork
from crm_core.errors import Conflict, InputInvalid, NotFound
from crm_core.events import ContactWayCreated, CustomerFetched, FollowHalfStarted, FollowStarted, OutboundFinished
from crm_core.ids import AppKey, CorpId, ExternalUserId, StaffUserId
from crm_core.messages import NICKNAME, dump_message, parse_message, with_nickname
from crm_core.tables import ContactWayRow, FollowRow

NAME_CHARS = 40
MEMO_CHARS = 30  # doc 92228: remark of a contact way
MOST_STAFF = 100  # doc 92228
STATE_ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"
STATE_LENGTH = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactWayForm:
    """What an operator fills in. welcome: see ``crm_core.messages``; customer_remark may hold {昵称}."""

    name: str
    staff: tuple[str, ...]
    departments: tuple[int, ...] = ()
    skip_verify: bool = True
    memo: str = ""
    customer_remark: str = ""
    tag_ids: tuple[str, ...] = ()
    welcome: dict[str, Any] | None = None


def create(
    uow: UnitOfWork, *, corp: CorpId, app: AppKey, form: ContactWayForm, created_by: str, state: str = ""
) -> ContactWayRow:
    """Write the live code down and have it made at WeCom. ``state`` is drawn at random unless given.

    Raises: InputInvalid naming the field.
    """
    _check(form)
    several = len(form.staff) != 1 or bool(form.departments)
    row = ContactWayRow(
        corp_id=corp,
        app_key=app,
        name=form.name.strip(),
        state=state or "".join(secrets.choice(STATE_ALPHABET) for _ in range(STATE_LENGTH)),
        staff=list(form.staff),
        departments=list(form.departments),
        is_single=not several,
        skip_verify=form.skip_verify,
        memo=form.memo.strip() or form.name.strip()[:MEMO_CHARS],
        customer_remark=form.customer_remark.strip(),
        tag_ids=list(form.tag_ids),
        welcome=_checked_welcome(form),
        created_by=created_by,
        created_at=uow.now(),
    )
    uow.session.add(row)
    uow.session.flush()
    outbox.add(
        uow,
        outbox.ADD_CONTACT_WAY,
        corp=corp,
        app=app,
        payload={
            "contact_way_id": row.id,
            "staff": row.staff,
            "departments": row.departments,
            "state": row.state,
            "memo": row.memo,
            "skip_verify": row.skip_verify,
        },
        dedupe_key=f"add_contact_way:{row.id}:{row.state}",
    )
    return row


def _checked_welcome(form: ContactWayForm) -> dict[str, Any] | None:
    message = parse_message(form.welcome)
    return None if message is None else dump_message(message)


def faults(form: ContactWayForm, *, is_single: bool = False) -> dict[str, str]:
    """What is wrong with a form, by field; empty when it may be submitted. is_single: of a code made for one."""
    found: dict[str, str] = {}
    if not form.name.strip():
        found["name"] = "请填写活码名称"
    elif len(form.name.strip()) > NAME_CHARS:
        found["name"] = f"活码名称最多 {NAME_CHARS} 个字"
    if not form.staff and not form.departments:
        found["staff"] = "请至少选择一位员工或一个部门"
    elif len(form.staff) > MOST_STAFF:
        found["staff"] = f"员工最多 {MOST_STAFF} 位"
    elif is_single and (len(form.staff) != 1 or form.departments):
        found["staff"] = "这个活码创建时只有一位员工，企业微信不允许改成多人；请新建一个活码"
    if len(form.memo) > MEMO_CHARS:
        found["memo"] = f"活码备注最多 {MEMO_CHARS} 个字"
    if len(form.customer_remark.replace(NICKNAME, "")) > REMARK_CHARS:
        found["customer_remark"] = f"客户备注最多 {REMARK_CHARS} 个字（不含昵称）"
    try:
        parse_message(form.welcome)
    except InputInvalid as error:
        found["welcome"] = error.message
    return found


def _check(form: ContactWayForm, *, is_single: bool = False) -> None:
    for field, said in faults(form, is_single=is_single).items():
        raise InputInvalid(said, field=field)


def change(uow: UnitOfWork, corp: CorpId, contact_way_id: int, form: ContactWayForm) -> ContactWayRow:
    """Change a live code here, and at WeCom where WeCom knows of it. Raises: NotFound, Conflict, InputInvalid."""
    row = get(uow.session, corp, contact_way_id)
    if row.status in ("creating", "deleting"):
        raise Conflict("活码正在创建或删除，请稍后再改")
    _check(form, is_single=row.is_single)
    row.name, row.customer_remark = form.name.strip(), form.customer_remark.strip()
    row.tag_ids, row.welcome = list(form.tag_ids), _checked_welcome(form)
    memo = form.memo.strip() or form.name.strip()[:MEMO_CHARS]
    at_wecom = (list(form.staff), list(form.departments), form.skip_verify, memo)
    differs = at_wecom != (row.staff, row.departments, row.skip_verify, row.memo)
    row.staff, row.departments, row.skip_verify, row.memo = at_wecom
    uow.session.add(row)
    if differs and row.config_id:
        row.status, row.last_error = "changing", ""
        payload = {
            "contact_way_id": row.id,
            "config_id": row.config_id,
            "staff": row.staff,
            "departments": row.departments,
            "state": row.state,
            "memo": row.memo,
            "skip_verify": row.skip_verify,
        }
        key = f"update_contact_way:{row.id}:{uow.now().timestamp():.6f}"
        app = AppKey(row.app_key)
        outbox.add(uow, outbox.UPDATE_CONTACT_WAY, corp=corp, app=app, payload=payload, dedupe_key=key)
    return row


def delete(uow: UnitOfWork, corp: CorpId, contact_way_id: int) -> None:
    """Delete a live code at WeCom, then here; what it brought stays. Raises: NotFound, Conflict."""
    row = get(uow.session, corp, contact_way_id)
    if row.status == "creating":
        raise Conflict("活码正在创建，请稍后再删")
    row.status = "deleting" if row.config_id else "deleted"
    uow.session.add(row)
    if row.config_id:
        outbox.add(
            uow,
            outbox.DELETE_CONTACT_WAY,
            corp=corp,
            app=AppKey(row.app_key),
            payload={"contact_way_id": row.id, "config_id": row.config_id},
            dedupe_key=f"delete_contact_way:{row.id}:{uow.now().timestamp():.6f}",
        )


def record_changed(event: OutboundFinished, uow: UnitOfWork) -> None:
    """WeCom changed or deleted the code, or did not: then it says why and can be tried again."""
    if event.kind not in (outbox.UPDATE_CONTACT_WAY.name, outbox.DELETE_CONTACT_WAY.name):
        return
    row = uow.session.get(ContactWayRow, event.subject["contact_way_id"])
    if row is None or row.status == "deleted":
        return
    if event.outcome != "done":
        row.status, row.last_error = "active", f"上次修改没有成功：{event.error}"
    elif event.kind == outbox.DELETE_CONTACT_WAY.name:
        row.status = "deleted"
    else:
        row.status, row.last_error = "active", ""
    uow.session.add(row)


def record_made(event: ContactWayCreated, uow: UnitOfWork) -> None:
    """WeCom made the code."""
    row = uow.session.get(ContactWayRow, event.subject["contact_way_id"])
    if row is not None:
        row.config_id, row.qr_url = event.made.config_id, event.made.qr_url
        row.status, row.last_error = "active", ""
        uow.session.add(row)


def record_not_made(event: OutboundFinished, uow: UnitOfWork) -> None:
    """WeCom did not make the code, or nobody knows."""
    if event.kind != outbox.ADD_CONTACT_WAY.name or event.outcome == "done":
        return
    row = uow.session.get(ContactWayRow, event.subject["contact_way_id"])
    if row is not None and row.status != "active":
        row.status = "unknown" if event.outcome == "unknown" else "failed"
        row.last_error = event.error
        uow.session.add(row)


def attach_follow(event: FollowStarted | FollowHalfStarted, uow: UnitOfWork) -> None:
    """Remember on the follow which live code brought the customer."""
    way = of_event(uow, event)
    if way is None:
        return
    follow = customers.ensure_follow(uow, event)
    if follow.contact_way_id is not None and event.occurred_at < follow.started_at:
        return  # late news of an earlier follow between the two
    follow.contact_way_id = way.id
    uow.session.add(follow)


def offer_remark(event: CustomerFetched, uow: UnitOfWork) -> None:
    """Write the live code's customer remark once the nickname is known, unless staff wrote one themselves."""
    staff = StaffUserId(str(event.subject.get("staff", "")))
    follow = customers.find_follow(uow.session, event.corp, staff, event.facts.external_user)
    if follow is None or follow.contact_way_id is None or follow.status != "active":
        return
    way = uow.session.get(ContactWayRow, follow.contact_way_id)
    untouched = follow.remark in ("", event.facts.name)
    if way is None or not way.customer_remark or not untouched:
        return
    outbox.add(
        uow,
        outbox.SET_REMARK,
        corp=event.corp,
        app=event.app,
        payload={
            "staff": staff,
            "external_user": event.facts.external_user,
            "fields": {"remark": with_nickname(way.customer_remark, event.facts.name)[:REMARK_CHARS]},
        },
        dedupe_key=f"remark:{follow.id}:{way.id}:{int(follow.started_at.timestamp())}",
    )


def of_event(uow: UnitOfWork, event: FollowStarted | FollowHalfStarted) -> ContactWayRow | None:
    """The live code that this event's customer scanned; looked up once per unit."""
    if not event.state:
        return None
    key = ("contact_way", event.corp, event.state)
    return uow.remember(key, lambda: find_by_state(uow.session, event.corp, event.state))


_BY_STATE = select(ContactWayRow).where(
    ContactWayRow.corp_id == bindparam("corp"), ContactWayRow.state == bindparam("state")
)


def find_by_state(session: Session, corp: CorpId, state: str) -> ContactWayRow | None:
    """The live code that a callback's state belongs to."""
    if not state:
        return None
    return session.exec(_BY_STATE, params={"corp": corp, "state": state}).first()


def get(session: Session, corp: CorpId, contact_way_id: int) -> ContactWayRow:
    """One live code of this corp. Raises: NotFound."""
    row = session.get(ContactWayRow, contact_way_id)
    if row is None or row.corp_id != corp:
        raise NotFound("没有这个活码")
    return row


def listing(
    session: Session, corp: CorpId, *, words: str = "", before_id: int = 0, limit: int = 50
) -> list[ContactWayRow]:
    """Live codes, newest first; ``before_id`` is the last id already shown."""
    statement = select(ContactWayRow).where(ContactWayRow.corp_id == corp, ContactWayRow.status != "deleted")
    if words:
        statement = statement.where(col(ContactWayRow.name).icontains(words, autoescape=True))
    if before_id:
        statement = statement.where(col(ContactWayRow.id) < before_id)
    return list(session.exec(statement.order_by(col(ContactWayRow.id).desc()).limit(limit)))


def live_welcomes(session: Session, corp: CorpId) -> list[dict[str, Any]]:
    """The greetings of codes that are, or will be, in use; in stored form."""
    rows = session.exec(
        select(ContactWayRow.welcome).where(
            ContactWayRow.corp_id == corp, col(ContactWayRow.status).in_(("creating", "active"))
        )
    )
    return [dict(welcome) for welcome in rows if welcome]


def customer_counts(session: Session, corp: CorpId, ids: list[int]) -> dict[int, int]:
    """How many follows each live code brought."""
    rows = session.exec(
        select(FollowRow.contact_way_id, func.count())
        .where(FollowRow.corp_id == corp, col(FollowRow.contact_way_id).in_(ids))
        .group_by(col(FollowRow.contact_way_id))
    ).all()
    return {int(way): count for way, count in rows if way is not None}


def of_follow(
    session: Session, corp: CorpId, staff: StaffUserId, external_user: ExternalUserId
) -> ContactWayRow | None:
    """The live code that led this customer to this staff member."""
    follow = customers.find_follow(session, corp, staff, external_user)
    return (
        None if follow is None or follow.contact_way_id is None else session.get(ContactWayRow, follow.contact_way_id)
    )
