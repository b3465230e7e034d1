"""The check every uploaded file passes before it is stored: how large, what it really is, can it do harm.

The name's ending is never believed. Pictures are drawn anew, which drops EXIF, animation and whatever hides behind the
pixels. Files that a browser would run (HTML, SVG, scripts) and programs are refused. Limits: WeCom doc 90253.
"""

import io
import threading
import warnings
import zipfile
import zlib
from dataclasses import dataclass
from tempfile import SpooledTemporaryFile
from typing import IO, BinaryIO

import pypdfium2
from PIL import Image, ImageOps, UnidentifiedImageError

from crm_core.errors import InputInvalid
from materials.file_names import KIND_NAMES, clean_name, document_kind, is_mp4

MEGABYTE = 1024 * 1024
LEAST_BYTES = 6  # doc 90253: more than 5
MOST_BYTES = {"image": 10 * MEGABYTE, "video": 10 * MEGABYTE, "file": 20 * MEGABYTE}
CHUNK = 64 * 1024
SPOOL_BYTES = MEGABYTE
MOST_ENTRIES = 5000
JPEG_QUALITY = 90
PICTURES = {
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"GIF87a": "GIF",
    b"GIF89a": "GIF",
    b"BM": "BMP",
}
DRAWING = threading.Lock()  # one decoded picture in memory at a time
PDF_READING = threading.Lock()  # PDFium is not made for threads


@dataclass(frozen=True, slots=True, kw_only=True)
class IntakeRules:
    """What an upload may cost us."""

    most_pixels: int = 40_000_000
    most_unpacked_bytes: int = 200 * MEGABYTE


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """A checked file, ready to be stored. kind: image | video | file; content stands at its beginning."""

    kind: str
    mime: str
    filename: str
    size_bytes: int
    content: BinaryIO
    width: int = 0
    height: int = 0
    pages: int = 0


def take_in(stream: IO[bytes], filename: str, rules: IntakeRules, *, wanted: str = "") -> Incoming:
    """Read an upload to its end, or to the limit, and check it.

    wanted: image | video | file when the person chose; "" takes what it is. Raises: InputInvalid, in plain words.
    """
    body, size = _spool(stream)
    try:
        incoming = _judge(body, size, filename, rules)
        _require_wanted(incoming, wanted)
    except InputInvalid:
        body.close()
        raise
    return incoming


def _judge(body: BinaryIO, size: int, filename: str, rules: IntakeRules) -> Incoming:
    if size < LEAST_BYTES:
        raise InputInvalid("文件是空的或不到 6 个字节，企业微信不收", field="file")
    head = body.read(4096)
    body.seek(0)
    picture = _picture_format(head)
    if picture:
        return _picture(body, filename, picture, rules)
    if not is_mp4(head):
        return _document(body, size, filename, head, rules)
    return Incoming(
        kind="video",
        mime="video/mp4",
        filename=clean_name(filename, "video/mp4", fallback="视频"),
        size_bytes=size,
        content=body,
    )


def require_size(kind: str, size_bytes: int, *, field: str = "file") -> None:
    """WeCom's limit for sending as image, video or file. Raises: InputInvalid. Source: doc 90253."""
    if size_bytes > MOST_BYTES[kind]:
        raise InputInvalid(
            f"{KIND_NAMES[kind]}不能超过 {MOST_BYTES[kind] // MEGABYTE} MB（企业微信的限制），"
            f"现在是 {size_bytes / MEGABYTE:.1f} MB",
            field=field,
        )


def _spool(stream: IO[bytes]) -> tuple[BinaryIO, int]:
    most, size = max(MOST_BYTES.values()), 0
    body: IO[bytes] = SpooledTemporaryFile(SPOOL_BYTES)  # noqa: SIM115 - handed on open
    while chunk := stream.read(CHUNK):
        size += len(chunk)
        if size > most:
            body.close()
            raise InputInvalid(f"文件不能超过 {most // MEGABYTE} MB，请压缩或拆分后再上传", field="file")
        body.write(chunk)
    body.seek(0)
    return body, size  # type: ignore[return-value]  # a spooled file is a BinaryIO in all but name


