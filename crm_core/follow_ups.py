"""Follow-up records (跟进记录): what a staff member did or learnt, with the next contact. They live on the timeline."""

from dataclasses import dataclass
from datetime import datetime

from crm_core import customers, reminders, timeline
from crm_core.db import UnitOfWork
from crm_core.errors import InputInvalid
from crm_core.ids import AppKey, CorpId, ExternalUserId, StaffUserId

MOST_CHARS = 500
KIND = "follow_up.recorded"


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUpForm:
    """What the sheet holds. stage: the stage to be in afterwards; next_contact: None when nothing is planned."""

    key: str
    stage: str
    text: str = ""
    next_contact: datetime | None = None


def record(
    uow: UnitOfWork,
    *,
    corp: CorpId,
    app: AppKey,
    staff: StaffUserId,
    external_user: ExternalUserId,
    form: FollowUpForm,
) -> None:
    """Change the stage, write down the record and plan the next contact, in one go and once per ``form.key``.

    The text may be missing when the stage changes or a contact is planned. Raises: InputInvalid, NotFound.
    """
    text = form.text.strip()
    if len(text) > MOST_CHARS:
        raise InputInvalid(f"跟进内容最多 {MOST_CHARS} 个字", field="text")
    if (text or form.next_contact) and not _append(uow, corp, staff, external_user, form, text):
        return  # said before: the same tap reached us twice
    moved = customers.change_stage(uow, corp, external_user, stage=form.stage, staff=staff)
    if not (text or form.next_contact or moved):
        raise InputInvalid("请写下跟进内容，或换一个阶段", field="text")
    if form.next_contact is not None:
        reminders.remind(
            uow,
            corp=corp,
            app=app,
            staff=staff,
            external_user=external_user,
            due_at=form.next_contact,
            note=text[: reminders.MOST_NOTE_CHARS] or "联系客户",
            key=f"follow_up:{form.key}",
        )


def _append(
    uow: UnitOfWork, corp: CorpId, staff: StaffUserId, external_user: ExternalUserId, form: FollowUpForm, text: str
) -> bool:
    return timeline.append(
        uow,
        corp=corp,
        external_user=external_user,
        staff=staff,
        kind=KIND,
        at=uow.now(),
        dedupe_key=f"{KIND}:{staff}:{form.key}",
        data={"text": text, "next_contact": form.next_contact.isoformat() if form.next_contact else ""},
    )
