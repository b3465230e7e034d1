"""Materials (素材) as data: eight kinds, each with its own content. Pure: no clock, no database, no bytes."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from crm_core.errors import InputInvalid
from crm_core.messages import TEXT_BYTES

KINDS = {
    "text": "文本",
    "image": "图片",
    "poster": "海报",
    "link": "链接",
    "article": "文章",
    "file": "文件",
    "video": "视频",
    "miniprogram": "小程序",
}
TITLE_CHARS = 60
MOST_TAGS, TAG_CHARS = 10, 20
MOST_HTML_BYTES = 512 * 1024
KEY = re.compile(r"[0-9a-f]{64}")
WEB_ADDRESS = re.compile(r"https?://[^\s/]+(/\S*)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One field of a content. most_bytes: UTF-8 bytes, 0 = no limit; holds: the file kind where it names a file."""

    name: str
    label: str
    required: bool = False
    most_bytes: int = 0
    holds: str = ""


# Byte limits: wecom-customer-contact 13.3 (attachments) and 92137 (text).
PIECES: dict[str, tuple[Piece, ...]] = {
    "text": (Piece(name="text", label="文字", required=True, most_bytes=TEXT_BYTES),),
    "image": (Piece(name="file", label="图片", required=True, holds="image"),),
    "poster": (
        Piece(name="background", label="底图", required=True, holds="image"),
        Piece(name="qr_text", label="二维码打开的网址", most_bytes=1024),
        Piece(name="qr_place", label="二维码位置", most_bytes=16),
        Piece(name="file", label="海报", required=True, holds="image"),  # background and code in one picture
    ),
    "link": (
        Piece(name="url", label="网址", required=True, most_bytes=2048),
        Piece(name="title", label="卡片标题", required=True, most_bytes=128),
        Piece(name="desc", label="摘要", most_bytes=512),
        Piece(name="cover", label="封面", holds="image"),
    ),
    "article": (
        Piece(name="title", label="文章标题", required=True, most_bytes=128),
        Piece(name="summary", label="摘要", most_bytes=512),
        Piece(name="author", label="作者", most_bytes=60),
        Piece(name="cover", label="封面", holds="image"),
        Piece(name="html", label="正文", required=True, most_bytes=MOST_HTML_BYTES),
    ),
    "file": (
        Piece(name="file", label="文件", required=True, holds="file"),
        Piece(name="filename", label="文件名", required=True, most_bytes=200),
    ),
    "video": (
        Piece(name="file", label="视频", required=True, holds="video"),
        Piece(name="filename", label="文件名", most_bytes=200),
        Piece(name="cover", label="封面", holds="image"),
    ),
    "miniprogram": (
        Piece(name="title", label="卡片标题", required=True, most_bytes=64),
        Piece(name="appid", label="小程序 AppID", required=True, most_bytes=64),
        Piece(name="page", label="页面路径", required=True, most_bytes=1024),
        Piece(name="cover", label="封面", required=True, holds="image"),
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MaterialDraft:
    """A material as somebody wants it. Empty ``departments`` means that everybody sees it.

    content: the pieces of its kind. folder_id: 0 stands for "in no folder".
    """

    kind: str
    title: str
    content: dict[str, Any]
    folder_id: int = 0
    tags: tuple[str, ...] = ()
    departments: tuple[int, ...] = ()
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """素材: something staff can send. uses: how often it was sent; expired ones are kept but not offered to staff."""

    id: int
    kind: str
    title: str
    content: dict[str, Any]
    folder_id: int
    tags: tuple[str, ...]
    departments: tuple[int, ...]
    version: int
    uses: int
    created_by: str
    created_at: datetime
    changed_at: datetime
    expires_at: datetime | None = None
    deleted_at: datetime | None = None

    @property
    def kind_name(self) -> str:
        """The kind in Chinese."""
        return KINDS[self.kind]

    @property
    def picture(self) -> str:
        """The key of the picture that stands for it in lists, "" when it has none."""
        return str(self.content.get("file" if self.kind in ("image", "poster") else "cover") or "")

    @property
    def summary(self) -> str:
        """A line about what is inside."""
        names = {"text": "text", "link": "url", "article": "summary", "file": "filename", "miniprogram": "page"}
        return " ".join(str(self.content.get(names.get(self.kind, "")) or "").split())[:120]


@dataclass(frozen=True, slots=True, kw_only=True)
class MaterialFolder:
    """素材文件夹. count: living materials directly inside; larger ``sort_order`` comes first."""

    id: int
    parent_id: int
    name: str
    sort_order: int
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MaterialVersion:
    """A former state of a material."""

    version: int
    title: str
    content: dict[str, Any]
    changed_by: str
    changed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """A checked file of one corp. key: SHA-256. kind: image | video | file. page_keys: pictures of a PDF's pages."""

    key: str
    kind: str
    mime: str
    filename: str
    size_bytes: int
    width: int = 0
    height: int = 0
    page_keys: tuple[str, ...] = field(default=())
    pages: int = 0


def parse_content(kind: str, raw: Mapping[str, Any]) -> dict[str, Any]:
    """The pieces of one kind, checked; unknown ones are dropped. Raises: InputInvalid naming the piece."""
    if kind not in PIECES:
        raise InputInvalid("没有这种素材类型", field="kind")
    found: dict[str, Any] = {}
    for piece in PIECES[kind]:
        value = str(raw.get(piece.name) or "").strip()
        if not value:
            if piece.required:
                raise InputInvalid(
                    f"请填写{piece.label}" if not piece.holds else f"请上传{piece.label}", field=piece.name
                )
            continue
        _check_piece(piece, value)
        found[piece.name] = value
    if kind == "link" and not WEB_ADDRESS.fullmatch(found["url"]):
        raise InputInvalid("网址应以 http:// 或 https:// 开头", field="url")
    if kind == "miniprogram" and not found["page"].partition("?")[0].endswith(".html"):
        raise InputInvalid("页面路径应以 .html 结尾，否则微信里打不开", field="page")
    return found


def _check_piece(piece: Piece, value: str) -> None:
    if piece.holds and not KEY.fullmatch(value):
        raise InputInvalid(f"请重新上传{piece.label}", field=piece.name)
    try:
        size = len(value.encode())
    except UnicodeEncodeError as error:
        raise InputInvalid(f"{piece.label}中有无法发送的字符（半个表情）", field=piece.name) from error
    if size > piece.most_bytes > 0:
        raise InputInvalid(
            f"{piece.label}最多 {piece.most_bytes} 字节（约 {piece.most_bytes // 3} 个汉字），现在是 {size}",
            field=piece.name,
        )


def parse_title(raw: str) -> str:
    """The title of a material. Raises: InputInvalid."""
    title = " ".join(raw.split())
    if not 1 <= len(title) <= TITLE_CHARS:
        raise InputInvalid(f"名称应有 1–{TITLE_CHARS} 个字", field="title")
    return title


def parse_tags(raw: tuple[str, ...]) -> tuple[str, ...]:
    """Tags without doubles, in their order. Raises: InputInvalid."""
    tags = tuple(dict.fromkeys(tag for tag in (" ".join(one.split()) for one in raw) if tag))
    if len(tags) > MOST_TAGS or any(len(tag) > TAG_CHARS for tag in tags):
        raise InputInvalid(f"标签最多 {MOST_TAGS} 个，每个不超过 {TAG_CHARS} 个字", field="tags")
    return tags


def files_of(kind: str, content: Mapping[str, Any]) -> dict[str, str]:
    """The files a content names: key → the kind the file must have."""
    return {str(content[piece.name]): piece.holds for piece in PIECES[kind] if piece.holds and content.get(piece.name)}
