"""The web server's own process: granian, which starts the web processes. Kept light; they load the product."""

import os
from pathlib import Path

from granian.constants import Interfaces, RuntimeModes
from granian.server import Server

from crm_core.config import ServerPart

CONFIG_VARIABLE = "SCRM_CONFIG_FILE"
ROLE_VARIABLE = "SCRM_ROLE"
WITH_LOOPS = "serve"
BACKLOG = 2048
KILL_SECONDS = 15


def run_web(server: ServerPart, config: Path, *, role: str) -> None:
    """Serve HTTP until SIGTERM; ``role`` serve also runs the loops in each web process."""
    os.environ[CONFIG_VARIABLE] = str(config)
    os.environ[ROLE_VARIABLE] = role
    Server(
        "bot.app:make_front",
        factory=True,
        address=server.host,
        port=server.port,
        interface=Interfaces.RSGI,
        websockets=False,
        workers=server.web_workers,
        runtime_mode=RuntimeModes.st,
        backlog=BACKLOG,
        respawn_failed_workers=True,
        workers_kill_timeout=KILL_SECONDS,
        log_access=False,
    ).serve()
