"""Driving a local WeCom from tests: a caller of its API, a hand for its people,
a receiver of its callbacks.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.etree.ElementTree import Element

import httpx
from defusedxml.ElementTree import fromstring

from bot.sandbox import Company, Options, SandboxServer, crypto
from bot.sandbox.model import App

PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 32


def quick_options(**values: Any) -> Options:
    """Few threads and short real-time waits, so that a test costs milliseconds."""
    options = Options(threads=12, callback_threads=6, callback_retry_pause_real_seconds=0.01)
    options.change(values)
    return options


class Driver:
    """Everything a test does to one local WeCom, as its first app."""

    def __init__(self, server: SandboxServer) -> None:
        self.server = server
        self.http = httpx.Client(base_url=server.url, trust_env=False, timeout=20)
        self._tokens: dict[str, str] = {}

    @property
    def corp(self) -> str:
        return self.server.corp_id

    @property
    def app(self) -> App:
        return self.server.app

    def token(self, secret: str = "") -> str:
        secret = secret or self.app.secret
        if secret not in self._tokens:
            query = {"corpid": self.corp, "corpsecret": secret}
            self._tokens[secret] = self.http.get("/cgi-bin/gettoken", params=query).json()["access_token"]
        return self._tokens[secret]

    def call(self, path: str, body: Any = None, *, secret: str = "", **query: Any) -> dict[str, Any]:
        """POST when there is a body, GET otherwise; no Content-Type, as wechatpy sends it."""
        query = {"access_token": self.token(secret)} | query
        if body is None:
            return self.http.get(f"/cgi-bin/{path}", params=query).json()
        raw = body if isinstance(body, bytes) else httpx.Request("POST", "http://x", json=body).content
        return self.http.post(f"/cgi-bin/{path}", params=query, content=raw).json()

    def code(self, path: str, body: Any = None, *, secret: str = "", **query: Any) -> int:
        answer = self.call(path, body, secret=secret, **query)
        assert answer["errmsg"]
        return answer["errcode"]

    def good(self, path: str, body: Any = None, *, secret: str = "", **query: Any) -> dict[str, Any]:
        answer = self.call(path, body, secret=secret, **query)
        assert answer["errcode"] == 0, answer
        return answer

    def act(self, path: str, **body: Any) -> dict[str, Any]:
        answer = self.http.post(f"/sandbox/api/{path}", json=body).json()
        assert answer["ok"], answer
        return answer

    def look(self, path: str, **query: Any) -> dict[str, Any]:
        answer = self.http.get(f"/sandbox/api/{path}", params=query).json()
        assert answer["ok"], answer
        return answer

    def jump(self, seconds: float) -> None:
        self.act("clock", advance_seconds=seconds)

    def way(self, **fields: Any) -> str:
        spec = {"type": 1, "scene": 2, "user": ["zhang.san"], "state": "s1"} | fields
        return str(self.good("externalcontact/add_contact_way", spec)["config_id"])

    def scan(self, config_id: str = "", **more: Any) -> dict[str, Any]:
        return self.act("scan", config_id=config_id or self.way(), **more)

    def upload(self, kind: str = "image", content: bytes = PNG) -> dict[str, Any]:
        query = {"access_token": self.token(), "type": kind}
        files = {"media": ("a.png", content)}
        return self.http.post("/cgi-bin/media/upload", params=query, files=files).json()

    def setting(self, agentid: int | None = None, **changes: Any) -> None:
        path = f"/sandbox/api/corps/{self.corp}/apps/{self.app.agentid if agentid is None else agentid}"
        assert self.http.patch(path, json=changes).json()["ok"]

    def option(self, **values: Any) -> None:
        self.server.options.change(values)

    def customer(self, name: str) -> str:
        """external_userid of a seeded customer."""
        people = self.look("customers", q=name, corp=self.corp)["customers"]
        return str(people[0]["external_ids"][self.corp])


@contextmanager
def running(company: Company | None = None, **options: Any) -> Iterator[Driver]:
    """A driver of a fresh local WeCom."""
    with SandboxServer(company, options=quick_options(**options)) as server:
        driver = Driver(server)
        try:
            yield driver
        finally:
            driver.http.close()


class Receiver:
    """An app's callback door: answers as told, keeps what came."""

    def __init__(self) -> None:
        self.raw: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int] = []  # statuses for the next deliveries; 200 when empty
        self.slow_seconds = 0.0
        self.reply = b""
        self.echo: bytes | None = None
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *args: Any) -> None:
                return

            def do_GET(self) -> None:
                self._answer(200, receiver.echo if receiver.echo is not None else receiver.decrypted(self.path))

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.raw.append((receiver.query(self.path), body))
                status = receiver.answers.pop(0) if receiver.answers else 200
                time.sleep(receiver.slow_seconds)
                self._answer(status, receiver.reply)

            def _answer(self, status: int, body: bytes) -> None:
                try:
                    self.send_response(status)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)
                except BrokenPipeError:
                    return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/callback"
        self.driver: Driver | None = None

    @staticmethod
    def query(path: str) -> dict[str, str]:
        return {k: v[0] for k, v in parse_qs(urlsplit(path).query).items()}

    def decrypted(self, path: str) -> bytes:
        assert self.driver
        query = self.query(path)
        key = self.driver.app.callback.aes_key
        return crypto.decrypt(key, query["echostr"], self.driver.corp).encode()

    def opened(self, app: App, corp_id: str) -> list[Element]:
        """Every delivery so far, verified and decrypted."""
        found = []
        for query, body in self.raw:
            encrypted = fromstring(body).findtext("Encrypt") or ""
            parts = (app.callback.token, query["timestamp"], query["nonce"], encrypted)
            assert crypto.signature_matches(query["msg_signature"], *parts)
            found.append(fromstring(crypto.decrypt(app.callback.aes_key, encrypted, corp_id)))
        return found

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@contextmanager
def listening(driver: Driver, agentid: int | None = None) -> Iterator[Receiver]:
    """A receiver set as the callback URL of the driver's app (or another app of the corp)."""
    receiver = Receiver()
    receiver.driver = driver
    number = driver.app.agentid if agentid is None else agentid
    path = f"/sandbox/api/corps/{driver.corp}/apps/{number}/callback"
    assert driver.http.put(path, json={"url": receiver.url}).json()["ok"]
    try:
        yield receiver
    finally:
        driver.server.settle()
        receiver.close()


def told(receiver: Receiver, driver: Driver) -> list[dict[str, str]]:
    """What the receiver was told, flat, after everything was delivered."""
    assert driver.server.settle()
    return [{c.tag: c.text or "" for c in xml} for xml in receiver.opened(driver.app, driver.corp)]
