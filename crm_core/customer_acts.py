"""What the console does to one customer besides what the sidebar does."""

from sqlmodel import Session

from crm_core import outbox
from crm_core.customers import DESCRIPTION_CHARS, REMARK_CHARS, is_following
from crm_core.db import UnitOfWork
from crm_core.errors import InputInvalid, NotFound
from crm_core.ids import AppKey, CorpId, ExternalUserId, StaffUserId
from crm_core.tables import ExternalUserRow


def stage_of(session: Session, corp: CorpId, external_user: ExternalUserId) -> str:
    """The customer's lifecycle stage. Raises: NotFound."""
    row = session.get(ExternalUserRow, (corp, external_user))
    if row is None:
        raise NotFound("客户不存在")
    return row.lifecycle_stage


def ask_remark(
    uow: UnitOfWork,
    *,
    corp: CorpId,
    app: AppKey,
    staff: StaffUserId,
    external_user: ExternalUserId,
    remark: str,
    description: str,
    key: str,
) -> None:
    """Have remark and description of a follow written at WeCom; its callback brings them back to us.

    Raises: NotFound (no such contact), InputInvalid naming the field.
    """
    if not is_following(uow.session, corp, staff, external_user):
        raise NotFound("这位员工与客户已不是好友，不能改备注")
    if len(remark) > REMARK_CHARS:
        raise InputInvalid(f"备注最多 {REMARK_CHARS} 个字", field="remark")
    if len(description) > DESCRIPTION_CHARS:
        raise InputInvalid(f"描述最多 {DESCRIPTION_CHARS} 个字", field="description")
    outbox.add(
        uow,
        outbox.SET_REMARK,
        corp=corp,
        app=app,
        payload={
            "staff": staff,
            "external_user": external_user,
            "fields": {"remark": remark, "description": description},
        },
        dedupe_key=f"remark:{key}",
    )
