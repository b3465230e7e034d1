"""What a run has to work with: Chromium, PostgreSQL, Redis. What is missing is left out by name, never silently."""

import os
import shutil
from dataclasses import dataclass

from tests.support import databases

CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
STRICT = os.environ.get("SCRM_TEST_STRICT", "") == "1"


@dataclass(frozen=True)
class Need:
    """Something that tests of one marker need. missing_hint: how to get it."""

    marker: str
    name: str
    here: bool
    missing_hint: str


def chromium() -> str:
    """Path of a Chromium, "" when there is none."""
    named = os.environ.get("SCRM_TEST_CHROMIUM", "")
    return named or shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome") or ""


def needs() -> tuple[Need, ...]:
    """Every need with whether it is met."""
    return (
        Need("browser", "Chromium", bool(chromium()), "apt-get install chromium fonts-noto-cjk"),
        Need(
            "postgres",
            "PostgreSQL",
            bool(databases.POSTGRES),
            "set SCRM_TEST_POSTGRES=postgresql+psycopg://user@127.0.0.1/postgres (a role that may create databases)",
        ),
        Need("redis", "Redis", bool(databases.REDIS), "set SCRM_TEST_REDIS=redis://127.0.0.1:6379/5"),
    )
