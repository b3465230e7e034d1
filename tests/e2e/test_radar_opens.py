"""Opens among crawlers and previews: counts equal the truth, staff hear of each customer once.

How fast they hear is ``python -m benchmarks.radar_opens``, on a machine that does nothing else.
"""

import pytest

from benchmarks.radar_opens import run
from tests.support import databases


@pytest.mark.timeout(300)
def test_counts_equal_the_truth_and_staff_hear_once() -> None:
    found = run(opens=150, rate=30, backend=databases.BACKEND)
    assert found.wrong == {}
    assert found.truth.opens == 150
