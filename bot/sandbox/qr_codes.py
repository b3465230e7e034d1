"""Reading QR codes that are shown to a phone, and knowing what they lead to."""

from __future__ import annotations

import io
from urllib.parse import parse_qs, urlsplit

import zxingcpp
from PIL import Image

from bot.sandbox.world import World

_MOST_PIXELS = 40_000_000


def read_code(picture: bytes) -> str:
    """The text of the first code in a picture, "" when there is none or it is no picture."""
    try:
        with Image.open(io.BytesIO(picture), formats=["PNG", "JPEG", "WEBP", "GIF", "BMP"]) as opened:
            if opened.width * opened.height > _MOST_PIXELS:
                return ""
            found = zxingcpp.read_barcodes(opened.convert("L"))
    except (OSError, ValueError, Image.DecompressionBombError):
        return ""
    return str(found[0].text) if found else ""


def told_by(world: World, text: str) -> dict[str, str]:
    """What a code's text leads to here: kind contact_way, join_way, link, kf, url or unknown, with ids."""
    parts = urlsplit(text)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    kind, _, name = parts.path.strip("/").partition("/")
    for corp in world.corps.values():
        if kind == "scan" and name in corp.ways:
            return {"kind": "contact_way", "id": name, "corp_id": corp.corp_id}
        if kind == "scan" and name in corp.join_ways:
            return {"kind": "join_way", "id": name, "corp_id": corp.corp_id}
        if kind == "ca" and name in corp.links:
            channel = query.get("customer_channel", "")
            return {"kind": "link", "id": name, "corp_id": corp.corp_id, "customer_channel": channel}
        if kind == "kfid" and name in corp.kf_accounts:
            scene = {"scene": query.get("enc_scene", ""), "scene_param": query.get("scene_param", "")}
            return {"kind": "kf", "id": name, "corp_id": corp.corp_id} | scene
    return {"kind": "url" if parts.scheme in {"http", "https"} else "unknown", "id": ""}
