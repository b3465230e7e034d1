"""What people do to any list: choose its columns, keep its filters under a name."""

from flask import request
from flask.typing import ResponseReturnValue

from bot.console.list_specs import SPECS
from bot.console.list_state import ListSpec, ListState
from bot.console.room import room
from bot.console.views import page, visitor
from crm_core import saved_lists
from crm_core.errors import NotFound

SHARE_PERMISSION = "tags.write"
DONE = ("", 204, {"HX-Refresh": "true"})


def _spec(key: str) -> ListSpec:
    found = SPECS.get(key)
    if found is None or not visitor().allows(found.permission):
        raise NotFound("没有这个列表")
    return found


@page("/lists/<key>/columns", permission="customers.read", methods=("POST",))
def choose_columns(key: str) -> ResponseReturnValue:
    """Remember which columns the visitor wants; the first always stays. Raises: NotFound."""
    spec, who = _spec(key), visitor()
    wanted = set(request.form.getlist("column")) | {spec.columns[0].key}
    chosen = [] if request.form.get("usual") else [one.key for one in spec.columns if one.key in wanted]
    with room().db.unit() as uow:
        saved_lists.choose_columns(uow, who.corp, who.actor, key, chosen)
        uow.commit()
    return DONE


@page("/lists/<key>/saved", permission="customers.read", methods=("POST",))
def save_filter(key: str) -> ResponseReturnValue:
    """Keep the filters under a name. Raises: NotFound, InputInvalid, Conflict."""
    spec, who = _spec(key), visitor()
    state = ListState.of_query(spec, request.form.get("query", ""))
    is_shared = bool(request.form.get("shared"))
    if is_shared:
        who.grant.require(SHARE_PERMISSION)
    with room().db.unit() as uow:
        saved_lists.save(
            uow,
            who.corp,
            who.actor,
            key,
            name=request.form.get("name", ""),
            query=state.query,
            is_shared=is_shared,
        )
        uow.commit()
    return DONE


@page("/lists/<key>/saved/<int:saved_id>/delete", permission="customers.read", methods=("POST",))
def forget_filter(key: str, saved_id: int) -> ResponseReturnValue:
    """Delete a saved filter and show the whole list. Raises: NotFound."""
    spec, who = _spec(key), visitor()
    with room().db.unit() as uow:
        saved_lists.forget(uow, who.corp, who.actor, saved_id, may_drop_shared=who.allows(SHARE_PERMISSION))
        uow.commit()
    return "", 204, {"HX-Redirect": spec.address}
