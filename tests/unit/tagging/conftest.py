"""Fixtures of the tagging room."""

import pytest

from tests.chat_tag_house import ChatTagHouse, chat_tag_house
from tests.support.ground import Ground


@pytest.fixture
def chat_tags(ground: Ground) -> ChatTagHouse:
    return chat_tag_house(ground)
