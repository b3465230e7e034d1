"""What one company on WeCom is made of: plain records, no behaviour that looks outside themselves."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

STATUS_ACTIVE = 1
STATUS_DISABLED = 2
STATUS_NOT_ACTIVATED = 4
STATUS_LEFT = 5
KIND_WECHAT = 1
KIND_WECOM = 2
ARCHIVE_AGENTID = 2000004


@dataclass(slots=True)
class Department:
    """A node of the directory tree; the root has id 1 and parent 0."""

    id: int
    name: str
    parent_id: int
    order: int = 100_000_000
    leaders: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Staff:
    """A member of the corp. status: 1 active, 2 disabled, 4 not activated, 5 left."""

    userid: str
    name: str
    departments: list[int]
    seq: int
    position: str = ""
    alias: str = ""
    status: int = STATUS_ACTIVE
    contact_permission: bool = True
    verified: bool = True
    console_welcome: bool = False
    gender: str = "0"
    mobile: str = ""
    email: str = ""
    leads: list[int] = field(default_factory=list)

    @property
    def serves_customers(self) -> bool:
        """Whether a customer can add this member at all."""
        return self.status == STATUS_ACTIVE and self.contact_permission and self.verified


@dataclass(slots=True)
class Person:
    """Somebody with a phone, the same in every corp; each corp knows them by its own external_userid."""

    id: str
    name: str
    kind: int = KIND_WECHAT
    gender: int = 0
    unionid: str = ""
    openid: str = ""
    position: str = ""
    corp_name: str = ""
    corp_full_name: str = ""
    external_ids: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Follow:
    """The link of one staff member and one customer.

    stage: `full`, `half` (the customer added, the member has not answered: calls give 84061) or `requested`.
    """

    seq: int
    userid: str
    external_userid: str
    person_id: str
    created: int
    stage: str = "full"
    remark: str = ""
    description: str = ""
    remark_company: str = ""
    remark_mobiles: list[str] = field(default_factory=list)
    add_way: int = 1
    oper_userid: str = ""
    state: str = ""
    tags: dict[str, int] = field(default_factory=dict)  # tag id -> times it was put on by mark_tag
    personal_tags: list[str] = field(default_factory=list)
    transfers: list[float] = field(default_factory=list)
    wrote_at: float = 0.0
    left_by_customer: bool = False
    welcome_code: str = ""


@dataclass(slots=True)
class Tag:
    """One corp tag."""

    id: str
    name: str
    created: int
    order: int = 0


@dataclass(slots=True)
class TagGroup:
    """A group of corp tags; created_by is the app's agentid, None when made in the admin console."""

    id: str
    name: str
    created: int
    order: int = 0
    created_by: int | None = None
    tags: dict[str, Tag] = field(default_factory=dict)


@dataclass(slots=True)
class ContactWay:
    """A live code (联系我). type 1 one member, 2 several; scene 1 mini program, 2 QR code."""

    config_id: str
    seq: int
    created: int
    type: int
    scene: int
    style: int = 1
    remark: str = ""
    skip_verify: bool = True
    state: str = ""
    user: list[str] = field(default_factory=list)
    party: list[int] = field(default_factory=list)
    is_temp: bool = False
    expires_in: int = 0
    chat_expires_in: int = 0
    unionid: str = ""
    is_exclusive: bool = False
    mark_source: bool | None = None
    conclusions: dict[str, Any] = field(default_factory=dict)
    assigned: dict[str, int] = field(default_factory=dict)  # userid -> turn it last got a customer
    used_up: bool = False


@dataclass(slots=True)
class JoinWay:
    """A code that leads into customer groups (群活码)."""

    config_id: str
    agentid: int
    scene: int
    chat_ids: list[str]
    remark: str = ""
    auto_create_room: int = 1
    room_base_name: str = ""
    room_base_id: int = 1
    state: str = ""
    mark_source: bool | None = None


@dataclass(slots=True)
class GroupMember:
    """Somebody in a customer group. kind 1 staff, 2 external; scene 1 invited, 2 link, 3 code."""

    id: str
    kind: int
    joined: int
    scene: int
    name: str
    unionid: str = ""
    inviter: str = ""
    state: str = ""


