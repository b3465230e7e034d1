"""The web process: health, metrics, the domain's proof, the doors of the configured apps, and all of it over HTTP."""

import json
from dataclasses import replace
from http.client import HTTPConnection
from pathlib import Path

import httpx
import pytest
from flask import request
from flask.testing import FlaskClient
from pydantic import SecretStr

from bot.app import InboxWaker, callback_apps, create_app
from bot.sandbox.server import SandboxServer
from bot.wake import WakeHub
from crm_core.config import AppPart, AppSecrets, CorpPart, Settings
from tests.support.bench import Bench, bench_over
from tests.support.product import SECRET_KEY, admin, processes, wait_for


@pytest.fixture
def client(bench: Bench) -> FlaskClient:
    return create_app(bench.house).test_client()


def test_healthy_and_ready(client: FlaskClient) -> None:
    assert client.get("/healthz").json == {"ok": True}
    assert (client.get("/readyz").status_code, client.get("/readyz").json) == (200, {"ok": True})


def test_not_ready_without_its_database_but_still_alive(bench: Bench, client: FlaskClient) -> None:
    with bench.without_table("inbox"):
        assert (client.get("/readyz").status_code, client.get("/readyz").json) == (503, {"ok": False})
        assert client.get("/healthz").status_code == 200
    assert client.get("/readyz").status_code == 200


def test_metrics_are_prometheus_text(client: FlaskClient) -> None:
    answer = client.get("/metrics")
    assert answer.content_type.startswith("text/plain")
    assert "# TYPE scrm_work_rows_total counter" in answer.text


def test_the_root_leads_to_the_sidebar(client: FlaskClient) -> None:
    answer = client.get("/")
    assert (answer.status_code, answer.location) == (302, "/sidebar/")


@pytest.mark.parametrize("path", ["/nothing", "/healthz/x", "/WW_verify_.txt", "/.env", "/callback/main"])
def test_an_unknown_path_is_404(client: FlaskClient, path: str) -> None:
    assert client.get(path).status_code == 404


def test_the_proof_of_a_trusted_domain_is_served_and_nothing_else(
    client: FlaskClient, bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "var" / "domain_proof"
    folder.mkdir(parents=True)
    (folder / "WW_verify_abcDEF123.txt").write_bytes(b"abcDEF123")
    (tmp_path / "var" / "secret.txt").write_text("secret")
    answer = client.get("/WW_verify_abcDEF123.txt")
    assert (answer.status_code, answer.data) == (200, b"abcDEF123")
    assert answer.content_type.startswith("text/plain")
    for name in ("other", "..%2Fsecret", "..", "a/../../secret"):
        assert client.get(f"/WW_verify_{name}.txt").status_code == 404


def test_addresses_of_proxies_are_believed_only_as_far_as_configured(sandbox: SandboxServer, database_url: str) -> None:
    headers = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "scrm.example.com"}
    with bench_over(sandbox, database_url) as bench:
        settings = bench.house.settings
        behind = settings.model_copy(update={"server": settings.server.model_copy(update={"trusted_proxies": 1})})
        for house, seen in (
            (bench.house, "http://localhost/"),
            (replace(bench.house, settings=behind), "https://scrm.example.com/"),
        ):
            app = create_app(house)
            app.add_url_rule("/seen", view_func=lambda: request.host_url)
            assert app.test_client().get("/seen", headers=headers).text == seen


def settings_with(**secrets: AppSecrets) -> Settings:
    def app(key: str, **more: object) -> AppPart:
        return AppPart.model_validate({"key": key, **more})

    corp = CorpPart(
        corp_id="ww1",
        contact_app="main",
        apps=(
            app("main"),
            app("contacts", kind="contacts", callback=False),
            app("suite", kind="suite", receive_ids=("ww_suite",)),
            app("robot", kind="ai_bot"),
            app("forgotten"),
        ),
    )
    return Settings(corps=(corp,), secret_key=SecretStr(SECRET_KEY), app_secrets=secrets)


def test_a_door_for_every_app_that_takes_callbacks_and_has_its_secrets() -> None:
    pair = AppSecrets(token=SecretStr("tok"), aes_key=SecretStr("a" * 43))
    half = AppSecrets(token=SecretStr("tok"))
    apps = callback_apps(settings_with(main=pair, contacts=pair, suite=pair, robot=pair, forgotten=half))
    assert [(app.key, app.reply, app.crypto.receive_ids) for app in apps] == [
        ("main", b"", ("ww1",)),
        ("suite", b"success", ("ww_suite",)),
        ("robot", b"", ("",)),
    ]


def test_the_door_wakes_the_lanes_of_the_inbox(bench: Bench) -> None:
    hub = WakeHub()
    InboxWaker(replace(bench.house, hub=hub)).wake({"welcome"})
    assert (hub.ticket(["inbox:welcome"]), hub.ticket(["inbox:default"])) == (1, 0)


def announced_upload(port: int, size_bytes: int) -> tuple[int, str]:
    """The answer to an upload of which not one byte has come yet."""
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    connection.putrequest("POST", "/console/api/materials/upload")
    connection.putheader("Content-Length", str(size_bytes))
    connection.endheaders()
    with connection.getresponse() as answer:
        told = json.loads(answer.read())
    connection.close()
    return answer.status, told["error"]["message"]


def test_the_whole_product_over_http(sandbox: SandboxServer, database_url: str, tmp_path: Path) -> None:
    with processes(sandbox, tmp_path, database_url) as crew:
        crew.start("web", "serve")
        crew.wait_ready()
        for path, status in (("/healthz", 200), ("/metrics", 200), ("/nothing", 404), ("/callback/none", 404)):
            assert httpx.get(crew.url + path).status_code == status
        assert announced_upload(crew.port, 2 * 1024**3) == (413, "上传的内容太大，文件请不要超过 20 MB")
        admin(sandbox, "add", {"corp": sandbox.corp_id, "userid": "zhang.san", "name": "小满"})
        wait_for(
            lambda: 'scrm_work_rows_total{loop="inbox"} 1.0' in httpx.get(crew.url + "/metrics").text,
            what="the callback to be worked off",
        )
        assert "scrm_callbacks_committed_total 1.0" in httpx.get(crew.url + "/metrics").text
        assert crew.stop("web") == 0
        assert "Traceback" not in crew.logs()
