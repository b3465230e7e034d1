"""Fixtures of the front's own tests."""

from collections.abc import Iterator

import pytest
import structlog

from bot import bootstrap
from bot.sandbox.server import SandboxServer
from bot.sync import Syncer
from tests.support.bench import Bench, Heard, bench_over


@pytest.fixture
def bench(sandbox: SandboxServer, database_url: str) -> Iterator[Bench]:
    """A house against the local WeCom; the test moves both of its clocks."""
    with bench_over(sandbox, database_url) as made:
        yield made


@pytest.fixture
def synced(bench: Bench) -> Bench:
    """The same, knowing the local WeCom's company."""
    for gateway in bench.house.gateways:
        Syncer(bench.house.db, gateway, bench.house.files).run(full=True)
    return bench


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def product_logs() -> Iterator[None]:
    """Logs as the product writes them: one line each. structlog's own default draws every local variable."""
    bootstrap.configure_logs()
    yield
    structlog.reset_defaults()
