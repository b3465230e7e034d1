"""What a file is by its first bytes, and a name that says so. Pure."""

import re
import unicodedata
from pathlib import PurePosixPath

from crm_core.errors import InputInvalid

KIND_NAMES = {"image": "图片", "video": "视频", "file": "文件"}
NAME_CHARS = 80
OOXML = "application/vnd.openxmlformats-officedocument."
ZIPPED = {
    "word/": (f"{OOXML}wordprocessingml.document", (".docx",)),
    "xl/": (f"{OOXML}spreadsheetml.sheet", (".xlsx",)),
    "ppt/": (f"{OOXML}presentationml.presentation", (".pptx",)),
}
ENDINGS = {
    "image/png": (".png",),
    "image/jpeg": (".jpg", ".jpeg"),
    "video/mp4": (".mp4", ".m4v"),
    "application/pdf": (".pdf",),
    "application/zip": (".zip",),
    "application/x-ole-storage": (".doc", ".xls", ".ppt", ".wps", ".et", ".dps"),
    "text/plain": (".txt", ".csv", ".md"),
    **dict(ZIPPED.values()),
}
MP4_BRANDS = (b"iso", b"mp4", b"avc1", b"M4V", b"MSNV", b"dash")
PROGRAMS = (b"MZ", b"\x7fELF", b"\xca\xfe\xba\xbe", b"\xfe\xed\xfa", b"\xcf\xfa\xed\xfe", b"#!")
MARKUP = re.compile(rb"<\s*(!doctype\s+html|html|head|body|script|svg|iframe|\?xml[^>]*>\s*<\s*svg)", re.IGNORECASE)
UNSAFE = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|\u202a-\u202e\u2066-\u2069]')


def is_mp4(head: bytes) -> bool:
    """Whether the bytes begin like an MP4. Raises: InputInvalid for QuickTime, which WeCom does not take."""
    if head[4:8] != b"ftyp":
        return False
    if head[8:12] == b"qt  ":
        raise InputInvalid("MOV 视频企业微信不收，请先转成 MP4", field="file")
    return head[8:12].startswith(MP4_BRANDS)


def document_kind(head: bytes, zipped: list[str], filename: str) -> str:
    """The MIME type of a document by its content. zipped: names inside, when it is a ZIP. Raises: InputInvalid."""
    if head.startswith(b"%PDF-"):
        return "application/pdf"
    if head.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
        return "application/x-ole-storage"
    if zipped:
        if "[Content_Types].xml" in zipped:
            for folder, (mime, _) in ZIPPED.items():
                if any(name.startswith(folder) for name in zipped):
                    return mime
        return "application/zip"
    if head.startswith(PROGRAMS):
        raise InputInvalid("程序文件不能作为素材", field="file")
    if MARKUP.search(head[:2048]):
        raise InputInvalid("网页和 SVG 可能带有脚本，不能作为素材；SVG 请先导出为 PNG", field="file")
    if _is_text(head) and PurePosixPath(filename).suffix.lower() in ENDINGS["text/plain"]:
        return "text/plain"
    raise InputInvalid(
        "不支持这种文件；可以上传 PDF、Word、Excel、PPT、ZIP、TXT、图片（JPG、PNG、GIF、WebP、BMP）和 MP4 视频",
        field="file",
    )


def clean_name(raw: str, mime: str, *, fallback: str) -> str:
    """A file name without path or trickery, with an ending that fits the content."""
    name = UNSAFE.sub("_", unicodedata.normalize("NFC", raw.replace("\\", "/").rpartition("/")[2])).strip(" ._")
    stem, dot, ending = name.rpartition(".")
    endings = ENDINGS[mime]
    if not dot:
        stem, ending = name, ""
    kept = f".{ending.lower()}"
    if kept not in endings:
        known = {one for group in ENDINGS.values() for one in group} | {".gif", ".webp", ".bmp", ".jpe", ".mov"}
        stem = stem if kept in known or not ending else name
        kept = endings[0]
    return f"{(stem or fallback)[:NAME_CHARS]}{kept}"


def _is_text(head: bytes) -> bool:
    if b"\x00" in head:
        return head.startswith((b"\xff\xfe", b"\xfe\xff"))
    for encoding in ("utf-8", "gb18030"):
        try:
            head[: len(head) - 4 if len(head) == 4096 else None].decode(encoding)
        except UnicodeDecodeError:
            continue
        return True
    return False
