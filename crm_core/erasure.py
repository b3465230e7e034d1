"""A person's right to their data (PIPL 44-47): hand it out, erase it, and not take it in again by a sync.

What remains after erasing are rows without a name under a random pseudonym, so that counts of the past stay true.
"""

import secrets
from typing import Any

from sqlalchemy import Text, cast, delete, update
from sqlmodel import Session, col, select

from crm_core import audit, customer_acts
from crm_core.console_tables import ErasureRow, TaskItemRow
from crm_core.db import UnitOfWork
from crm_core.erased import token_of
from crm_core.ids import CorpId, ExternalUserId
from crm_core.kf_tables import KfCustomerRow, KfSessionRow
from crm_core.lease import WorkState
from crm_core.outbox import JOBS, OUTBOX
from crm_core.record_tables import CustomerMobileRow, CustomValueRow, ReminderRow
from crm_core.sensitive_tables import SensitiveHitRow
from crm_core.tables import (
    AuditRow,
    CustomerMergeRow,
    ExternalUserRow,
    FollowRow,
    GroupMemberRow,
    IdentityRow,
    TimelineRow,
)

NOBODY = "已抹除的客户"
RECORDS: dict[str, Any] = {
    "fields": CustomValueRow,
    "mobiles": CustomerMobileRow,
    "reminders": ReminderRow,
    "kf_customer": KfCustomerRow,
}


def gather(session: Session, corp: CorpId, external_user: ExternalUserId) -> dict[str, Any]:
    """All this room holds about one external user, as plain values."""
    user = session.get(ExternalUserRow, (corp, external_user))
    customer = user.customer_id if user is not None else 0

    def rows(table: Any, *where: Any) -> list[dict[str, Any]]:
        return [row.model_dump(mode="json") for row in session.exec(select(table).where(*where))]

    return {
        "external_user": user.model_dump(mode="json") if user is not None else None,
        "identities": rows(IdentityRow, IdentityRow.customer_id == customer),
        "follows": rows(FollowRow, FollowRow.corp_id == corp, FollowRow.external_userid == external_user),
        "groups": rows(GroupMemberRow, GroupMemberRow.corp_id == corp, GroupMemberRow.member_id == external_user),
        "kf_sessions": rows(KfSessionRow, KfSessionRow.corp_id == corp, KfSessionRow.external_userid == external_user),
        "timeline": rows(TimelineRow, TimelineRow.corp_id == corp, TimelineRow.external_userid == external_user),
    } | {
        name: rows(table, table.corp_id == corp, table.external_userid == external_user)
        for name, table in RECORDS.items()
    }


def erase(uow: UnitOfWork, corp: CorpId, external_user: ExternalUserId, *, actor: str) -> str:
    """Erase what this room holds; answers the pseudonym under which the counts go on. Raises: NotFound."""
    customer_acts.stage_of(uow.session, corp, external_user)
    pseudonym = f"erased-{secrets.token_hex(8)}"
    uow.session.add(
        ErasureRow(
            corp_id=corp,
            token=token_of(corp, external_user),
            pseudonym=pseudonym,
            erased_at=uow.now(),
            erased_by=actor,
        )
    )
    _drop_identities(uow.session, corp, external_user)
    _blank_rows(uow, corp, external_user, pseudonym)
    for table in RECORDS.values():
        of_them = (table.corp_id == corp) & (table.external_userid == external_user)
        uow.session.execute(delete(table).where(of_them))
    _drop_work(uow.session, external_user)
    audit.record(uow, corp=corp, actor=actor, act="customer.erased", object_kind="customer", object_id=pseudonym)
    return pseudonym


