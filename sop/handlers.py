"""What the SOP room does when something happens."""

from sqlalchemy import update
from sqlmodel import col

from crm_core import customers
from crm_core.db import UnitOfWork
from crm_core.events import (
    CustomerFetched,
    FollowEndedByCustomer,
    FollowEndedByStaff,
    FollowStarted,
    StaffUpdated,
)
from crm_core.ids import StaffUserId
from sop.engine import SopEngine
from sop.tables import EnrolmentRow, StepRunRow


class SopReactions:
    """Event handlers bound to one engine."""

    def __init__(self, engine: SopEngine) -> None:
        self._engine = engine

    def enrol_new_follow(self, event: FollowStarted, uow: UnitOfWork) -> None:
        """A new follow enters the sops that wait for one, unless it is already over."""
        if customers.ensure_follow(uow, event).status != "active":
            return
        self._engine.enrol(
            uow,
            corp=event.corp,
            app=event.app,
            staff_userid=event.staff,
            external_user=event.external_user,
            trigger="follow_started",
            key=event.key,
        )

    def start_waiting(self, event: CustomerFetched, uow: UnitOfWork) -> None:
        """The customer's name is known: first steps due at once need not wait any longer."""
        staff_userid = StaffUserId(str(event.subject.get("staff", "")))
        self._engine.hurry(uow, event.corp, staff_userid, event.facts.external_user)

    def stop_for_follow(self, event: FollowEndedByStaff | FollowEndedByCustomer, uow: UnitOfWork) -> None:
        """A follow that is over gets no more steps."""
        follow = customers.find_follow(uow.session, event.corp, event.staff, event.external_user)
        if follow is not None and follow.status != "ended" and follow.changed_at > event.occurred_at:
            return
        reason = "客户已删除员工" if isinstance(event, FollowEndedByCustomer) else "员工已删除客户"
        self._engine.stop(uow, event.corp, event.staff, event.external_user, reason=reason)


def rename_staff(event: StaffUpdated, uow: UnitOfWork) -> None:
    """A changed userid is carried through enrolments and todos."""
    if event.new_staff is None:
        return
    for table in (EnrolmentRow, StepRunRow):
        uow.session.execute(
            update(table)
            .where(col(table.corp_id) == event.corp, col(table.staff_userid) == event.staff)
            .values(staff_userid=event.new_staff)
        )
