"""Callbacks of the local WeCom, as it writes them, parsed by the adapter."""

import pytest

from bot.sandbox import SandboxServer
from bot.sandbox.acts import scan
from bot.sandbox.acts_groups import create_group, dismiss_group, join_group, rename_group
from bot.sandbox.acts_office import (
    add_console_tag,
    add_department,
    add_staff,
    change_staff,
    delete_console_tag,
    enter_app,
    write_to_app,
)
from bot.sandbox.company import new_person
from bot.sandbox.events import Event as SandboxEvent
from bot.sandbox.model import ContactWay
from bot.wecom.parse import parse_callback
from crm_core.events import (
    AppEntered,
    AppMessageReceived,
    DepartmentCreated,
    Event,
    FollowHalfStarted,
    FollowStarted,
    GroupChanged,
    GroupCreated,
    GroupDismissed,
    StaffCreated,
    StaffDeleted,
    StaffUpdated,
    TagCreated,
    TagDeleted,
)
from crm_core.ids import AppKey, CorpId


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> tuple[SandboxServer, list[Event]]:
    """A local WeCom that is not started, and the events the adapter makes of what it would send."""
    server = SandboxServer()
    events: list[Event] = []

    def emit(corp: object, event: SandboxEvent, **_by: object) -> None:
        events.append(
            parse_callback(
                event.inner_xml(server.corp_id, 1_735_700_123).encode(),
                corp=CorpId(server.corp_id),
                app=AppKey("main"),
                received_ms=1,
                key="k",
                expected_tousernames=(server.corp_id,),
            )
        )

    monkeypatch.setattr(server.world, "emit", emit)
    return server, events


def test_what_people_do_becomes_events(told: tuple[SandboxServer, list[Event]]) -> None:
    server, events = told
    world, corp, app = server.world, server.world.corps[server.corp_id], server.app
    way = ContactWay(config_id="c1", seq=1, created=1, type=1, scene=2, state="store_1", user=["zhang.san"])
    guest = new_person(world, "客人")
    adding = scan(world, corp, way, guest)
    scan(world, corp, way, new_person(world, "客人二"), half=True)
    group = create_group(world, corp, "zhang.san", "新群")
    join_group(world, corp, group, guest)
    rename_group(world, corp, group, name="改名", notice=None)
    dismiss_group(world, corp, group)
    tag = add_console_tag(world, corp, "意向程度", "新标签")
    delete_console_tag(world, corp, tag.id)
    add_staff(world, corp, {"userid": "new.comer", "name": "新同事", "departments": [2, 3]})
    change_staff(world, corp, "new.comer", {"name": "老同事"})
    change_staff(world, corp, "new.comer", {"status": 5})
    department = add_department(world, corp, "新部门", 1)
    enter_app(world, corp, app, "LiNa")
    write_to_app(world, corp, app, "LiNa", "查客户 138")

    kinds = [type(event) for event in events]
    for kind in (
        FollowStarted,
        FollowHalfStarted,
        GroupCreated,
        GroupChanged,
        GroupDismissed,
        TagCreated,
        TagDeleted,
        StaffCreated,
        StaffUpdated,
        StaffDeleted,
        DepartmentCreated,
        AppEntered,
        AppMessageReceived,
    ):
        assert kind in kinds, kind
    added = next(event for event in events if isinstance(event, FollowStarted))
    assert (added.staff, added.state, added.welcome_code) == ("zhang.san", "store_1", adding.follow.welcome_code)
    assert added.external_user == adding.follow.external_userid
    made = next(event for event in events if isinstance(event, DepartmentCreated))
    assert (made.dept_id, made.name) == (department.id, "新部门")
    wrote = next(event for event in events if isinstance(event, AppMessageReceived))
    assert (wrote.staff, wrote.text, wrote.agent_id) == ("LiNa", "查客户 138", str(app.agentid))
    joined = next(event for event in events if isinstance(event, GroupChanged))
    assert joined.member_ids == (adding.follow.external_userid,)
