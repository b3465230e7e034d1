"""The face of the local WeCom: the demo page, the page behind a QR code, and pictures."""

from __future__ import annotations

import colorsys
import hashlib
import io
from functools import lru_cache

import qrcode
from flask import Blueprint, Response, abort, render_template, send_from_directory
from PIL import Image

from bot.sandbox.door import the_world
from bot.sandbox.world import World

pages = Blueprint("pages", __name__, static_folder="static", static_url_path="/sandbox/static")
_AVATAR_PIXELS = 64
_POLICY = (
    "default-src 'self'; img-src 'self' data: http: https:; style-src 'self'; script-src 'self'; "
    "connect-src 'self' http: https:; frame-src http: https:; frame-ancestors 'self'"
)


def _page(html: str) -> Response:
    response = Response(html, content_type="text/html; charset=utf-8")
    response.headers["Content-Security-Policy"] = _POLICY
    return response


@pages.get("/")
def index() -> Response:
    """The demo: a customer's phone, a member's WeCom with the real sidebar, clock and log."""
    return _page(render_template("index.html"))


@pages.get("/scan/<config_id>")
def scan_page(config_id: str) -> Response:
    """What a phone shows after scanning a code: whom it leads to, and a button to add them."""
    world = the_world()
    with world.lock:
        target = _target(world, config_id)
    return _page(render_template("scan.html", config_id=config_id, target=target))


@pages.get("/ca/<link_id>")
def link_page(link_id: str) -> Response:
    """What a phone shows after opening an acquisition link."""
    world = the_world()
    with world.lock:
        corp = next((c for c in world.corps.values() if link_id in c.links), None)
        target = {"corp": corp.name, "kind": "link", "verb": "添加企业微信"} if corp else None
    return _page(render_template("scan.html", config_id=link_id, target=target))


@pages.get("/kfid/<open_kfid>")
def kf_page(open_kfid: str) -> Response:
    """What a phone shows after opening a customer-service entry."""
    world = the_world()
    with world.lock:
        corp = next((c for c in world.corps.values() if open_kfid in c.kf_accounts), None)
        target = {"corp": corp.name, "kind": "kf", "verb": "咨询客服"} if corp else None
    return _page(render_template("scan.html", config_id=open_kfid, target=target))


def _target(world: World, config_id: str) -> dict[str, str] | None:
    for corp in world.corps.values():
        if config_id in corp.ways:
            return {"corp": corp.name, "kind": "contact_way", "verb": "添加企业微信"}
        if config_id in corp.join_ways:
            return {"corp": corp.name, "kind": "join_way", "verb": "加入群聊"}
    return None


@pages.get("/sandbox/qr/<config_id>.png")
def qr_image(config_id: str) -> Response:
    """The live code's picture; its content is the scan page's URL."""
    world = the_world()
    with world.lock:
        if _target(world, config_id) is None:
            abort(404)
    return Response(_qr_png(f"{world.base_url}/scan/{config_id}"), content_type="image/png")


@lru_cache(maxsize=256)
def _qr_png(content: str) -> bytes:
    code = qrcode.QRCode(box_size=8, border=3)
    code.add_data(content)
    out = io.BytesIO()
    code.make_image().save(out, "PNG")
    return out.getvalue()


@pages.get("/sandbox/avatar/<name>.png")
def avatar(name: str) -> Response:
    """A plain square in a colour of its own for each person."""
    response = Response(_avatar_png(name), content_type="image/png")
    response.headers["Cache-Control"] = "max-age=86400"
    return response


@lru_cache(maxsize=1024)
def _avatar_png(name: str) -> bytes:
    hue = int(hashlib.sha256(name.encode()).hexdigest()[:4], 16) / 0xFFFF
    red, green, blue = (round(255 * part) for part in colorsys.hls_to_rgb(hue, 0.62, 0.42))
    out = io.BytesIO()
    Image.new("RGB", (_AVATAR_PIXELS, _AVATAR_PIXELS), (red, green, blue)).save(out, "PNG")
    return out.getvalue()


@pages.get("/sandbox/media/<corp_id>/<media_id>")
def media_file(corp_id: str, media_id: str) -> Response:
    """An uploaded file, for the page and for pic_url."""
    world = the_world()
    with world.lock:
        corp = world.corps.get(corp_id)
        media = corp.media.get(media_id) if corp else None
    if media is None:
        abort(404)
    picture = "image/png" if media.content.startswith(b"\x89PNG") else "image/jpeg"
    kinds = {"image": picture, "video": "video/mp4"}
    response = Response(media.content, content_type=kinds.get(media.kind, "application/octet-stream"))
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


@pages.get("/sandbox/jssdk.js")
def jssdk_script() -> Response:
    """The stand-in for @wecom/jssdk's global build; loaded by the product's page from its own origin."""
    response = send_from_directory(str(pages.static_folder), "jssdk.js", mimetype="text/javascript")
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    response.headers["Access-Control-Allow-Origin"] = "*"
    return response
