"""Every gateway method against the local WeCom, over a socket: what the fake answers is what the adapter expects."""

import threading
from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from bot.sandbox import SandboxServer
from bot.sandbox.acts import scan
from bot.sandbox.acts_office import add_staff
from bot.sandbox.company import new_person
from bot.wecom.gateway import HttpWeComGateway
from bot.wecom.gateways import GatewaySet
from crm_core.clock import SystemClock
from crm_core.config import AppPart, AppSecrets, CorpPart, Settings, WeComPart
from crm_core.errors import (
    DeadlineMissed,
    WeComNotAllowed,
    WeComRefused,
    WeComThrottled,
    WeComUnavailable,
)
from crm_core.ids import AppKey, ChatId, ExternalUserId, StaffUserId, TagId, WelcomeCode
from crm_core.ports import ContactWayRequest, OutboundMessage
from tests.unit.bot.wecom.wecom_stand_ins import Time

ZHANG = StaffUserId("zhang.san")
HELLO = OutboundMessage(text="您好，欢迎来到云帆家居")


def settings_of(server: SandboxServer, *, secret: str = "") -> Settings:
    app = server.app
    return Settings(
        wecom=WeComPart(api_base=server.url, read_timeout_seconds=5),
        corps=(
            CorpPart(
                corp_id=server.corp_id,
                contact_app="main",
                apps=(
                    AppPart(key="main", agent_id=app.agentid, sidebar=True),
                    AppPart(key="contacts", kind="contacts", callback=False),
                ),
            ),
        ),
        app_secrets={
            "main": AppSecrets(secret=SecretStr(secret or app.secret)),
            "contacts": AppSecrets(secret=SecretStr(server.contacts_secret)),
        },
    )


@pytest.fixture(scope="module")
def server() -> Iterator[SandboxServer]:
    with SandboxServer() as running:
        yield running


@pytest.fixture
def gateways(server: SandboxServer, still: Time) -> Iterator[GatewaySet]:
    made = GatewaySet(settings_of(server), clock=SystemClock(), monotonic=still.monotonic, sleep=still.sleep)
    yield made
    made.close()
    server.world.faults.clear()


@pytest.fixture
def gateway(gateways: GatewaySet) -> HttpWeComGateway:
    return next(iter(gateways))


def a_customer(gateway: HttpWeComGateway) -> ExternalUserId:
    """One of Zhang's customers that the read-only tests do not look at."""
    mine = gateway.list_customers_of([ZHANG], "").items
    found: ExternalUserId = next(one.external_user for one in mine if one.name == "老陈说装修")
    return found


def test_staff_departments_and_members(gateways: GatewaySet, gateway: HttpWeComGateway) -> None:
    assert ZHANG in gateway.list_follow_staff()
    departments = {part.dept_id: part for part in gateway.list_departments()}
    assert departments[3].name == "徐汇门店"
    assert departments[3].parent_id == 2
    members = {member.userid: member for member in gateway.list_staff_of(3)}
    assert (members[ZHANG].name, members[ZHANG].status) == ("张三", 1)
    short = gateways.of(gateway.corp_id, AppKey("contacts")).list_departments()
    assert {part.dept_id for part in short} == set(departments)


def test_customers_page_by_page_and_one_by_one(gateway: HttpWeComGateway) -> None:
    staff = list(gateway.list_follow_staff())
    seen, cursor = [], ""
    while True:
        page = gateway.list_customers_of(staff, cursor)
        seen += page.items
        cursor = page.next_cursor
        if not cursor:
            break
    assert len(seen) > 5
    assert all(len(one.follows) == 1 and one.follows[0].tag_ids_only for one in seen)
    lin = next(one for one in seen if one.name == "林小满")
    whole = gateway.get_customer(lin.external_user)
    assert {follow.staff for follow in whole.follows} == {"zhang.san", "LiNa"}
    of_zhang = next(follow for follow in whole.follows if follow.staff == ZHANG)
    assert (of_zhang.remark, of_zhang.remark_mobiles) == ("林女士·徐汇", ("13900000001",))
    assert {(tag.kind, tag.name) for tag in of_zhang.tags} == {(1, "高意向"), (1, "三居室"), (2, "周末方便")}


