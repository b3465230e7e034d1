"""Every gateway method against a real socket: what is sent, to the letter, and what is made of the answer."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.wecom.gateway import HttpWeComGateway
from bot.wecom.gateways import GatewaySet
from crm_core.config import DemoPart
from crm_core.errors import (
    DeadlineMissed,
    InputInvalid,
    WeComNotAllowed,
    WeComRefused,
    WeComThrottled,
    WeComUnavailable,
)
from crm_core.ids import ChatId, ExternalUserId, StaffUserId, TagId, WelcomeCode
from crm_core.ports import (
    Attachment,
    ContactWayRequest,
    CustomerGroupFacts,
    DepartmentFacts,
    FollowFacts,
    Gateways,
    GroupMemberFacts,
    OutboundMessage,
    Page,
    StaffFacts,
    TagFacts,
    TagGroupFacts,
    TagMark,
    WeComGateway,
)
from tests.contract.conftest import CORP, settings_for
from tests.contract.scripted_wecom import Asked, Reply, ScriptedWeCom, ok, refuse

LI, WM = StaffUserId("LiNa"), ExternalUserId("wmA1b2")
C = "externalcontact/"


def test_it_is_what_the_port_says(gateways: GatewaySet) -> None:
    port: Gateways = gateways
    gateway: WeComGateway = port.of(CORP)
    assert (gateway.corp_id, gateway.app_key) == (CORP, "main")


def test_welcome(wecom: ScriptedWeCom, gateway: HttpWeComGateway) -> None:
    message = OutboundMessage(text="您好", attachments=(Attachment(msgtype="image", body={"media_id": "3aBc"}),))
    gateway.send_welcome(WelcomeCode("wc_1"), message)
    assert wecom.last(C + "send_welcome_msg").body == {
        "welcome_code": "wc_1",
        "text": {"content": "您好"},
        "attachments": [{"msgtype": "image", "image": {"media_id": "3aBc"}}],
    }


@pytest.mark.parametrize(("code", "kind"), [(41050, DeadlineMissed), (41051, WeComRefused), (41096, WeComUnavailable)])
def test_welcome_refusals(wecom: ScriptedWeCom, gateway: HttpWeComGateway, code: int, kind: type[Exception]) -> None:
    wecom.answers(C + "send_welcome_msg", refuse(code))
    with pytest.raises(kind):
        gateway.send_welcome(WelcomeCode("wc"), OutboundMessage(text="x"))
    assert wecom.count(C + "send_welcome_msg") == 1


def test_what_cannot_be_sent_costs_no_call(wecom: ScriptedWeCom, gateway: HttpWeComGateway) -> None:
    for act in (
        lambda: gateway.send_welcome(WelcomeCode("wc"), OutboundMessage()),
        lambda: gateway.mark_tag(LI, WM, [], []),
        lambda: gateway.set_remark(LI, WM, {"remark": "好" * 21}),
        lambda: gateway.list_customers_of([], ""),
        lambda: gateway.list_customers_of([StaffUserId(f"u{n}") for n in range(101)], ""),
        lambda: gateway.add_contact_way(ContactWayRequest(staff=(LI,), state="x" * 31)),
        lambda: gateway.send_app_message([], {"msgtype": "text", "text": {"content": "x"}}),
        lambda: gateway.sign_in(""),
    ):
        with pytest.raises(InputInvalid):
            act()
    assert not wecom.asked


def test_mark_tag_leaves_empty_lists_out(wecom: ScriptedWeCom, gateway: HttpWeComGateway) -> None:
    gateway.mark_tag(LI, WM, [TagId("et1")], [])
    assert wecom.last(C + "mark_tag").body == {"userid": "LiNa", "external_userid": "wmA1b2", "add_tag": ["et1"]}


def test_mark_tag_has_its_own_cap(wecom: ScriptedWeCom, gateway: HttpWeComGateway) -> None:
    pacer = gateway.client._pacer
    places = [pacer.enter(CORP, C + "mark_tag") for _ in range(5)]
    for place in places:
        place.__enter__()
    with pytest.raises(WeComThrottled) as told:
        gateway.mark_tag(LI, WM, [TagId("et1")], [])
    assert (told.value.sent, wecom.count(C + "mark_tag")) == (False, 0)
    for place in places:
        place.__exit__(None, None, None)
    gateway.mark_tag(LI, WM, [TagId("et1")], [])


def test_remark(wecom: ScriptedWeCom, gateway: HttpWeComGateway) -> None:
    gateway.set_remark(LI, WM, {"remark": "林女士", "remark_mobiles": ["139"]})
    assert wecom.last(C + "remark").body == {
        "userid": "LiNa",
        "external_userid": "wmA1b2",
        "remark": "林女士",
        "remark_mobiles": ["139"],
    }


CONTACT = {"external_userid": "wmA1b2", "name": "小林", "avatar": "a", "type": 1, "gender": "2", "unionid": "oU9x"}


def test_get_customer_reads_every_page(wecom: ScriptedWeCom, gateway: HttpWeComGateway) -> None:
    tags = [
        {"group_name": "意向", "tag_name": "A类", "tag_id": "etT1", "type": 1},
        {"group_name": "", "tag_name": "老同学", "type": 2},
    ]
    first = {
        "userid": "LiNa",
        "remark": "林女士",
        "createtime": "1717400000",
        "tags": tags,
        "add_way": 999,
        "state": "s",
    }
    wecom.answers(
        C + "get",
        ok(external_contact=CONTACT, follow_user=[first], next_cursor="c2"),
        ok(external_contact=CONTACT, follow_user=[]),
    )
    found = gateway.get_customer(WM)
    assert [asked.query.get("cursor") for asked in wecom.asked[C + "get"]] == [None, "c2"]
    assert (found.name, found.gender, found.unionid) == ("小林", 2, "oU9x")
    assert found.follows == (
        FollowFacts(
            staff=LI,
            remark="林女士",
            created_at=1717400000,
            add_way=999,
            state="s",
            tags=(
                TagMark(kind=1, name="A类", group_name="意向", tag_id=TagId("etT1")),
                TagMark(kind=2, name="老同学"),
            ),
        ),
    )


def test_a_cursor_that_does_not_move_ends(wecom: ScriptedWeCom, gateway: HttpWeComGateway) -> None:
    wecom.answers(C + "get", ok(external_contact=CONTACT, follow_user=[], next_cursor="same"))
    with pytest.raises(WeComUnavailable):
        gateway.get_customer(WM)
    assert wecom.count(C + "get") == 2


@pytest.mark.parametrize("code", [40096, 84061])
def test_get_customer_tells_who_is_gone(wecom: ScriptedWeCom, gateway: HttpWeComGateway, code: int) -> None:
    wecom.answers(C + "get", refuse(code))
    with pytest.raises(WeComRefused) as told:
        gateway.get_customer(WM)
    assert told.value.errcode == code


def test_batch_has_its_own_shape(wecom: ScriptedWeCom, gateway: HttpWeComGateway) -> None:
    info = {"userid": "LiNa", "tag_id": ["et1", "et2"], "createtime": 1}
    wecom.answers(
        C + "batch/get_by_user",
        ok(external_contact_list=[{"external_contact": CONTACT, "follow_info": info}], next_cursor="n"),
    )
    page = gateway.list_customers_of([LI], "")
    assert wecom.last(C + "batch/get_by_user").body == {"userid_list": ["LiNa"], "cursor": "", "limit": 100}
    assert page.next_cursor == "n"
    (follow,) = page.items[0].follows
    assert follow.tag_ids_only
    assert [mark.tag_id for mark in follow.tags] == ["et1", "et2"]
    wecom.answers(C + "batch/get_by_user", refuse(84061, "not external contact"))
    assert gateway.list_customers_of([LI], "") == Page(items=())
    wecom.answers(C + "batch/get_by_user", refuse(50100))
    with pytest.raises(WeComRefused):
        gateway.list_customers_of([LI], "stale")


def test_follow_staff(wecom: ScriptedWeCom, gateway: HttpWeComGateway) -> None:
    wecom.answers(C + "get_follow_user_list", ok(follow_user=["chen.li", "wu.min"]))
    assert gateway.list_follow_staff() == ("chen.li", "wu.min")


def test_external_users_of_one_member(wecom: ScriptedWeCom, gateway: HttpWeComGateway) -> None:
    path = C + "list"
    wecom.answers(path, ok(external_userid=["wm1", "wm2"]))
    assert gateway.list_external_users(LI) == ("wm1", "wm2")
    assert wecom.last(path).query["userid"] == "LiNa"
    wecom.answers(path, refuse(84061))
    assert gateway.list_external_users(LI) == ()


def test_other_refusals_of_listings_are_passed_on(wecom: ScriptedWeCom, gateway: HttpWeComGateway) -> None:
    acts: dict[str, Callable[[], object]] = {
        C + "list": lambda: gateway.list_external_users(LI),
        "user/list": lambda: gateway.list_staff_of(2),
        C + "groupchat/list": lambda: gateway.list_groups(""),
        C + "batch/get_by_user": lambda: gateway.list_customers_of([LI], ""),
        C + "get_contact_way": lambda: gateway.find_contact_way("s", 0),
    }
    wecom.answers(C + "list_contact_way", ok(contact_way=[{"config_id": "c1"}]))
    for path, act in acts.items():
        wecom.answers(path, refuse(60011))
        with pytest.raises(WeComNotAllowed) as told:
            act()
        assert told.value.call == path


def test_answers_without_what_they_promise(wecom: ScriptedWeCom, gateway: HttpWeComGateway) -> None:
    for act in (lambda: gateway.add_contact_way(ContactWayRequest(staff=(LI,))), lambda: gateway.get_customer(WM)):
        with pytest.raises(WeComUnavailable) as told:
            act()
        assert told.value.errcode is None


def test_text_that_is_not_unicode_costs_no_call(wecom: ScriptedWeCom, gateway: HttpWeComGateway) -> None:
    with pytest.raises(InputInvalid):
        gateway.send_welcome(WelcomeCode("wc"), OutboundMessage(text="半个\ud83d"))
    assert wecom.count(C + "send_welcome_msg") == 0


def test_in_the_demo_tickets_age_with_the_turned_clock(wecom: ScriptedWeCom) -> None:
    class Turned:
        hours = 0

        def now(self) -> datetime:
            return datetime(2026, 11, 22, tzinfo=UTC) + timedelta(hours=self.hours)

    clock = Turned()
    settings = settings_for(wecom.base).model_copy(update={"demo": DemoPart(enabled=True)})
    gateways = GatewaySet(settings, clock=clock)
    wecom.answers("get_jsapi_ticket", ok(ticket="a", expires_in=7200), ok(ticket="b", expires_in=7200))
    gateway = gateways.of(CORP)
    assert gateway.jsapi_ticket(for_app=False) == "a"
    clock.hours = 24
    assert gateway.jsapi_ticket(for_app=False) == "b"
    gateways.close()


def test_departments_and_their_short_list(wecom: ScriptedWeCom, gateway: HttpWeComGateway) -> None:
    wecom.answers("department/list", ok(department=[{"id": 2, "name": "杭州", "parentid": 1, "order": "7"}]))
    assert gateway.list_departments() == (DepartmentFacts(dept_id=2, name="杭州", parent_id=1, sort_order=7),)
    wecom.answers("department/list", refuse(48009))
    wecom.answers("department/simplelist", ok(department_id=[{"id": 2, "parentid": 1, "order": 7}]))
    assert gateway.list_departments() == (DepartmentFacts(dept_id=2, parent_id=1, sort_order=7),)
    wecom.answers("department/list", refuse(60020))
    with pytest.raises(Exception, match="IP"):
        gateway.list_departments()


def test_members_and_their_short_list(wecom: ScriptedWeCom, gateway: HttpWeComGateway) -> None:
    full = {"userid": "LiNa", "name": "李娜", "department": [2, 9], "main_department": 9, "status": 4, "alias": "L"}
    wecom.answers("user/list", ok(userlist=[full]))
    assert gateway.list_staff_of(2) == (
        StaffFacts(userid=LI, name="李娜", alias="L", departments=(2, 9), main_department=9, status=4),
    )
    assert wecom.last("user/list").query["department_id"] == "2"
    wecom.answers("user/list", refuse(45029))
    wecom.answers("user/simplelist", ok(userlist=[{"userid": "LiNa", "name": "李娜", "department": [2]}]))
    assert gateway.list_staff_of(2) == (StaffFacts(userid=LI, name="李娜", departments=(2,), main_department=2),)


def group(group_id: str, *tags: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"group_id": group_id, "group_name": f"n-{group_id}", "order": 1, "tag": list(tags), **more}


def tag(tag_id: str, **more: Any) -> dict[str, Any]:
    return {"id": tag_id, "name": f"n-{tag_id}", "order": 2, **more}


def test_tag_library(wecom: ScriptedWeCom, gateway: HttpWeComGateway) -> None:
    wecom.answers(
        C + "get_corp_tag_list",
        ok(tag_group=[group("g1", tag("t1"), tag("t2", deleted=True)), group("g2", deleted=True)]),
    )
    fact = TagFacts(tag_id=TagId("t1"), name="n-t1", sort_order=2)
    assert gateway.list_tag_groups() == (TagGroupFacts(group_id="g1", name="n-g1", sort_order=1, tags=(fact,)),)
    assert wecom.last(C + "get_corp_tag_list").body == {}


def test_named_tags_and_groups_are_two_calls(wecom: ScriptedWeCom, gateway: HttpWeComGateway) -> None:
    wecom.answers(
        C + "get_corp_tag_list",
        ok(tag_group=[group("g1", tag("t1"))]),
        ok(tag_group=[group("g1", tag("t1"), tag("t2")), group("g3", tag("t3"))]),
    )
    found = gateway.list_tag_groups(tag_ids=[TagId("t1")], group_ids=["g1", "g3"])
    assert [asked.body for asked in wecom.asked[C + "get_corp_tag_list"]] == [
        {"tag_id": ["t1"]},
        {"group_id": ["g1", "g3"]},
    ]
    assert [(one.group_id, [tag.tag_id for tag in one.tags]) for one in found] == [
        ("g1", ["t1", "t2"]),
        ("g3", ["t3"]),
    ]


def test_groups_page_by_cursor(wecom: ScriptedWeCom, gateway: HttpWeComGateway) -> None:
    wecom.answers(C + "groupchat/list", ok(group_chat_list=[{"chat_id": "wr1", "status": 0}], next_cursor="c2"))
    assert gateway.list_groups("") == Page(items=("wr1",), next_cursor="c2")
    gateway.list_groups("c2")
    assert wecom.last(C + "groupchat/list").body == {"status_filter": 0, "cursor": "c2", "limit": 1000}


def test_groups_of_a_large_corp_go_by_owner(wecom: ScriptedWeCom, gateway: HttpWeComGateway) -> None:
    owners = [f"u{n:04}" for n in range(150)]
    wecom.answers(C + "get_follow_user_list", ok(follow_user=owners))

    def answer(asked: Asked) -> Reply:
        named = asked.body.get("owner_filter", {}).get("userid_list")
        if named is None:
            return refuse(81017)
        if asked.body["cursor"]:
            return ok(group_chat_list=[{"chat_id": f"wr-{named[0]}-2"}])
        return ok(group_chat_list=[{"chat_id": f"wr-{named[0]}"}], next_cursor="x:y" if named[0] == "u0000" else "")

    wecom.paths[C + "groupchat/list"] = answer
    found: list[str] = []
    cursor = ""
    while True:
        page = gateway.list_groups(cursor)
        found += page.items
        cursor = page.next_cursor
        if not cursor:
            break
    assert found == ["wr-u0000", "wr-u0000-2", "wr-u0100"]
    assert all(
        len(asked.body.get("owner_filter", {}).get("userid_list", ())) <= 100
        for asked in wecom.asked[C + "groupchat/list"]
    )


def test_group_detail(wecom: ScriptedWeCom, gateway: HttpWeComGateway) -> None:
    member = {"userid": "wmA", "type": 2, "join_time": 5, "join_scene": 3, "invitor": {"userid": "LiNa"}, "name": "林"}
    chat = {
        "chat_id": "wr1",
        "name": "群",
        "owner": "LiNa",
        "create_time": 4,
        "member_version": "v",
        "member_list": [member],
    }
    wecom.answers(C + "groupchat/get", ok(group_chat=chat))
    assert gateway.get_group(ChatId("wr1")) == CustomerGroupFacts(
        chat_id=ChatId("wr1"),
        name="群",
        owner="LiNa",
        created_at=4,
        member_version="v",
        members=(GroupMemberFacts(member_id="wmA", kind=2, name="林", joined_at=5, join_scene=3, invitor="LiNa"),),
    )
    assert wecom.last(C + "groupchat/get").body == {"chat_id": "wr1", "need_name": 1}
    wecom.answers(C + "groupchat/get", ok())
    with pytest.raises(WeComUnavailable):
        gateway.get_group(ChatId("wr1"))
