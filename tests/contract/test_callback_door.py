"""The callback door through a real granian: good callbacks are kept once, everything else is refused and harmless."""

import json
import os
import signal
import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

import pytest
from sqlalchemy import text

from tests.contract.door_app import CORP, MAX_BODY_BYTES, SUITE
from tests.contract.door_server import TABLE, DoorServer, crypto_of, echo_path, running, sealed, xml

FIXTURES = Path(__file__).parents[1] / "fixtures/callbacks/events.jsonl"
BODIES = [json.loads(line)["xml"].encode() for line in FIXTURES.read_text("utf-8").splitlines()]
POSTGRES = os.environ.get("SCRM_TEST_POSTGRES")


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DoorServer]:
    folder = tmp_path_factory.mktemp("door")
    if request.param == "postgres" and POSTGRES is None:
        pytest.skip("SCRM_TEST_POSTGRES is not set")
    url = f"sqlite:///{folder / 'door.db'}" if request.param == "sqlite" else str(POSTGRES)
    with running(url, folder) as server:
        yield server
        assert server.stop() == 0
        log = server.log.read_text("utf-8")
        assert log.count("Traceback") == log.count("RuntimeError: of our own making")


@pytest.fixture(autouse=True)
def empty(request: pytest.FixtureRequest) -> None:
    if "server" in request.fixturenames:
        with request.getfixturevalue("server").engine.begin() as connection:
            connection.execute(text("DELETE FROM inbox"))


def test_the_check_of_the_url_answers_the_echo_and_nothing_else(server: DoorServer) -> None:
    assert server.send("GET", echo_path(b"1616140317555161061")) == (200, b"1616140317555161061")
    for number in range(20):  # some ciphertexts hold a plus sign, and some proxies leave it as it is
        assert server.send("GET", echo_path(b"echo-%d" % number, escape=False)) == (200, b"echo-%d" % number)
    assert server.rows() == []


@pytest.mark.parametrize("number", range(len(BODIES)))
def test_every_stored_callback_is_kept_as_it_came(server: DoorServer, number: int) -> None:
    path, body = sealed(BODIES[number], "fixtures")
    assert server.send("POST", path, body) == (200, b"")
    assert [kept for _, kept in server.rows()] == [BODIES[number]]


def test_a_row_has_what_workers_need(server: DoorServer) -> None:
    path, body = sealed(xml("<WelcomeCode><![CDATA[wc_1]]></WelcomeCode>"))
    before = time.time() * 1000 - 1500
    assert server.post(path, body) == 200
    with server.engine.connect() as connection:
        row = connection.execute(TABLE.select()).one()
    assert (row.corp_id, row.app_key, row.lane, row.priority) == (CORP, "sales", "welcome", 0)
    assert before < row.created_ms < time.time() * 1000 + 1500
    assert (row.run_at, row.deadline_at) == (row.created_ms, row.created_ms + 20_000)
    assert (row.attempts, row.state, row.owner, row.event_name) == (0, "ready", None, "")
    assert not row.interrupted


def test_json_envelopes_and_suite_answers(server: DoorServer) -> None:
    one = crypto_of("robot").seal(b'{"msgtype":"text"}', "1", "n")
    path = f"/callback/robot?msg_signature={one.signature}&timestamp=1&nonce=n"
    assert server.post(path, json.dumps({"encrypt": one.encrypt}).encode()) == 200
    path, body = sealed(b"<xml><SuiteId>s</SuiteId><InfoType>suite_ticket</InfoType></xml>", "suite", receive_id=SUITE)
    assert server.send("POST", path, body) == (200, b"success")
    assert len(server.rows()) == 2


def test_the_same_event_four_times_and_sixty_four_at_once_is_one_row(server: DoorServer) -> None:
    plaintext = xml("<UserID>LiNa</UserID>")
    callbacks = [sealed(plaintext, nonce=str(number % 7)) for number in range(64)]  # a retry may be encrypted anew
    with ThreadPoolExecutor(64) as pool:
        assert set(pool.map(lambda one: server.post(*one), callbacks)) == {200}
    assert [server.post(*callbacks[0]) for _ in range(4)] == [200] * 4
    assert [body for _, body in server.rows()] == [plaintext]


def test_a_replay_changes_nothing_and_another_body_does_not_fit(server: DoorServer) -> None:
    first, other = sealed(xml("<A>1</A>")), sealed(xml("<A>2</A>"))
    assert server.post(*first) == 200
    before = server.rows()
    assert server.post(*first) == 200
    assert server.post(first[0], other[1]) == 403
    assert server.rows() == before


