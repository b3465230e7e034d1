"""What the rooms ask of the outside, as protocols. Adapters live in ``bot``."""

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Protocol

from crm_core.ids import AppKey, ChatId, CorpId, ExternalUserId, StaffUserId, TagId, WelcomeCode
from crm_core.intercept_port import InterceptGateway
from crm_core.kf_port import KfGateway


class Waker(Protocol):
    """Tells waiting workers that a lane has work. A lost wake-up only costs time, never work."""

    def wake(self, lanes: AbstractSet[str]) -> None:
        """Wake all who wait for one of ``lanes``, in this process and others."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """One attachment in WeCom's shape: ``msgtype`` and the object under that key.

    msgtype: image | link | miniprogram | video | file. Limits: WeCom doc 92137 (≤ 9 a message).
    """

    msgtype: str
    body: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboundMessage:
    """Text plus attachments, as welcome and mass messages carry them. Text ≤ 4000 bytes."""

    text: str = ""
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TagMark:
    """A tag that WeCom shows on a follow. ``kind``: 1 corp tag, 2 personal tag, 3 strategy-group tag."""

    kind: int
    name: str
    group_name: str = ""
    tag_id: TagId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowFacts:
    """One follow (跟进关系) as WeCom tells it. ``tags`` is None where the call does not say (batch call)."""

    staff: StaffUserId
    remark: str = ""
    description: str = ""
    created_at: int = 0
    add_way: int = 0
    oper_userid: str = ""
    state: str = ""
    remark_corp_name: str = ""
    remark_mobiles: tuple[str, ...] = ()
    tags: tuple[TagMark, ...] = ()
    tag_ids_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerFacts:
    """One external user with follows, as WeCom tells it.

    ``kind``: 1 WeChat user, 2 WeCom user. ``gender``: 0 unknown, 1 male, 2 female.
    """

    external_user: ExternalUserId
    name: str = ""
    avatar_url: str = ""
    kind: int = 1
    gender: int = 0
    unionid: str = ""
    corp_name: str = ""
    position: str = ""
    follows: tuple[FollowFacts, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StaffFacts:
    """One member. Most fields may be empty.

    ``status``: 1 active, 2 disabled, 4 not activated, 5 left, 0 not told.
    """

    userid: StaffUserId
    name: str = ""
    alias: str = ""
    avatar_url: str = ""
    position: str = ""
    departments: tuple[int, ...] = ()
    main_department: int = 0
    status: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class DepartmentFacts:
    """One department; the root has id 1. Larger ``sort_order`` sorts first."""

    dept_id: int
    name: str = ""
    parent_id: int = 0
    sort_order: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TagFacts:
    """One corp tag."""

    tag_id: TagId
    name: str
    sort_order: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TagGroupFacts:
    """One group of corp tags."""

    group_id: str
    name: str
    sort_order: int = 0
    tags: tuple[TagFacts, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupMemberFacts:
    """One member of a customer group. ``kind``: 1 staff, 2 external. ``joined_at``: Unix seconds."""

    member_id: str
    kind: int
    name: str = ""
    unionid: str = ""
    joined_at: int = 0
    join_scene: int = 0
    invitor: str = ""
    state: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerGroupFacts:
    """One customer group. ``created_at``: Unix seconds; ``member_version`` is opaque."""

    chat_id: ChatId
    name: str = ""
    owner: str = ""
    notice: str = ""
    created_at: int = 0
    member_version: str = ""
    members: tuple[GroupMemberFacts, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactWayRequest:
    """What ``add_contact_way`` needs. ``state`` ≤ 30 chars, ``memo`` ≤ 30 chars; WeCom doc 92228."""

    staff: tuple[StaffUserId, ...]
    departments: tuple[int, ...] = ()
    state: str = ""
    memo: str = ""
    skip_verify: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactWayMade:
    """The answer of ``add_contact_way``: ``qr_url`` is the address of an image."""

    config_id: str
    qr_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page of a cursor listing; ``next_cursor`` is empty on the last."""

    items: tuple[Any, ...]
    next_cursor: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AppMessageResult:
    """Answer of message/send. ``invalid_staff`` come back lower-cased."""

    message_id: str = ""
    response_code: str = ""
    invalid_staff: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """Who a login code belongs to: ``staff`` for a member, else empty (openid of a stranger)."""

    staff: StaffUserId | None
    external_user: ExternalUserId | None = None
    extra: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadedMedia:
    """WeCom's copy of a file. media_id lives 3 days from ``created_at`` (Unix seconds); doc 90253."""

    media_id: str
    created_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredBlob:
    """Bytes that a store keeps. key: SHA-256 in hex, so the same bytes have the same key."""

    key: str
    size_bytes: int


