"""What may be shown of a stored callback or call: ids and times, never secrets, phone numbers or chat text. Pure."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from sidebar.sentences import masked_mobile

SECRET_NAMES = frozenset(
    {"code", "welcomecode", "token", "secret", "responsecode", "suiteticket", "authcode", "chatkey", "sessionkey",
     "password", "ticket", "accesstoken", "permanentcode"}
)  # fmt: skip
TEXT_NAMES = frozenset(
    {"content", "text", "description", "desc", "title", "notice", "remark", "recognition", "name", "alias", "label",
     "commentcontent", "speech", "mobile", "email", "bizmail", "telephone", "address", "locationx", "locationy",
     "latitude", "longitude", "customerremark"}
)  # fmt: skip
PLAIN = re.compile(r"[\w.:/@|+=%?&#-]{0,200}", re.ASCII)
MOBILE = re.compile(r"(?<!\d)1[3-9]\d{9}(?!\d)")
SECRET = "••••••"  # noqa: S105 - what is shown in place of one


def masked(value: Any, *, reveal: bool) -> Iterator[tuple[str, str]]:
    """Each leaf of ``value`` as (path, what may be shown).

    Secrets and phone numbers stay hidden always; wording of people only shows with ``reveal``, which leaves an audit
    row behind (the caller's duty).
    """
    yield from _walk("", value, reveal=reveal)


def has_text(value: Any) -> bool:
    """Whether ``masked`` hides wording that could be revealed."""
    return any(
        shown != full
        for (_, shown), (_, full) in zip(_walk("", value, reveal=False), _walk("", value, reveal=True), strict=True)
    )


def without_mobiles(text: str) -> str:
    """A sentence with every phone number masked."""
    return MOBILE.sub(lambda found: masked_mobile(found.group()), text)


def _walk(path: str, value: Any, *, reveal: bool) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _walk(f"{path}.{name}" if path else str(name), inner, reveal=reveal)
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(value):
            yield from _walk(f"{path}[{number}]", inner, reveal=reveal)
    elif value is not None and value != "":
        yield path, _leaf(path, value, reveal=reveal)


def _leaf(path: str, value: Any, *, reveal: bool) -> str:
    name = re.sub(r"[^a-z]", "", path.rpartition(".")[2].partition("[")[0].lower())
    text = str(value)
    if name in SECRET_NAMES:
        return SECRET
    if isinstance(value, bool):
        return "是" if value else "否"
    if not reveal and (name in TEXT_NAMES or not PLAIN.fullmatch(text)):
        return f"〔文字，{len(text)} 字，已隐藏〕"
    return without_mobiles(text)
