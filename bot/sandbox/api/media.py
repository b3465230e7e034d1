"""Uploads (素材). Source: WeCom docs 90253, 90254, 90256."""

from __future__ import annotations

from bot.sandbox import ids
from bot.sandbox.api.call import Answer, Call, Endpoint, FileAnswer
from bot.sandbox.model import Media
from bot.sandbox.refusal import Refusal

_MEGABYTE = 1024 * 1024
_SMALLEST = 6  # more than five bytes
_LIMITS = {"image": 10, "voice": 2, "video": 10, "file": 20}  # megabytes
_TOO_BIG = {"image": 40009, "voice": 40006, "video": 40011, "file": 40006}
_UPLOADIMG_MEGABYTES = 2
_MIMETYPES = {
    "image": "image/png",
    "voice": "audio/amr",
    "video": "video/mp4",
    "file": "application/octet-stream",
}


def is_picture(content: bytes) -> bool:
    """Whether the bytes begin like a PNG or a JPEG."""
    return content.startswith((b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"))


def need_media(call: Call, media_id: str, kind: str = "") -> Media:
    """A living media of the corp; Refusal 40007 when unknown, of another kind, or past its three days."""
    found = call.corp.media.get(media_id)
    if found is None or (kind and found.kind != kind) or _expired(call, found):
        raise Refusal(40007)
    return found


def _expired(call: Call, media: Media) -> bool:
    age = call.world.clock.now() - media.created
    return not media.permanent and age > call.world.options.media_ttl_seconds


def _part(call: Call, most: int, too_big: int) -> tuple[str, bytes]:
    if call.upload is None or not call.upload[1]:
        raise Refusal(44001)
    name, content = call.upload
    if len(content) < _SMALLEST:
        raise Refusal(40006)
    if len(content) > most * _MEGABYTE:
        raise Refusal(too_big)
    return name, content


def _make_room(call: Call, size: int) -> None:
    for media_id in [m.media_id for m in call.corp.media.values() if _expired(call, m)]:
        del call.corp.media[media_id]
    if sum(len(m.content) for m in call.corp.media.values()) + size > call.world.options.media_bytes_limit:
        raise Refusal(45001)


def _check_content(kind: str, content: bytes) -> None:
    """Refusal 40123 for an image that is none, 40005 for a video or voice of another form than MP4 and AMR."""
    if kind == "image" and not is_picture(content):
        raise Refusal(40123)
    if (kind == "video" and content[4:8] != b"ftyp") or (kind == "voice" and not content.startswith(b"#!AMR")):
        raise Refusal(40005)


def upload(call: Call) -> Answer:
    """media/upload: a temporary media of three days; created_at is a string here."""
    kind = call.query.text("type")
    if kind not in _LIMITS:
        raise Refusal(40004)
    name, content = _part(call, _LIMITS[kind], _TOO_BIG[kind])
    _check_content(kind, content)
    _make_room(call, len(content))
    made = Media(ids.opaque("3", 60), kind, name, content, call.world.clock.now())
    call.corp.media[made.media_id] = made
    return {"type": kind, "media_id": made.media_id, "created_at": str(call.now)}


def upload_image(call: Call) -> Answer:
    """media/uploadimg: a picture with a lasting URL; at most 1000 a day."""
    name, content = _part(call, _UPLOADIMG_MEGABYTES, 40009)
    if not is_picture(content):
        raise Refusal(40123)
    call.corp.image_uploads = [at for at in call.corp.image_uploads if at > call.now - 86_400]
    if len(call.corp.image_uploads) >= call.world.options.uploadimg_per_day:
        raise Refusal(45009)
    _make_room(call, len(content))
    call.corp.image_uploads.append(call.now)
    made = Media(ids.opaque("img", 40), "image", name, content, call.world.clock.now(), permanent=True)
    call.corp.media[made.media_id] = made
    return {"url": f"{call.world.base_url}/sandbox/media/{call.corp.corp_id}/{made.media_id}"}


def download(call: Call) -> FileAnswer:
    """media/get: the bytes; faults come as JSON."""
    media = need_media(call, call.query.text("media_id"))
    return FileAnswer(media.content, media.filename, _MIMETYPES[media.kind])


ENDPOINTS = {
    "media/upload": Endpoint(upload),
    "media/uploadimg": Endpoint(upload_image),
    "media/get": Endpoint(download),
}