GOOD_PATH, GOOD_BODY = sealed(xml("<A>good</A>"))
BOMB = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "&b;&b;"><!ENTITY b "ha">]><xml><Encrypt>&a;</Encrypt></xml>'
BAD = {
    "empty": (403, GOOD_PATH, b""),
    "not xml": (403, GOOD_PATH, b"hello"),
    "entity bomb": (403, GOOD_PATH, BOMB),
    "nul": (403, GOOD_PATH, GOOD_BODY.replace(b"x</To", b"\0</To")),
    "not utf-8": (403, GOOD_PATH, GOOD_BODY.replace(b"x</To", b"\xff</To")),
    "truncated base64": (403, GOOD_PATH, GOOD_BODY.replace(b"]]></Enc", b"", 1)[:-30] + b"]]></Encrypt></xml>"),
    "wrong signature": (403, GOOD_PATH.replace("msg_signature=", "msg_signature=0")[:-1] + "n", GOOD_BODY),
    "upper-case signature": (403, GOOD_PATH.replace("signature=", "signature=A", 1), GOOD_BODY),
    "other nonce": (403, GOOD_PATH + "x", GOOD_BODY),
    "other timestamp": (403, GOOD_PATH.replace("1735700000", "1735700001"), GOOD_BODY),
    "timestamp no number": (403, GOOD_PATH.replace("1735700000", "yesterday"), GOOD_BODY),
    "no query": (403, "/callback/sales", GOOD_BODY),
    "no nonce": (403, GOOD_PATH.replace("nonce", "once"), GOOD_BODY),
    "nonce twice": (403, GOOD_PATH + "&nonce=n", GOOD_BODY),
    "giant query": (403, GOOD_PATH + "&x=" + "a" * 20_000, GOOD_BODY),
    "broken escapes": (403, GOOD_PATH.replace("nonce=n", "nonce=%ff%zz%00"), GOOD_BODY),
    "another's receive id": (403, *sealed(xml("<A>1</A>"), receive_id="wwother")),
    "another's ToUserName": (403, *sealed(xml("<A>1</A>", corp="wwother"))),
    "another app's body": (403, GOOD_PATH.replace("sales", "robot"), GOOD_BODY),
    "unknown app": (404, GOOD_PATH.replace("sales", "nobody"), GOOD_BODY),
    "deeper path": (404, GOOD_PATH.replace("sales", "sales/x"), GOOD_BODY),
    "no app": (404, "/callback/", GOOD_BODY),
    "too large": (413, GOOD_PATH, b" " * (MAX_BODY_BYTES + 1)),
    "largest": (403, GOOD_PATH, b" " * MAX_BODY_BYTES),
}


@pytest.mark.parametrize(("status", "path", "body"), BAD.values(), ids=BAD.keys())
def test_bad_posts_get_a_bare_refusal(server: DoorServer, status: int, path: str, body: bytes) -> None:
    assert server.send("POST", path, body) == (status, b"")
    assert server.rows() == []


@pytest.mark.parametrize(
    "path",
    [
        "/callback/sales",
        "/callback/sales?" + echo_path(b"x").split("?")[1].replace("nonce=n", "nonce=m"),
        echo_path(b"x").split("&echostr")[0],
        echo_path(b"x") + quote("=="),
        "/callback/sales?echostr=" + "%F0%9F" * 500,
    ],
    ids=["nothing", "another nonce", "no echostr", "padding too much", "not text"],
)
def test_bad_checks_are_refused(server: DoorServer, path: str) -> None:
    assert server.send("GET", path) == (403, b"")


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "BREW"])
def test_other_methods_are_refused(server: DoorServer, method: str) -> None:
    assert server.send(method, GOOD_PATH, b"")[0] == 405


def test_ten_megabytes_are_refused_before_they_are_read(server: DoorServer) -> None:
    head = f"POST {GOOD_PATH} HTTP/1.1\r\nHost: door\r\nContent-Length: 10485760\r\n\r\n".encode()
    started = time.monotonic()
    assert server.raw(head).startswith(b"HTTP/1.1 413")  # answered although no byte of the body came
    assert time.monotonic() - started < 20
    chunk = b"10000\r\n" + b"a" * 65536 + b"\r\n"
    head = f"POST {GOOD_PATH} HTTP/1.1\r\nHost: door\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    answer = server.raw(head + chunk * 160 + b"0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 413") or answer == b""  # a reset may overtake the answer
    assert server.post(GOOD_PATH, GOOD_BODY) == 200


def test_raw_rubbish_and_vanishing_clients_harm_nobody(server: DoorServer) -> None:
    head = f"POST {GOOD_PATH} HTTP/1.1\r\nHost: door\r\n".encode()
    for data in (b"\x16\x03\x01\x02", b"GET / HTTP/9.9\r\n\r\n", head, head + b"Content-Length: 900\r\n\r\nhalf"):
        assert not server.raw(data, patience_seconds=0.3).startswith(b"HTTP/1.1 5")
    assert server.post(GOOD_PATH, GOOD_BODY) == 200
    assert len(server.rows()) == 1


