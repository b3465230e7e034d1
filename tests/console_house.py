"""A product with the demo company behind the console's client; anybody can be signed in."""

import re
from dataclasses import dataclass

from flask import Flask
from flask.testing import FlaskClient

from bot import demo_company
from bot.app import create_app
from bot.console.pages_corps import GUIDE_SHOWN
from crm_core import customer_list
from crm_core.customer_list import CustomerFilter
from crm_core.ids import StaffUserId
from crm_core.roles import Role, give
from tests.support.product import InProcess

ADMIN, OPERATOR, SUPERVISOR, STAFF = "sun_hao", "zhou-min", "ChenJing", "zhang.san"


@dataclass
class Console:
    """The console over a settled demo company."""

    product: InProcess
    app: Flask

    def client(self, userid: str = ADMIN) -> FlaskClient:
        """Somebody at the console."""
        client = self.app.test_client()
        with client.session_transaction() as cookie:
            cookie[GUIDE_SHOWN] = True  # or an admin's first page would be the guide
            cookie["console"] = {
                "corp": self.product.corp,
                "app": "main",
                "staff": userid,
                "until": self.product.clock.now().timestamp() + 3600,
            }
        return client

    def token(self, client: FlaskClient) -> dict[str, str]:
        """The header that every write needs."""
        found = re.search(r'name="csrf-token" content="([^"]+)"', client.get("/console/").get_data(as_text=True))
        assert found
        return {"X-CSRFToken": found.group(1)}

    def post(self, client: FlaskClient, path: str, data: object = None, **more: object):
        """A write with its token."""
        return client.post(path, data=data or {}, headers=self.token(client), **more)

    def customer(self, name: str) -> str:
        """The external userid of one of the demo's customers."""
        with self.product.house.db.reading() as session:
            wanted = CustomerFilter(words=name)
            return customer_list.page(session, self.product.corp, wanted).items[0].external_user

    def names(self, answer: object) -> list[str]:
        """The names that a customer list shows."""
        text = answer.get_data(as_text=True)
        return re.findall(r'/drawer" hx-target="#drawer-body">([^<]+)</a>', text)


def settle(product: InProcess) -> Console:
    """The demo company, everything worked off, and a dealer admin besides."""
    demo_company.furnish(product.house)
    with product.house.db.unit() as uow:
        give(uow, product.corp, StaffUserId("wangwu"), Role.DEALER_ADMIN, actor="test")
        uow.commit()
    product.work()
    return Console(product, create_app(product.house))
