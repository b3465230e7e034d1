import io
import struct
import zipfile
import zlib

import pytest
from PIL import Image

from crm_core.errors import InputInvalid
from materials.file_names import clean_name
from materials.intake import MEGABYTE, IntakeRules, take_in

from .conftest import mp4, pdf, picture, zipped

RULES = IntakeRules()
OPEN = []


@pytest.fixture(autouse=True)
def opened():
    """Contents that a test was handed are closed at its end."""
    yield
    while OPEN:
        OPEN.pop().close()


def take(content: bytes, filename: str = "x", **more):
    found = take_in(io.BytesIO(content), filename, more.pop("rules", RULES), **more)
    OPEN.append(found.content)
    return found


def refused(content: bytes, filename: str = "x", **more) -> str:
    with pytest.raises(InputInvalid) as caught:
        take(content, filename, **more)
    assert caught.value.field == "file"
    return caught.value.message


def test_a_picture_is_drawn_anew_without_exif_and_stands_upright():
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "secret place"
    found = take(picture((40, 30), "JPEG", exif=exif), "photo.png")
    assert (found.kind, found.mime, found.filename) == ("image", "image/jpeg", "photo.jpg")
    assert (found.width, found.height) == (30, 40)
    data = found.content.read()
    assert b"secret place" not in data
    assert len(data) == found.size_bytes
    assert not dict(Image.open(io.BytesIO(data)).getexif())


def test_an_animation_becomes_its_first_picture_and_hidden_bytes_are_gone():
    frames = [Image.new("P", (20, 20), number) for number in range(3)]
    made = io.BytesIO()
    frames[0].save(made, "GIF", save_all=True, append_images=frames[1:])
    data = take(made.getvalue() + b"<script>alert(1)</script>", "dance.gif").content.read()
    assert b"script" not in data
    assert getattr(Image.open(io.BytesIO(data)), "n_frames", 1) == 1


def test_a_transparent_picture_stays_transparent():
    made = io.BytesIO()
    Image.new("RGBA", (8, 8), (255, 0, 0, 0)).save(made, "WEBP")
    found = take(made.getvalue(), "logo.webp")
    assert found.mime == "image/png"
    assert Image.open(found.content).getpixel((0, 0))[3] == 0


def bomb() -> bytes:
    """A PNG that says it is 60,000 × 60,000 pixels."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")


def test_picture_bombs_and_broken_pictures_are_refused():
    assert "图片像素太大" in refused(bomb())
    assert "图片太大（40×30）" in refused(picture(), rules=IntakeRules(most_pixels=1000))
    assert refused(picture((300, 300))[:200]) == "图片已损坏，打不开"


@pytest.mark.parametrize(
    ("content", "filename", "said"),
    [
        (b"<!DOCTYPE html><script>alert(1)</script>", "page.pdf", "网页和 SVG"),
        (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"><script/></svg>', "a.png", "网页和 SVG"),
        (b"  <svg onload=alert(1)>", "a.svg", "网页和 SVG"),
        (b"MZ\x90\x00 program", "report.docx", "程序文件"),
        (b"#!/bin/sh\nrm -rf /", "notes.txt", "程序文件"),
        (b"\x00\x01\x02\x03\x04\x05\x06\x07unknown", "a.pdf", "不支持这种文件"),
        (b"just words", "a.exe", "不支持这种文件"),
        (b"\x00\x00\x00\x14ftypqt  \x00\x00\x00\x00", "a.mp4", "MOV"),
        (b"tiny", "a.txt", "不到 6 个字节"),
        (b"PK\x03\x04 broken archive", "a.docx", "已损坏"),
    ],
)
def test_what_must_not_come_in_is_refused_with_a_reason(content, filename, said):
    assert said in refused(content, filename)


def test_documents_are_known_by_content_and_renamed_to_it():
    found = take(pdf(2), "report.exe")
    assert (found.kind, found.mime, found.filename, found.pages) == ("file", "application/pdf", "report.exe.pdf", 2)
    word = zipped(**{"[Content_Types].xml": b"<Types/>", "word__document.xml": b"<w/>"})
    assert take(word, "合同.zip").filename == "合同.docx"
    assert take(zipped(a=b"1234567"), "资料.docx").filename == "资料.zip"
    assert take("你好，世界".encode("gb18030"), "说明.txt").mime == "text/plain"
    assert take(mp4(), "样板.mov").filename == "样板.mp4"


def test_archives_that_unpack_too_large_are_refused_also_when_they_lie_about_it():
    rules = IntakeRules(most_unpacked_bytes=2 * MEGABYTE)
    honest = zipped(a=b"\0" * 3 * MEGABYTE)
    assert len(honest) < 20_000
    assert "解开后超过 2 MB" in refused(honest, "a.zip", rules=rules)
    lying = honest.replace(struct.pack("<I", 3 * MEGABYTE), struct.pack("<I", 10))
    assert "已损坏" in refused(lying, "a.zip", rules=rules)
    many = io.BytesIO()
    with zipfile.ZipFile(many, "w") as archive:
        for number in range(5001):
            archive.writestr(str(number), b"")
    assert "解开后超过" in refused(many.getvalue(), "a.zip")


class Endless(io.RawIOBase):
    """2 GB that were never in memory; counts how much was asked for."""

    def __init__(self):
        self.given = 0

    def readable(self):
        return True

    def readinto(self, buffer):
        size = min(len(buffer), 2 * 1024 * MEGABYTE - self.given)
        buffer[:size] = b"\xff" * size
        self.given += size
        return size


def test_two_gigabytes_are_refused_after_twenty_megabytes():
    flood = Endless()
    with pytest.raises(InputInvalid, match="文件不能超过 20 MB"):
        take_in(flood, "a.zip", RULES)
    assert flood.given <= 21 * MEGABYTE


def test_limits_of_wecom_and_the_wish_of_the_person():
    assert "视频不能超过 10 MB" in refused(mp4(11 * MEGABYTE), "a.mp4")
    assert take(mp4(11 * MEGABYTE), "a.mp4", wanted="file").kind == "video"
    assert "这个文件其实是视频" in refused(mp4(), "a.png", wanted="image")


@pytest.mark.parametrize(
    ("raw", "kept"),
    [
        ("../../etc/passwd", "passwd.pdf"),
        ("C:\\Users\\王\\报价.PDF", "报价.pdf"),
        ("evil\u202egnp.exe", "evil_gnp.exe.pdf"),
        ("", "文件.pdf"),
        ("a\r\nb.pdf", "a__b.pdf"),
        ("长" * 300 + ".pdf", "长" * 80 + ".pdf"),
        (".htaccess", "htaccess.pdf"),
    ],
)
def test_names_carry_no_path_and_no_trickery(raw, kept):
    assert clean_name(raw, "application/pdf", fallback="文件") == kept
