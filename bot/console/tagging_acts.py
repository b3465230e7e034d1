"""Tags on a customer rather than on a follow: which follows they go on and come off."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from crm_core import customer_list
from crm_core.db import UnitOfWork
from crm_core.errors import InputInvalid
from crm_core.ids import AppKey, CorpId, ExternalUserId, StaffUserId
from tagging import holders
from tagging import service as tagging


@dataclass(frozen=True, slots=True, kw_only=True)
class Marked:
    """What was asked of WeCom for one customer: tags by staff member."""

    added: dict[str, list[str]]
    removed: dict[str, list[str]]

    @property
    def is_nothing(self) -> bool:
        """Whether everything was so already."""
        return not self.added and not self.removed


def mark(
    uow: UnitOfWork,
    *,
    corp: CorpId,
    app: AppKey,
    external_user: ExternalUserId,
    visible: AbstractSet[str] | None,
    key: str,
    add: Sequence[str] = (),
    remove: Sequence[str] = (),
    add_on: str = "",
) -> Marked:
    """Put tags that no follow in sight carries on the longest one (or on ``add_on``'s), take others off all of them.

    Raises: InputInvalid (nobody in sight is still a contact), NotFound (no such tag).
    """
    followers = customer_list.follows_of(uow.session, corp, [external_user], visible)[external_user]
    if not followers:
        raise InputInvalid("没有您可操作的好友关系，企业微信不允许给已流失的客户打标签")
    carried = holders.carried(uow.session, corp, external_user, [*add, *remove], visible)
    known = set().union(*carried.values()) if carried else set()
    wanted = {add_on or followers[0]: [tag for tag in add if tag not in known]}
    off = {staff: [tag for tag in remove if tag in tags] for staff, tags in carried.items() if staff in followers}
    done = Marked(added={}, removed={})
    for staff in dict.fromkeys([*wanted, *off]):
        adding, removing = wanted.get(staff, []), off.get(staff, [])
        if not adding and not removing:
            continue
        is_new = tagging.request_marks(
            uow,
            corp=corp,
            app=app,
            staff=StaffUserId(staff),
            external_user=external_user,
            add=adding,
            remove=removing,
            source="staff",
            dedupe_key=f"{key}:{staff}:{external_user}",
        )
        if is_new and adding:
            done.added[staff] = adding
        if is_new and removing:
            done.removed[staff] = removing
    return done
