"""The console over a house in this process, with members who already signed in."""

import re
from dataclasses import dataclass
from datetime import timedelta

from flask import Flask
from flask.testing import FlaskClient

from bot import demo_company
from bot.app import create_app
from bot.console.pages_corps import GUIDE_SHOWN
from bot.console.signing import PASSWORD_SIGN_IN
from crm_core import roles
from crm_core.ids import StaffUserId
from crm_core.roles import Role
from tests.support.product import APP, InProcess

# Members of the local WeCom's company by role.
WHO = {
    Role.ADMIN: "sun_hao",
    Role.OPERATOR: "zhou-min",
    Role.SUPERVISOR: "ChenJing",
    Role.STAFF: "zhang.san",
    Role.DEALER_ADMIN: "wangwu",
}


@dataclass
class ConsoleHouse:
    """What a test of the console may reach into."""

    product: InProcess
    app: Flask

    def signed_in(self, role: Role = Role.ADMIN) -> FlaskClient:
        """A browser of the member with this role."""
        return self.as_member(WHO[role])

    def as_member(self, userid: str, *, guided: bool = True) -> FlaskClient:
        client = self.app.test_client()
        until = (self.product.clock.now() + timedelta(hours=1)).timestamp()
        with client.session_transaction() as cookie:
            cookie[GUIDE_SHOWN] = guided
            cookie["console"] = {"corp": str(self.product.corp), "app": APP, "staff": userid, "until": until}
        return client

    def as_first_admin(self) -> FlaskClient:
        client = self.app.test_client()
        with client.session_transaction() as cookie:
            cookie[PASSWORD_SIGN_IN] = (self.product.clock.now() + timedelta(hours=1)).timestamp()
        return client

    def token(self, client: FlaskClient) -> str:
        """The CSRF token of this browser."""
        if "scrm.token" not in client.environ_base:
            page = client.get("/console/sign-in").get_data(as_text=True)
            found = re.search(r'name="csrf-token" content="([^"]+)"', page)
            assert found
            client.environ_base["scrm.token"] = found.group(1)
        return str(client.environ_base["scrm.token"])

    def read(self, client: FlaskClient, path: str) -> str:
        """A page that must be there."""
        answer = client.get(f"/console{path}")
        assert answer.status_code == 200, (path, answer.status_code, answer.get_data(as_text=True)[:500])
        return answer.get_data(as_text=True)

    def write(self, client: FlaskClient, path: str, **form: object):
        """A write from within a page (htmx)."""
        headers = {"X-CSRFToken": self.token(client), "HX-Request": "true"}
        return client.post(f"/console{path}", data=form, headers=headers)


def furnished(product: InProcess) -> ConsoleHouse:
    """The demo's company, its roles, a customer who has just been added."""
    demo_company.furnish(product.house)
    with product.house.db.unit() as uow:
        for role in (Role.STAFF, Role.DEALER_ADMIN):
            roles.give(uow, product.corp, StaffUserId(WHO[role]), role, actor="test")
        uow.commit()
    return ConsoleHouse(product, create_app(product.house))