def _blank_rows(uow: UnitOfWork, corp: CorpId, external_user: str, pseudonym: str) -> None:
    session = uow.session
    blank = {
        "name": NOBODY,
        "sounds": "",
        "avatar_url": "",
        "unionid": "",
        "corp_name": "",
        "position": "",
        "gender": 0,
    }
    _change(session, ExternalUserRow, corp, "external_userid", external_user, pseudonym, **blank)
    nothing = {
        "remark": "",
        "remark_sounds": "",
        "description": "",
        "remark_corp_name": "",
        "remark_mobiles": [],
        "state": "",
        "status": "ended",
        "ended_by": "staff",
        "ended_at": uow.now(),
        "changed_at": uow.now(),
    }
    _change(session, FollowRow, corp, "external_userid", external_user, pseudonym, **nothing)
    _blank_hits(session, corp, external_user, pseudonym)
    _change(session, GroupMemberRow, corp, "member_id", external_user, pseudonym, name=NOBODY, unionid="")
    _change(session, KfSessionRow, corp, "external_userid", external_user, pseudonym, problem="")
    entries = session.exec(
        select(TimelineRow).where(TimelineRow.corp_id == corp, TimelineRow.external_userid == external_user)
    )
    for entry in entries:
        entry.external_userid, entry.data = pseudonym, {}
        entry.dedupe_key = f"{pseudonym}:{entry.id}"
        session.add(entry)
    session.execute(
        update(AuditRow)
        .where(col(AuditRow.corp_id) == corp, col(AuditRow.object_id) == external_user)
        .values(object_id=pseudonym)
    )
    session.execute(
        update(TaskItemRow)
        .where(col(TaskItemRow.corp_id) == corp, col(TaskItemRow.item) == external_user)
        .values(item=pseudonym, undo={})
    )


def _blank_hits(session: Session, corp: CorpId, external_user: str, pseudonym: str) -> None:
    """Hits count on without their words; what the person said elsewhere, as in groups, loses its words too."""
    blank = {"content": b"", "note": "", "conversation_key": pseudonym}
    _change(session, SensitiveHitRow, corp, "external_userid", external_user, pseudonym, **blank)
    table = SensitiveHitRow
    by_them = (col(table.corp_id) == corp) & (col(table.sender_id) == external_user)
    session.execute(update(table).where(by_them).values(sender_id=pseudonym))


def _change(session: Session, table: Any, corp: CorpId, column: str, before: str, after: str, **values: Any) -> None:
    named = getattr(table, column)
    session.execute(update(table).where(table.corp_id == corp, named == before).values({column: after, **values}))


def _drop_identities(session: Session, corp: CorpId, external_user: str) -> None:
    """The id itself goes; what makes the person known elsewhere goes too when no other record of them is left."""
    user = session.get(ExternalUserRow, (corp, external_user))
    customer = user.customer_id if user is not None else 0
    session.execute(
        delete(IdentityRow).where(
            col(IdentityRow.kind) == "external",
            col(IdentityRow.corp_id) == corp,
            col(IdentityRow.value) == external_user,
        )
    )
    others = select(ExternalUserRow.external_userid).where(
        ExternalUserRow.customer_id == customer, ExternalUserRow.external_userid != external_user
    )
    if session.exec(others).first() is None:
        session.execute(delete(IdentityRow).where(col(IdentityRow.customer_id) == customer))
    kept_or_merged = (col(CustomerMergeRow.kept_id) == customer) | (col(CustomerMergeRow.merged_id) == customer)
    for merge in session.exec(select(CustomerMergeRow).where(kept_or_merged)):
        users = [one for one in merge.moved.get("external_users", []) if one != [corp, external_user]]
        merge.moved = {**merge.moved, "external_users": users}
        session.add(merge)
    session.expire_all()


def _drop_work(session: Session, external_user: str) -> None:
    """Calls and jobs about the person are forgotten, whatever their state; one under way ends by itself."""
    for table in (OUTBOX, JOBS):
        about = cast(table.c.payload, Text).contains(external_user, autoescape=True)
        session.execute(delete(table).where(about, table.c.state != WorkState.LEASED.value))
