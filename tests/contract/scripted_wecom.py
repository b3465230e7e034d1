"""A tiny real HTTP server that answers each path as a test tells it to: JSON, junk, silence, a closed line."""

import json
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN_LIFE = 7200


@dataclass
class Asked:
    """One request as it came in."""

    method: str
    path: str
    query: dict[str, str]
    raw: bytes
    headers: dict[str, str]

    @property
    def body(self) -> Any:
        return json.loads(self.raw)


@dataclass
class Raw:
    """An answer given byte by byte."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


class Drop:
    """Take the request and hang up without an answer."""


class Hang:
    """Take the request and say nothing until the test ends."""


Reply = dict[str, Any] | Raw | Drop | Hang
Script = Callable[[Asked], Reply]


class ScriptedWeCom:
    """paths: what to answer; unknown paths say ok. Tokens are t1, t2, … and the newest one is valid."""

    def __init__(self) -> None:
        self.asked: dict[str, list[Asked]] = defaultdict(list)
        self.paths: dict[str, Script] = {}
        self.tokens = 0
        self.check_token = True
        self.over = threading.Event()
        self._lock = threading.Lock()
        self.base = ""

    def answers(self, path: str, *replies: Reply) -> None:
        """Give these replies in turn; the last one again and again."""
        left = list(replies)

        def script(_asked: Asked) -> Reply:
            with self._lock:
                return left.pop(0) if len(left) > 1 else left[0]

        self.paths[path] = script

    def count(self, path: str) -> int:
        return len(self.asked[path])

    def last(self, path: str) -> Asked:
        return self.asked[path][-1]

    def revoke(self) -> None:
        """The token in use stops being valid."""
        with self._lock:
            self.tokens += 1

    def reply(self, asked: Asked) -> Reply:
        with self._lock:
            self.asked[asked.path].append(asked)
        if asked.path in self.paths and (asked.path == "gettoken" or not self.check_token or self._valid(asked)):
            return self.paths[asked.path](asked)
        if asked.path == "gettoken":
            with self._lock:
                self.tokens += 1
                return {"errcode": 0, "errmsg": "ok", "access_token": f"tok{self.tokens}", "expires_in": TOKEN_LIFE}
        return ok() if self._valid(asked) else refuse(40014)

    def _valid(self, asked: Asked) -> bool:
        return asked.query.get("access_token") == f"tok{self.tokens}"


def ok(**fields: Any) -> dict[str, Any]:
    return {"errcode": 0, "errmsg": "ok", **fields}


def refuse(code: int, errmsg: str = "no") -> dict[str, Any]:
    return {"errcode": code, "errmsg": f"{errmsg}, hint: [1588070216_61_9e1f], from ip: 203.0.113.9, more info at …"}


def _handler(wecom: ScriptedWeCom) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer(b"")

        def do_POST(self) -> None:
            self._answer(self.rfile.read(int(self.headers.get("Content-Length", 0))))

        def _answer(self, raw: bytes) -> None:
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
            path = parts.path.removeprefix("/cgi-bin/")
            reply = wecom.reply(Asked(self.command, path, query, raw, {k.lower(): v for k, v in self.headers.items()}))
            if isinstance(reply, Hang):
                wecom.over.wait(20)
            if isinstance(reply, Drop | Hang):
                self.close_connection = True
                return
            if isinstance(reply, dict):
                reply = Raw(json.dumps(reply, ensure_ascii=False).encode())
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)

        def log_message(self, *_args: object) -> None:
            pass

    return Handler


@contextmanager
def scripted_wecom() -> Iterator[ScriptedWeCom]:
    wecom = ScriptedWeCom()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(wecom))
    server.daemon_threads = True
    server.handle_error = lambda *_args: None  # type: ignore[method-assign] - clients that hang up are part of the tests
    wecom.base = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield wecom
    finally:
        wecom.over.set()
        server.shutdown()
        server.server_close()
        thread.join(5)
