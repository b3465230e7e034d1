"""聊天自动标签 in the console: a rule is written, tried, switched on, read over history; the learner is trained."""

import re

import pytest

from crm_core.ids import AppKey
from tagging import chat_rule_book, learned, service, suggestion_list, suggestions
from tests.console_house import ADMIN, OPERATOR, STAFF, Console
from tests.support.console_chats import say


def tags(console: Console) -> list[str]:
    with console.product.house.db.reading() as session:
        return [tag.tag_id for group in service.library(session, console.product.corp) for tag in group.tags]


@pytest.fixture
def form(console: Console) -> dict[str, object]:
    return {
        "kind": "words", "name": "问价", "tag": tags(console)[-1], "mode": "suggest", "words": "多少钱\n报价",
        "unless": "", "patterns": "", "speaker": "customer", "at_least": "1", "within_days": "7",
    }  # fmt: skip


def test_a_rule_is_checked_tried_switched_on_and_read_over_history(console: Console, form: dict[str, object]) -> None:
    client = console.client(OPERATOR)
    bad = form | {"name": "", "patterns": "(a+)+", "touched": "patterns"}
    checked = console.post(client, "/console/tags/chat/check", bad).get_data(as_text=True)
    assert "重复里面不能再有不限次数的重复" in checked
    assert "请填写规则名称" not in checked  # nobody has been at that field yet
    assert "客户说到多少钱、报价" in console.post(client, "/console/tags/chat/check", form).get_data(as_text=True)
    assert console.post(client, "/console/tags/chat", bad).status_code == 422
    assert console.post(client, "/console/tags/chat/try", bad).status_code == 422

    follows = say(console, "这套多少钱<b>", "您好", "发个报价", live=False)
    house, corp = console.product.house, console.product.corp
    with house.db.unit() as uow:
        staff, who = follows[0]
        service.request_marks(
            uow, corp=corp, app=AppKey("main"), staff=staff, external_user=who, add=[str(form["tag"])], source="staff",
            dedupe_key="t",
        )  # type: ignore[arg-type]  # fmt: skip
        uow.commit()
    tried = console.post(client, "/console/tags/chat/try", form | {"name": ""}).get_data(as_text=True)
    assert "读了 3 条，命中 2 条，涉及 2 位客户" in tried
    assert "1 位已有此标签，0 位曾被否定，准确率 100%" in tried
    assert "这套多少钱&lt;b&gt;" in tried

    made = console.post(client, "/console/tags/chat", form)
    path = made.headers["Location"]
    shown = client.get(path).get_data(as_text=True)
    assert "未启用" in shown
    assert "多少钱\n报价" in shown
    assert console.post(client, f"{path}/switch").status_code == 204
    assert "启用中" in client.get("/console/tags/chat?state=on&q=问").get_data(as_text=True)
    assert "问价" not in client.get("/console/tags/chat?mode=apply").get_data(as_text=True)

    drawer = console.post(client, f"{path}/backfill", {"span": "30"}).get_data(as_text=True)
    assert "聊天标签回溯：问价（最近 30 天）" in drawer
    console.product.work()
    found = client.get(f"{path}/found").get_data(as_text=True)
    assert "发个报价" in found
    assert "待确认" in found
    assert "这套多少钱" not in found  # that customer carries the tag already
    assert console.post(client, f"{path}/backfill", {"span": "8"}).status_code == 400

    changed = console.post(client, path, form | {"words": "便宜", "mode": "apply"})
    assert changed.status_code == 302
    with house.db.reading() as session:
        (rule,) = chat_rule_book.listing(session, corp)
    assert (rule.version, rule.mode, rule.is_active, rule.judgement.waiting) == (2, "apply", True, 1)
    assert "修改了聊天标签规则“问价”" in console.client(ADMIN).get("/console/audit").get_data(as_text=True)
    assert console.post(client, f"{path}/delete").headers["HX-Redirect"] == "/console/tags/chat"
    assert client.get(path).status_code == 404
    assert "还没有聊天标签规则" in client.get("/console/tags/chat").get_data(as_text=True)


def test_a_rule_by_meaning_has_a_form_of_its_own(console: Console, form: dict[str, object]) -> None:
    client = console.client(OPERATOR)
    assert "例句" in client.get("/console/tags/chat/new?kind=meaning").get_data(as_text=True)
    asked = form | {"kind": "meaning", "examples": "一句\n两句"}
    answer = console.post(client, "/console/tags/chat", asked)
    assert answer.status_code == 422
    assert "请至少写 3 句不同的例句" in answer.get_data(as_text=True)
    path = console.post(client, "/console/tags/chat", asked | {"examples": "一句\n两句\n三句"}).headers["Location"]
    assert console.post(client, path, form).status_code == 409  # words do not become meaning


def test_the_learner_is_trained_and_told_what_it_may_do(console: Console) -> None:
    client, house, corp = console.client(OPERATOR), console.product.house, console.product.corp
    assert "还没有训练过" in client.get("/console/tags/chat/learner").get_data(as_text=True)
    wanted = tags(console)[-1]
    asked = {"kind": "words", "name": "问价", "tag": wanted, "mode": "suggest", "words": "钱", "speaker": "customer"}
    path = console.post(client, "/console/tags/chat", asked).headers["Location"]
    console.post(client, f"{path}/switch")
    say(console, *(f"{thing}多少钱一{unit}" for thing in ("沙发", "床") for unit in "套张个件"))
    with house.db.unit() as uow:
        for one in suggestion_list.of_source(uow.session, corp, f"rule:{path.rpartition('/')[2]}"):
            suggestions.confirm(uow, corp, AppKey("main"), one.id, by="zhang.san")  # type: ignore[arg-type]
        uow.commit()
    waiting = console.post(client, "/console/tags/chat/learner/train").get_data(as_text=True)
    assert "训练中" in waiting
    assert console.post(client, "/console/tags/chat/learner/train").status_code == 409
    console.product.work()
    shown = client.get("/console/tags/chat/learner/state").get_data(as_text=True)
    assert re.search(r"第 1 次训练.*从 \d+ 句里学习", shown, re.DOTALL)
    assert "every 2s" not in shown
    allowed = f"/console/tags/chat/learner/tags/{wanted}"
    assert console.post(client, allowed, {"mode": "apply", "threshold": "90"}).status_code == 204
    for wrong in ({"mode": "always", "threshold": "90"}, {"mode": "apply", "threshold": "x"}):
        assert console.post(client, allowed, wrong).status_code == 400
    with house.db.reading() as session:
        (lesson,) = learned.overview(session, corp).tags
    assert (lesson.tag_id, lesson.mode, lesson.threshold) == (wanted, "apply", 0.9)
    reader = console.client(STAFF).get("/console/tags/chat/learner").get_data(as_text=True)
    assert "learner/train" not in reader
    assert "直接打上，≥ 90%" in reader
