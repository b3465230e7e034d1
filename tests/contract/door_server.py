"""Starts the door under test on loopback and speaks raw HTTP to it."""

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Engine, create_engine, text

from bot.tables import InboxRow
from bot.wecom.crypto import CallbackCrypto
from tests.contract.door_app import AES_KEY, CORP, RECEIVE_IDS, TOKEN

TABLE: Any = InboxRow.metadata.tables["inbox"]
START_SECONDS = 20


def crypto_of(app: str = "sales") -> CallbackCrypto:
    return CallbackCrypto(TOKEN, AES_KEY, RECEIVE_IDS[app])


def xml(inner: str, corp: str = CORP) -> bytes:
    return f"<xml><ToUserName><![CDATA[{corp}]]></ToUserName><CreateTime>1735700123</CreateTime>{inner}</xml>".encode()


def sealed(
    plaintext: bytes, app: str = "sales", *, receive_id: str | None = None, nonce: str = "n"
) -> tuple[str, bytes]:
    """Path with query, and body, of a genuine callback."""
    one = crypto_of(app).seal(plaintext, "1735700000", nonce, receive_id)
    path = f"/callback/{app}?msg_signature={one.signature}&timestamp=1735700000&nonce={nonce}"
    return path, f"<xml><ToUserName>x</ToUserName><Encrypt><![CDATA[{one.encrypt}]]></Encrypt></xml>".encode()


def echo_path(plaintext: bytes, *, escape: bool = True) -> str:
    """The path of a GET check."""
    one = crypto_of().seal(plaintext, "1735700000", "n")
    echo = quote(one.encrypt, safe="") if escape else one.encrypt
    return f"/callback/sales?msg_signature={one.signature}&timestamp=1735700000&nonce=n&echostr={echo}"


@dataclass(slots=True)
class DoorServer:
    """One running door; ``log`` collects what it prints."""

    port: int
    engine: Engine
    process: subprocess.Popen[bytes]
    log: Path

    def send(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        with contextlib.closing(connection):
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return response.status, response.read()

    def post(self, path: str, body: bytes) -> int:
        return self.send("POST", path, body)[0]

    def raw(self, data: bytes, patience_seconds: float = 3) -> bytes:
        """Send bytes as they are; answers what comes back until the server closes or falls silent."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=patience_seconds) as link:
            received = b""
            with contextlib.suppress(OSError):
                link.sendall(data)
            with contextlib.suppress(OSError):
                while chunk := link.recv(65536):
                    received += chunk
                    if b"\r\n\r\n" in received:
                        break
            return received

    def rows(self) -> list[tuple[str, bytes]]:
        with self.engine.connect() as connection:
            found = connection.execute(text("SELECT dedupe_key, body FROM inbox ORDER BY id")).all()
        return [(row[0], bytes(row[1])) for row in found]

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Ask granian to end; answers its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(START_SECONDS)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def running(url: str, folder: Path, *, workers: int = 1) -> Iterator[DoorServer]:
    """A door with an empty inbox at ``url``."""
    engine = create_engine(url)
    TABLE.drop(engine, checkfirst=True)
    TABLE.create(engine)
    port, log = free_port(), folder / "door.log"
    command = [sys.executable, "-m", "granian", "--host", "127.0.0.1", "--port", str(port), "--interface", "rsgi"]
    command += [
        "--factory",
        "--no-ws",
        "--workers-kill-timeout",
        "10",
        "--log-level",
        "warning",
        "--workers",
        str(workers),
        "tests.contract.door_app:make",
    ]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, env={**os.environ, "DOOR_TEST_DATABASE": url}, stdout=output, stderr=subprocess.STDOUT
        )
    server = DoorServer(port, engine, process, log)
    try:
        until = time.monotonic() + START_SECONDS
        while not _listens(port):
            assert time.monotonic() < until, log.read_text("utf-8")
            time.sleep(0.05)
        yield server
    finally:
        server.stop()
        TABLE.drop(engine)
        engine.dispose()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
