"""Answering the tags that chats speak for: one tap, and one to take it back."""

from flask import Response

from crm_core import customers
from crm_core.errors import NotAllowed, NotFound
from crm_core.ids import AppKey
from sidebar.room import bp
from sidebar.routes_fragments import new_head
from sidebar.views import customer_unit, visitor
from tagging import suggestion_list, suggestions

ACTS = frozenset({"confirm", "dismiss", "undo", "reopen"})


@bp.post("/customers/<external_userid>/tag-hints/<int:hint_id>/<act>")
def answer_tag_hint(external_userid: str, hint_id: int, act: str) -> Response:
    """Confirm, dismiss, undo or reopen a hint on one's own follow; answers the new head. Raises: NotFound."""
    who = visitor()
    if act not in ACTS:
        raise NotFound("没有这个操作")
    with customer_unit(external_userid) as (uow, external_user):
        hint = suggestion_list.get(uow.session, who.corp, hint_id)
        if (hint.staff, hint.external_user) != (who.staff, external_user):
            raise NotFound("没有这条标签建议")
        if not customers.is_following(uow.session, who.corp, who.staff, external_user):
            raise NotAllowed("好友关系已结束，不能再改标签")
        if act == "confirm":
            suggestions.confirm(uow, who.corp, AppKey(who.app), hint_id, by=who.staff)
        elif act == "undo":
            suggestions.undo(uow, who.corp, AppKey(who.app), hint_id, by=who.staff)
        elif act == "dismiss":
            suggestions.dismiss(uow, who.corp, hint_id, by=who.staff)
        else:
            suggestions.reopen(uow, who.corp, hint_id, by=who.staff)
    return new_head(external_userid)
