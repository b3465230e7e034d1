"""What every read model of a request needs: the session, who looks, and what time it is for them."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlmodel import Session

from crm_core.ids import CorpId, StaffUserId
from sidebar.auth import StaffSession
from sidebar.room import Room
from sidebar.sentences import spoken_time


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """One request of one staff member. now: the business clock, aware."""

    room: Room
    session: Session
    who: StaffSession
    now: datetime

    @property
    def corp(self) -> CorpId:
        """The tenant."""
        return self.who.corp

    @property
    def staff(self) -> StaffUserId:
        """The staff member who looks."""
        return self.who.staff

    def spoken(self, moment: datetime | None) -> str:
        """今天 14:05 and the like; "" for no moment."""
        return "" if moment is None else spoken_time(moment, self.now, self.room.zone)

    def midnight(self, *, days: int = 0) -> datetime:
        """The start of today where the company works, or of a day from now."""
        local = self.now.astimezone(self.room.zone).replace(hour=0, minute=0, second=0, microsecond=0)
        return (local + timedelta(days=days)).astimezone(UTC)


def desk_of(room: Room, session: Session, who: StaffSession) -> Desk:
    """The desk of this request."""
    return Desk(room=room, session=session, who=who, now=room.db.clock.now())