def test_bad_neighbours_cost_a_good_callback_nothing(server: DoorServer) -> None:
    good = [sealed(xml(f"<A>{number}</A>")) for number in range(100)]
    bad = [(path, body) for _, path, body in BAD.values() if len(body) < 100_000] * 4
    mixed = [one for pair in zip(good, bad, strict=False) for one in pair] + good[len(bad) :]
    with ThreadPoolExecutor(32) as pool:
        statuses = list(pool.map(lambda one: server.post(*one), mixed))
    assert statuses.count(200) == sum(one in good for one in mixed)
    assert len(server.rows()) == statuses.count(200)
    assert max(statuses) < 500


def test_what_cannot_be_stored_is_answered_503_and_taken_later(server: DoorServer) -> None:
    assert server.post(*sealed(xml("<A>0</A>"))) == 200
    TABLE.drop(server.engine)
    try:
        assert server.send("POST", GOOD_PATH, GOOD_BODY) == (503, b"")
    finally:
        TABLE.create(server.engine)
    assert server.post(GOOD_PATH, GOOD_BODY) == 200
    assert [body for _, body in server.rows()] == [xml("<A>good</A>")]


def test_the_counters_tell_why_and_nothing_secret_is_logged(server: DoorServer) -> None:
    server.post(GOOD_PATH, b"hello")
    server.post(GOOD_PATH, GOOD_BODY)
    metrics = server.send("GET", "/metrics")[1].decode()
    assert 'scrm_callbacks_rejected_total{reason="envelope"}' in metrics
    assert "scrm_callbacks_committed_total" in metrics
    log = server.log.read_text("utf-8")
    assert GOOD_BODY.decode()[60:120] not in log
    assert "good" not in log


def test_flask_behind_the_gate(server: DoorServer) -> None:
    status, body = server.send(
        "GET", "/echo/" + quote("你 好/x") + "?q=1+2", None, {"X-Twice": "a", "Cookie": "a=1; b=2"}
    )
    assert (status, body.decode()) == (200, "GET 你 好/x 1 2 a 0 2")
    assert server.send("POST", "/echo/up", b"x" * 2_500_000)[1] == b"POST up None None 2500000 None"
    assert server.raw(b"GET /echo/x HTTP/1.1\r\nHost: x\r\n\r\n").count(b"set-cookie") == 2
    assert server.send("HEAD", "/echo/x") == (200, b"")
    assert server.send("GET", "/large") == (200, b"x" * 3_000_000)
    assert server.send("GET", "/nowhere")[0] == 404
    assert server.send("GET", "/fault")[0] == 500


def test_open_streams_leave_the_pool_free(server: DoorServer) -> None:
    with ThreadPoolExecutor(30) as pool:
        streams = [pool.submit(server.send, "GET", "/events") for _ in range(20)]
        started = time.monotonic()
        assert server.send("GET", "/echo/x")[0] == 200
        assert time.monotonic() - started < 1.5
        answers = [stream.result() for stream in streams]
    assert answers == [(200, b"".join(b"data: %d\n\n" % number for number in range(5)))] * 20


@pytest.mark.parametrize(("number", "workers"), [(signal.SIGTERM, 1), (signal.SIGTERM, 2), (signal.SIGKILL, 1)])
def test_whatever_was_answered_200_survives_the_end(tmp_path: Path, number: int, workers: int) -> None:
    answered: list[str] = []
    statuses: set[int] = set()
    with running(f"sqlite:///{tmp_path / 'door.db'}", tmp_path, workers=workers) as server:
        over = threading.Event()

        def client(mine: int) -> None:
            for count in range(100_000):
                name = f"<A>{mine}-{count}</A>"
                path, body = sealed(xml(name))
                try:
                    status = server.post(path, body)
                except OSError:
                    return
                except Exception:  # noqa: BLE001 - a cut connection has many faces in http.client
                    return
                statuses.add(status)
                if status == 200:
                    answered.append(name)
                if over.is_set():
                    return

        threads = [threading.Thread(target=client, args=(mine,)) for mine in range(8)]
        for thread in threads:
            thread.start()
        time.sleep(1.0)
        if number == signal.SIGKILL:
            _kill_children(server.process.pid)
        server.stop(number)
        over.set()
        for thread in threads:
            thread.join(20)
        with sqlite3.connect(tmp_path / "door.db") as connection:
            bodies = {bytes(row[0]) for row in connection.execute("SELECT body FROM inbox")}
    assert len(answered) > 50
    assert {xml(name) for name in answered} <= bodies
    assert statuses <= {200, 503}


def _kill_children(pid: int) -> None:
    children = Path(f"/proc/{pid}/task/{pid}/children")
    if not children.exists():
        pytest.skip("needs /proc")
    for child in children.read_text("ascii").split():
        os.kill(int(child), signal.SIGKILL)
