"""Codes we draw can be read back, with a logo and without; what is no picture is refused in Chinese."""

import base64
import io
import re

import pytest
import qrcode
from PIL import Image

from bot import qr
from bot.sandbox.server import SandboxServer
from crm_core.errors import InputInvalid, WeComUnavailable
from tests.support.bench import Bench
from tests.support.product import free_port

CONTENT = "https://wework.qpic.cn/wwpic/123_abc?state=门店&x=1"


def logo(side: int = 64) -> bytes:
    out = io.BytesIO()
    Image.new("RGBA", (side, side), (200, 30, 30, 255)).save(out, "PNG")
    return out.getvalue()


@pytest.mark.parametrize("with_logo", [False, True])
@pytest.mark.parametrize("size", [200, 600, 1001])
def test_a_png_says_what_was_put_in(with_logo: bool, size: int) -> None:
    picture = qr.render(CONTENT, "png", logo() if with_logo else None, size)
    assert Image.open(io.BytesIO(picture)).size == (size, size)
    assert qr.decode(picture) == CONTENT


def test_the_logo_is_in_the_middle() -> None:
    image = Image.open(io.BytesIO(qr.render(CONTENT, "png", logo(), 600)))
    assert image.getpixel((300, 300)) == (200, 30, 30)


@pytest.mark.parametrize("with_logo", [False, True])
def test_an_svg_is_well_formed_and_holds_the_logo(with_logo: bool) -> None:
    from defusedxml.ElementTree import fromstring

    drawn = qr.render(CONTENT, "svg", logo() if with_logo else None)
    tags = [element.tag.rpartition("}")[2] for element in fromstring(drawn).iter()]
    assert tags[0] == "svg"
    assert "path" in tags
    assert ("image" in tags) is with_logo
    if with_logo:
        data = re.search(rb"base64,([^\"]+)", drawn)
        assert data is not None
        assert Image.open(io.BytesIO(base64.b64decode(data[1]))).size == (256, 256)


@pytest.mark.parametrize("size", [0, 99, 4001])
def test_a_size_out_of_range_is_refused(size: int) -> None:
    with pytest.raises(InputInvalid, match="边长应在") as refused:
        qr.render(CONTENT, "png", None, size)
    assert refused.value.field == "size"


def test_what_is_no_picture_is_refused() -> None:
    for act in (lambda: qr.decode(b"GIF"), lambda: qr.render(CONTENT, "png", b"\x89PNG broken"),
                lambda: qr.render(CONTENT, "svg", b"")):  # fmt: skip
        with pytest.raises(InputInvalid, match="不是可识别的图片"):
            act()
    with pytest.raises(InputInvalid, match="过大"):
        qr.decode(b"x" * 5_000_001)
    with pytest.raises(InputInvalid, match="没有认出"):
        qr.decode(logo())


def test_wecoms_own_picture_is_read(bench: Bench, sandbox: SandboxServer) -> None:
    body = {"type": 2, "scene": 2, "user": ["zhang.san"], "state": "abc"}
    made = bench.house.gateways.of(bench.corp).client.post("externalcontact/add_contact_way", body, repeatable=False)  # type: ignore[attr-defined]
    text = qr.read_remote(made["qr_code"])
    assert text
    assert qr.decode(qr.render(text, "png")) == text


def test_a_code_that_is_not_there_yet_or_cannot_be_had_says_so(sandbox: SandboxServer) -> None:
    with pytest.raises(InputInvalid, match="还没有二维码"):
        qr.read_remote("")
    for url in (f"{sandbox.url}/nothing-here.png", f"http://127.0.0.1:{free_port()}/x.png"):
        with pytest.raises(WeComUnavailable, match="取二维码图片失败"):
            qr.read_remote(url)


def test_a_code_of_somebody_else_is_read_as_well() -> None:
    out = io.BytesIO()
    qrcode.make("plain").get_image().save(out, "PNG")
    assert qr.decode(out.getvalue()) == "plain"
