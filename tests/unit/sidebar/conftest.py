from collections.abc import Iterator

import pytest

from tests.sidebar_house import House, build


@pytest.fixture
def house(tmp_path) -> Iterator[House]:
    made = build(tmp_path)
    yield made
    made.db.close()