class MediaStore(Protocol):
    """Keeps file contents by what they are. No names, no owners: those are rows of the rooms."""

    def put(self, content: BinaryIO) -> StoredBlob:
        """Keep the rest of ``content``; on disk when this returns. Putting the same bytes again changes nothing."""
        ...

    def open(self, key: str) -> BinaryIO:
        """The bytes behind ``key``, for reading. Raises: NotFound."""
        ...

    def delete(self, key: str) -> None:
        """Forget the bytes; nothing happens when they are not there."""
        ...


class TextCipher(Protocol):
    """Seals text that must not lie open in the database: what people wrote to each other."""

    def seal(self, text: str) -> bytes:
        """The text, unreadable without a key of this installation, and not to be changed unnoticed."""
        ...

    def unseal(self, sealed: bytes) -> str:
        """What was sealed. Raises: ScrmError when no key of this installation opens it."""
        ...


class Embedder(Protocol):
    """Turns text into unit vectors. model: a fingerprint; vectors of different fingerprints are never compared."""

    model: str

    def embed(self, texts: Sequence[str], *, as_query: bool) -> list[list[float]]:
        """One vector of length 1 per text. as_query: what somebody asks; else what is to be found."""
        ...


class WeComGateway(InterceptGateway, KfGateway, Protocol):
    """All that rooms may ask of WeCom, for one corp through one app; implemented in ``bot.wecom.gateway``.

    Every method raises the ``WeComError`` family of ``crm_core.errors``.
    """

    corp_id: CorpId
    app_key: AppKey

    def send_welcome(self, code: WelcomeCode, message: OutboundMessage) -> None:
        """Greet a new customer. The code is single use, valid 20 s from the callback (doc 92137).

        Raises: DeadlineMissed (41050), WeComRefused (41051: already greeted).
        """
        ...

    def mark_tag(
        self, staff: StaffUserId, external_user: ExternalUserId, add: Sequence[TagId], remove: Sequence[TagId]
    ) -> None:
        """Set and take tags on one follow; repeating changes nothing (doc 92118)."""
        ...

    def set_remark(self, staff: StaffUserId, external_user: ExternalUserId, fields: dict[str, Any]) -> None:
        """Write remark (≤ 20 chars), description (≤ 150) and kin; repeating changes nothing (doc 92115)."""
        ...

    def get_customer(self, external_user: ExternalUserId) -> CustomerFacts:
        """The customer with all visible follows, read to the last page (doc 92114)."""
        ...

    def list_customers_of(self, staff: Sequence[StaffUserId], cursor: str) -> Page:
        """A page of CustomerFacts, one follow each, of ≤ 100 staff (doc 92994)."""
        ...

    def list_external_users(self, staff: StaffUserId) -> tuple[ExternalUserId, ...]:
        """Ids of all external users of one staff member; none (84061) is an empty tuple (doc 92113)."""
        ...

    def list_follow_staff(self) -> tuple[StaffUserId, ...]:
        """Staff with the customer-contact function (doc 92571)."""
        ...

    def list_departments(self) -> tuple[DepartmentFacts, ...]:
        """Every visible department."""
        ...

    def list_staff_of(self, department: int) -> tuple[StaffFacts, ...]:
        """Members directly in one department."""
        ...

    def list_tag_groups(
        self, *, tag_ids: Sequence[TagId] = (), group_ids: Sequence[str] = ()
    ) -> tuple[TagGroupFacts, ...]:
        """The corp tag library, or only the named part (doc 92117). Deleted ones are left out."""
        ...

    def list_groups(self, cursor: str) -> Page:
        """A page of ChatId (doc 92120)."""
        ...

    def get_group(self, chat: ChatId) -> CustomerGroupFacts:
        """One customer group with members and names (doc 92122)."""
        ...

    def add_contact_way(self, request: ContactWayRequest) -> ContactWayMade:
        """Make a live code. Not safe to repeat: a repeat makes a second code (doc 92228)."""
        ...

    def find_contact_way(self, state: str, since: int) -> ContactWayMade | None:
        """The code made since ``since`` (Unix seconds) whose state is ``state``: the query after a lost answer."""
        ...

    def update_contact_way(self, config_id: str, request: ContactWayRequest) -> None:
        """Change a live code; repeating changes nothing (doc 92228). Raises: WeComRefused (41044: gone)."""
        ...

    def delete_contact_way(self, config_id: str) -> None:
        """Delete a live code; one that is gone is fine (doc 92228)."""
        ...

    def add_tags(self, *, names: Sequence[str], group_id: str = "", group_name: str = "") -> TagGroupFacts:
        """Make tags in a group, which is made when only named (doc 92117). Raises: WeComRefused (40071: name taken)."""
        ...

    def edit_tag(self, target: str, *, name: str = "", sort_order: int | None = None) -> None:
        """Rename or order a tag or group (doc 92117). Raises: WeComRefused (40071: name taken)."""
        ...

    def delete_tags(self, *, tag_ids: Sequence[TagId] = (), group_ids: Sequence[str] = ()) -> None:
        """Delete tags and groups; what is gone is fine (doc 92117)."""
        ...

    def send_app_message(self, staff: Sequence[StaffUserId], body: dict[str, Any]) -> AppMessageResult:
        """Send an app message; ``body`` is msgtype plus its object. WeCom drops identical repeats (doc §4.1)."""
        ...

    def update_card(self, staff: Sequence[StaffUserId], response_code: str, said: str) -> None:
        """Put ``said`` on the buttons of a card that was clicked; the code is single use, 72 h (notes 4.2)."""
        ...

    def publish_menu(self, buttons: Sequence[dict[str, Any]]) -> None:
        """The menu below the app's conversation, replacing the former one (doc 90231)."""
        ...

    def upload_media(self, kind: str, filename: str, content: BinaryIO) -> UploadedMedia:
        """Give WeCom a copy of a file for 3 days, usable by all apps of the corp (doc 90253).

        kind: image | voice | video | file. filename: what the receiver sees.
        Raises: WeComRefused (40004 type, 40006 40009 40011 45001 size, 40123 no picture, 44001 empty).
        """
        ...

    def upload_image(self, filename: str, content: BinaryIO) -> str:
        """Give WeCom a picture of ≤ 2 MB for ever; answers its address. 1000 a day (doc 90256)."""
        ...

    def sign_in(self, code: str) -> SignedIn:
        """Swap a login code, single use, 5 minutes (auth/getuserinfo)."""
        ...

    def jsapi_ticket(self, *, for_app: bool) -> str:
        """The corp's (config) or the app's (agentConfig) JS-SDK ticket, cached."""
        ...


class Gateways(Protocol):
    """Finds the gateway for a corp."""

    def of(self, corp: CorpId, app: AppKey | None = None) -> WeComGateway:
        """The gateway of this app, or of the corp's customer-contact app. Raises NotFound."""
        ...

    def __iter__(self) -> Iterator[WeComGateway]:
        """One gateway per corp: that of its customer-contact app."""
        ...
