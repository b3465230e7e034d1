"""Ten rounds of SIGKILL under load; ``make crash`` does a hundred."""

import pytest

from tests.crash.crash_run import run
from tests.support import databases

ROUNDS = 10


@pytest.mark.crash
@pytest.mark.timeout(400)
@pytest.mark.parametrize("backend", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def test_nothing_is_lost_and_nothing_done_twice(backend: str) -> None:
    verdict = run(backend=backend, rounds=ROUNDS, seed=20261122, redis=databases.REDIS)
    print(verdict)
    assert verdict.scans > ROUNDS
    assert verdict.problems == []
