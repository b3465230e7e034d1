"""Reply drafts against a local server that speaks like OpenAI's: what leaves, what comes back, what goes wrong."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from pydantic import ValidationError

from bot.draft_desk import DraftDesk
from crm_core.config import Settings
from crm_core.config_chat import DraftPart
from sidebar.drafting import DraftFailed
from tests.support.product import free_port
from tests.unit.materials.test_recommending import script

KEY = "sk-local-0123456789"
INVOICE = script(7, "开发票", "电子发票三天内发到邮箱")


class Model:
    """A language model of few words."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str], dict]] = []
        self.answer: tuple[int, bytes] = (200, json.dumps(said("亲，发票三天内发您邮箱。")).encode())
        self.wait = threading.Event()
        self.wait.set()


def said(text: str) -> dict:
    return {"choices": [{"message": {"role": "assistant", "content": text}}]}


@pytest.fixture
def model() -> Iterator[tuple[Model, str]]:
    made = Model()

    class Door(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            made.asked.append((self.path, dict(self.headers), json.loads(body)))
            made.wait.wait(10)
            self.send_response(made.answer[0])
            self.end_headers()
            self.wfile.write(made.answer[1])

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield made, f"http://127.0.0.1:{server.server_port}/v1"
    made.wait.set()
    server.shutdown()
    server.server_close()


def desk(url: str, **more) -> DraftDesk:
    part = DraftPart(enabled=True, base_url=url, model="house-model", **more)
    return DraftDesk(Settings(draft=part, draft_key=KEY))


def test_a_draft_is_made_of_the_scripts_alone_and_numbers_stay_here(model):
    made, url = model
    found = desk(url).write(["我是13812345678", "身份证11010519491231002X，发票怎么开"], [INVOICE, script(8, "空的")])
    assert found.text == "亲，发票三天内发您邮箱。"
    assert [one.title for one in found.sources] == ["开发票"]
    ((path, headers, body),) = made.asked
    assert (path, headers["Authorization"], body["model"]) == ("/v1/chat/completions", f"Bearer {KEY}", "house-model")
    sent = json.dumps(body, ensure_ascii=False)
    assert "13812345678" not in sent
    assert "11010519491231002X" not in sent
    assert "［手机号］" in sent
    assert "电子发票三天内发到邮箱" in sent


def test_what_goes_wrong_is_said_in_plain_words(model):
    made, url = model
    for status, words in ((401, "密钥不对"), (404, "模型名不对"), (429, "繁忙"), (500, "出错（500）")):
        made.answer = (status, b"secret detail")
        with pytest.raises(DraftFailed) as told:
            desk(url).write(["发票"], [INVOICE])
        assert words in told.value.message
        assert "secret" not in told.value.message
    for body in (b"<html>", b"{}", b'{"choices": []}', b"[1]"):
        made.answer = (200, body)
        with pytest.raises(DraftFailed, match="不兼容"):
            desk(url).write(["发票"], [INVOICE])
    made.answer = (200, json.dumps(said("没有依据")).encode())
    with pytest.raises(DraftFailed, match="回答不了"):
        desk(url).write(["发票"], [INVOICE])
    made.wait.clear()
    with pytest.raises(DraftFailed, match="超时"):
        desk(url, timeout_seconds=0.2).write(["发票"], [INVOICE])


def test_nothing_leaves_while_it_is_off_or_has_nothing_to_stand_on(model):
    made, url = model
    off = DraftDesk(Settings(draft=DraftPart(base_url=url, model="m")))
    with pytest.raises(DraftFailed, match="没有开启"):
        off.write(["发票"], [INVOICE])
    with pytest.raises(DraftFailed, match="没有可以依据"):
        desk(url).write(["发票"], [])
    assert made.asked == []
    with pytest.raises(DraftFailed, match="连不上"):
        desk(f"http://127.0.0.1:{free_port()}").write(["发票"], [INVOICE])
    assert not Settings().draft.enabled
    with pytest.raises(ValidationError, match="base_url"):
        DraftPart(enabled=True)
