"""The admin API, second part: what customers, staff and administrators do."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, request

from bot.sandbox import acts, admin_office, admin_outreach, admin_people, ids
from bot.sandbox.admin import asked, guard
from bot.sandbox.api.attachments import picture_size
from bot.sandbox.door import let_go, ok, the_world
from bot.sandbox.fields import Fields
from bot.sandbox.model import Media
from bot.sandbox.qr_codes import read_code, told_by
from bot.sandbox.world import World

admin_acts = Blueprint("admin_acts", __name__, url_prefix="/sandbox/api")
guard(admin_acts)
ACTS = {**admin_people.ACTS, **admin_office.ACTS, **admin_outreach.ACTS}
_KINDS = {"image", "video", "file"}


def perform(world: World, act: str, body: Fields) -> dict[str, Any]:
    """Do one act and let go the callbacks it caused; for the player, which has no answer to wait for."""
    with world.lock:
        try:
            return ACTS[act](world, body)
        finally:
            world.courier.post(world.take_pending())


@admin_acts.post("/<act>")
def act(act: str) -> Response:
    """Do one of ACTS; the callbacks it causes leave after this answer."""
    run = ACTS.get(act)
    if run is None:
        raise acts.ActRefused(f"没有这个动作：{act}")
    world, body = the_world(), asked()
    with world.lock:
        try:
            answer = ok(**run(world, body))
        except Exception:
            world.courier.post(world.take_pending())
            raise
        deliveries = world.take_pending()
    return let_go(answer, world, deliveries)


@admin_acts.post("/upload")
def upload() -> Response:
    """Multipart `file` (and ?kind=, ?corp=, ?scene=): a picture, video or file as people send them."""
    world, part = the_world(), request.files.get("file")
    kind = request.args.get("kind", "image")
    content = part.read() if part else b""
    if part is None or not content or kind not in _KINDS:
        raise acts.ActRefused("没有收到文件")
    if kind == "image" and picture_size(content) is None:
        raise acts.ActRefused("图片需要是 PNG 或 JPG")
    scene = request.args.get("scene", "0")
    with world.lock:
        corp = acts.corp_of(world, request.args.get("corp", ""))
        made = Media(ids.opaque("3", 60), kind, part.filename or "", content, world.clock.now(), scene=int(scene))
        corp.media[made.media_id] = made
    return ok(media_id=made.media_id, filename=made.filename)


@admin_acts.post("/read_code")
def read() -> Response:
    """Multipart `file` with a picture of a QR code, or {text}: what the code says and what it is here."""
    part = request.files.get("file")
    text = read_code(part.read()) if part else asked().text("text").strip()
    if not text:
        raise acts.ActRefused("图片里没有认出二维码")
    world = the_world()
    with world.lock:
        return ok(text=text, **told_by(world, text))
