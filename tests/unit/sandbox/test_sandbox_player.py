"""演一天: the same story for the same seed, a stop that stops, nothing that cannot happen in WeCom."""

import time

import pytest

from bot.sandbox.player import _length, _script
from tests.sandbox_driver import running


@pytest.fixture
def w():
    with running() as driver:
        driver.way(remark="门店活码·徐汇")
        driver.way(remark="秋季家博会", user=["wangwu"])
        driver.way(remark="售后服务码", user=["zhou-min"])
        yield driver


def play(w, seed):
    w.act("play", seed=seed, seconds=0.2)
    deadline = time.monotonic() + 20
    while w.server.player.running and time.monotonic() < deadline:
        time.sleep(0.01)
    state = w.look("play")
    assert (state["running"], state["progress"], state["fault"]) == (False, 1.0, "")
    return w.server.player.transcript


def test_the_same_seed_tells_the_same_story_and_another_one_another(w):
    first = play(w, 1)
    w.act("reset")
    for remark, user in (("门店活码·徐汇", "zhang.san"), ("秋季家博会", "wangwu"), ("售后服务码", "zhou-min")):
        w._tokens.clear()
        w.way(remark=remark, user=[user])
    assert play(w, 1) == first
    assert play(w, 2) != first
    assert not [line for line in first if line.startswith("（")], "nothing was refused"
    told = " ".join(first)
    for words in ("扫码", "朋友圈", "确认群发", "进群", "退群", "点赞", "删除了员工", "我要换新的", "打烊"):
        assert words in told
    kinds = {d["change_type"] for d in w.look("log/callbacks", limit=200)["callbacks"]}
    assert {"add_external_contact", "edit_external_contact", "del_follow_user", "update"} <= kinds


def test_a_play_stops_and_only_one_runs(w):
    w.act("play", seconds=60)
    again = w.http.post("/sandbox/api/play", json={})
    assert again.status_code == 409
    began = time.monotonic()
    assert w.http.delete("/sandbox/api/play").json()["running"] is False
    assert time.monotonic() - began < 20
    assert 0 <= w.look("play")["progress"] < 1


def test_the_script_knows_its_length_and_its_parts():
    script = _script()
    parts = {scene["scan"]["who"] for scene in script["scenes"] if "scan" in scene}
    for scene in script["scenes"]:
        assert _length(scene) > 0, scene["title"]
        assert not scene.get("talk") or scene["talk"] in script["dialogues"]
        for who in scene.get("group", {}).get("join", []):
            assert who in parts
    assert [s["at"] for s in script["scenes"]] == sorted(s["at"] for s in script["scenes"])
