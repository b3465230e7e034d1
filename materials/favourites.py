"""Scripts a staff member keeps at hand (收藏)."""

from sqlalchemy import update
from sqlmodel import Session, col, delete, select

from crm_core.db import UnitOfWork
from crm_core.events import StaffUpdated
from crm_core.ids import CorpId, StaffUserId
from materials import service
from materials.model import Script
from materials.tables import ScriptFavouriteRow

MOST_SHOWN = 100


def mark(uow: UnitOfWork, corp: CorpId, staff: StaffUserId, script_id: int, *, wanted: bool) -> None:
    """Keep a script at hand, or no longer; twice changes nothing. Raises: NotFound (also when not theirs to see)."""
    service.get(uow.session, corp, script_id, viewer=staff)
    row = uow.session.get(ScriptFavouriteRow, (corp, staff, script_id))
    if wanted and row is None:
        uow.session.add(ScriptFavouriteRow(corp_id=corp, staff_userid=staff, script_id=script_id, added_at=uow.now()))
    elif not wanted and row is not None:
        uow.session.delete(row)
    uow.session.flush()


def marked(session: Session, corp: CorpId, staff: StaffUserId) -> set[int]:
    """Ids of the scripts a staff member keeps at hand."""
    return set(
        session.exec(
            select(ScriptFavouriteRow.script_id).where(
                ScriptFavouriteRow.corp_id == corp, ScriptFavouriteRow.staff_userid == staff
            )
        )
    )


def listing(session: Session, corp: CorpId, staff: StaffUserId) -> list[Script]:
    """The scripts a staff member keeps at hand and may still see, the newest mark first."""
    ids = session.exec(
        select(ScriptFavouriteRow.script_id)
        .where(ScriptFavouriteRow.corp_id == corp, ScriptFavouriteRow.staff_userid == staff)
        .order_by(col(ScriptFavouriteRow.added_at).desc(), col(ScriptFavouriteRow.script_id))
        .limit(MOST_SHOWN)
    ).all()
    return service.several(session, corp, ids, viewer=staff)


def rename_staff(event: StaffUpdated, uow: UnitOfWork) -> None:
    """A changed userid keeps its favourites; a mark that the new one set too stays single."""
    if event.new_staff is None or event.new_staff == event.staff:
        return
    doubled = marked(uow.session, event.corp, event.new_staff)
    of_old = (col(ScriptFavouriteRow.corp_id) == event.corp, col(ScriptFavouriteRow.staff_userid) == event.staff)
    uow.session.execute(delete(ScriptFavouriteRow).where(*of_old, col(ScriptFavouriteRow.script_id).in_(doubled)))
    uow.session.execute(update(ScriptFavouriteRow).where(*of_old).values(staff_userid=event.new_staff))
