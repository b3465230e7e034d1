"""Who is no reader: crawlers, link previews, prefetching browsers. Pure.

Most of them never run a page's script and are not counted for that reason alone; those that do are told by what they
call themselves.
"""

import re
from collections.abc import Callable

# Search engines and tools; the preview fetchers of messengers, WeChat's and WeCom's among them, which call themselves
# by their app's name and the phone's network library instead of a browser.
AGENTS = re.compile(
    r"bot\b|bot/|spider|crawl|slurp|preview|scan|monitor|lighthouse|headless|phantom|puppeteer|playwright|selenium"
    r"|facebookexternalhit|bytespider|sogou|yisou|curl|wget|python|java/|go-http|okhttp|httpclient|axios|node-fetch"
    r"|cfnetwork|dalvik|wechatshareextension|wxshare",
    re.IGNORECASE,
)
PURPOSES = ("Sec-Purpose", "Purpose", "X-Purpose", "X-Moz")
LEAST_AGENT = 20  # browsers say more about themselves


def is_crawler(agent: str) -> bool:
    """Whether a User-Agent is none of a person's browser."""
    return len(agent) < LEAST_AGENT or AGENTS.search(agent) is not None


def is_prefetch(header: Callable[[str], str | None]) -> bool:
    """Whether a browser asks ahead, before anybody wants to see the page. header: finds a header by name."""
    said = " ".join(header(name) or "" for name in PURPOSES).lower()
    return any(word in said for word in ("prefetch", "prerender", "preview"))
