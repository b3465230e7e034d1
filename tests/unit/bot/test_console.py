"""The console's front door: who comes in, and as what."""

import re
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from flask.testing import FlaskClient

from bot import demo_company
from bot.app import create_app
from tests.support.product import InProcess


@pytest.fixture
def client(product: InProcess) -> Iterator[FlaskClient]:
    demo_company.furnish(product.house)
    yield create_app(product.house).test_client()


def csrf(client: FlaskClient, path: str = "/console/sign-in") -> str:
    found = re.search(r'name="csrf-token" content="([^"]+)"', client.get(path).get_data(as_text=True))
    assert found
    return found.group(1)


def test_a_stranger_is_sent_to_sign_in(client: FlaskClient) -> None:
    answer = client.get("/console/?x=1")
    assert answer.headers["Location"] == "/console/sign-in?to=%2Fconsole%2F%3Fx%3D1"
    assert client.get("/console/", headers={"HX-Request": "true"}).status_code == 401


def test_a_write_needs_the_token(client: FlaskClient) -> None:
    assert client.post("/console/sign-out").status_code == 400
    assert client.post("/console/sign-out", data={"csrf_token": csrf(client)}).status_code == 302


def test_without_a_password_nobody_comes_in_by_password(client: FlaskClient) -> None:
    answer = client.post("/console/sign-in", data={"csrf_token": csrf(client), "password": ""})
    assert answer.status_code == 400
    assert "管理员密码" not in client.get("/console/sign-in").get_data(as_text=True)


def test_sign_in_goes_to_wecom_and_comes_back_to_the_page_asked_for(client: FlaskClient) -> None:
    answer = client.get("/console/sign-in/main?to=/console/?x=1")
    asked = urlsplit(answer.headers["Location"])
    assert parse_qs(asked.query)["redirect_uri"] == ["http://127.0.0.1:8700/console/login/callback"]
