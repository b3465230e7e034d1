"""JS-SDK signatures. Pure.

Source: protocol notes 6.1; the same recipe for config (corp ticket) and agentConfig (app ticket).
"""

import hashlib
from urllib.parse import urlsplit

from crm_core.errors import InputInvalid, NotAllowed

MOST_URL_CHARS = 4096


def sign(ticket: str, *, url: str, nonce: str, timestamp: int) -> str:
    """The signature of one page. url: as the browser sees it, without fragment, not re-encoded."""
    text = f"jsapi_ticket={ticket}&noncestr={nonce}&timestamp={timestamp}&url={url}"
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


def page_url(url: str, public_url: str) -> str:
    """``url`` without its fragment, once it is known to be a page of ours.

    Raises: InputInvalid (not an address), NotAllowed (another host: we sign for nobody else).
    """
    bare = url.partition("#")[0]
    if not bare or len(bare) > MOST_URL_CHARS:
        raise InputInvalid("缺少页面地址", field="url")
    if _origin(bare) != _origin(public_url):
        raise NotAllowed("只能为本系统的页面签名")
    return bare


def _origin(url: str) -> tuple[str, str]:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise InputInvalid("页面地址不正确", field="url") from None
    if port == {"http": 80, "https": 443}.get(parts.scheme):
        port = None
    host = (parts.hostname or "").lower()
    return parts.scheme, f"{host}:{port}" if port else host
