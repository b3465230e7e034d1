"""People who open tracked links, as browsers without a screen: they fetch the page and say what its script would."""

import json
import re
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol

from bot.wiring import House
from crm_core.ids import AppKey, CorpId, StaffUserId
from materials import library, radar_links
from materials.material_model import Material, MaterialDraft
from materials.radar_model import LinkTarget, RadarLink
from tests.support.product import APP, InProcess

PHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 "
    "MicroMessenger/8.0.50 NetType/WIFI Language/zh_CN"
)
CRAWLERS = (
    "Mozilla/5.0 (compatible; Baiduspider/2.0; +http://www.baidu.com/search/spider.html)",
    "WeChat/8.0.50.32 CFNetwork/1496.0.7 Darwin/23.5.0",
    "WeCom/4.1.30 CFNetwork/1496.0.7 Darwin/23.5.0",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/126.0.0.0 Safari/537.36",
    "facebookexternalhit/1.1",
    "python-requests/2.32",
)
ARTICLE = "<h2>客厅</h2><p>三面采光，收纳做进墙里。</p>" * 30


class Browser(Protocol):
    """What a reader needs of Flask's test client."""

    def get(self, path: str, **more: Any) -> Any: ...

    def post(self, path: str, **more: Any) -> Any: ...

    def head(self, path: str, **more: Any) -> Any: ...


@dataclass
class Reader:
    """One browser. passed: what ``/v/open`` gave for the page that is open."""

    browser: Browser
    agent: str = PHONE
    headers: dict[str, str] = field(default_factory=dict)
    ticket: str = ""
    passed: str = ""
    ref: str = ""

    def _headers(self) -> dict[str, str]:
        return {"User-Agent": self.agent, **self.headers}

    def fetch(self, path: str) -> str:
        """Load a page; its script does not run."""
        answer = self.browser.get(path, headers=self._headers())
        assert answer.status_code == 200, answer.status_code
        text = answer.get_data(as_text=True)
        found = re.search(r'data-ticket="([^"]*)"', text)
        self.ticket = found.group(1) if found else ""
        return str(text)

    def say(self, path: str, body: Any, **headers: str) -> Any:
        return self.browser.post(path, data=json.dumps(body), headers=self._headers() | headers)

    def start(self, **headers: str) -> int:
        """The script runs."""
        answer = self.say("/v/open", {"t": self.ticket}, **headers)
        if answer.status_code == 200:
            said = answer.get_json()
            self.passed, self.ref = said["pass"], said["ref"]
        return int(answer.status_code)

    def open(self, path: str) -> "Reader":
        self.fetch(path)
        assert self.start() == 200
        return self

    def beat(self, seconds: float = 0, depth: int = 0, *, page: int = 0, pages: int = 0, contact: bool = False) -> int:
        body = {"p": self.passed, "a": int(seconds * 1000), "d": depth, "n": page, "m": pages, "c": int(contact)}
        return int(self.say("/v/beat", body).status_code)


def make_article(house: House, corp: CorpId, title: str = "2026 秋季案例", **more: Any) -> Material:
    draft = MaterialDraft(kind="article", title=title, content={"title": title, "html": ARTICLE}, **more)
    with house.db.unit() as uow:
        made = library.create(uow, corp, "demo", draft)
        uow.commit()
    return made


def send(product: InProcess, material: Material, *, days: float = 180, key: str = "", **target: str) -> RadarLink:
    """Make the tracked link of a material, and count it as sent when there is a key."""
    wanted = LinkTarget(staff=StaffUserId(target.pop("staff", "zhang.san")), material_id=material.id, **target)
    with product.house.db.unit() as uow:
        link = radar_links.link_for(uow, product.corp, AppKey(APP), wanted, lasts=timedelta(days=days))
        if key:
            radar_links.record_send(uow, product.corp, link.id, key=key)
        uow.commit()
    return link
