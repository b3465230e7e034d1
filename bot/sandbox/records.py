"""Plain records of what goes out to customers and comes back: mass messages, Moments, transfers, links,
customer service.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

NOT_SENT = 0
SENT = 1
NOT_A_FRIEND = 2
OVER_QUOTA = 3
TRANSFER_DONE = 1
TRANSFER_WAITING = 2
TRANSFER_REFUSED = 3
TRANSFER_FULL = 4
KF_NEW = 0
KF_BOT = 1
KF_POOL = 2
KF_HUMAN = 3
KF_ENDED = 4
Line = tuple[str, dict[str, Any]]  # msgtype and body, as a conversation keeps them


@dataclass(slots=True)
class MassTarget:
    """One receiver of a mass message: a customer or a group. status as in get_groupmsg_send_result."""

    id: str
    status: int = NOT_SENT
    sent_at: int = 0


@dataclass(slots=True)
class MassTask:
    """What one member has to confirm. status 0 not sent, 2 sent."""

    userid: str
    targets: dict[str, MassTarget]
    status: int = 0
    sent_at: int = 0
    reminded: list[float] = field(default_factory=list)


@dataclass(slots=True)
class MassMessage:
    """A mass message (群发). agentid None: made by hand; personal: by a member, else in the admin console."""

    msgid: str
    seq: int
    created: float
    chat_type: str
    lines: list[Line]
    told: dict[str, Any]  # text and attachments as the caller gave them
    tasks: dict[str, MassTask]
    agentid: int | None = None
    creator: str = ""
    personal: bool = False
    allow_select: bool = False
    cancelled: bool = False


@dataclass(slots=True)
class MomentTask:
    """What one member has to publish, and to whom it shows."""

    userid: str
    chosen: list[str] = field(default_factory=list)  # external_userids in range when published
    published_at: int = 0


@dataclass(slots=True)
class Remark:
    """A like or a comment under a moment; exactly one of the two ids is set."""

    at: int
    userid: str = ""
    external_userid: str = ""
    content: str = ""


@dataclass(slots=True)
class Moment:
    """A post in 客户朋友圈. agentid None: made in the client or the console. tags narrow who sees it."""

    moment_id: str
    seq: int
    created: int
    told: dict[str, Any]
    tasks: dict[str, MomentTask]
    tags: list[str] = field(default_factory=list)
    agentid: int | None = None
    creator: str = ""
    cancelled: bool = False
    likes: dict[str, list[Remark]] = field(default_factory=dict)  # by the member who published
    comments: dict[str, list[Remark]] = field(default_factory=dict)


@dataclass(slots=True)
class MomentJob:
    """The asynchronous creation of a moment."""

    jobid: str
    created: float
    moment: Moment
    bad_users: list[str]
    bad_departments: list[int]
    bad_tags: list[str]
    agentid: int
    errcode: int = 0


@dataclass(slots=True)
class Transfer:
    """One customer on the way from one member to another. resigned: the old member has left."""

    seq: int
    external_userid: str
    handover: str
    takeover: str
    begun: float
    takeover_at: int
    resigned: bool
    status: int = TRANSFER_WAITING
    words: str = ""


@dataclass(slots=True)
class Orphan:
    """A relation whose member has left, waiting to be given to somebody."""

    seq: int
    handover: str
    external_userid: str
    left_at: int


@dataclass(slots=True)
class AcquisitionLink:
    """A link of the customer acquisition assistant (获客链接)."""

    link_id: str
    seq: int
    agentid: int
    name: str
    created: int
    users: list[str]
    departments: list[int]
    skip_verify: bool = True
    priority: dict[str, Any] = field(default_factory=dict)
    mark_source: bool | None = None
    clicks: list[tuple[int, str]] = field(default_factory=list)  # when, who
    customers: list[AcquiredCustomer] = field(default_factory=list)


@dataclass(slots=True)
class AcquiredCustomer:
    """Somebody who came through a link. wrote: how many messages."""

    seq: int
    at: int
    userid: str
    external_userid: str
    state: str
    wrote: int = 0


@dataclass(slots=True)
class ChatKey:
    """The right to learn who wrote, thirty minutes long."""

    key: str
    created: float
    link_id: str
    customer: AcquiredCustomer
    wrote: int


@dataclass(slots=True)
class GroupWelcome:
    """Material for greeting new group members (入群欢迎语素材)."""

    template_id: str
    agentid: int
    lines: list[Line]
    told: dict[str, Any]
    notify: int = 1


@dataclass(slots=True)
class InterceptRule:
    """A sensitive-word rule (敏感词)."""

    rule_id: str
    name: str
    created: int
    words: list[str]
    semantics: list[int]
    kind: int
    users: list[str]
    departments: list[int]


@dataclass(slots=True)
class Servicer:
    """A member who answers for a customer-service account. status 0 on duty, 1 off."""

    userid: str
    status: int = 0
    department_id: int = 0


@dataclass(slots=True)
class KfAccount:
    """A customer-service account (微信客服账号). manageable: put under API management."""

    open_kfid: str
    name: str
    avatar: str = ""
    manageable: bool = True
    servicers: dict[str, Servicer] = field(default_factory=dict)
    scenes: list[str] = field(default_factory=list)
    log: list[KfItem] = field(default_factory=list)
    sent_ids: set[str] = field(default_factory=set)  # msgids the API gave


@dataclass(slots=True)
class KfItem:
    """One entry sync_msg may tell; hidden ones were sent by the API and are only drawn on the page."""

    seq: int
    at: float
    external_userid: str
    told: dict[str, Any]
    hidden: bool = False


@dataclass(slots=True)
class KfSession:
    """The talk of one customer with one account."""

    open_kfid: str
    external_userid: str
    state: int = KF_NEW
    servicer: str = ""
    customer_wrote_at: float = 0.0
    answers_left: int = 5
    welcomed_at: float = 0.0
    scene: str = ""
    scene_param: str = ""


@dataclass(slots=True)
class KfCode:
    """The right to send one message on an event; good while the session stays in `state`."""

    code: str
    open_kfid: str
    external_userid: str
    expires_at: float
    state: int
    kinds: tuple[str, ...]
    used: bool = False


@dataclass(slots=True)
class KfToken:
    """The token of a kf_msg_or_event callback, ten minutes long."""

    token: str
    open_kfid: str
    expires_at: float
