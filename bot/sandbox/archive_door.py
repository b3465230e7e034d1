"""Where the local archive library gets its data: behind GetChatData and GetMediaData. Source: notes 8.1."""

from __future__ import annotations

import json

from flask import Blueprint, Response, request

from bot.sandbox.api.login import same_secret
from bot.sandbox.archive_book import CHUNK, ArchiveBook
from bot.sandbox.door import the_world
from bot.sandbox.model import ARCHIVE_AGENTID

archive_door = Blueprint("archive", __name__, url_prefix="/sandbox/archive")


def _book() -> ArchiveBook | int:
    """The archive that the form asks for, or an errcode."""
    corp = the_world().corps.get(request.form.get("corpid", ""))
    if corp is None:
        return 40013
    if corp.archive is None:
        return 301053
    app = corp.apps[ARCHIVE_AGENTID]
    if app.trusted_ips is not None and (request.remote_addr or "") not in app.trusted_ips:
        return 301042
    return corp.archive if same_secret(request.form.get("secret", ""), app.secret) else 40001


@archive_door.post("/pull")
def pull() -> Response:
    """A page of sealed records, as GetChatData gives it."""
    with the_world().lock:
        book = _book()
        if isinstance(book, int):
            page = {"errcode": book, "errmsg": "refused"}
        else:
            rows = book.page(int(request.form["seq"]), int(request.form["limit"]))
            page = {"errcode": 0, "errmsg": "ok", "chatdata": rows}
    return Response(json.dumps(page), content_type="application/json")


@archive_door.post("/media")
def media() -> Response:
    """A part of a file: one line with "is it the last" and the next offset, then the bytes. -1: no such file."""
    with the_world().lock:
        book = _book()
        content = None if isinstance(book, int) else book.files.get(request.form["sdkfileid"])
    if content is None:
        return Response(b"1 -1\n", content_type="application/octet-stream")
    offset = int(request.form["offset"])
    part = content[offset : offset + CHUNK]
    following = offset + len(part)
    head = f"{int(following >= len(content))} {following}\n".encode()
    return Response(head + part, content_type="application/octet-stream")
