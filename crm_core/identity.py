"""One ID: which external users are one customer."""

from sqlalchemy import bindparam, update
from sqlmodel import Session, col, select

from crm_core.db import UnitOfWork
from crm_core.errors import Conflict, NotFound
from crm_core.ids import CorpId, CustomerId, ExternalUserId
from crm_core.tables import CustomerMergeRow, CustomerRow, ExternalUserRow, IdentityRow

EXTERNAL, UNIONID, MOBILE = "external", "unionid", "mobile"
PERSON, KEPT_APART = "person", "kept_apart"  # reasons of merges that a person decided


def resolve(uow: UnitOfWork, corp: CorpId, external_user: ExternalUserId) -> CustomerId:
    """The customer behind this external user; made on first sight. Holds a lock on the pair until commit."""
    uow.lock(f"external:{corp}:{external_user}")
    known = _holder(uow.session, EXTERNAL, corp, external_user)
    if known is not None:
        return known
    customer = CustomerRow(corp_id=corp, created_at=uow.now())
    uow.session.add(customer)
    uow.session.flush()
    uow.session.add(IdentityRow(kind=EXTERNAL, corp_id=corp, value=external_user, customer_id=customer.id or 0))
    return CustomerId(customer.id or 0)


def learn(uow: UnitOfWork, corp: CorpId, customer: CustomerId, kind: str, value: str) -> CustomerId:
    """Remember that ``customer`` goes by this unionid or mobile.

    If another customer holds it already, the two are merged into the older one and its id is answered. A mobile
    never merges customers whose unionids differ: families share phones. A merge that a person took back is not
    repeated.
    """
    uow.lock(f"{kind}:{value}")
    holder = _holder(uow.session, kind, "", value)
    if holder is None:
        uow.session.add(IdentityRow(kind=kind, corp_id="", value=value, customer_id=customer))
        uow.session.flush()
        return customer
    if holder == customer or (kind == MOBILE and _unionids_differ(uow.session, holder, customer)):
        return customer
    kept, merged = CustomerId(min(holder, customer)), CustomerId(max(holder, customer))
    return customer if was_undone(uow.session, kept, merged) else _merge(uow, corp, kept, merged, kind)


def merge_by_person(uow: UnitOfWork, corp: CorpId, left: CustomerId, right: CustomerId) -> int:
    """A person says that these two are one customer. Answers the merge's id. Raises: Conflict (one already)."""
    if left == right:
        raise Conflict("这两位已经是同一位客户")
    kept, merged = CustomerId(min(left, right)), CustomerId(max(left, right))
    _merge(uow, corp, kept, merged, PERSON)
    newest = select(CustomerMergeRow.id).where(CustomerMergeRow.kept_id == kept, CustomerMergeRow.merged_id == merged)
    return uow.session.exec(newest.order_by(col(CustomerMergeRow.id).desc())).first() or 0


def keep_apart(uow: UnitOfWork, corp: CorpId, left: CustomerId, right: CustomerId) -> None:
    """A person says that these two are not one customer: nothing will merge them or suggest it again."""
    kept, merged = CustomerId(min(left, right)), CustomerId(max(left, right))
    if kept == merged or was_undone(uow.session, kept, merged):
        return
    uow.session.add(
        CustomerMergeRow(
            corp_id=corp,
            kept_id=kept,
            merged_id=merged,
            reason=KEPT_APART,
            moved={"identities": [], "external_users": []},
            merged_at=uow.now(),
            undone_at=uow.now(),
        )
    )


def undo_merge(uow: UnitOfWork, merge_id: int) -> None:
    """Take a merge back: the identities and external users it moved return. Raises: NotFound, Conflict."""
    merge = uow.session.get(CustomerMergeRow, merge_id)
    if merge is None:
        raise NotFound("没有这次合并记录")
    if merge.undone_at is not None:
        raise Conflict("这次合并已经撤销过")
    holder = _last_of(uow.session, merge.kept_id)  # what another undo gave back since is elsewhere and stays there
    for identity_id in merge.moved["identities"]:
        here = (col(IdentityRow.id) == identity_id) & (col(IdentityRow.customer_id) == holder)
        _move(uow.session, IdentityRow, here, merge.merged_id)
    for corp, external_user in merge.moved["external_users"]:
        here = (col(ExternalUserRow.corp_id) == corp) & (col(ExternalUserRow.external_userid) == external_user)
        _move(uow.session, ExternalUserRow, here & (col(ExternalUserRow.customer_id) == holder), merge.merged_id)
    uow.session.execute(update(CustomerRow).where(col(CustomerRow.id) == merge.merged_id).values(merged_into=None))
    merge.undone_at = uow.now()
    uow.session.add(merge)


def _merge(uow: UnitOfWork, corp: CorpId, kept: CustomerId, merged: CustomerId, reason: str) -> CustomerId:
    session = uow.session
    identities = list(session.exec(select(IdentityRow.id).where(IdentityRow.customer_id == merged)))
    users = list(
        session.exec(
            select(ExternalUserRow.corp_id, ExternalUserRow.external_userid).where(
                ExternalUserRow.customer_id == merged
            )
        )
    )
    session.add(
        CustomerMergeRow(
            corp_id=corp,
            kept_id=kept,
            merged_id=merged,
            reason=reason,
            moved={"identities": identities, "external_users": [list(user) for user in users]},
            merged_at=uow.now(),
        )
    )
    _move(session, IdentityRow, col(IdentityRow.customer_id) == merged, kept)
    _move(session, ExternalUserRow, col(ExternalUserRow.customer_id) == merged, kept)
    session.execute(update(CustomerRow).where(col(CustomerRow.id) == merged).values(merged_into=kept))
    session.flush()
    return kept


def _move(session: Session, table: type, where: object, customer_id: int) -> None:
    session.execute(update(table).where(where).values(customer_id=customer_id))  # type: ignore[arg-type]


def _last_of(session: Session, customer: int) -> int:
    """The customer that this one has become through later merges."""
    while (into := session.exec(select(CustomerRow.merged_into).where(CustomerRow.id == customer)).one()) is not None:
        customer = into
    return customer


def was_undone(session: Session, kept: CustomerId, merged: CustomerId) -> bool:
    """Whether a person took back, or ruled out, that these two are one. kept: the smaller id."""
    undone = select(CustomerMergeRow.id).where(
        CustomerMergeRow.kept_id == kept,
        CustomerMergeRow.merged_id == merged,
        col(CustomerMergeRow.undone_at).is_not(None),
    )
    return session.exec(undone).first() is not None


_HOLDER = select(IdentityRow.customer_id).where(
    IdentityRow.kind == bindparam("kind"),
    IdentityRow.corp_id == bindparam("corp"),
    IdentityRow.value == bindparam("value"),
)


def _holder(session: Session, kind: str, corp: str, value: str) -> CustomerId | None:
    found = session.exec(_HOLDER, params={"kind": kind, "corp": corp, "value": value}).first()
    return None if found is None else CustomerId(found)


def _unionids_differ(session: Session, left: CustomerId, right: CustomerId) -> bool:
    rows = session.exec(
        select(IdentityRow.customer_id, IdentityRow.value).where(
            IdentityRow.kind == UNIONID, col(IdentityRow.customer_id).in_([left, right])
        )
    ).all()
    of_left = {value for customer, value in rows if customer == left}
    of_right = {value for customer, value in rows if customer == right}
    return bool(of_left and of_right and not of_left & of_right)
