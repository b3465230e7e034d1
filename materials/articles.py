"""The HTML of articles: what may stay in, which pictures it shows, what it says. Pure.

A picture is stored as ``<img data-file="KEY">``; whoever shows the article says where keys live.
"""

import html
import re
from collections.abc import Callable

import nh3

TAGS = {
    "p", "br", "hr", "h2", "h3", "h4", "strong", "b", "em", "i", "u", "s", "blockquote", "ul", "ol", "li", "a", "img",
    "figure", "figcaption", "table", "thead", "tbody", "tr", "th", "td", "code", "pre",
}  # fmt: skip
ATTRIBUTES = {"a": {"href"}, "img": {"data-file", "alt"}, "td": {"colspan", "rowspan"}, "th": {"colspan", "rowspan"}}
CLASSES = {tag: {"align-center", "align-right"} for tag in ("p", "h2", "h3", "h4", "figure")}
SCHEMES = {"http", "https", "mailto", "tel"}
PICTURE = re.compile(r'data-file="([0-9a-f]{64})"')
KEY = re.compile(r"[0-9a-f]{64}")


def clean(raw: str) -> str:
    """``raw`` without anything that runs, styles or loads from elsewhere. Cleaning twice changes nothing."""
    return nh3.clean(
        raw,
        tags=TAGS,
        attributes=ATTRIBUTES,
        allowed_classes=CLASSES,
        attribute_filter=_kept,
        url_schemes=SCHEMES,
        link_rel="noopener noreferrer nofollow",
        clean_content_tags={"script", "style", "template", "iframe", "object", "svg", "math"},
    ).strip()


def _kept(tag: str, name: str, value: str) -> str | None:
    if tag == "img" and name == "data-file":
        return value if KEY.fullmatch(value) else None
    return value


def pictures_of(stored: str) -> list[str]:
    """The keys of the pictures an article shows, in their order."""
    return list(dict.fromkeys(PICTURE.findall(stored)))


def shown(stored: str, address_of: Callable[[str], str]) -> str:
    """The article ready for a page; ``address_of`` tells where a picture's key lives."""
    return PICTURE.sub(
        lambda found: f'src="{html.escape(address_of(found.group(1)))}" data-file="{found.group(1)}" loading="lazy"',
        stored,
    )


def text_of(stored: str) -> str:
    """What an article says, without its markup."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", stored)).split())
