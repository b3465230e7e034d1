"""The servers that benchmarks/callback_door.py compares. granian loads them by name; settings come from DOOR_… ."""

import contextlib
import os
import sqlite3
import threading
import time
from hashlib import sha256
from pathlib import Path

from flask import Flask, request
from prometheus_client import CollectorRegistry
from sqlalchemy import make_url
from wechatpy.enterprise.crypto import WeChatCrypto

from bot.callback import CallbackApp, CallbackDoor, DoorMetrics
from bot.gate import WebGate
from bot.inbox import GroupCommit
from bot.inbox_store import COLUMNS, open_store
from bot.wecom.crypto import CallbackCrypto

CORP = "ww9f8e7d6c5b4a3210"
APP = "sales"
TOKEN = "QDG6eK2aPpTk9"
AES_KEY = "kT3vYx9QpLmN2sRwZ7bHc4JdFg6UeA1iOoB5qCnVtXE"


def do_nothing() -> Flask:
    """The yardstick: Flask routes a POST and says nothing."""
    app = Flask(__name__)
    app.add_url_rule(f"/callback/{APP}", "nothing", lambda: ("", 200), methods=["POST"])
    app.add_url_rule(f"/nothing/{APP}", "nothing_behind_gate", lambda: ("", 200), methods=["POST"])
    return app


def plain() -> Flask:
    """What one would write first: wechatpy decrypts, one durable commit an event, one connection a thread."""
    app = Flask(__name__)
    own = threading.local()
    path = make_url(os.environ["DOOR_DATABASE"]).database

    @app.post(f"/callback/{APP}")
    def take() -> tuple[str, int]:
        crypto = WeChatCrypto(TOKEN, AES_KEY, CORP)
        query = request.args
        text = crypto.decrypt_message(
            request.get_data(), query["msg_signature"], query["timestamp"], query["nonce"]
        ).encode()
        if not hasattr(own, "connection"):
            own.connection = sqlite3.connect(path or "", isolation_level=None, timeout=30)
            own.connection.execute("PRAGMA synchronous=FULL")
        now = time.time_ns() // 1_000_000
        own.connection.execute(
            f"INSERT INTO inbox ({COLUMNS}) VALUES (?, ?, ?, 'welcome', 0, ?, ?, ?, ?, 0, 0, 'ready') "  # only our own constants
            "ON CONFLICT (dedupe_key) DO NOTHING",
            (CORP, APP, sha256(text).hexdigest(), text, now, now, now + 20_000),
        )
        return "", 200

    return app


class NobodyWaits:
    """A waker without workers."""

    def wake(self, lanes: object) -> None:
        """Nobody to wake."""


def door() -> WebGate:
    """Ours: the door in front of the same do-nothing Flask app."""
    metrics = DoorMetrics(CollectorRegistry())
    inbox = GroupCommit(open_store(os.environ["DOOR_DATABASE"]), NobodyWaits(), metrics, max_pending=2000)
    crypto = CallbackCrypto(TOKEN, AES_KEY, [CORP])
    return WebGate(CallbackDoor([CallbackApp(APP, CORP, crypto)], inbox, metrics), do_nothing(), threads=4)


def remove_sqlite(path: Path) -> None:
    """Delete a database with its companions."""
    for suffix in ("", "-wal", "-shm", "-turn"):
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + suffix).unlink()
