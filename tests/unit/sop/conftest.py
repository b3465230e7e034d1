import pytest

from tests.support.ground import Ground
from tests.unit.sop.sop_plans import Desk


@pytest.fixture
def desk(ground: Ground) -> Desk:
    return Desk(ground)
