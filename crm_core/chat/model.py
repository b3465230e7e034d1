"""Chat messages in one normal form, wherever they came from."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

from crm_core.ids import ChatId, CorpId, ExternalUserId, StaffUserId

APART = "|"  # not allowed in userids; stands between the two sides of a conversation's key


class PartyKind(StrEnum):
    """Who somebody is. system: WeCom itself."""

    STAFF = "staff"
    CUSTOMER = "customer"
    ROBOT = "robot"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Party:
    """Somebody who speaks. id: userid, external_userid or robot id; "" for the system."""

    kind: PartyKind
    id: str


class ConversationKind(StrEnum):
    """single: one staff member and one customer; group: a customer group; internal: colleagues; kf: 微信客服."""

    SINGLE = "single"
    GROUP = "group"
    INTERNAL = "internal"
    KF = "kf"


@dataclass(frozen=True, slots=True)
class Conversation:
    """Where something was said. Made by one of the four constructors; ``key`` is unique per corp and kind."""

    kind: ConversationKind
    key: str

    @classmethod
    def single(cls, staff: str, external_user: str) -> Self:
        """Between one staff member and one customer."""
        return cls(ConversationKind.SINGLE, f"{staff}{APART}{external_user}")

    @classmethod
    def group(cls, chat: str) -> Self:
        """In a customer group."""
        return cls(ConversationKind.GROUP, chat)

    @classmethod
    def kf(cls, open_kfid: str, external_user: str) -> Self:
        """Between a customer-service account and one customer."""
        return cls(ConversationKind.KF, f"{open_kfid}{APART}{external_user}")

    @classmethod
    def internal(cls, *members: str, room: str = "") -> Self:
        """Among colleagues: the room's id, or the two userids in order."""
        return cls(ConversationKind.INTERNAL, room or APART.join(sorted(members)))

    @property
    def staff(self) -> StaffUserId | None:
        """The staff side of a single conversation."""
        return StaffUserId(self.key.partition(APART)[0]) if self.kind is ConversationKind.SINGLE else None

    @property
    def open_kfid(self) -> str | None:
        """The customer-service account of a kf conversation."""
        return self.key.partition(APART)[0] if self.kind is ConversationKind.KF else None

    @property
    def external_user(self) -> ExternalUserId | None:
        """The customer of a single or kf conversation."""
        if self.kind not in {ConversationKind.SINGLE, ConversationKind.KF}:
            return None
        return ExternalUserId(self.key.partition(APART)[2])

    @property
    def chat(self) -> ChatId | None:
        """The customer group."""
        return ChatId(self.key) if self.kind is ConversationKind.GROUP else None


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaRef:
    """A file that a message carries. sdkfileid: what WeCom gives it out for; size: bytes, 0 unknown."""

    sdkfileid: str
    kind: str = "file"
    filename: str = ""
    md5: str = ""
    size: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatMessage:
    """One message.

    source: archive | kf. msgid: unique per corp. kind: WeCom's msgtype, unknown ones as they came. text: the words
    that can be read and searched ("" for a picture). body: the msgtype's object as it came. revokes: the msgid that
    this message takes back. seq: its number in the archive, 0 elsewhere. sent_at: aware UTC with milliseconds.
    """

    msgid: str
    source: str
    conversation: Conversation
    sender: Party
    sent_at: datetime
    kind: str
    text: str
    body: Mapping[str, Any]
    media: tuple[MediaRef, ...] = ()
    revokes: str = ""
    seq: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredMessage:
    """A message in the store. position: grows by one per message of a corp, in the order of commits."""

    position: int
    corp: CorpId
    message: ChatMessage