def _require_wanted(incoming: Incoming, wanted: str) -> None:
    if wanted in ("image", "video") and incoming.kind != wanted:
        wishes = {"image": "图片（JPG、PNG、GIF、WebP、BMP）", "video": "MP4 视频"}
        raise InputInvalid(f"请选择{wishes[wanted]}，这个文件其实是{KIND_NAMES[incoming.kind]}", field="file")
    require_size("file" if wanted == "file" else incoming.kind, incoming.size_bytes)


def _picture_format(head: bytes) -> str:
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    return next((name for magic, name in PICTURES.items() if head.startswith(magic)), "")


def _picture(body: BinaryIO, filename: str, kind: str, rules: IntakeRules) -> Incoming:
    """The picture, drawn anew as JPEG or PNG: WeCom takes no other form."""
    drawn = io.BytesIO()
    with DRAWING, warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            with Image.open(body, formats=[kind]) as found:
                if found.width * found.height > rules.most_pixels:
                    raise InputInvalid(
                        f"图片太大（{found.width}×{found.height}），请缩到 {rules.most_pixels // 10_000} 万像素以内",
                        field="file",
                    )
                upright = ImageOps.exif_transpose(found)
                has_alpha = "A" in upright.getbands() or "transparency" in upright.info
                target = "PNG" if kind == "PNG" or has_alpha else "JPEG"
                plain = upright.convert("RGBA" if has_alpha else "RGB")
                size = plain.size
                clean = Image.new(plain.mode, size)
                clean.paste(plain)
                clean.save(drawn, target, **({"quality": JPEG_QUALITY} if target == "JPEG" else {"optimize": False}))
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            raise InputInvalid("图片像素太大，请缩小后再上传", field="file") from error
        except (UnidentifiedImageError, OSError, ValueError, SyntaxError, EOFError, zlib.error) as error:
            raise InputInvalid("图片已损坏，打不开", field="file") from error
        finally:
            body.close()
    mime = "image/png" if target == "PNG" else "image/jpeg"
    length = drawn.tell()
    drawn.seek(0)
    return Incoming(
        kind="image",
        mime=mime,
        filename=clean_name(filename, mime, fallback="图片"),
        size_bytes=length,
        content=drawn,
        width=size[0],
        height=size[1],
    )


def _document(body: BinaryIO, size: int, filename: str, head: bytes, rules: IntakeRules) -> Incoming:
    names: list[str] = []
    if head.startswith(b"PK\x03\x04"):
        names = unpacked_names(body, rules.most_unpacked_bytes)
    mime = document_kind(head, names, filename)
    pages = _page_count(body) if mime == "application/pdf" else 0
    body.seek(0)
    return Incoming(
        kind="file",
        mime=mime,
        filename=clean_name(filename, mime, fallback="文件"),
        size_bytes=size,
        content=body,
        pages=pages,
    )


def unpacked_names(body: BinaryIO, most_bytes: int) -> list[str]:
    """The names inside a ZIP, after all of it was unpacked once to count. Raises: InputInvalid (bomb, broken)."""
    total = 0
    body.seek(0)
    try:
        with zipfile.ZipFile(body) as archive:
            entries = archive.infolist()
            if len(entries) > MOST_ENTRIES or sum(entry.file_size for entry in entries) > most_bytes:
                raise InputInvalid(f"压缩包解开后超过 {most_bytes // MEGABYTE} MB，已拒收", field="file")
            for entry in entries:
                if entry.flag_bits & 0x1:
                    continue  # encrypted: cannot be unpacked by us, and not by a bomb either
                with archive.open(entry) as inside:
                    while chunk := inside.read(MEGABYTE):
                        total += len(chunk)
                        if total > most_bytes:
                            raise InputInvalid(f"压缩包解开后超过 {most_bytes // MEGABYTE} MB，已拒收", field="file")
            return [entry.filename for entry in entries]
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError, RuntimeError) as error:
        raise InputInvalid("文件已损坏，打不开", field="file") from error
    finally:
        body.seek(0)


def _page_count(body: BinaryIO) -> int:
    """Pages of a PDF; 0 when it is locked or cannot be read, it can still be sent as a file."""
    body.seek(0)
    with PDF_READING:
        try:
            document = pypdfium2.PdfDocument(body.read())
        except pypdfium2.PdfiumError:
            return 0
        try:
            return len(document)
        finally:
            document.close()
