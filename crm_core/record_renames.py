"""A changed userid, carried through everything its bearer wrote down."""

from crm_core import custom_fields, group_records, page_layouts, reminders
from crm_core.db import UnitOfWork
from crm_core.events import StaffUpdated


def rename_staff(event: StaffUpdated, uow: UnitOfWork) -> None:
    """Reminders, fields that name people, group notes and tags, and arranged pages go on under the new userid."""
    for rename in (
        reminders.rename_staff,
        custom_fields.rename_staff,
        group_records.rename_staff,
        page_layouts.rename_staff,
    ):
        rename(event, uow)
