from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask

from bot import demo_company
from bot.app import create_app
from crm_core import timeline
from crm_core.ids import ExternalUserId
from materials import radar_rules
from materials.material_model import Material
from tests.support.product import InProcess, admin
from tests.support.readers import Reader, make_article

STAFF = "zhang.san"


@dataclass
class Shop:
    """The demo company, one article, and readers."""

    product: InProcess
    app: Flask
    article: Material
    customer: ExternalUserId

    def reader(self, **more: Any) -> Reader:
        return Reader(self.app.test_client(), **more)

    def settle(self) -> None:
        """Everything that was told is written, and WeCom was called."""
        assert self.product.house.beacons.settle()
        self.product.work()

    def notices(self, userid: str = STAFF) -> list[str]:
        """The titles of the app messages at the local WeCom, oldest first."""
        wecom = self.product.wecom
        messages = wecom.world.corps[wecom.corp_id].app_messages.values()
        return [one.body["title"] for one in messages if userid in one.receivers and one.msgtype == "textcard"]

    def told(self) -> list[str]:
        with self.product.house.db.reading() as session:
            found = timeline.read(session, self.product.corp, self.customer, kinds=("radar.",), limit=50)
        return [entry.kind for entry in found]


@pytest.fixture
def shop(product: InProcess) -> Iterator[Shop]:
    demo_company.furnish(product.house)
    with product.house.db.unit() as uow:
        radar_rules.install_missing(uow, product.corp)
        uow.commit()
    product.work()
    talks = admin(product.wecom, f"desk?corp={product.corp}&userid={STAFF}")["conversations"]
    customer = ExternalUserId(talks[0]["external_userid"])
    yield Shop(product, create_app(product.house), make_article(product.house, product.corp), customer)
