"""Materials and scripts in the console without a browser: who may do what, what is served how, what is refused."""

import io
import re
from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient

from bot import bootstrap
from bot.app import create_app
from bot.console.views import PERMISSION_OF
from crm_core import roles, staff
from crm_core.ids import StaffUserId
from crm_core.ports import StaffFacts
from crm_core.roles import Role
from materials import script_desk
from tests.support.product import InProcess, make_settings
from tests.unit.materials.conftest import pdf, picture

PASSWORD = "a password for this test"
ZHANG = StaffUserId("zhang.san")
OURS = re.compile(
    r"^console\..*(material|script|approvals|proposal|small_picture|page_picture|whole_file|take_upload|import|export)"
)


@pytest.fixture
def client(product: InProcess) -> Iterator[FlaskClient]:
    """The first admin, signed in by password."""
    object.__setattr__(
        product.house,
        "settings",
        make_settings(product.wecom, product.house.settings.database.url, admin_password=PASSWORD),
    )
    bootstrap.install_defaults(product.house)
    made = create_app(product.house).test_client()
    assert (
        made.post(
            "/console/sign-in", data={"csrf_token": csrf(made, "/console/sign-in"), "password": PASSWORD}
        ).status_code
        == 302
    )
    yield made


def csrf(client: FlaskClient, path: str = "/console/materials") -> str:
    found = re.search(r'name="csrf-token" content="([^"]+)"', client.get(path).get_data(as_text=True))
    assert found
    return found.group(1)


def upload(client: FlaskClient, content: bytes, name: str, **fields: str) -> Any:
    form = {"csrf_token": csrf(client), "file": (io.BytesIO(content), name), **fields}
    return client.post("/console/api/materials/upload", data=form, content_type="multipart/form-data")


def test_what_is_uploaded_is_served_without_being_run(client: FlaskClient) -> None:
    image = upload(client, picture(), "a.png").get_json()["data"]
    document = upload(client, pdf(), "报价 <1>.pdf").get_json()["data"]
    shown = client.get(f"/console/materials/files/{image['key']}")
    assert (shown.content_type, shown.headers["X-Content-Type-Options"]) == ("image/png", "nosniff")
    assert client.get(f"/console/materials/files/{image['key']}/small").content_type == "image/jpeg"
    given = client.get(f"/console/materials/files/{document['key']}")
    assert given.content_type == "application/octet-stream"
    assert given.headers["Content-Disposition"].startswith("attachment;")
    assert client.get(f"/console/materials/files/{document['key']}/small").status_code == 404
    assert client.get(f"/console/materials/files/{document['key']}/page/1").status_code == 404
    assert client.get(f"/console/materials/files/{'0' * 64}").status_code == 404


@pytest.mark.parametrize(
    ("content", "name", "said"),
    [
        (b"<svg onload=alert(1)></svg>", "a.png", "SVG"),
        (b"MZ program", "a.pdf", "程序文件"),
        (b"", "a.pdf", "空的"),
    ],
)
def test_bombs_and_wrong_types_are_refused_with_a_sentence(
    client: FlaskClient, content: bytes, name: str, said: str
) -> None:
    answer = upload(client, content, name, create="1")
    assert answer.status_code == 400
    assert said in answer.get_json()["error"]["message"]
    assert "还没有素材" in client.get("/console/materials").get_data(as_text=True)


def test_a_file_of_another_corp_is_not_there(client: FlaskClient, product: InProcess) -> None:
    from crm_core.ids import CorpId
    from materials.uploads import receive, rules_of

    house = product.house
    rules = rules_of(house.settings.materials)
    stream = io.BytesIO(picture(color="blue"))
    foreign = receive(house.db, house.desk.store, CorpId("ww_other"), "x", stream, "a.png", rules).file
    assert client.get(f"/console/materials/files/{foreign.key}").status_code == 404
    form = {"csrf_token": csrf(client), "name": "偷来的", "file": foreign.key}
    assert client.post("/console/materials/new/image", data=form).status_code == 422


def test_plain_staff_reads_and_changes_nothing(client: FlaskClient, product: InProcess) -> None:
    with product.house.db.unit() as uow:
        staff.apply_staff(uow, product.corp, StaffFacts(userid=ZHANG, name="张三"))
        roles.give(uow, product.corp, ZHANG, Role.STAFF, actor="test")
        uow.commit()
    grant = roles.Grant(role=Role.STAFF, scope=roles.Scope.OWN)
    ours = {name: permission for name, permission in PERMISSION_OF.items() if OURS.match(name)}
    assert len(ours) >= 25
    writes = {name for name, permission in ours.items() if not grant.allows(permission)}
    for rule in client.application.url_map.iter_rules():
        if rule.endpoint in ours and "POST" in (rule.methods or ()):
            assert rule.endpoint in writes, f"plain staff may call {rule.endpoint}"


def test_an_import_ticket_belongs_to_whoever_made_it(client: FlaskClient) -> None:
    form = {"csrf_token": csrf(client), "file": (io.BytesIO("标题,消息1\n问,答\n".encode()), "a.csv")}
    page = client.post("/console/scripts/import", data=form, content_type="multipart/form-data").get_data(as_text=True)
    ticket = re.search(r'name="ticket" value="([^"]+)"', page)
    assert ticket
    forged = {"csrf_token": csrf(client), "ticket": ticket.group(1)[:-2] + "xx"}
    assert client.post("/console/scripts/import/apply", data=forged).status_code == 400
    good = {"csrf_token": csrf(client), "ticket": ticket.group(1)}
    assert "新增 1 条" in client.post("/console/scripts/import/apply", data=good).get_data(as_text=True)


def test_folders_are_made_and_refused_in_words(client: FlaskClient, product: InProcess) -> None:
    for path in ("/console/materials/folders", "/console/scripts/folders"):
        form = {"csrf_token": csrf(client), "act": "create", "name": "门店"}
        assert client.post(path, data=form).status_code == 302
        assert "已经有名为“门店”" in client.post(path, data=form).get_data(as_text=True)
    with product.house.db.reading() as session:
        assert "门店" in {one.name for one in script_desk.all_folders(session, product.corp)}
