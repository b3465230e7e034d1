"""Pictures made from pictures: small ones for cards and lists, and those of a PDF's pages."""

import io
from collections.abc import Iterator
from typing import BinaryIO

import pypdfium2
from PIL import Image

from crm_core.errors import InputInvalid
from materials.intake import DRAWING, PDF_READING

CARD_SIDE = 1080
THUMB_SIDE = 360
PAGE_SIDE = 1400
MOST_PAGES = 100
JPEG_QUALITY = 85
MIN_CODE_SIDE = 120
PLACES = {"bottom_right": (1.0, 1.0), "bottom_left": (0.0, 1.0), "bottom": (0.5, 1.0), "middle": (0.5, 0.5)}


def small(content: BinaryIO, *, side: int = CARD_SIDE) -> bytes:
    """A JPEG of a stored picture, no side longer than ``side`` pixels; what is transparent becomes white."""
    with DRAWING, Image.open(content, formats=["PNG", "JPEG"]) as found:
        found.draft("RGB", (side, side))
        return _jpeg(found, side)


def poster(background: BinaryIO, code: bytes, place: str) -> bytes:
    """A JPEG of a background with a QR code of a quarter of its width. place: a key of ``PLACES``."""
    with DRAWING, Image.open(background, formats=["PNG", "JPEG"]) as found, Image.open(io.BytesIO(code)) as mark:
        drawn = found.convert("RGB")
        side = max(MIN_CODE_SIDE, min(drawn.size) // 4)
        margin = side // 5
        across, down = PLACES.get(place, PLACES["bottom_right"])
        left = margin + int((drawn.width - 2 * margin - side) * across)
        top = margin + int((drawn.height - 2 * margin - side) * down)
        drawn.paste(mark.convert("RGB").resize((side, side)), (max(left, 0), max(top, 0)))
        made = io.BytesIO()
        drawn.save(made, "JPEG", quality=JPEG_QUALITY)
        return made.getvalue()


def page_pictures(content: BinaryIO) -> Iterator[bytes]:
    """A JPEG of each page of a PDF, at most ``MOST_PAGES``. Raises: InputInvalid when it cannot be read."""
    data = content.read()
    with PDF_READING:
        try:
            document = pypdfium2.PdfDocument(data)
        except pypdfium2.PdfiumError as error:
            raise InputInvalid("PDF 有密码或已损坏，不能逐页显示") from error
    try:
        for number in range(min(len(document), MOST_PAGES)):
            with PDF_READING:
                page = document[number]
                width, height = page.get_size()
                bitmap = page.render(scale=min(PAGE_SIDE / max(width, height, 1.0), 4.0))
                drawn = bitmap.to_pil()
                page.close()
            with DRAWING:
                yield _jpeg(drawn, PAGE_SIDE)
    finally:
        with PDF_READING:
            document.close()


def _jpeg(found: Image.Image, side: int) -> bytes:
    drawn = found.convert("RGBA") if "A" in found.getbands() or "transparency" in found.info else found.convert("RGB")
    drawn.thumbnail((side, side))
    if drawn.mode == "RGBA":
        ground = Image.new("RGB", drawn.size, "white")
        ground.paste(drawn, mask=drawn.getchannel("A"))
        drawn = ground
    made = io.BytesIO()
    drawn.save(made, "JPEG", quality=JPEG_QUALITY)
    return made.getvalue()
