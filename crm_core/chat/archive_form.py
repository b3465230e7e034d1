"""Decrypted records of the chat archive (会话内容存档) in the normal form of messages. Pure.

Source: protocol notes 8.2. Whatever cannot be understood is kept as it came; nothing here raises for odd content.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from crm_core.chat.model import APART, ChatMessage, Conversation, MediaRef, Party, PartyKind

SOURCE = "archive"
SWITCH, REVOKE, AGREE, DISAGREE = "switch", "revoke", "agree", "disagree"
OUTSIDE_MARK = "_external"  # end of the msgid when somebody from outside takes part
CUSTOMER_MARKS, ROBOT_MARK = ("wm", "wo"), "wb"
MARKED = (*CUSTOMER_MARKS, ROBOT_MARK)
ENVELOPE = frozenset({"msgid", "action", "from", "tolist", "roomid", "msgtime", "msgtype"})
BODY_KEYS = {
    "external_redpacket": "redpacket",
    "docmsg": "doc",
    "markdown": "info",
    "news": "info",
    "voiptext": "info",
    "qydiskfile": "info",
    "meeting_notification": "info",
}
WORDS: dict[str, tuple[str, ...]] = {
    "text": ("content",),
    "markdown": ("content",),
    "link": ("title", "description"),
    "weapp": ("title", "description", "displayname"),
    "file": ("filename",),
    "card": ("corpname",),
    "location": ("title", "address"),
    "todo": ("title", "content"),
    "vote": ("votetitle", "voteitem"),
    "collect": ("title", "ques"),
    "redpacket": ("wish",),
    "external_redpacket": ("wish",),
    "meeting": ("topic", "address", "remarks"),
    "docmsg": ("title",),
    "news": ("title", "description"),
    "calendar": ("title", "place", "remarks"),
    "sphfeed": ("sph_name", "feed_desc"),
    "voip_doc_share": ("filename",),
    "meeting_voice_call": ("filename",),
    "qydiskfile": ("filename",),
    **dict.fromkeys(("image", "voice", "video", "emotion", "revoke", "agree", "disagree", "switch", "voiptext"), ()),
}
WORDS_OF_UNKNOWN = ("title", "content", "description", "filename", "topic")
MEDIA_KINDS = {"image": "image", "voice": "voice", "video": "video", "emotion": "emotion"}
SIZE_KEYS = ("filesize", "voice_size", "imagesize")
DEEPEST = 5  # forwarded chats inside forwarded chats
MOST_BYTES = 1 << 53  # a larger size is nonsense
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MOST_MS = 253_402_300_799_000
UNWRITABLE = re.compile("[\x00\ud800-\udfff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the house knows about ids that could be either: members, and rooms that are customer groups."""

    staff: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentGiven:
    """A customer agreed or disagreed to the archive, towards one member. staff: "" when not told."""

    external_user: str
    staff: str
    agreed: bool
    at: datetime


def read_record(text: str) -> dict[str, Any] | None:
    """The object in a decrypted record; None when there is none: a wrong key makes such text.

    Contents may hold raw control characters, so parsing is not strict.
    """
    try:
        found = json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and ("msgid" in found or "msgtype" in found) else None


def doubtful_ids(records: Iterable[Mapping[str, Any]]) -> tuple[set[str], set[str]]:
    """The ids that only tables can tell apart: people with a prefix (a userid may begin like that), and rooms."""
    people: set[str] = set()
    rooms: set[str] = set()
    for record in records:
        people.update(one for one in _people(record) if one.startswith(MARKED))
        if room := _id(record.get("roomid")):
            rooms.add(room)
    return people, rooms


def to_message(record: Mapping[str, Any], *, seq: int, msgid: str, known: Known) -> ChatMessage:
    """The message in a decrypted record. msgid: what the page said, for records that do not tell their own."""
    own_id = _id(record.get("msgid")) or msgid
    kind = _id(record.get("msgtype")) or _id(record.get("action")) or "unknown"
    body = _body(record, kind)
    return ChatMessage(
        msgid=own_id,
        source=SOURCE,
        conversation=_conversation(record, own_id, known),
        sender=_party(_sender(record), known),
        sent_at=moment(record.get("msgtime", record.get("time"))),
        kind=kind,
        text="\n".join(_words(kind, body)),
        body=body,
        media=tuple(_media(kind, body)),
        revokes=_id(body.get("pre_msgid")) if kind == REVOKE else "",
        seq=seq,
    )


def consent_of(message: ChatMessage) -> ConsentGiven | None:
    """What an agree or disagree message says; None for all others."""
    if message.kind not in {AGREE, DISAGREE}:
        return None
    agreed = message.kind == AGREE
    customer = _id(message.body.get("userid")) or message.conversation.external_user or message.sender.id
    told_at = message.body.get("agree_time" if agreed else "disagree_time")
    at = moment(told_at) if told_at else message.sent_at
    return ConsentGiven(external_user=customer, staff=message.conversation.staff or "", agreed=agreed, at=at)


