"""Drawing a business card as a picture with a QR code.

The font is the configured one, else the system's Noto Sans CJK, else the subset that comes with the product (the
3755 characters of GB 2312 level 1: everyday words, not every surname).
"""

import functools
import io
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, ImageOps

from bot import qr
from materials.intake import DRAWING

WIDTH, HEIGHT, MARGIN = 750, 1200, 48
HEAD, PHOTO_SIDE, CODE_SIDE = 360, 176, 260
BLUE, DARK, GREY, WHITE, LINE = "#2563eb", "#1d2129", "#4e5969", "#ffffff", "#e6e8ec"
MOST_INTRO_LINES = 7
BUNDLED = Path(__file__).parent / "fonts" / "noto-sans-sc-subset.otf"
SYSTEM_FONTS = (
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/noto-cjk/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/google-noto-cjk/NotoSansCJK-Regular.ttc",
)
SIMPLIFIED = 2  # the face inside the collection that draws Chinese as it is written in China
HINT = "长按识别二维码\n查看我的名片"


@dataclass(frozen=True, slots=True, kw_only=True)
class PosterText:
    """What a poster says."""

    name: str
    title: str
    company: str
    intro: str


def draw(said: PosterText, *, url: str, photo: bytes | None, font_file: str = "") -> bytes:
    """The poster as PNG. ``url`` goes into the QR code; without a photo the name's first character stands there."""
    code = Image.open(io.BytesIO(qr.render(url, "png", size=CODE_SIDE)))
    with DRAWING:
        canvas = Image.new("RGB", (WIDTH, HEIGHT), WHITE)
        pen = ImageDraw.Draw(canvas)
        pen.rectangle((0, 0, WIDTH, HEAD), fill=BLUE)
        canvas.paste(_portrait(said.name, photo, font_file), (MARGIN, MARGIN + 40), _disc())
        left = MARGIN + PHOTO_SIDE + 36
        room_left = WIDTH - left - MARGIN
        pen.text((left, MARGIN + 52), said.name, font=_font(font_file, 52), fill=WHITE)
        _lines(pen, said.title, (left, MARGIN + 128), font=_font(font_file, 28), width=room_left, most=1, fill=WHITE)
        _lines(pen, said.company, (left, MARGIN + 176), font=_font(font_file, 28), width=room_left, most=2, fill=WHITE)
        _lines(
            pen,
            said.intro,
            (MARGIN, HEAD + 48),
            font=_font(font_file, 30),
            width=WIDTH - 2 * MARGIN,
            most=MOST_INTRO_LINES,
            fill=DARK,
        )
        foot = HEIGHT - CODE_SIDE - MARGIN
        pen.line((MARGIN, foot - 28, WIDTH - MARGIN, foot - 28), fill=LINE, width=2)
        canvas.paste(code, (WIDTH - CODE_SIDE - MARGIN, foot))
        pen.text((MARGIN, foot + 70), said.name, font=_font(font_file, 36), fill=DARK)
        _lines(pen, HINT, (MARGIN, foot + 132), font=_font(font_file, 26), width=340, most=2, fill=GREY)
        out = io.BytesIO()
        canvas.save(out, "PNG", optimize=True)
    return out.getvalue()


def _portrait(name: str, photo: bytes | None, font_file: str) -> Image.Image:
    size = (PHOTO_SIDE, PHOTO_SIDE)
    if photo is not None:
        with Image.open(io.BytesIO(photo), formats=["PNG", "JPEG"]) as found:
            return ImageOps.fit(found.convert("RGB"), size)
    plate = Image.new("RGB", size, WHITE)
    ImageDraw.Draw(plate).text(
        (PHOTO_SIDE // 2, PHOTO_SIDE // 2), name[:1], font=_font(font_file, 84), fill=BLUE, anchor="mm"
    )
    return plate


def _disc() -> Image.Image:
    large = Image.new("L", (PHOTO_SIDE * 4, PHOTO_SIDE * 4), 0)
    ImageDraw.Draw(large).ellipse((0, 0, PHOTO_SIDE * 4, PHOTO_SIDE * 4), fill=255)
    return large.resize((PHOTO_SIDE, PHOTO_SIDE), Image.Resampling.LANCZOS)


def _lines(
    pen: ImageDraw.ImageDraw,
    text: str,
    place: tuple[int, int],
    *,
    font: ImageFont.FreeTypeFont,
    width: int,
    most: int,
    fill: str,
) -> None:
    """Text broken into lines wherever it fills the width; what does not fit ends in …."""
    lines = [""]
    for character in text.strip():
        if character == "\n" or font.getlength(lines[-1] + character) > width:
            lines.append("")
        if character != "\n":
            lines[-1] += character
    kept = lines[:most]
    if len(lines) > most:
        kept[-1] = kept[-1][:-1] + "…"
    pen.multiline_text(place, "\n".join(kept), font=font, fill=fill, spacing=14)


@functools.lru_cache(maxsize=16)
def _font(file: str, size: int) -> ImageFont.FreeTypeFont:
    for place in (file, *SYSTEM_FONTS):
        if place and Path(place).is_file():
            face = SIMPLIFIED if place.endswith(".ttc") else 0
            return ImageFont.truetype(place, size, index=face)
    return ImageFont.truetype(str(BUNDLED), size)
