"""What we must do outside: durable calls, written in the same commit as the business change."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Table
from sqlmodel import SQLModel

from crm_core.db import UnitOfWork
from crm_core.ids import AppKey, CorpId
from crm_core.lease import insert_work
from crm_core.tables import JobRow, OutboxRow

OUTBOX: Table = SQLModel.metadata.tables[str(OutboxRow.__tablename__)]
JOBS: Table = SQLModel.metadata.tables[str(JobRow.__tablename__)]


class Repeat(StrEnum):
    """May a call be made again when nobody knows whether it happened?

    safe: a repeat changes nothing. vendor_dedupes: WeCom itself drops an identical repeat within a window.
    never: it stands as ``unknown`` until a query or a person decides.
    """

    SAFE = "safe"
    VENDOR_DEDUPES = "vendor_dedupes"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class OutboundKind:
    """One kind of outside act: its lane, urgency (0 first) and what a repeat would do."""

    name: str
    lane: str
    priority: int
    repeat: Repeat


# The welcome code works once: WeCom answers 41051 to a second use, so a repeat cannot greet twice (doc 92137).
SEND_WELCOME = OutboundKind("send_welcome", "welcome", 0, Repeat.SAFE)
FETCH_CUSTOMER = OutboundKind("fetch_customer", "default", 50, Repeat.SAFE)
MARK_TAG = OutboundKind("mark_tag", "default", 60, Repeat.SAFE)
SET_REMARK = OutboundKind("set_remark", "default", 70, Repeat.SAFE)
FETCH_GROUP = OutboundKind("fetch_group", "default", 80, Repeat.SAFE)
FETCH_TAGS = OutboundKind("fetch_tags", "default", 80, Repeat.SAFE)
SEND_APP_MESSAGE = OutboundKind("send_app_message", "message", 40, Repeat.VENDOR_DEDUPES)
ADD_CONTACT_WAY = OutboundKind("add_contact_way", "single", 30, Repeat.NEVER)
UPDATE_CONTACT_WAY = OutboundKind("update_contact_way", "default", 30, Repeat.SAFE)
DELETE_CONTACT_WAY = OutboundKind("delete_contact_way", "default", 30, Repeat.SAFE)
# A repeat of add is refused as a double (40071), which tells that the first one worked.
ADD_TAGS = OutboundKind("add_tags", "default", 30, Repeat.SAFE)
EDIT_TAG = OutboundKind("edit_tag", "default", 30, Repeat.SAFE)
DELETE_TAGS = OutboundKind("delete_tags", "default", 30, Repeat.SAFE)
# A second upload of the same bytes only makes a second id.
UPLOAD_MEDIA = OutboundKind("upload_media", "media", 20, Repeat.SAFE)
# 微信客服: WeCom sends a msgid of ours once; a session that was handed on already says so; a code works once.
KF_SEND = OutboundKind("kf_send", "kf", 20, Repeat.SAFE)
KF_MOVE = OutboundKind("kf_move", "kf", 20, Repeat.SAFE)
KF_ON_EVENT = OutboundKind("kf_on_event", "welcome", 5, Repeat.SAFE)
KF_FETCH_CUSTOMERS = OutboundKind("kf_fetch_customers", "default", 80, Repeat.SAFE)
# A card's response code works once.
UPDATE_CARD = OutboundKind("update_card", "message", 30, Repeat.SAFE)
FETCH_INTERCEPT_RULES = OutboundKind("fetch_intercept_rules", "default", 80, Repeat.SAFE)
ADD_INTERCEPT_RULE = OutboundKind("add_intercept_rule", "single", 50, Repeat.NEVER)
UPDATE_INTERCEPT_RULE = OutboundKind("update_intercept_rule", "default", 50, Repeat.SAFE)
DELETE_INTERCEPT_RULE = OutboundKind("delete_intercept_rule", "default", 50, Repeat.SAFE)

LEAST_URGENT = 90
KINDS = {
    kind.name: kind
    for kind in (
        SEND_WELCOME,
        FETCH_CUSTOMER,
        MARK_TAG,
        SET_REMARK,
        FETCH_GROUP,
        FETCH_TAGS,
        SEND_APP_MESSAGE,
        ADD_CONTACT_WAY,
        UPLOAD_MEDIA,
        KF_SEND,
        KF_MOVE,
        KF_ON_EVENT,
        KF_FETCH_CUSTOMERS,
        UPDATE_CARD,
        UPDATE_CONTACT_WAY,
        DELETE_CONTACT_WAY,
        ADD_TAGS,
        EDIT_TAG,
        DELETE_TAGS,
        FETCH_INTERCEPT_RULES,
        ADD_INTERCEPT_RULE,
        UPDATE_INTERCEPT_RULE,
        DELETE_INTERCEPT_RULE,
    )
}


def add(
    uow: UnitOfWork,
    kind: OutboundKind,
    *,
    corp: CorpId,
    app: AppKey,
    payload: dict[str, Any],
    dedupe_key: str,
    deadline_ms: int | None = None,
    delay_ms: int = 0,
    cause: str = "",
    can_wait: bool = False,
) -> int | None:
    """Write down an outside act; it happens after the commit. Answers its id, or None if it is known already.

    deadline_ms: absolute milliseconds UTC; later than that it becomes ``expired`` and is never done.
    can_wait: everything else that is due goes first.
    """
    row_id = insert_work(
        uow.session,
        uow.work_clock,
        OUTBOX,
        {
            "corp_id": corp,
            "app_key": app,
            "dedupe_key": dedupe_key,
            "kind": kind.name,
            "lane": kind.lane,
            "priority": LEAST_URGENT if can_wait else kind.priority,
            "payload": payload,
            "deadline_at": deadline_ms,
            "cause": cause,
        },
        delay_ms=delay_ms,
    )
    if row_id is not None and delay_ms == 0:
        uow.wake(f"outbox:{kind.lane}")
    return row_id


def add_job(
    uow: UnitOfWork,
    kind: str,
    *,
    dedupe_key: str,
    payload: dict[str, Any] | None = None,
    lane: str = "default",
    corp: str = "",
) -> int | None:
    """Write down a piece of inside work. Answers its id, or None if it is known already.

    corp: whose work it is; "" for what serves the whole installation.
    lane: ``task`` for long work that people asked for, so that the clock's short jobs need not wait behind it.
    """
    row_id = insert_work(
        uow.session,
        uow.work_clock,
        JOBS,
        {"corp_id": corp, "dedupe_key": dedupe_key, "kind": kind, "lane": lane, "payload": payload or {}},
    )
    if row_id is not None:
        uow.wake(f"jobs:{lane}")
    return row_id
