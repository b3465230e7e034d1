"""The web process: the callback door on the event loop, the Flask app behind it, and the loops when asked for."""

import asyncio
import os
import threading
from collections.abc import Set as AbstractSet
from pathlib import Path

import structlog
from flask import Flask, Response, jsonify, redirect
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest
from sqlalchemy import text
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.wrappers import Response as WerkzeugResponse

from bot import bootstrap, demo_company, domain_proof
from bot.callback import CallbackApp, CallbackDoor, DoorMetrics
from bot.console.web import install as install_console
from bot.draft_desk import DraftDesk
from bot.gate import WebGate
from bot.inbox import GroupCommit
from bot.inbox_store import open_store
from bot.live import LiveBoard
from bot.migrate import upgrade
from bot.viewer.web import install as install_viewer
from bot.web_server import CONFIG_VARIABLE, ROLE_VARIABLE, WITH_LOOPS
from bot.wecom.crypto import CallbackCrypto
from bot.wiring import House, build, receive_ids
from crm_core.config import Settings, load_settings
from crm_core.ids import AppKey, CorpId
from sidebar.suggest_panel import Suggesting
from sidebar.web import SidebarDeps, install

log = structlog.get_logger()

SUITE_REPLY = b"success"  # protocol notes 1.4


class InboxWaker:
    """Names the inbox's lanes on the wake hub."""

    def __init__(self, house: House) -> None:
        self._hub = house.hub

    def wake(self, lanes: AbstractSet[str]) -> None:
        """Wake whoever waits for these lanes of the inbox."""
        self._hub.wake({f"inbox:{lane}" for lane in lanes})


def make_door(house: House) -> CallbackDoor:
    """The callback door with every configured app that takes callbacks."""
    settings = house.settings
    metrics = DoorMetrics(REGISTRY)
    store = open_store(settings.database.url, house.turn)
    inbox = GroupCommit(store, InboxWaker(house), metrics, max_pending=settings.callback.max_pending)
    return CallbackDoor(
        callback_apps(settings),
        inbox,
        metrics,
        max_body_bytes=settings.callback.max_body_bytes,
        max_age_seconds=settings.callback.max_age_seconds,
    )


def callback_apps(settings: Settings) -> list[CallbackApp]:
    """One door per app that takes callbacks."""
    found = []
    for corp in settings.corps:
        for app in corp.apps:
            secrets = settings.app_secrets.get(app.key)
            if not app.callback or secrets is None or secrets.token is None or secrets.aes_key is None:
                continue
            crypto = CallbackCrypto(
                secrets.token.get_secret_value(), secrets.aes_key.get_secret_value(), receive_ids(corp, app)
            )
            reply = SUITE_REPLY if app.kind == "suite" else b""
            found.append(CallbackApp(AppKey(app.key), CorpId(corp.corp_id), crypto, reply))
    return found


def create_app(house: House) -> Flask:
    """The Flask app: pages, APIs, health."""
    settings = house.settings
    app = Flask("bot", static_folder=None)
    app.config["SECRET_KEY"] = settings.secret_key.get_secret_value()
    app.config["MAX_CONTENT_LENGTH"] = 64 * 1024 * 1024
    if settings.server.trusted_proxies:
        hops = settings.server.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]
    _add_health(app, house)
    _add_domain_proof(app)
    deps = SidebarDeps(
        db=house.db,
        settings=settings,
        gateways=house.gateways,
        store=house.desk.store,
        chats=house.chat.store,
        embedder=house.meaning.ladder.when_loaded,
        suggesting=Suggesting(
            recommender=house.chat.recommender,
            chats=house.chat.store,
            cipher=house.chat.cipher,
            drafts=DraftDesk(settings),
        ),
    )
    shelf = install(app, deps)
    install_console(app, house, shelf)
    install_viewer(app, house)
    return app


def _add_health(app: Flask, house: House) -> None:
    @app.get("/healthz")
    def healthz() -> Response:
        return jsonify(ok=True)

    @app.get("/readyz")
    def readyz() -> tuple[Response, int]:
        try:
            with house.db.reading() as session:
                session.execute(text("SELECT 1 FROM inbox LIMIT 1")).all()
        except Exception as error:  # noqa: BLE001 - any fault means not ready
            log.warning("not_ready", error=type(error).__name__)
            return jsonify(ok=False), 503
        return jsonify(ok=True), 200

    @app.get("/metrics")
    def metrics() -> Response:
        return Response(generate_latest(REGISTRY), content_type=CONTENT_TYPE_LATEST)

    @app.get("/")
    def root() -> WerkzeugResponse:
        return redirect("/sidebar/")


def _add_domain_proof(app: Flask) -> None:
    """Serve the proof file at the root, as WeCom asks of a trusted domain (notes 5.3)."""

    @app.get("/WW_verify_<code>.txt")
    def proof(code: str) -> Response:
        content = domain_proof.read(code)
        return Response("", 404) if content is None else Response(content, content_type="text/plain")


class Front(WebGate):
    """The gate together with the house behind it."""

    def __init__(self, house: House, *, with_loops: bool) -> None:
        live = LiveBoard(house.hub)
        super().__init__(make_door(house), create_app(house), threads=house.settings.server.threads, live=live)
        self._house = house
        self._workers = house.workers() if with_loops else None
        self._clock = house.scheduler() if with_loops else None

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:  # granian's name
        super().__rsgi_init__(loop)
        if self._workers is not None and self._clock is not None:
            self._workers.start()
            self._clock.start()
            if self._house.settings.demo.enabled:
                threading.Thread(target=demo_company.open_up, args=(self._house,), name="demo", daemon=True).start()

    def __rsgi_del__(self, loop: asyncio.AbstractEventLoop) -> None:  # granian's name
        super().__rsgi_del__(loop)
        if self._workers is not None and self._clock is not None:
            self._clock.stop()
            self._workers.stop()
        self._house.close()


def make_front() -> Front:
    """What granian calls. Reads ``SCRM_CONFIG_FILE`` and ``SCRM_ROLE`` (serve: with loops; web: without)."""
    settings = load_settings(Path(os.environ.get(CONFIG_VARIABLE, "config.yaml")))
    bootstrap.configure_logs()
    upgrade(settings.database.url)
    house = build(settings)
    bootstrap.install_defaults(house)
    return Front(house, with_loops=os.environ.get(ROLE_VARIABLE) == WITH_LOOPS)
