"""Sending the bytes of stored files: pictures and videos in place, everything else as a download."""

import io
from urllib.parse import quote

from flask import Response, request
from werkzeug.wsgi import wrap_file

from bot.viewer.room import room
from crm_core.errors import NotFound
from materials import pictures
from materials.material_model import StoredFile

INLINE = ("image/png", "image/jpeg", "video/mp4")
KEEP = "private, max-age=86400"
COVER_SIDE = 480


def send_file(stored: StoredFile, *, filename: str = "") -> Response:
    """A stored file; parts of it when the browser asks for a range, as video players do. Raises: NotFound."""
    content = room().house.desk.store.open(stored.key)
    content.seek(0, io.SEEK_END)
    size = content.tell()
    content.seek(0)
    response = Response(wrap_file(request.environ, content), mimetype=stored.mime, direct_passthrough=True)
    response.call_on_close(content.close)
    response.content_length = size
    response.headers["Cache-Control"] = KEEP
    response.set_etag(stored.key)
    if stored.mime not in INLINE:
        name = quote(filename or stored.filename, safe="")
        response.headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{name}"
        response.mimetype = "application/octet-stream" if stored.mime.startswith("text/") else stored.mime
    response.make_conditional(request.environ, accept_ranges=True, complete_length=size)
    return response


def send_cover(key: str) -> Response:
    """A small picture for share cards. Raises: NotFound."""
    if not key:
        raise NotFound("没有封面")
    with room().house.desk.store.open(key) as content:
        picture = pictures.small(content, side=COVER_SIDE)
    response = Response(picture, mimetype="image/jpeg")
    response.headers["Cache-Control"] = KEEP
    response.set_etag(f"{key}-{COVER_SIDE}")
    return response
