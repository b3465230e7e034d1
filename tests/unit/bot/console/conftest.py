"""The console over the demo company."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.console_house import Console, settle
from tests.console_system_house import ConsoleHouse, furnished
from tests.support import databases
from tests.support.product import InProcess, in_process, local_wecom


@pytest.fixture
def console(product: InProcess) -> Iterator[Console]:
    yield settle(product)


@pytest.fixture(scope="module")
def shared_console(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[ConsoleHouse]:
    """One company for all tests of a module: each test works on rows of its own."""
    with ExitStack() as stack:
        if databases.BACKEND == "postgres":
            url = stack.enter_context(databases.postgres_clone(request.getfixturevalue("postgres_template")))
        else:
            url = databases.sqlite_url(tmp_path_factory.mktemp("console"))
        wecom = stack.enter_context(local_wecom(callback_retry_pause_real_seconds=0.05))
        made = furnished(stack.enter_context(in_process(wecom, url)))
        made.product.work()
        yield made
