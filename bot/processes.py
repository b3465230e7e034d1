"""The long-running processes behind ``scrm worker`` and ``scrm scheduler``."""

import signal
import sys
import threading
from collections.abc import Callable
from typing import Protocol

from bot import bootstrap
from bot.migrate import upgrade
from bot.wiring import build
from crm_core.config import Settings


class Stoppable(Protocol):
    """Something that runs in threads of its own until told to stop."""

    def start(self) -> None:
        """Begin."""
        ...

    def stop(self) -> None:
        """End; blocks until done."""
        ...


def run_worker(settings: Settings) -> None:
    """Run the loops until SIGTERM."""
    upgrade(settings.database.url)
    house = build(settings)
    bootstrap.install_defaults(house)
    _run_until_told(house.workers(), house.close)


def run_scheduler(settings: Settings) -> None:
    """Ring the schedules until SIGTERM."""
    upgrade(settings.database.url)
    house = build(settings)
    _run_until_told(house.scheduler(), house.close)


def _run_until_told(body: Stoppable, close: Callable[[], None]) -> None:
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    body.start()
    print("ready", file=sys.stderr, flush=True)  # noqa: T201 - the sign that process supervisors wait for
    stopping.wait()
    body.stop()
    close()
