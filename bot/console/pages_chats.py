"""会话: who talks with whom, one conversation as it was, and finding words in all of them.

Whoever sees content leaves an audit row: for each page of a conversation, and for each search.
"""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from typing import BinaryIO
from urllib.parse import quote

from flask import Response, render_template, request
from flask.typing import ResponseReturnValue
from sqlmodel import Session

from bot.console import lists
from bot.console.access import Sight, acting, looking
from bot.console.chat_bubbles import KIND_NAMES, Bubble, bubble
from bot.console.list_specs import CHAT_SEARCH, CHATS
from bot.console.list_state import ListState
from bot.console.pages_tasks import attachment
from bot.console.room import room
from bot.console.views import number_of, page
from crm_core import audit, customers, staff
from crm_core.chat import archive_media, conversations, reply_report, search
from crm_core.chat.archive_media import MediaState
from crm_core.chat.conversations import Talk, TalkFilter
from crm_core.chat.model import Conversation, ConversationKind, PartyKind, StoredMessage
from crm_core.chat.search import Search
from crm_core.db import UnitOfWork
from crm_core.errors import NotFound
from crm_core.ids import CorpId
from crm_core.listing import Listed

TALK_NAMES = {
    ConversationKind.SINGLE.value: "单聊",
    ConversationKind.GROUP.value: "客户群",
    ConversationKind.KF.value: "微信客服",
    ConversationKind.INTERNAL.value: "同事",
}
PAGE_MESSAGES = 60
PICTURES = {b"\xff\xd8\xff": "image/jpeg", b"\x89PNG\r\n\x1a\n": "image/png", b"GIF8": "image/gif"}
HEAD_BYTES, FILE_CHUNK = 16, 64 * 1024
NO_FILE = "没有找到这个文件，或者您没有查看权限"
LONGEST_SHOWN = 120


@page("/chats", permission="chat.read")
def chats_page() -> ResponseReturnValue:
    """Conversations in sight, the last one first; nothing of what was said."""
    state = ListState.of(CHATS, request.args)
    with looking() as sight:
        wanted = TalkFilter(
            kind=state.one("kind"),
            staff=state.one("staff"),
            external_user=state.one("customer"),
            since=day_of(state.one("since")),
            until=day_of(state.one("until"), days=1),
            visible=sight.visible,
        )
        found = conversations.page(sight.session, sight.corp, wanted, cursor=state.after)
        names = conversations.names(sight.session, sight.corp, found.items)
        people = staff.names(sight.session, sight.corp, {one.staff for one in found.items if one.staff})
        waiting = reply_report.open_waits(sight.session, sight.corp, [one.conversation for one in found.items])
        choices = {"kind": list(TALK_NAMES.items()), "staff": staff_choices(sight)}
    return lists.show(
        "console/chats/list.html",
        state,
        found,
        choices=choices,
        names=names,
        people=people,
        waiting=waiting,
        kinds=TALK_NAMES,
        url_of=url_of,
    )


def staff_choices(sight: Sight) -> list[tuple[str, str]]:
    """Members in sight, for a filter."""
    return [
        (row.userid, row.name or row.userid)
        for row in staff.listing(sight.session, sight.corp)
        if sight.visible is None or row.userid in sight.visible
    ]


def day_of(text: str, *, days: int = 0) -> datetime | None:
    """The start of a day given as 2026-11-22 in the company's time zone, ``days`` later; None where it is none."""
    try:
        return datetime.combine(date.fromisoformat(text) + timedelta(days=days), time(), tzinfo=room().zone)
    except (ValueError, OverflowError):
        return None


def url_of(where: Conversation, position: int | None = None) -> str:
    """The address of a conversation, or of a message in it."""
    path = f"/console/chats/{where.kind}/{quote(where.key, safe='')}"
    return path if position is None else f"{path}?at={position}#m{position}"


def search_of(state: ListState, sight: Sight) -> Search:
    """What the address of the search asks for, within sight."""
    return Search(
        words=state.one("q"),
        staff=state.one("staff"),
        external_user=state.one("customer"),
        chat=state.one("chat"),
        kind=state.one("kind"),
        since=day_of(state.one("since")),
        until=day_of(state.one("until"), days=1),
        visible=sight.visible,
    )


@page("/chats/search", permission="chat.read")
def chat_search_page() -> ResponseReturnValue:
    """Messages that fit, the last first, with an audit row that says what was asked. Raises: InputInvalid."""
    state = ListState.of(CHAT_SEARCH, request.args)
    with acting() as (uow, sight):
        asked = bool(state.values)
        hits = search.Hits(items=())
        if asked:
            hits = search.find(
                sight.session, room().house.chat.store, sight.corp, search_of(state, sight), cursor=state.after
            )
            audit.record(
                uow,
                corp=sight.corp,
                actor=sight.who.actor,
                act="chat.searched",
                object_kind="chat",
                object_id="search",
                data={"query": state.query, "hits": len(hits.items)},
            )
        titles = _titles(sight.session, sight.corp, hits.items)
        names = speakers(sight.session, sight.corp, hits.items)
        choices = {"staff": staff_choices(sight), "kind": list(KIND_NAMES.items())}
    found = Listed(items=hits.items, next_cursor=hits.next_cursor)
    return lists.show(
        "console/chats/search.html",
        state,
        found,
        choices=choices,
        titles=titles,
        names=names,
        kinds=TALK_NAMES,
        kind_names=KIND_NAMES,
        url_of=url_of,
        excerpt=excerpt,
        asked=asked,
        is_cut=hits.is_cut,
    )


