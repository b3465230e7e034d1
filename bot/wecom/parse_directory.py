"""Members, departments and directory tags (protocol notes 2.4), and suite command callbacks. Pure.

Source: protocol notes 1.1 (suite), 2.4 (directory).
"""

from bot.wecom.element import Element
from bot.wecom.stamp import ENVELOPE, Stamp, staff_of
from crm_core.events import (
    DepartmentCreated,
    DepartmentDeleted,
    DepartmentUpdated,
    DirectoryTagChanged,
    StaffCreated,
    StaffDeleted,
    StaffUpdated,
    SuiteNotified,
)
from crm_core.ids import StaffUserId

SUITE_ENVELOPE = frozenset({"InfoType", "SuiteId", "TimeStamp"})


def staff_created(stamp: Stamp, body: Element) -> StaffCreated:
    """create_user; newer callback set-ups tell no more than UserID and Department."""
    return StaffCreated(**stamp, staff=staff_of(body), fields=body.plain(ENVELOPE | {"UserID"}))


def staff_updated(stamp: Stamp, body: Element) -> StaffUpdated:
    """update_user; only changed fields are there."""
    renamed = body.text("NewUserID")
    return StaffUpdated(
        **stamp,
        staff=staff_of(body),
        new_staff=StaffUserId(renamed) if renamed else None,
        fields=body.plain(ENVELOPE | {"UserID", "NewUserID"}),
    )


def staff_deleted(stamp: Stamp, body: Element) -> StaffDeleted:
    """delete_user."""
    return StaffDeleted(**stamp, staff=staff_of(body))


def department_created(stamp: Stamp, body: Element) -> DepartmentCreated:
    """create_party."""
    return DepartmentCreated(
        **stamp,
        dept_id=body.need_number("Id"),
        name=body.text("Name") or None,
        parent_id=body.number("ParentId"),
        sort_order=body.number("Order"),
    )


def department_updated(stamp: Stamp, body: Element) -> DepartmentUpdated:
    """update_party; name and parent only when they changed."""
    return DepartmentUpdated(
        **stamp,
        dept_id=body.need_number("Id"),
        name=body.text("Name") or None,
        parent_id=body.number("ParentId"),
    )


def department_deleted(stamp: Stamp, body: Element) -> DepartmentDeleted:
    """delete_party."""
    return DepartmentDeleted(**stamp, dept_id=body.need_number("Id"))


def directory_tag_changed(stamp: Stamp, body: Element) -> DirectoryTagChanged:
    """update_tag."""
    return DirectoryTagChanged(
        **stamp,
        tag_id=body.need("TagId"),
        added_staff=body.parts("AddUserItems"),
        removed_staff=body.parts("DelUserItems"),
        added_departments=body.parts("AddPartyItems"),
        removed_departments=body.parts("DelPartyItems"),
    )


def suite_notified(stamp: Stamp, body: Element) -> SuiteNotified:
    """A command callback of any InfoType."""
    return SuiteNotified(
        **stamp,
        info_type=body.need("InfoType"),
        suite_id=body.text("SuiteId"),
        fields=body.plain(SUITE_ENVELOPE),
    )
