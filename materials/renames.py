"""A changed userid, carried through everything of this room that hangs on it."""

from crm_core.db import UnitOfWork
from crm_core.events import StaffUpdated
from materials import favourites, library, personal_scripts, radar


def rename_staff(event: StaffUpdated, uow: UnitOfWork) -> None:
    """Favourites, one's own scripts, sent materials and the radar go on under the new userid."""
    for rename in (favourites.rename_staff, personal_scripts.rename_staff, library.rename_staff, radar.rename_staff):
        rename(event, uow)
