"""The sandbox's small parts: fields, clock, pacing, faults, options, seed,
and its isolation from the product.
"""

import ast
import json
from pathlib import Path

import pytest

import bot.sandbox
from bot.sandbox import Company, Options
from bot.sandbox.clock import SandboxClock
from bot.sandbox.faults import FaultBook
from bot.sandbox.fields import Fields
from bot.sandbox.pacing import Pacing
from bot.sandbox.refusal import Refusal

ROOM = Path(bot.sandbox.__file__).parent


def test_the_room_imports_nothing_of_the_product():
    product = ("crm_core", "tagging", "materials", "sop", "sidebar", "bot.")
    for file in ROOM.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [a.name for a in node.names] if isinstance(node, ast.Import) else []
            for name in names:
                assert name.startswith("bot.sandbox") or not name.startswith(product), (file, name)


def test_files_and_functions_stay_small():
    for file in [*ROOM.rglob("*.py"), *ROOM.rglob("*.js"), *ROOM.rglob("*.css")]:
        assert len(file.read_text("utf-8").splitlines()) <= 400, file
    for file in ROOM.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef):
                assert node.end_lineno - node.lineno < 60, (file, node.name)


@pytest.mark.parametrize(
    ("value", "read", "warned"),
    [(7, 7, False), ("7", 7, True), ("x", 0, True), ([1], 0, True), (None, 0, False), (True, 1, True)],
)
def test_whole_numbers_are_read_leniently(value, read, warned):
    fields = Fields({"n": value})
    assert (fields.whole("n"), fields.warned) == (read, warned)


@pytest.mark.parametrize(("value", "read", "warned"), [("a", "a", False), (7, "7", True), ({}, "", True)])
def test_text_is_read_leniently(value, read, warned):
    fields = Fields({"t": value})
    assert (fields.text("t"), fields.warned) == (read, warned)


def test_limits_count_characters_or_bytes():
    assert Fields({"t": "汉" * 30}).text("t", chars=30)
    assert Fields({"t": "汉" * 10}).text("t", size=30)
    for limit in ({"chars": 29}, {"size": 89}):
        with pytest.raises(Refusal) as refused:
            Fields({"t": "汉" * 30}).text("t", **limit)
        assert refused.value.errcode == 40058


def test_a_body_that_is_no_object_is_empty_and_warned():
    for raw in (b"[1]", b"{", b"\xff"):
        fields = Fields.from_body(raw)
        assert fields.warned
        assert fields.values == {}


def test_the_clock_keeps_its_offset_in_a_file(tmp_path):
    path = tmp_path / "clock.json"
    clock = SandboxClock(path)
    assert json.loads(path.read_text()) == {"offset_seconds": 0.0}
    clock.advance(3600)
    assert json.loads(path.read_text()) == {"offset_seconds": 3600.0}
    assert SandboxClock(path).offset_seconds == 3600.0
    assert [p.name for p in tmp_path.iterdir()] == ["clock.json"]


def test_a_full_window_refuses_until_it_ends():
    pacing = Pacing(Options())
    for n in range(5):
        if n < 3:
            pacing.count("a", "p", 60, 3, 100 + n)
        else:
            with pytest.raises(Refusal) as refused:
                pacing.count("a", "p", 60, 3, 100 + n)
            assert refused.value.errcode == 45009
    with pytest.raises(Refusal):
        pacing.count("a", "p", 60, 3, 159)
    pacing.count("a", "p", 60, 3, 160)


def test_simultaneous_calls_have_places():
    pacing = Pacing(Options(concurrent_calls=1))
    with pacing.running("c", "p"):
        with pytest.raises(Refusal) as refused, pacing.running("c", "p"):
            pass
        assert refused.value.errcode == 45033
    with pacing.running("c", "p"):
        pass


def test_fault_rules_count_down_and_are_checked():
    book = FaultBook()
    rule = book.add({"match": "/cgi-bin/user/", "kind": "busy", "times": 2})
    assert [len(book.firing_for_api("user/get")) for _ in range(3)] == [1, 1, 0]
    assert rule.fired == 2
    assert book.firing_for_api("department/list") == []
    assert book.remove(rule.id)
    assert not book.remove(rule.id)
    for wrong in ({"match": "x", "kind": "repeat"}, {"match": "callback", "kind": "busy"}, {}):
        with pytest.raises(ValueError, match="kind"):
            book.add(wrong)


def test_probability_is_kept():
    book = FaultBook()
    book.add({"match": "", "kind": "busy", "probability": 0.3})
    assert 200 < sum(bool(book.firing_for_api("x")) for _ in range(1000)) < 400


def test_options_are_checked_by_name_and_type():
    options = Options()
    options.change({"welcome_ttl_seconds": 5, "short_pages": True})
    assert (options.welcome_ttl_seconds, options.short_pages) == (5.0, True)
    for wrong in (
        {"nope": 1},
        {"short_pages": 1},
        {"tag_limit": True},
        {"tag_limit": "9"},
        {"concurrent_calls_of": 3},
    ):
        with pytest.raises(ValueError, match="option"):
            options.change(wrong)


def test_ids_and_secrets_of_a_company_are_made_once_or_given():
    company = Company.builtin()
    assert company.corps[0]["corp_id"].startswith("ww")
    assert Company.builtin().corps[0]["apps"][0]["secret"] != company.corps[0]["apps"][0]["secret"]
    company.settle({"corp_id": "ww1", "secret": "s", "token": "t", "aes_key": ""})
    corp = company.corps[0]
    assert (corp["corp_id"], corp["apps"][0]["secret"], corp["apps"][0]["callback"]["token"]) == (
        "ww1",
        "s",
        "t",
    )
    with pytest.raises(ValueError, match="43"):
        company.settle({"aes_key": "AAAA"})


def test_a_company_comes_from_yaml_and_environment(tmp_path, monkeypatch):
    path = tmp_path / "c.yaml"
    path.write_text("corps: [{name: 小店, apps: [{agentid: 7, name: 助手}]}]", "utf-8")
    monkeypatch.setenv("SANDBOX_SECRET", "from-env")
    company = Company.from_yaml(path).settle_from_environment()
    assert company.corps[0]["apps"][0]["secret"] == "from-env"
