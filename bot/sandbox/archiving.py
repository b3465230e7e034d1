"""What is said goes into the archive when the corp has one, and the archive's app is told. Source: notes 2.6, 8.2."""

from __future__ import annotations

from typing import Any

from bot.sandbox.archive_book import ArchiveBook, Consent
from bot.sandbox.corp import Corp
from bot.sandbox.events import Event
from bot.sandbox.model import ARCHIVE_AGENTID, ChatMessage, Group
from bot.sandbox.world import World


def archive_single(world: World, corp: Corp, said: ChatMessage, userid: str, external_userid: str) -> ChatMessage:
    """Something said between a member and a customer. The first word of a customer is their consent."""
    if corp.archive is not None:
        if said.sender == "customer" and (userid, external_userid) not in corp.archive.consents:
            consent(world, corp, userid, external_userid, agreed=True)
        ends = (external_userid, userid) if said.sender == "customer" else (userid, external_userid)
        _add(world, corp, corp.archive, said, ends[0], [ends[1]], "")
    return said


def archive_group(world: World, corp: Corp, said: ChatMessage, group: Group) -> ChatMessage:
    """Something said in a customer group."""
    if corp.archive is not None:
        others = [member for member in group.members if member != said.author]
        _add(world, corp, corp.archive, said, said.author, others, group.chat_id)
    return said


def consent(world: World, corp: Corp, userid: str, external_userid: str, *, agreed: bool) -> None:
    """A customer agrees or disagrees to be recorded."""
    if corp.archive is None:
        return
    now = world.clock.now()
    corp.archive.consents[userid, external_userid] = Consent("Agree" if agreed else "Disagree", int(now))
    kind = "agree" if agreed else "disagree"
    body = {"userid": external_userid, f"{kind}_time": int(now * 1000)}
    record = _envelope(f"consent{len(corp.archive.records)}", now, external_userid, [userid], "")
    corp.archive.add(record | {"msgtype": kind, kind: body})
    _tell(world, corp, corp.archive)


def _add(
    world: World, corp: Corp, book: ArchiveBook, said: ChatMessage, author: str, others: list[str], room: str
) -> None:
    kind, body = _body(corp, book, said)
    book.add(_envelope(said.id, said.at, author, others, room) | {"msgtype": kind, kind: body})
    _tell(world, corp, book)


def _envelope(said_id: str, at: float, author: str, others: list[str], room: str) -> dict[str, Any]:
    return {
        "msgid": f"{said_id}_{int(at)}_external",
        "action": "send",
        "from": author,
        "tolist": others,
        "roomid": room,
        "msgtime": int(at * 1000),
    }


def _body(corp: Corp, book: ArchiveBook, said: ChatMessage) -> tuple[str, dict[str, Any]]:
    """Message type and object as the archive has them."""
    body = said.body
    media = corp.media.get(str(body.get("media_id", "")))
    if said.msgtype in {"image", "voice", "video", "file"} and media is not None:
        fields = book.keep_file(media.content)
        if said.msgtype == "voice":
            fields["voice_size"] = fields.pop("filesize")
        if said.msgtype == "file":
            name, _, ending = media.filename.rpartition(".")
            fields |= {"filename": name or media.filename, "fileext": ending}
        return said.msgtype, fields
    if said.msgtype == "link":
        pairs = {"title": "title", "description": "desc", "link_url": "url", "image_url": "picurl"}
        return "link", {theirs: str(body.get(ours, "")) for theirs, ours in pairs.items()}
    if said.msgtype == "miniprogram":
        title = str(body.get("title", ""))
        return "weapp", {"title": title, "description": "", "username": body.get("appid", ""), "displayname": title}
    return said.msgtype, dict(body)


def _tell(world: World, corp: Corp, book: ArchiveBook) -> None:
    """The hint that there is something new, at most one in a while."""
    now = world.clock.now()
    if now - book.told_at >= world.options.archive_notice_seconds or now < book.told_at:
        book.told_at = now
        world.emit(corp, Event("msgaudit_notify", "", [("AgentID", ARCHIVE_AGENTID)]))
