"""Text and attachments of welcomes, mass messages and group welcomes. Source: WeCom docs 92137, 92135, 92366."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

from PIL import Image

from bot.sandbox import ids
from bot.sandbox.api.call import Answer, Call, Endpoint
from bot.sandbox.api.media import need_media
from bot.sandbox.fields import Fields
from bot.sandbox.model import Media
from bot.sandbox.records import Line
from bot.sandbox.refusal import Refusal, wrong_field

_TEXT_BYTES = 4000
_ATTACHMENTS = 9
_MEGABYTE = 1024 * 1024
_SCENES = {1: {"image", "video"}, 2: {"image"}}  # 1 moments, 2 product album
_MOST_PIXELS = 1_555_200


def _image(call: Call, one: Fields) -> dict[str, Any]:
    media_id, url = one.text("media_id"), one.text("pic_url")
    if media_id:
        need_media(call, media_id, "image")
    elif not url:
        raise wrong_field("image")
    return {"media_id": media_id} if media_id else {"pic_url": url}


def _link(_call: Call, one: Fields) -> dict[str, Any]:
    return {
        "title": one.need_text("title", size=128),
        "picurl": one.text("picurl", size=2048),
        "desc": one.text("desc", size=512),
        "url": one.need_text("url", size=2048),
    }


def _miniprogram(call: Call, one: Fields) -> dict[str, Any]:
    cover = one.need_text("pic_media_id")
    need_media(call, cover, "image")
    return {
        "title": one.need_text("title", size=64),
        "pic_media_id": cover,
        "appid": one.need_text("appid"),
        "page": one.need_text("page"),
    }


def _stored(kind: str) -> Callable[[Call, Fields], dict[str, Any]]:
    def read(call: Call, one: Fields) -> dict[str, Any]:
        media_id = one.need_text("media_id")
        need_media(call, media_id, kind)
        return {"media_id": media_id}

    return read


_READERS: dict[str, Callable[[Call, Fields], dict[str, Any]]] = {
    "image": _image,
    "link": _link,
    "miniprogram": _miniprogram,
    "video": _stored("video"),
    "file": _stored("file"),
}


def read_message(call: Call) -> list[Line]:
    """Text and attachments as (msgtype, body); Refusal for anything over the vendor's limits."""
    found: list[Line] = []
    text = call.body.child("text")
    content = text.text("content", size=_TEXT_BYTES) if text else ""
    if content:
        found.append(("text", {"content": content}))
    for one in call.body.children("attachments", most=_ATTACHMENTS, code=41064):
        kind = one.text("msgtype")
        if kind not in _READERS:
            raise Refusal(41065)
        found.append((kind, _READERS[kind](call, one.need_child(kind))))
    if not found:
        raise wrong_field("text")
    return found


def read_flat(call: Call, *, text_bytes: int) -> list[Line]:
    """The flat form of group welcomes: text and at most one of image, link, miniprogram, file, video."""
    found: list[Line] = []
    text = call.body.child("text")
    content = text.text("content", size=text_bytes) if text else ""
    if content:
        found.append(("text", {"content": content}))
    for kind, read in _READERS.items():
        one = call.body.child(kind)
        if one:
            found.append((kind, read(call, one)))
            break
    if not found:
        raise wrong_field("text")
    return found


def upload_attachment(call: Call) -> Answer:
    """media/upload_attachment: for moments (1) and the product album (2) only; created_at is a number here.

    Refuses with 40004 a wrong media_type, 41072 a wrong attachment_type, 44001, 40009 or 41080 over the size,
    41081 over the resolution, 41090 a video that is no mp4.
    """
    kind, scene = call.query.text("media_type"), call.query.whole("attachment_type")
    if kind not in {"image", "video", "file"}:
        raise Refusal(40004)
    if scene not in _SCENES or kind not in _SCENES[scene]:
        raise Refusal(41072)
    if call.upload is None or not call.upload[1]:
        raise Refusal(44001)
    name, content = call.upload
    if len(content) > 10 * _MEGABYTE:
        raise Refusal(41080)
    if kind == "image":
        _check_picture(content)
    elif content[4:8] != b"ftyp":
        raise Refusal(41090)
    made = Media(ids.opaque("3", 60), kind, name, content, call.world.clock.now(), scene=scene)
    call.corp.media[made.media_id] = made
    return {"type": kind, "media_id": made.media_id, "created_at": call.now}


def _check_picture(content: bytes) -> None:
    size = picture_size(content)
    if size is None:
        raise Refusal(40123)
    if size[0] * size[1] > _MOST_PIXELS:
        raise Refusal(41081)


def picture_size(content: bytes) -> tuple[int, int] | None:
    """Width and height of a PNG or JPEG in pixels, None for anything else."""
    try:
        with Image.open(io.BytesIO(content), formats=["PNG", "JPEG"]) as picture:
            return picture.size
    except (OSError, ValueError, Image.DecompressionBombError):
        return None


ENDPOINTS = {"media/upload_attachment": Endpoint(upload_attachment)}
