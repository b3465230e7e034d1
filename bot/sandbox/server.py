"""The local WeCom as a running server, in a process of its own or inside a test."""

from __future__ import annotations

import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from flask import Flask
from waitress import wasyncore
from waitress.server import create_server

from bot.sandbox.admin import admin
from bot.sandbox.admin_acts import admin_acts, perform
from bot.sandbox.admin_watch import admin_watch
from bot.sandbox.archive_door import archive_door
from bot.sandbox.clock import SandboxClock
from bot.sandbox.company import Company, populate
from bot.sandbox.door import door
from bot.sandbox.jssdk import jssdk
from bot.sandbox.model import App
from bot.sandbox.options import Options
from bot.sandbox.pages import pages
from bot.sandbox.player import Player
from bot.sandbox.sign_in import sign_in
from bot.sandbox.world import World

_UPLOAD_BYTES = 32 * 1024 * 1024
_IDLE_SECONDS = 120


def create_app(world: World, company: Company, player: Player) -> Flask:
    """The Flask application over one world; reset goes back to `company`."""
    app = Flask("bot.sandbox", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = _UPLOAD_BYTES
    app.extensions["sandbox"] = world
    app.extensions["sandbox_company"] = company
    app.extensions["sandbox_player"] = player
    for blueprint in (jssdk, admin, admin_watch, admin_acts, archive_door, door, sign_in, pages):
        app.register_blueprint(blueprint)
    return app


class SandboxServer:
    """One local WeCom on 127.0.0.1; also a context manager.

    port 0 takes a free one. clock_file: see SandboxClock. public_url: what QR codes and links say when it
    is not the bound address (behind a proxy, or for a real phone in the same network).
    """

    def __init__(
        self,
        company: Company | None = None,
        *,
        options: Options | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        clock_file: Path | None = None,
        public_url: str = "",
    ) -> None:
        self.company = company or Company.builtin()
        self.options = options or Options()
        self.world = World(self.options, SandboxClock(clock_file))
        populate(self.world, self.company)
        self.player = Player(self.world, perform)
        self._host, self._port, self._public_url = host, port, public_url
        self._server: Any = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Base URL without a trailing slash, e.g. http://127.0.0.1:8701."""
        return self.world.base_url

    @property
    def corp_id(self) -> str:
        """Id of the first corp."""
        return next(iter(self.world.corps))

    @property
    def app(self) -> App:
        """The first self-built app of the first corp, with secret, callback token and key."""
        return next(a for a in self.world.corps[self.corp_id].apps.values() if not a.is_contacts and not a.is_archive)

    @property
    def contacts_secret(self) -> str:
        """The directory-sync secret of the first corp."""
        return self.world.corps[self.corp_id].apps[0].secret

    def start(self) -> Self:
        """Bind, start the threads and return at once."""
        self._server = create_server(
            create_app(self.world, self.company, self.player),
            host=self._host,
            port=self._port,
            threads=self.options.threads,
            channel_timeout=_IDLE_SECONDS,
            log_socket_errors=False,
            connection_limit=1000,
            ident="local-wecom",
        )
        bound = f"http://{self._host}:{self._server.effective_port}"
        self.world.base_url = self._public_url.rstrip("/") or bound
        self.world.courier.start()
        self._thread = threading.Thread(target=self._server.run, name="sandbox-http", daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Close the port and end the threads; callbacks not yet sent are dropped."""
        if self._server is None or self._thread is None:
            return
        server, self._server = self._server, None
        self.player.stop()
        server.task_dispatcher.shutdown()  # first, for a worker's last act is to wake the loop we close next
        server.trigger.pull_trigger(lambda: wasyncore.close_all(server._map, ignore_all=True))  # noqa: SLF001  no public way
        self._thread.join(5)
        self.world.courier.stop()

    def settle(self, seconds: float = 10.0) -> bool:
        """Wait until no callback is waiting; False when `seconds` of real time were not enough."""
        return self.world.courier.settle(seconds)

    def wait(self) -> None:
        """Serve until the process is told to end."""
        if self._thread:
            self._thread.join()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()
