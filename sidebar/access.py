"""The only door to a customer. What the page says about who is chatting is not to be trusted."""

from sqlmodel import Session

from crm_core import customers
from crm_core.errors import NotFound
from crm_core.ids import ExternalUserId
from sidebar.auth import StaffSession

MOST_ID_CHARS = 128
MISSING = "没有找到这位客户。如果是刚添加的，资料还在同步，请稍后重试"


def access_customer(session: Session, signed_in: StaffSession, external_user: str) -> ExternalUserId:
    """The customer's id, once the staff member is known to have (or have had) a follow with them.

    Raises: NotFound, for a customer that is not there and for one of somebody else alike.
    """
    wanted = ExternalUserId(external_user)
    if not wanted or len(wanted) > MOST_ID_CHARS:
        raise NotFound(MISSING)
    if customers.find_follow(session, signed_in.corp, signed_in.staff, wanted) is None:
        raise NotFound(MISSING)
    return wanted