def moment(milliseconds: object) -> datetime:
    """A vendor's time; nonsense is the epoch."""
    if isinstance(milliseconds, bool) or not isinstance(milliseconds, int) or not 0 < milliseconds <= MOST_MS:
        return EPOCH
    return EPOCH + timedelta(milliseconds=milliseconds)


def _id(value: object) -> str:
    return UNWRITABLE.sub("", value).replace(APART, "") if isinstance(value, str) else ""


def _sender(record: Mapping[str, Any]) -> str:
    return _id(record.get("from")) or _id(record.get("user"))


def _people(record: Mapping[str, Any]) -> list[str]:
    """The sender and then the receivers, without doubles."""
    to = record.get("tolist")
    named = [_sender(record), *(_id(one) for one in (to if isinstance(to, list) else ()))]
    return list(dict.fromkeys(one for one in named if one))


def _party(person: str, known: Known) -> Party:
    if not person:
        return Party(PartyKind.SYSTEM, "")
    if person in known.staff:
        return Party(PartyKind.STAFF, person)
    if person.startswith(CUSTOMER_MARKS):
        return Party(PartyKind.CUSTOMER, person)
    return Party(PartyKind.ROBOT if person.startswith(ROBOT_MARK) else PartyKind.STAFF, person)


def _conversation(record: Mapping[str, Any], msgid: str, known: Known) -> Conversation:
    people = [_party(one, known) for one in _people(record)]
    outside = next((one.id for one in people if one.kind is PartyKind.CUSTOMER), "")
    inside = next((one.id for one in people if one.kind is PartyKind.STAFF), "")
    if room := _id(record.get("roomid")):
        is_customers = bool(outside) or room in known.groups or msgid.endswith(OUTSIDE_MARK)
        return Conversation.group(room) if is_customers else Conversation.internal(room=room)
    if outside:
        return Conversation.single(inside, outside)
    return Conversation.internal(*(one.id for one in people[:2]))


def _body(record: Mapping[str, Any], kind: str) -> dict[str, Any]:
    body = record.get(BODY_KEYS.get(kind, kind))
    rest = {name: value for name, value in record.items() if name not in ENVELOPE}
    if not isinstance(body, dict):
        return rest
    rest.pop(BODY_KEYS.get(kind, kind))
    return {**body, **{name: value for name, value in rest.items() if name not in body}}


def _words(kind: str, body: Mapping[str, Any]) -> list[str]:
    if kind in {"mixed", "chatrecord"}:
        found = [str(body.get("title") or "")]
        for part_kind, part in _parts(body):
            found += _words(part_kind, part)
        return [one for one in found if one]
    return list(_strings(body, WORDS.get(kind, WORDS_OF_UNKNOWN)))


def _strings(value: object, names: tuple[str, ...], depth: int = 0) -> Iterator[str]:
    """The strings under these names, in their order, lists and inner objects included."""
    if depth > DEEPEST:
        return
    if isinstance(value, list):
        for one in value:
            yield from _strings(one, names, depth + 1)
    if not isinstance(value, dict):
        return
    for name in names:
        held = value.get(name)
        for one in held if isinstance(held, list) else (held,):
            if isinstance(one, str) and one:
                yield one
    for name, inner in value.items():
        if name not in names:
            yield from _strings(inner, names, depth + 1)


def _parts(body: Mapping[str, Any], depth: int = 0) -> Iterator[tuple[str, dict[str, Any]]]:
    """The messages inside a forwarded chat or a mixed message, those inside of these included."""
    items = body.get("item")
    if not isinstance(items, list) or depth > DEEPEST:
        return
    for item in items:
        if not isinstance(item, dict):
            continue
        kind = _id(item.get("type")).removeprefix("ChatRecord").lower()
        part = _inner(item.get("content"))
        if isinstance(part.get("item"), list) and kind != "news":
            yield from _parts(part, depth + 1)
        else:
            yield kind, part


def _inner(content: object) -> dict[str, Any]:
    """The object that an item's content holds as JSON text; text that is none is content itself."""
    if isinstance(content, dict):
        return content
    if not isinstance(content, str):
        return {}
    try:
        found = json.loads(content, strict=False)
    except (ValueError, RecursionError):
        return {"content": content}
    return found if isinstance(found, dict) else {"content": content}


def _media(kind: str, body: Mapping[str, Any]) -> Iterator[MediaRef]:
    if kind in {"mixed", "chatrecord"}:
        for part_kind, part in _parts(body):
            yield from _media(part_kind, part)
        return
    file_id = body.get("sdkfileid")
    if not isinstance(file_id, str) or not file_id:
        return
    yield MediaRef(
        sdkfileid=UNWRITABLE.sub("", file_id),
        kind=MEDIA_KINDS.get(kind, "file"),
        filename=_filename(body),
        md5=_id(body.get("md5sum")).lower(),
        size=next((size for name in SIZE_KEYS if (size := _size(body.get(name)))), 0),
    )


def _filename(body: Mapping[str, Any]) -> str:
    name, ending = _id(body.get("filename")), _id(body.get("fileext"))
    return f"{name}.{ending}" if name and ending and not name.lower().endswith(f".{ending.lower()}") else name


def _size(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < MOST_BYTES else 0