def test_staff_without_customers_are_an_empty_page(server: SandboxServer, gateway: HttpWeComGateway) -> None:
    newcomer = {"userid": "new.comer", "name": "新同事", "departments": [2]}
    add_staff(server.world, server.world.corps[server.corp_id], newcomer)
    assert gateway.list_customers_of([StaffUserId("new.comer")], "").items == ()


def test_unknown_customer_and_stale_cursor(gateway: HttpWeComGateway) -> None:
    with pytest.raises(WeComRefused) as told:
        gateway.get_customer(ExternalUserId("wmNobodyAtAll"))
    assert told.value.errcode == 40096
    with pytest.raises(WeComRefused) as told:
        gateway.list_customers_of([ZHANG], "stale")
    assert told.value.errcode == 50100


def test_tags_are_marked_and_taken(gateway: HttpWeComGateway) -> None:
    groups = {group.name: group for group in gateway.list_tag_groups()}
    assert [tag.name for tag in groups["户型"].tags] == ["小户型", "三居室", "别墅"]
    villa = next(tag for tag in groups["户型"].tags if tag.name == "别墅")
    named = gateway.list_tag_groups(tag_ids=[villa.tag_id], group_ids=[groups["户型"].group_id])
    assert [group.name for group in named] == ["户型"]
    customer = a_customer(gateway)

    def tags() -> set[str]:
        (follow,) = [one for one in gateway.get_customer(customer).follows if one.staff == ZHANG]
        return {mark.name for mark in follow.tags}

    gateway.mark_tag(ZHANG, customer, [villa.tag_id], [])
    gateway.mark_tag(ZHANG, customer, [villa.tag_id], [])
    assert "别墅" in tags()
    gateway.mark_tag(ZHANG, customer, [], [villa.tag_id])
    assert "别墅" not in tags()
    with pytest.raises(WeComRefused) as told:
        gateway.mark_tag(ZHANG, customer, [TagId("etUnknown")], [])
    assert told.value.errcode == 40068


def test_remark(gateway: HttpWeComGateway) -> None:
    customer = a_customer(gateway)
    gateway.set_remark(ZHANG, customer, {"remark": "新备注", "description": "看过样板间"})
    (follow,) = [one for one in gateway.get_customer(customer).follows if one.staff == ZHANG]
    assert (follow.remark, follow.description) == ("新备注", "看过样板间")


def test_groups(gateway: HttpWeComGateway) -> None:
    page = gateway.list_groups("")
    assert page.items
    group = gateway.get_group(page.items[0])
    assert group.name
    assert group.owner in {member.member_id for member in group.members}
    with pytest.raises(WeComRefused) as told:
        gateway.get_group(ChatId("wrUnknown"))
    assert told.value.errcode == 40050


def test_scan_callback_and_welcome(server: SandboxServer, gateway: HttpWeComGateway) -> None:
    made = gateway.add_contact_way(ContactWayRequest(staff=(ZHANG,), state="store_1", memo="门店一"))
    assert made.qr_url.startswith("http")
    assert gateway.find_contact_way("store_1", 0) == made
    assert gateway.find_contact_way("never made", 0) is None
    corp = server.world.corps[server.corp_id]
    adding = scan(server.world, corp, corp.ways[made.config_id], new_person(server.world, "扫码的客人"))
    code = WelcomeCode(adding.follow.welcome_code)
    gateway.send_welcome(code, HELLO)
    with pytest.raises(WeComRefused) as told:
        gateway.send_welcome(code, HELLO)
    assert told.value.errcode == 41051
    with pytest.raises(DeadlineMissed):
        gateway.send_welcome(WelcomeCode("wc_never_given"), HELLO)
    follow = gateway.get_customer(ExternalUserId(adding.follow.external_userid)).follows[0]
    assert (follow.state, follow.add_way) == ("store_1", 1)