@dataclass(slots=True)
class Group:
    """A customer group. status 0 normal, 1 owner left, 2 inheriting, 3 inherited."""

    chat_id: str
    seq: int
    name: str
    owner: str
    created: int
    notice: str = ""
    admins: list[str] = field(default_factory=list)
    status: int = 0
    members: dict[str, GroupMember] = field(default_factory=dict)
    version: str = ""
    changed_at: float = 0.0
    dismissed: bool = False
    told: dict[str, Any] = field(default_factory=dict)  # the detail before the last change, for the lag option


@dataclass(slots=True)
class Callback:
    """Where and how an app wants to be told; all three empty means not at all."""

    url: str = ""
    token: str = ""
    aes_key: str = ""


@dataclass(slots=True)
class App:
    """An application of a corp: self-built with an agentid, or the contacts assistant (agentid 0).

    callable: listed under 可调用接口的应用 of customer contact. trusted_ips: None leaves the check off.
    """

    agentid: int
    name: str
    secret: str
    callable: bool = True
    visible_departments: list[int] = field(default_factory=lambda: [1])
    visible_users: list[str] = field(default_factory=list)
    trusted_domains: list[str] = field(default_factory=list)
    web_login_domains: list[str] = field(default_factory=list)
    trusted_ips: list[str] | None = None
    callback: Callback = field(default_factory=Callback)
    subscriptions: set[str] = field(default_factory=set)
    sidebar_url: str = ""
    sign_out_url: str = ""  # asked by the demo page when another member sits down at the desk
    home_url: str = ""
    disabled: bool = False
    reports_enter: bool = True
    sensitive_fields: bool = False  # only apps created before 2022-06-20 read mobile, mail, avatar

    @property
    def is_contacts(self) -> bool:
        """Whether this is the directory-sync secret (通讯录同步)."""
        return self.agentid == 0

    @property
    def is_archive(self) -> bool:
        """Whether this is the chat archive's secret (会话内容存档)."""
        return self.agentid == ARCHIVE_AGENTID


@dataclass(slots=True)
class Welcome:
    """One right to greet. state: open, sending or sent; the counters show misuse."""

    code: str
    userid: str
    external_userid: str
    created: float
    state: str = "open"
    attempts: int = 0
    deliveries: int = 0
    agentid: int = 0
    sent_at: float = 0.0


@dataclass(slots=True)
class ChatMessage:
    """One line of a conversation. sender: customer, staff or system; via: how it got there."""

    id: str
    at: float
    sender: str
    msgtype: str
    body: dict[str, Any]
    via: str
    author: str = ""


@dataclass(slots=True)
class Media:
    """An uploaded file. permanent ones (uploadimg) have a URL and never expire."""

    media_id: str
    kind: str
    filename: str
    content: bytes
    created: float
    permanent: bool = False
    scene: int = 0  # attachment_type of upload_attachment: 1 moments, 2 product album; 0 media/upload


@dataclass(slots=True)
class AppMessage:
    """A message an app sent to members; what each receiver sees of a card may differ after an update."""

    msgid: str
    agentid: int
    at: float
    msgtype: str
    body: dict[str, Any]
    receivers: list[str]
    dropped: list[str] = field(default_factory=list)  # over the per-member rate: silently not shown
    response_code: str = ""
    task_id: str = ""
    recalled: bool = False
    duplicates: int = 0
    clicks: int = 0
    seen_as: dict[str, dict[str, Any]] = field(default_factory=dict)


@dataclass(slots=True)
class ResponseCode:
    """The right to update a card once, for all receivers or, after a click, for one member."""

    code: str
    msgid: str
    created: float
    userid: str = ""
    used: bool = False


@dataclass(slots=True)
class Grant:
    """An access token. revoked holds the errcode it now answers with, 0 while good."""

    token: str
    corp_id: str
    agentid: int
    expires_at: float
    revoked: int = 0


@dataclass(slots=True)
class LoginCode:
    """An OAuth code. agentid 0: any app of the corp may redeem it."""

    code: str
    corp_id: str
    agentid: int
    userid: str
    person_id: str
    private: bool
    expires_at: float
    used: bool = False


@dataclass(slots=True)
class UserTicket:
    """A member's consent to reveal private fields once more."""

    ticket: str
    userid: str
    agentid: int
    expires_at: float


@dataclass(slots=True)
class JsTicket:
    """A JS-SDK ticket; agentid 0 is the corp ticket (config), another one an app's (agentConfig)."""

    ticket: str
    agentid: int
    expires_at: float


def chat_line(length: int) -> deque[ChatMessage]:
    """An empty conversation that keeps the newest `length` messages."""
    return deque(maxlen=length)
