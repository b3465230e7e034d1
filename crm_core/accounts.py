"""Which accounts one customer has, which of them a staff member knows, and by which numbers they go."""

from collections.abc import Iterable

from sqlmodel import Session, col, select

from crm_core.db import UnitOfWork
from crm_core.ids import CorpId, ExternalUserId, StaffUserId
from crm_core.record_tables import CustomerMobileRow
from crm_core.tables import ExternalUserRow, FollowRow


def index_mobiles(uow: UnitOfWork, corp: CorpId, external_user: ExternalUserId) -> None:
    """Keep the list by number in step with what all follows of the external user say."""
    follows = uow.session.exec(
        select(FollowRow.remark_mobiles).where(FollowRow.corp_id == corp, FollowRow.external_userid == external_user)
    ).all()
    wanted = {mobile for mobiles in follows for mobile in mobiles if mobile}
    kept = select(CustomerMobileRow).where(
        CustomerMobileRow.corp_id == corp, CustomerMobileRow.external_userid == external_user
    )
    for row in uow.session.exec(kept):
        if row.mobile not in wanted:
            uow.session.delete(row)
        wanted.discard(row.mobile)
    for mobile in sorted(wanted):
        uow.session.add(CustomerMobileRow(corp_id=corp, mobile=mobile, external_userid=external_user))


def accounts_of(
    session: Session, corp: CorpId, staff: StaffUserId, external_user: ExternalUserId
) -> list[ExternalUserId]:
    """The external users that are the same customer and that ``staff`` knows, this one first."""
    own = session.get(ExternalUserRow, (corp, external_user))
    if own is None:
        return [external_user]
    rows = session.exec(
        select(ExternalUserRow.external_userid)
        .join(
            FollowRow,
            (col(FollowRow.corp_id) == ExternalUserRow.corp_id)
            & (col(FollowRow.external_userid) == ExternalUserRow.external_userid),
        )
        .where(
            ExternalUserRow.corp_id == corp,
            ExternalUserRow.customer_id == own.customer_id,
            FollowRow.staff_userid == staff,
        )
        .order_by(ExternalUserRow.external_userid)
    ).all()
    return [external_user, *(ExternalUserId(user) for user in rows if user != external_user)]


def followed_among(session: Session, corp: CorpId, staff: StaffUserId, external_users: Iterable[str]) -> set[str]:
    """Which of these the staff member has, or had, a follow with: those they may open."""
    return set(
        session.exec(
            select(FollowRow.external_userid).where(
                FollowRow.corp_id == corp,
                FollowRow.staff_userid == staff,
                col(FollowRow.external_userid).in_(set(external_users)),
            )
        )
    )
