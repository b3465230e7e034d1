"""Customer groups: the list and each one's members."""

from typing import Any

from flask import render_template, request
from flask.typing import ResponseReturnValue

from bot.console import lists
from bot.console.access import NO_GROUP, looking
from bot.console.list_specs import GROUPS
from bot.console.list_state import ListState
from bot.console.room import room
from bot.console.views import page
from crm_core import group_list, staff
from crm_core.errors import NotFound
from crm_core.group_list import GroupFilter
from crm_core.listing import Listed

MOST_MEMBERS = 1000


@page("/groups", permission="groups.read")
def groups_page() -> ResponseReturnValue:
    """Groups that somebody in sight owns or is inside."""
    state = ListState.of(GROUPS, request.args)
    with looking() as sight:
        wanted = GroupFilter(
            words=state.one("q"), owner=state.one("owner"), status=state.one("status"), visible=sight.visible
        )
        now, zone = room().db.clock.now(), room().zone
        found: Listed[Any] = group_list.page(sight.session, sight.corp, wanted, now=now, zone=zone, cursor=state.after)
        people = [
            (row.userid, row.name or row.userid)
            for row in staff.listing(sight.session, sight.corp)
            if sight.visible is None or row.userid in sight.visible
        ]
    choices = {"owner": people, "status": [("active", "正常"), ("dismissed", "已解散")]}
    return lists.show("console/groups.html", state, found, choices=choices)


@page("/groups/<chat>", permission="groups.read")
def group_page(chat: str) -> str:
    """One group with its members. Raises: NotFound."""
    with looking() as sight:
        known = sight.group(chat)
        line = group_list.read(sight.session, sight.corp, known, now=room().db.clock.now(), zone=room().zone)
        if line is None:
            raise NotFound(NO_GROUP)
        members = group_list.members(sight.session, sight.corp, known, limit=MOST_MEMBERS)
        may_open = {one.member_id for one in members if one.is_customer and sight.sees(one.member_id)}
    return render_template("console/group.html", group=line, members=members, may_open=may_open)