def excerpt(text: str, words: str) -> str:
    """The part of a long text around the first word that was asked for."""
    first = next(iter(words.split()), "")
    at = text.lower().find(first.lower()) if first else 0
    start = max(0, at - LONGEST_SHOWN // 3)
    cut = text[start : start + LONGEST_SHOWN]
    return ("…" if start else "") + cut + ("…" if start + LONGEST_SHOWN < len(text) else "")


def _titles(session: Session, corp: CorpId, messages: Sequence[StoredMessage]) -> dict[Conversation, str]:
    places = {one.message.conversation for one in messages}
    return conversations.titles(session, corp, places)


def speakers(session: Session, corp: CorpId, messages: Sequence[StoredMessage]) -> dict[str, str]:
    """Names by id of all who speak."""
    senders = {one.message.sender for one in messages}
    people = {one.id for one in senders if one.kind is PartyKind.STAFF}
    guests = {one.id for one in senders if one.kind is PartyKind.CUSTOMER}
    told = {one: name or "未知客户" for one, name in customers.display_names(session, corp, guests).items()}
    return {**dict.fromkeys(guests, "未知客户"), **told, **staff.names(session, corp, people)}


@page("/chats/<kind>/<path:key>", permission="chat.read")
def chat_page(kind: str, key: str) -> str:
    """One conversation, with an audit row. Raises: NotFound."""
    store = room().house.chat.store
    at, before, after = (number_of(request.args.get(name, "")) for name in ("at", "before", "after"))
    with acting() as (uow, sight):
        talk = sight.conversation(kind, key)
        where, session, corp = talk.conversation, sight.session, sight.corp
        if at is not None:
            older = store.last_of(session, corp, where, PAGE_MESSAGES // 2, before=at)
            shown = older + store.next_of(session, corp, where, PAGE_MESSAGES // 2, after=at - 1)
        elif after is not None:
            shown = store.next_of(session, corp, where, PAGE_MESSAGES, after=after)
        else:
            shown = store.last_of(session, corp, where, PAGE_MESSAGES, before=before)
        title = conversations.names(session, corp, [talk])[where]
        _note_view(uow, sight, talk, shown)
        more = store.edges(session, corp, where)
        names = speakers(session, corp, shown)
        people = staff.names(session, corp, [talk.staff]) if talk.staff else {}
        bubbles = _bubbles(session, corp, shown)
        files = _files(session, corp, shown)
        can_open = bool(talk.external_user) and sight.sees(talk.external_user)
    return render_template(
        "console/chats/talk.html",
        talk=talk,
        title=title,
        staff_name=people.get(talk.staff, ""),
        bubbles=bubbles,
        names=names,
        kind_name=TALK_NAMES[where.kind.value],
        older=shown[0].position if shown and more and shown[0].position > more[0] else None,
        newer=shown[-1].position if shown and more and shown[-1].position < more[1] else None,
        address=url_of(where),
        can_open=can_open,
        files=files,
        at=at,
    )


def _bubbles(session: Session, corp: CorpId, shown: Sequence[StoredMessage]) -> list[Bubble]:
    revoked = room().house.chat.store.revoked(session, corp, [one.message.msgid for one in shown])
    return [bubble(one, is_revoked=one.message.msgid in revoked) for one in shown]


def _files(session: Session, corp: CorpId, shown: Sequence[StoredMessage]) -> dict[str, str]:
    """Addresses of the files that the archive has fetched, by sdkfileid."""
    position_of = {ref.sdkfileid: one.position for one in shown for ref in one.message.media if ref.sdkfileid}
    found = archive_media.of_files(session, corp, list(position_of))
    return {
        file_id: f"/console/chats/file/{position_of[file_id]}/{file.id}"
        for file_id, file in found.items()
        if file.state is MediaState.DONE
    }


@page("/chats/file/<int:position>/<int:media_id>", permission="chat.read")
def chat_file(position: int, media_id: int) -> Response:
    """A file of a message in sight: pictures in place, everything else to save, with an audit row. Raises: NotFound."""
    with acting() as (uow, sight):
        found = room().house.chat.store.read(sight.session, sight.corp, position, position)
        if not found:
            raise NotFound(NO_FILE)
        message = found[0].message
        talk = sight.conversation(message.conversation.kind.value, message.conversation.key)
        file = archive_media.get(sight.session, sight.corp, media_id)
        if file.state is not MediaState.DONE or file.sdkfileid not in {ref.sdkfileid for ref in message.media}:
            raise NotFound(NO_FILE)
        with room().house.chat.archive.files.open(file.file_key) as content:
            head = content.read(HEAD_BYTES)
        mime = next((mime for magic, mime in PICTURES.items() if head.startswith(magic)), "")
        if not mime:
            _note_view(uow, sight, talk, found)
    whole = room().house.chat.archive.files.open(file.file_key)
    response = Response(_chunks(whole), content_type=mime or "application/octet-stream", direct_passthrough=True)
    return response if mime else attachment(response, file.filename or f"{message.kind}-{position}")


def _chunks(whole: BinaryIO) -> Iterator[bytes]:
    with whole:
        while part := whole.read(FILE_CHUNK):
            yield part


def _note_view(uow: UnitOfWork, sight: Sight, talk: Talk, shown: Sequence[StoredMessage]) -> None:
    where = talk.conversation
    about = ("customer", talk.external_user) if talk.external_user else ("chat", where.key)
    audit.record(
        uow,
        corp=sight.corp,
        actor=sight.who.actor,
        act="chat.viewed",
        object_kind=about[0],
        object_id=about[1],
        data={
            "conversation": where.kind.value,
            "staff": talk.staff,
            "first": shown[0].position if shown else 0,
            "last": shown[-1].position if shown else 0,
        },
    )
