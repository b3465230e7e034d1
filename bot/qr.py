"""QR codes of live codes: read what WeCom's picture says, draw our own with a logo as PNG or SVG."""

import base64
import io
from typing import Literal

import httpx
import qrcode
import zxingcpp
from PIL import Image, UnidentifiedImageError
from qrcode.constants import ERROR_CORRECT_H
from qrcode.image.svg import SvgPathImage

from crm_core.errors import InputInvalid, WeComUnavailable

QUIET_ZONE = 4  # modules of white around the code, as ISO/IEC 18004 asks
LOGO_SHARE = 0.22  # of the side; level H repairs up to 30 % of the area
MOST_IMAGE_BYTES = 5_000_000
MOST_SIDE = 4000
PLATE_SHARE = 1.15  # the white plate under the logo
FETCH_SECONDS = 8.0


def read_remote(url: str) -> str:
    """What the picture at ``url`` (WeCom's ``qr_code``) says. Raises: InputInvalid, WeComUnavailable."""
    if not url:
        raise InputInvalid("这个活码还没有二维码，请稍后再试")
    try:
        answer = httpx.get(url, timeout=FETCH_SECONDS, follow_redirects=True)
        answer.raise_for_status()
    except httpx.HTTPError as error:
        raise WeComUnavailable(None, type(error).__name__, "qr_code", remedy="取二维码图片失败，请稍后再试") from None
    return decode(answer.content)


def decode(picture: bytes) -> str:
    """The text of the QR code in a picture. Raises: InputInvalid."""
    if len(picture) > MOST_IMAGE_BYTES:
        raise InputInvalid("二维码图片过大")
    found = zxingcpp.read_barcodes(_open(picture))
    if not found:
        raise InputInvalid("图片里没有认出二维码")
    return str(found[0].text)


def render(content: str, kind: Literal["png", "svg"], logo: bytes | None = None, size: int = 600) -> bytes:
    """Draw ``content``. size: side of the PNG in pixels. The logo covers the middle. Raises: InputInvalid."""
    if not 100 <= size <= MOST_SIDE:
        raise InputInvalid(f"边长应在 100 到 {MOST_SIDE} 像素之间", field="size")
    code = qrcode.QRCode(error_correction=ERROR_CORRECT_H, border=QUIET_ZONE, box_size=10)
    code.add_data(content)
    code.make(fit=True)
    return _svg(code, logo) if kind == "svg" else _png(code, logo, size)


def _png(code: qrcode.QRCode, logo: bytes | None, size: int) -> bytes:
    modules = code.modules_count + 2 * QUIET_ZONE
    code.box_size = max(1, size // modules)
    picture = code.make_image().get_image().convert("RGB")
    canvas = Image.new("RGB", (size, size), "white")
    canvas.paste(picture, ((size - picture.width) // 2, (size - picture.height) // 2))
    if logo is not None:
        side = int(picture.width * LOGO_SHARE)
        plate_side = int(side * PLATE_SHARE)
        canvas.paste(Image.new("RGB", (plate_side, plate_side), "white"), _middle(size, plate_side))
        mark = _open(logo).convert("RGBA").resize((side, side), Image.Resampling.LANCZOS)
        canvas.paste(mark, _middle(size, side), mark)
    out = io.BytesIO()
    canvas.save(out, "PNG", optimize=True)
    return out.getvalue()


def _middle(size: int, side: int) -> tuple[int, int]:
    return ((size - side) // 2, (size - side) // 2)


def _svg(code: qrcode.QRCode, logo: bytes | None) -> bytes:
    text = code.make_image(image_factory=SvgPathImage).to_string(encoding="unicode")
    text = text.replace("<path", '<rect width="100%" height="100%" fill="#fff"/><path', 1)
    if logo is None:
        return str(text).encode()
    side = (code.modules_count + 2 * QUIET_ZONE) * LOGO_SHARE
    whole = code.modules_count + 2 * QUIET_ZONE
    at, plate = (whole - side) / 2, side * PLATE_SHARE
    plate_at = (whole - plate) / 2
    picture = io.BytesIO()
    _open(logo).convert("RGBA").resize((256, 256), Image.Resampling.LANCZOS).save(picture, "PNG")
    data = base64.b64encode(picture.getvalue()).decode()
    mark = (
        f'<rect x="{plate_at:.2f}" y="{plate_at:.2f}" width="{plate:.2f}" height="{plate:.2f}" fill="#fff"/>'
        f'<image x="{at:.2f}" y="{at:.2f}" width="{side:.2f}" height="{side:.2f}" '
        f'href="data:image/png;base64,{data}"/></svg>'
    )
    return str(text).replace("</svg>", mark).encode()


def _open(picture: bytes) -> Image.Image:
    try:
        image = Image.open(io.BytesIO(picture))
        image.load()
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError):
        raise InputInvalid("不是可识别的图片") from None
    return image
