"""Fixtures for every test. The backend is SQLite unless SCRM_TEST_BACKEND=postgres."""

import faulthandler
import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings as hypothesis_settings

from bot.sandbox.server import SandboxServer
from tests.support import databases, servers
from tests.support.ground import Ground, ground_on
from tests.support.product import InProcess, in_process, local_wecom

if TYPE_CHECKING:
    from playwright.sync_api import Browser

LEAVE_SECONDS = 60
LEFT_OUT: pytest.StashKey[dict[str, int]] = pytest.StashKey()
VERDICT: pytest.StashKey[int] = pytest.StashKey()

hypothesis_settings.register_profile("suite", deadline=None, max_examples=60, derandomize=True)
hypothesis_settings.load_profile("suite")


@pytest.fixture(scope="session")
def postgres_template() -> Iterator[str]:
    with databases.postgres_template() as name:
        yield name


@pytest.fixture
def database_url(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """A migrated database of the backend under test."""
    if databases.BACKEND == "postgres":
        with databases.postgres_clone(request.getfixturevalue("postgres_template")) as url:
            yield url
    else:
        yield databases.sqlite_url(tmp_path)


@pytest.fixture(scope="session")
def postgres_shared(postgres_template: str) -> Iterator[str]:
    with databases.postgres_clone(postgres_template) as url:
        yield url


@pytest.fixture
def postgres_url(postgres_shared: str) -> str:
    """A migrated PostgreSQL database with empty tables, whatever the backend under test."""
    databases.empty_tables(postgres_shared)
    return postgres_shared


@pytest.fixture
def ground(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Ground]:
    """The ground floor on the backend under test, with clocks that only the test moves."""
    is_postgres = databases.BACKEND == "postgres"
    url = request.getfixturevalue("postgres_url") if is_postgres else databases.sqlite_url(tmp_path)
    with ground_on(url) as made:
        yield made


@pytest.fixture
def redis_url() -> str:
    """Redis for the product, "" when the run is without."""
    return databases.REDIS


@pytest.fixture
def sandbox() -> Iterator[SandboxServer]:
    """A local WeCom with the built-in company."""
    with local_wecom(callback_retry_pause_real_seconds=0.05) as server:
        yield server


@pytest.fixture
def product(sandbox: SandboxServer, database_url: str) -> Iterator[InProcess]:
    """A house in this process against the local WeCom, with a clock the test moves."""
    with in_process(sandbox, database_url) as house:
        yield house


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    """Headless Chromium. One per module: Playwright's loop must be over before other tests run loops of their own."""
    from playwright.sync_api import sync_playwright  # not every run has it

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=servers.chromium(), args=servers.CHROMIUM_FLAGS)
        yield running
        running.close()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what this machine cannot run, by name; with SCRM_TEST_STRICT=1 that is an error."""
    left_out: dict[str, int] = {}
    for need in servers.needs():
        waiting = [item for item in items if not need.here and item.get_closest_marker(need.marker)]
        for item in waiting:
            item.add_marker(pytest.mark.skip(reason=f"no {need.name}: {need.missing_hint}"))
        if waiting:
            left_out[f"{need.name} ({need.missing_hint})"] = len(waiting)
    config.stash[LEFT_OUT] = left_out
    if left_out and servers.STRICT:
        raise pytest.UsageError(f"SCRM_TEST_STRICT=1, but missing here: {'; '.join(left_out)}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Name what was left out and how to get it."""
    for name, count in config.stash.get(LEFT_OUT, {}).items():
        terminalreporter.write_line(f"left out: {count} tests that need {name}", yellow=True)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    session.config.stash[VERDICT] = int(exitstatus)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """A thread that nobody ended must not keep the run from ending: show where it stands, then leave all the same."""
    verdict = config.stash.get(VERDICT, 1)

    def leave() -> None:
        time.sleep(LEAVE_SECONDS)
        sys.stderr.write(f"still here {LEAVE_SECONDS} s after the last test; threads:\n")
        faulthandler.dump_traceback(all_threads=True)
        sys.stdout.flush()
        os._exit(verdict)

    threading.Thread(target=leave, name="leave", daemon=True).start()
