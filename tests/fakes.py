"""Stand-ins for what lies outside, shipped with the tests. They record calls and answer from plain fields."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, BinaryIO

from crm_core.errors import NotFound, WeComRefused
from crm_core.ids import AppKey, ChatId, CorpId, ExternalUserId, StaffUserId, TagId, WelcomeCode
from crm_core.intercept_port import InterceptRule
from crm_core.ports import (
    AppMessageResult,
    ContactWayMade,
    ContactWayRequest,
    CustomerFacts,
    CustomerGroupFacts,
    DepartmentFacts,
    OutboundMessage,
    Page,
    SignedIn,
    StaffFacts,
    TagFacts,
    TagGroupFacts,
    UploadedMedia,
)


class FrozenClock:
    """A clock that moves only when told."""

    def __init__(self, moment: datetime | None = None) -> None:
        self.moment = moment or datetime(2026, 11, 22, 6, 5, tzinfo=UTC)

    def now(self) -> datetime:
        return self.moment

    def move(self, **parts: float) -> None:
        self.moment += timedelta(**parts)


class SilentWaker:
    """Remembers which lanes were woken."""

    def __init__(self) -> None:
        self.lanes: list[str] = []

    def wake(self, lanes: Any) -> None:
        self.lanes += sorted(lanes)


@dataclass
class FakeGateway:
    """One corp's WeCom through one app. ``members``: login code → userid; ``calls``: what was asked, in order."""

    corp_id: CorpId
    app_key: AppKey
    members: dict[str, str] = field(default_factory=dict)
    calls: list[tuple[str, Any]] = field(default_factory=list)
    customers: dict[str, CustomerFacts] = field(default_factory=dict)
    tag_groups: tuple[TagGroupFacts, ...] = ()
    intercept_rules: dict[str, InterceptRule] = field(default_factory=dict)

    def _note(self, name: str, *arguments: Any) -> None:
        self.calls.append((name, arguments))

    def send_welcome(self, code: WelcomeCode, message: OutboundMessage) -> None:
        self._note("send_welcome", code, message)

    def mark_tag(
        self, staff: StaffUserId, external_user: ExternalUserId, add: Sequence[TagId], remove: Sequence[TagId]
    ) -> None:
        self._note("mark_tag", staff, external_user, tuple(add), tuple(remove))

    def set_remark(self, staff: StaffUserId, external_user: ExternalUserId, fields: dict[str, Any]) -> None:
        self._note("set_remark", staff, external_user, fields)

    def get_customer(self, external_user: ExternalUserId) -> CustomerFacts:
        self._note("get_customer", external_user)
        if external_user not in self.customers:
            raise WeComRefused(84061, "not external contact", "externalcontact/get")
        return self.customers[external_user]

    def list_customers_of(self, staff: Sequence[StaffUserId], cursor: str) -> Page:
        self._note("list_customers_of", tuple(staff), cursor)
        return Page(items=tuple(self.customers.values()))

    def list_external_users(self, staff: StaffUserId) -> tuple[ExternalUserId, ...]:
        self._note("list_external_users", staff)
        return tuple(ExternalUserId(user) for user in self.customers)

    def list_follow_staff(self) -> tuple[StaffUserId, ...]:
        self._note("list_follow_staff")
        return tuple(StaffUserId(userid) for userid in self.members.values())

    def list_departments(self) -> tuple[DepartmentFacts, ...]:
        self._note("list_departments")
        return (DepartmentFacts(dept_id=1, name="云帆家居"),)

    def list_staff_of(self, department: int) -> tuple[StaffFacts, ...]:
        self._note("list_staff_of", department)
        return tuple(StaffFacts(userid=StaffUserId(userid), name=userid) for userid in self.members.values())

    def list_tag_groups(
        self, *, tag_ids: Sequence[TagId] = (), group_ids: Sequence[str] = ()
    ) -> tuple[TagGroupFacts, ...]:
        self._note("list_tag_groups", tuple(tag_ids), tuple(group_ids))
        return self.tag_groups

    def list_groups(self, cursor: str) -> Page:
        self._note("list_groups", cursor)
        return Page(items=())

    def get_group(self, chat: ChatId) -> CustomerGroupFacts:
        self._note("get_group", chat)
        return CustomerGroupFacts(chat_id=chat)

    def add_contact_way(self, request: ContactWayRequest) -> ContactWayMade:
        self._note("add_contact_way", request)
        return ContactWayMade(config_id=f"cfg_{len(self.calls)}", qr_url="https://wework.example/qr.png")

    def find_contact_way(self, state: str, since: int) -> ContactWayMade | None:
        self._note("find_contact_way", state, since)
        return None

    def update_contact_way(self, config_id: str, request: ContactWayRequest) -> None:
        self._note("update_contact_way", config_id, request)

    def delete_contact_way(self, config_id: str) -> None:
        self._note("delete_contact_way", config_id)

    def add_tags(self, *, names: Sequence[str], group_id: str = "", group_name: str = "") -> TagGroupFacts:
        self._note("add_tags", tuple(names), group_id, group_name)
        tags = tuple(TagFacts(tag_id=TagId(f"et_{name}"), name=name) for name in names)
        return TagGroupFacts(group_id=group_id or f"et_{group_name}", name=group_name, tags=tags)

    def edit_tag(self, target: str, *, name: str = "", sort_order: int | None = None) -> None:
        self._note("edit_tag", target, name, sort_order)

    def delete_tags(self, *, tag_ids: Sequence[TagId] = (), group_ids: Sequence[str] = ()) -> None:
        self._note("delete_tags", tuple(tag_ids), tuple(group_ids))

    def list_intercept_rules(self) -> tuple[InterceptRule, ...]:
        self._note("list_intercept_rules")
        return tuple(self.intercept_rules.values())

    def add_intercept_rule(self, rule: InterceptRule) -> str:
        self._note("add_intercept_rule", rule)
        made = f"rule-{len(self.calls)}"
        self.intercept_rules[made] = replace(rule, rule_id=made)
        return made

    def update_intercept_rule(self, rule: InterceptRule) -> None:
        self._note("update_intercept_rule", rule)
        self.intercept_rules[rule.rule_id] = rule

    def delete_intercept_rule(self, rule_id: str) -> None:
        self._note("delete_intercept_rule", rule_id)
        self.intercept_rules.pop(rule_id, None)

    def send_app_message(self, staff: Sequence[StaffUserId], body: dict[str, Any]) -> AppMessageResult:
        self._note("send_app_message", tuple(staff), body)
        return AppMessageResult(message_id=f"m_{len(self.calls)}")

    def update_card(self, staff: Sequence[StaffUserId], response_code: str, said: str) -> None:
        self._note("update_card", tuple(staff), response_code, said)

    def publish_menu(self, buttons: Sequence[dict[str, Any]]) -> None:
        self._note("publish_menu", tuple(buttons))

    def upload_media(self, kind: str, filename: str, content: BinaryIO) -> UploadedMedia:
        self._note("upload_media", kind, filename, len(content.read()))
        return UploadedMedia(media_id=f"media-{len(self.calls)}", created_at=0)

    def upload_image(self, filename: str, content: BinaryIO) -> str:
        self._note("upload_image", filename, len(content.read()))
        return f"https://wecom.example/picture-{len(self.calls)}"

    def sign_in(self, code: str) -> SignedIn:
        self._note("sign_in", code)
        if code == "stranger":
            return SignedIn(staff=None, extra={"openid": "o_1"})
        if code not in self.members:
            raise WeComRefused(40029, "invalid code", "auth/getuserinfo", remedy="登录码已失效，请重新打开侧边栏")
        return SignedIn(staff=StaffUserId(self.members[code]))

    def jsapi_ticket(self, *, for_app: bool) -> str:
        self._note("jsapi_ticket", for_app)
        return f"{'app' if for_app else 'corp'}-ticket-of-{self.app_key}"


class FakeGateways:
    """The gateways of a test's corps."""

    def __init__(self, *gateways: FakeGateway) -> None:
        self.all = gateways

    def of(self, corp: CorpId, app: AppKey | None = None) -> FakeGateway:
        for gateway in self.all:
            if gateway.corp_id == corp and app in (None, gateway.app_key):
                return gateway
        raise NotFound("没有这个应用")

    def __iter__(self) -> Iterator[FakeGateway]:
        return iter(self.all)
