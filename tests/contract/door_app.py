"""The door under test as granian loads it: a real store, several apps, and a small Flask app behind the gate."""

import os
import time
from collections.abc import Iterator
from collections.abc import Set as AbstractSet

from flask import Flask, Response, request
from prometheus_client import CollectorRegistry, generate_latest

from bot.callback import CallbackApp, CallbackDoor, DoorMetrics
from bot.gate import WebGate
from bot.inbox import GroupCommit
from bot.inbox_store import open_store
from bot.wecom.crypto import CallbackCrypto

CORP = "ww9f8e7d6c5b4a3210"
SUITE = "ww_suite_1"
TOKEN = "QDG6eK2aPpTk9"
AES_KEY = "kT3vYx9QpLmN2sRwZ7bHc4JdFg6UeA1iOoB5qCnVtXE"
FIXTURE_IDS = (CORP, "toUser", "wx45a0972125658be9", "w56c9fe3d50ad1ea2", "wwddddccc7775555aaa")
RECEIVE_IDS = {"sales": (CORP,), "suite": (SUITE,), "robot": ("",), "fixtures": FIXTURE_IDS}
MAX_BODY_BYTES = 1_048_576


class Silence:
    """A waker for whom nobody waits."""

    def wake(self, lanes: AbstractSet[str]) -> None:
        """Nobody waits."""


def behind(registry: CollectorRegistry) -> Flask:
    app = Flask(__name__)

    @app.route("/echo/<path:rest>", methods=["GET", "POST"])
    def echo(rest: str) -> Response:
        response = Response(
            f"{request.method} {rest} {request.args.get('q')} {request.headers.get('X-Twice')} ".encode()
        )
        response.data += str(len(request.get_data())).encode() + b" " + str(request.cookies.get("b")).encode()
        response.set_cookie("one", "1")
        response.set_cookie("two", "2")
        return response

    @app.get("/events")
    def events() -> Response:
        def stream() -> Iterator[str]:
            for number in range(5):
                yield f"data: {number}\n\n"
                time.sleep(0.05)

        return Response(stream(), content_type="text/event-stream")

    @app.get("/large")
    def large() -> bytes:
        return b"x" * 3_000_000

    @app.get("/fault")
    def fault() -> str:
        raise RuntimeError("of our own making")

    @app.get("/metrics")
    def metrics() -> bytes:
        return generate_latest(registry)

    return app


def make() -> WebGate:
    registry = CollectorRegistry()
    metrics = DoorMetrics(registry)
    inbox = GroupCommit(open_store(os.environ["DOOR_TEST_DATABASE"]), Silence(), metrics, max_pending=500)
    apps = [
        CallbackApp(key, CORP, CallbackCrypto(TOKEN, AES_KEY, ids), b"success" if key == "suite" else b"")
        for key, ids in RECEIVE_IDS.items()
    ]
    door = CallbackDoor(apps, inbox, metrics, max_body_bytes=MAX_BODY_BYTES)
    return WebGate(door, behind(registry), threads=4)