def test_an_answer_lost_after_the_work_was_done_is_found(server: SandboxServer, gateway: HttpWeComGateway) -> None:
    server.world.faults.add({"kind": "drop_after", "match": "externalcontact/add_contact_way", "times": 1})
    with pytest.raises(WeComUnavailable) as told:
        gateway.add_contact_way(ContactWayRequest(staff=(ZHANG,), state="lost_1"))
    assert told.value.sent
    found = gateway.find_contact_way("lost_1", 0)
    assert found is not None
    assert sum(way.state == "lost_1" for way in server.world.corps[server.corp_id].ways.values()) == 1


def test_app_message(gateway: HttpWeComGateway) -> None:
    body = {"msgtype": "text", "text": {"content": "新客户：张先生"}}
    result = gateway.send_app_message([ZHANG, StaffUserId("Nobody")], body)
    assert result.message_id
    assert result.invalid_staff == ("nobody",)
    with pytest.raises(WeComRefused) as told:
        gateway.send_app_message([StaffUserId("Nobody")], body)
    assert told.value.errcode == 81013


def test_tickets_and_app_facts(gateways: GatewaySet, gateway: HttpWeComGateway) -> None:
    assert gateway.jsapi_ticket(for_app=False) != gateway.jsapi_ticket(for_app=True)
    assert gateway.jsapi_ticket(for_app=True) == gateway.jsapi_ticket(for_app=True)
    assert gateway.app_facts().name
    assert abs(gateways.wire.skew_seconds or 99) < 5


def test_a_used_or_invented_login_code(gateway: HttpWeComGateway) -> None:
    with pytest.raises(WeComRefused) as told:
        gateway.sign_in("invented")
    assert told.value.errcode == 40029


def test_a_revoked_token_is_replaced_without_anybody_noticing(server: SandboxServer, gateway: HttpWeComGateway) -> None:
    first = gateway.client.token()
    for code in (40014, 42001):
        assert server.world.revoke(server.corp_id, None, code)
        gateway.list_follow_staff()
    assert gateway.client.token() != first


def test_busy_and_blocked(server: SandboxServer, gateway: HttpWeComGateway, still: Time) -> None:
    path = "externalcontact/get_follow_user_list"
    server.world.faults.add({"kind": "busy", "match": path, "times": 2})
    assert gateway.list_follow_staff()
    server.world.faults.add({"kind": "errcode", "match": path, "code": 45009, "times": 1})
    with pytest.raises(WeComThrottled):
        gateway.list_follow_staff()
    with pytest.raises(WeComThrottled) as told:
        gateway.list_follow_staff()
    assert not told.value.sent
    still.pass_by(60)
    assert gateway.list_follow_staff()


def test_twelve_threads_marking_stay_under_the_cap(server: SandboxServer, gateway: HttpWeComGateway) -> None:
    customer = a_customer(gateway)
    tag = gateway.list_tag_groups()[0].tags[0].tag_id
    refused: list[Exception] = []

    def mark() -> None:
        for _ in range(10):
            try:
                gateway.mark_tag(ZHANG, customer, [tag], [])
            except WeComThrottled as error:
                refused.append(error)

    threads = [threading.Thread(target=mark) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert all(error.errcode is None for error in refused if isinstance(error, WeComThrottled))


def test_a_wrong_secret(server: SandboxServer, still: Time) -> None:
    gateways = GatewaySet(
        settings_of(server, secret="wrong" * 8),
        clock=SystemClock(),
        monotonic=still.monotonic,
        sleep=still.sleep,
    )
    with pytest.raises(WeComNotAllowed) as told:
        next(iter(gateways)).list_follow_staff()
    assert (told.value.errcode, told.value.sent) == (40001, False)
    gateways.close()
