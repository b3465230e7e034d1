import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, Response
from playwright.sync_api import Browser, Page
from werkzeug.serving import make_server

from crm_core.config import WeComPart
from tests.sidebar_house import CLIENT_AGENT, House, build, make_settings


@dataclass
class Office:
    """The sidebar behind a real port, and a browser to look at it."""

    house: House
    url: str
    browser: Browser

    def open(
        self,
        path: str,
        *,
        width: int = 375,
        dark: bool = False,
        chat: dict[str, Any] | None = None,
        agent: str = CLIENT_AGENT,
        hurry_ms: int = 0,
    ) -> Page:
        context = self.browser.new_context(
            viewport={"width": width, "height": 780},
            user_agent=agent,
            locale="zh-CN",
            color_scheme="dark" if dark else "light",
            has_touch=width < 640,
        )
        page = context.new_page()
        page.set_default_timeout(8000)
        page.add_init_script(f"window.__chat = {chat_json(chat)}")
        page.faults = []
        page.on("console", lambda line: page.faults.append(line.text) if line.type == "error" else None)
        page.on("pageerror", lambda error: page.faults.append(str(error)))
        page.route(f"{self.house.settings.wecom.open_base}/**", lambda route: route.fulfill(status=404))
        self.sign_in(context)
        if hurry_ms:
            page.clock.install()
        page.goto(self.url + path)
        if hurry_ms:
            page.wait_for_function("() => window.__asked.length > 0", polling=50)
            page.clock.fast_forward(hurry_ms)
        page.wait_for_selector("html[data-ready]")
        return page

    def sign_in(self, context: Any) -> None:
        client = self.house.signed_in()
        cookie = client.get_cookie("session")
        assert cookie is not None
        context.add_cookies([{"name": "session", "value": cookie.value, "url": self.url}])


def chat_json(chat: dict[str, Any] | None) -> str:
    return json.dumps(chat or {"entry": "normal"})


@contextmanager
def serving(folder: Path, browser: Browser, *, stand_in: bool) -> Iterator[Office]:
    """A settled-in house behind a free port, with or without the JS-SDK stand-in."""
    server = make_server("127.0.0.1", 0, Flask("empty"), threaded=True)
    url = f"http://127.0.0.1:{server.server_port}"
    house = build(folder, make_settings(url, wecom=WeComPart(jssdk_url=f"{url}/stand-in.js" if stand_in else "")))
    script = (Path(__file__).parent / "stand_in.js").read_text("utf-8")
    house.app.add_url_rule("/stand-in.js", view_func=lambda: Response(script, content_type="text/javascript"))
    server.app = house.app
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield Office(house, url, browser)
    for context in browser.contexts:
        context.close()
    server.shutdown()
    thread.join()
    house.db.close()


@pytest.fixture
def office(tmp_path, browser) -> Iterator[Office]:
    with serving(tmp_path, browser, stand_in=True) as made:
        yield made


@pytest.fixture
def plain_office(tmp_path, browser) -> Iterator[Office]:
    with serving(tmp_path, browser, stand_in=False) as made:
        yield made
