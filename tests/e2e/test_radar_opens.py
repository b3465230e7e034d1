"""Five hundred opens among crawlers and previews: counts equal the truth, staff hear in time (benchmarks.radar_opens)."""

import pytest

from benchmarks.radar_opens import LIMIT_SECONDS, run
from tests.support import databases


@pytest.mark.timeout(300)
def test_counts_equal_the_truth_and_staff_hear_in_time() -> None:
    found = run(opens=500, rate=60, backend=databases.BACKEND)
    assert found.wrong == {}
    assert found.truth.opens == 500
    assert found.p95 <= LIMIT_SECONDS
