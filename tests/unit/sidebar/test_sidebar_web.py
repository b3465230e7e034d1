import hashlib
import json
import re
from pathlib import Path

import pytest

from crm_core.config import DemoPart, WeComPart
from sidebar.web import ASSETS, content_policy
from tests.sidebar_house import WANG, make_settings

ROOT = Path(__file__).resolve().parents[3]
FIRST_LOAD_BYTES = 60 * 1024
GZIP = {"Accept-Encoding": "gzip"}


def test_the_first_load_is_small(house, capsys):
    client = house.signed_in()
    page = len(client.get(f"/sidebar/main/?external_userid={WANG}", headers=GZIP).data)
    assets = house.app.extensions["sidebar"].assets
    total = page + sum(assets.packed_bytes(name) for name in ASSETS)
    own = total - assets.packed_bytes("vendor/wecom.global.prod.js")
    with capsys.disabled():
        print(f"\nsidebar first load: {own / 1024:.1f} KB, with the vendored JS-SDK {total / 1024:.1f} KB (gzip)")
    assert total <= FIRST_LOAD_BYTES


def test_static_files_carry_their_hash_and_live_for_ever(house):
    client = house.client()
    page = house.signed_in().get("/sidebar/main/").get_data(as_text=True)
    urls = re.findall(r'(?:src|href)="(/sidebar/static/[^"#]+)', page)
    assert len(set(urls)) >= 5
    for url in set(urls):
        packed, plain = client.get(url, headers=GZIP), client.get(url)
        assert packed.headers["Content-Encoding"] == "gzip"
        assert "immutable" in plain.headers["Cache-Control"]
        assert hashlib.sha256(plain.data).hexdigest().startswith(url.split("/")[3])
    assert client.get(re.sub(r"/static/\w+/", "/static/0000000000000000/", urls[0])).status_code == 404
    assert client.get("/sidebar/static/0000000000000000/../../config.yaml").status_code in {401, 404}


def test_pages_are_guarded_by_headers(house):
    answer = house.signed_in().get("/sidebar/main/")
    policy = answer.headers["Content-Security-Policy"]
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-store"
    html = answer.get_data(as_text=True)
    assert re.search(r'<body data-request-id="[0-9a-f]{32}"', html)
    assert not re.search(r"<script(?![^>]*\bsrc=)[^>]*>", html)
    assert not re.search(r"\s(on\w+|style)=", html)


def test_who_may_frame_us():
    assert content_policy(make_settings()).endswith("frame-ancestors 'self' https://*.work.weixin.qq.com")
    wecom = WeComPart(
        api_base="http://127.0.0.1:8701", open_base="http://127.0.0.1:8701", jssdk_url="http://127.0.0.1:8701/j.js"
    )
    demo = content_policy(make_settings(demo=DemoPart(enabled=True), wecom=wecom))
    assert demo.endswith("frame-ancestors 'self' http://127.0.0.1:8701")
    assert "script-src 'self' http://127.0.0.1:8701;" in demo
    assert "connect-src 'self' http://127.0.0.1:8701;" in demo


def test_vendored_files_are_as_locked():
    folder = ROOT / "static" / "vendor"
    entries = json.loads((folder / "vendor.lock.json").read_text("utf-8"))
    for entry in entries:
        assert hashlib.sha256((folder / entry["file"]).read_bytes()).hexdigest() == entry["sha256"], entry["file"]
        assert entry["licence"]
    known = {entry["file"] for entry in entries} | {"vendor.lock.json", "fetch.py"}
    assert {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} <= known


@pytest.mark.parametrize(
    ("file", "folder"),
    [("icons.svg", "sidebar"), ("icons-console.svg", "bot/console"), ("icons-viewer.svg", "bot/viewer")],
)
def test_every_icon_that_is_used_is_in_the_sprite_and_no_other(file, folder):
    entries = json.loads((ROOT / "static/vendor/vendor.lock.json").read_text("utf-8"))
    icons = next(set(entry["icons"]) for entry in entries if entry["file"] == file)
    text = "".join(path.read_text("utf-8") for path in (ROOT / folder).rglob("*") if path.suffix in {".html", ".py"})
    used = {icon for icon in icons if re.search(rf"""['"]{icon}['"]""", text)}
    asked = set(re.findall(r"icon\('([a-z0-9-]+)'\)", text)) | set(re.findall(r'icon="([a-z0-9-]+)"', text))
    assert asked <= icons
    assert used == icons


def channel(value: int) -> float:
    part = value / 255
    return part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4


def contrast(first: str, second: str) -> float:
    lights = []
    for colour in (first, second):
        red, green, blue = (channel(int(colour[at : at + 2], 16)) for at in (1, 3, 5))
        lights.append(0.2126 * red + 0.7152 * green + 0.0722 * blue)
    return (max(lights) + 0.05) / (min(lights) + 0.05)


def block(selector: str) -> dict[str, str]:
    """The custom properties of one rule of tokens.css."""
    css = (ROOT / "static/tokens.css").read_text("utf-8")
    return dict(re.findall(r"--([\w-]+): ([^;]+);", css.partition(f"{selector} {{")[2].partition("}")[0]))


def tokens(*, dark: bool) -> dict[str, str]:
    found = block(':root,\n[data-theme="light"]') | (block('[data-theme="dark"]') if dark else {})
    while any(value.startswith("var(") for value in found.values()):
        found = {name: found[value[6:-1]] if value.startswith("var(") else value for name, value in found.items()}
    return found


def test_a_chosen_dark_theme_is_the_one_of_the_system():
    assert block('[data-theme="dark"]') == block(":root:not([data-theme])")
    # a part of a page may be dark inside a light page: what refers to another token must be said again there
    light = block(':root,\n[data-theme="light"]')
    again = {
        name
        for name, value in light.items()
        if value.startswith("var(") and value[6:-1] in block('[data-theme="dark"]')
    }
    assert again <= set(block('[data-theme="dark"]'))


@pytest.mark.parametrize("dark", [False, True])
def test_contrast_holds_on_every_ground(dark):
    known = tokens(dark=dark)
    for ground in ("ground", "surface", "sunken"):
        for text in ("text-1", "text-2", "primary-text", "danger", "success", "warning", "wechat", "wecom"):
            assert contrast(known[text], known[ground]) >= 4.5, (text, ground)
    assert contrast(known["control-line"], known["surface"]) >= 3
    for text, ground in (
        ("on-primary", "primary"),
        ("on-primary", "primary-press"),
        ("primary-text", "primary-soft"),
        ("text-1", "primary-soft"),
        ("text-2", "primary-soft"),
        ("success", "success-soft"),
        ("danger", "danger-soft"),
        ("warning", "warning-soft"),
    ):
        assert contrast(known[text], known[ground]) >= 4.5, (text, ground)
