"""How each staff member arranged a page: an order and what is folded. What the words mean is the page's business."""

from typing import Any

from sqlalchemy import update
from sqlmodel import Session, col, select

from crm_core.db import UnitOfWork
from crm_core.events import StaffUpdated
from crm_core.ids import CorpId, StaffUserId
from crm_core.record_tables import PageLayoutRow


def layout_of(session: Session, corp: CorpId, staff: StaffUserId, page: str) -> dict[str, Any]:
    """What the staff member kept for this page, {} when nothing."""
    row = session.get(PageLayoutRow, (corp, staff, page))
    return dict(row.layout) if row is not None else {}


def keep(uow: UnitOfWork, corp: CorpId, staff: StaffUserId, page: str, layout: dict[str, Any]) -> None:
    """Remember an arrangement; the one before is forgotten."""
    uow.lock(f"page_layout:{corp}:{staff}:{page}")
    uow.session.merge(PageLayoutRow(corp_id=corp, staff_userid=staff, page=page, layout=layout, changed_at=uow.now()))
    uow.session.flush()


def rename_staff(event: StaffUpdated, uow: UnitOfWork) -> None:
    """A changed userid keeps its arrangements; what the new one arranged already stands."""
    if event.new_staff is None or event.new_staff == event.staff:
        return
    of_old = select(PageLayoutRow).where(PageLayoutRow.corp_id == event.corp, PageLayoutRow.staff_userid == event.staff)
    for row in uow.session.exec(of_old):
        if uow.session.get(PageLayoutRow, (event.corp, event.new_staff, row.page)) is not None:
            uow.session.delete(row)
    uow.session.flush()
    uow.session.execute(
        update(PageLayoutRow)
        .where(col(PageLayoutRow.corp_id) == event.corp, col(PageLayoutRow.staff_userid) == event.staff)
        .values(staff_userid=event.new_staff)
    )
