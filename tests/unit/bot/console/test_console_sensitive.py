"""Sensitive words, their hits and figures at the console."""

import io
import re

import pytest

from crm_core.chat.model import Conversation
from crm_core.sensitive import words
from crm_core.sensitive.words import CategoryForm
from tests.console_house import ADMIN, OPERATOR, STAFF, SUPERVISOR, Console
from tests.support.chats import message, say

SINGLE = Conversation.single(STAFF, "wm_console_1")


@pytest.fixture
def category(console: Console) -> int:
    product = console.product
    with product.house.db.unit() as uow:
        made = words.save(uow, product.corp, CategoryForm(name="飞单"), actor="test")
        words.add(uow, product.corp, made, ["私下转账"], kind="word", actor="test", state="live")
        uow.commit()
    return made


def said(console: Console, *texts: str) -> list[int]:
    """Have these said; answers the hits' numbers, the newest first."""
    now = console.product.clock.now()
    say(console.product, *(message(SINGLE, STAFF, text, now) for text in texts))
    page = console.client().get("/console/hits").get_data(as_text=True)
    return [int(one) for one in re.findall(r'href="/console/hits/(\d+)"', page)]


def page(console: Console, path: str, userid: str = ADMIN) -> str:
    answer = console.client(userid).get(path)
    assert answer.status_code == 200, (path, answer.status_code)
    return answer.get_data(as_text=True)


def test_a_category_is_made_with_everything_and_changed(console: Console):
    client = console.client(OPERATOR)
    assert "新建分类" in client.get("/console/sensitive/new").get_data(as_text=True)
    form = {
        "name": "测试分类",
        "severity": "3",
        "side": "staff",
        "kind": ["single", "group"],
        "chats": "all",
        "option": ["letters", "symbols"],
        "detector": ["phone"],
        "act": ["card"],
        "tells_supervisor": "1",
        "intercept": "2",
        "is_enabled": "1",
    }
    made = console.post(client, "/console/sensitive/new", form)
    assert made.status_code == 302
    path = made.headers["Location"]
    shown = client.get(f"{path}/edit").get_data(as_text=True)
    assert 'value="phone" checked' in shown
    assert 'value="pinyin" checked' not in shown
    twice = console.post(client, "/console/sensitive/new", form)
    assert twice.status_code == 409
    assert "已有同名的分类" in twice.get_data(as_text=True)
    bad = console.post(client, f"{path}/edit", {**form, "name": "", "kind": []})
    assert bad.status_code == 400


def test_words_go_from_draft_by_trial_to_live(console: Console, category: int):
    client = console.client(OPERATOR)
    said(console, "要不走私单吧")
    added = console.post(client, f"/console/sensitive/{category}/words", {"kind": "word", "texts": "走私单\n"})
    assert added.status_code == 302
    shown = client.get(f"/console/sensitive/{category}").get_data(as_text=True)
    number = re.search(r'name="ids" value="(\d+)" aria-label="选择 走私单" checked', shown).group(1)
    trial = console.post(client, "/console/sensitive/words", {"ids": number, "act": "trial", "category": str(category)})
    console.product.work()
    told = client.get(trial.headers["Location"]).get_data(as_text=True)
    assert "<mark>走私单</mark>" in told
    assert "让这些词生效" in told
    console.post(client, "/console/sensitive/words", {"ids": number, "act": "live", "category": str(category)})
    assert said(console, "走私单")
    console.post(client, "/console/sensitive/words", {"ids": number, "act": "drop"})
    assert "走私单" not in client.get(f"/console/sensitive/{category}").get_data(as_text=True)


def test_a_faulty_expression_is_told_in_the_form(console: Console, category: int):
    client = console.client(OPERATOR)
    answer = console.post(client, f"/console/sensitive/{category}/words", {"kind": "regex", "texts": "(坏"})
    assert answer.status_code == 422
    assert "正则表达式有误" in answer.get_data(as_text=True)
    assert "(坏" in answer.get_data(as_text=True)
    empty = console.post(client, f"/console/sensitive/{category}/words", {"kind": "word", "texts": " "})
    assert empty.status_code == 422


def test_the_starter_set_global_exceptions_and_removing(console: Console, category: int):
    client = console.client(OPERATOR)
    assert "起步词库" in page(console, "/console/sensitive", OPERATOR)
    console.post(client, "/console/sensitive/starter", {"key": ["insult"], "live": "1"})
    assert "辱骂客户" in page(console, "/console/sensitive")
    console.post(client, "/console/sensitive/exceptions", {"texts": "不许私下转账"})
    assert said(console, "公司规定不许私下转账") == []
    removed = console.post(client, f"/console/sensitive/{category}/remove")
    assert f"/console/sensitive/{category}/restore" in removed.headers["HX-Trigger"]
    assert client.get(f"/console/sensitive/{category}").status_code == 404
    console.post(client, f"/console/sensitive/{category}/restore")
    assert client.get(f"/console/sensitive/{category}").status_code == 200


def test_import_by_text_and_by_file_names_doubles(console: Console, category: int):
    client = console.client(OPERATOR)
    assert "导入敏感词" in page(console, "/console/sensitive/import", OPERATOR)
    nothing = console.post(client, "/console/sensitive/import", {"texts": ""})
    assert nothing.status_code == 422
    shown = console.post(client, "/console/sensitive/import", {"texts": "私下转账\n走私单", "category": "飞单"})
    text = shown.get_data(as_text=True)
    assert "已有“私下转账”，分类“飞单”" in text
    file = (io.BytesIO("词语,分类\n走水单,新的\n走 水 单,新的\n".encode()), "words.csv")
    shown = console.post(client, "/console/sensitive/import", {"file": file}, content_type="multipart/form-data")
    text = shown.get_data(as_text=True)
    assert "与第 2 行等价" in text
    told = re.search(r'name="told" value="([^"]+)"', text).group(1).replace("&#34;", '"')
    done = console.post(client, "/console/sensitive/import/apply", {"told": told, "live": "1"})
    assert done.status_code == 302
    assert "新的" in page(console, "/console/sensitive")
    assert console.post(client, "/console/sensitive/import/apply", {"told": "x"}).status_code == 400


def test_a_hit_is_shown_with_its_words_and_judged(console: Console, category: int):
    [hit] = said(console, "您好", "那就<i>私下转账</i>", "好的")
    client = console.client(SUPERVISOR)
    shown = client.get(f"/console/hits/{hit}").get_data(as_text=True)
    assert "那就&lt;i&gt;</" not in shown
    assert "<mark>私下转账</mark>" in shown
    assert "您好" in shown
    assert "好的" in shown
    form = {"state": "confirmed", "note": "已谈话", "assignee": STAFF, "due": "2026-12-01"}
    assert console.post(client, f"/console/hits/{hit}", form).status_code == 302
    again = client.get(f"/console/hits/{hit}").get_data(as_text=True)
    assert "已谈话" in again
    assert 'value="2026-12-01"' in again
    bad = console.post(client, f"/console/hits/{hit}", {**form, "due": "bad"})
    assert bad.status_code == 422


def test_many_hits_are_judged_at_once_and_taken_back(console: Console, category: int):
    ids = said(console, "私下转账1", "私下转账2", "私下转账3")
    client = console.client()
    done = console.post(client, "/console/hits/judge", {"who": [str(one) for one in ids[:2]], "state": "false_alarm"})
    assert done.status_code == 204
    assert len(re.findall("<mark>", page(console, "/console/hits?state=open"))) == 1
    back = re.search(r'"undo": "([^"]+)"', done.headers["HX-Trigger"]).group(1)
    assert console.post(client, back).status_code == 204
    assert len(re.findall("<mark>", page(console, "/console/hits?state=open"))) == 3
    every = console.post(client, "/console/hits/judge", {"all": "1", "query": "state=open", "state": "handled"})
    assert every.status_code == 204
    assert page(console, "/console/hits?state=open").count("<mark>") == 0
    assert console.post(client, "/console/hits/judge", {"state": "open"}).status_code == 400


def test_figures_lead_to_their_rows_and_the_home_page_counts(console: Console, category: int):
    said(console, "私下转账")
    for by in ("staff", "department", "category", "week"):
        text = page(console, f"/console/hit-figures?by={by}&weeks=12")
        path = re.search(rf'href="(/console/hits\?{by}=[^"]+)"', text).group(1).replace("&amp;", "&")
        assert "<mark>私下转账</mark>" in page(console, path)
    assert "待审命中" in page(console, "/console/")


def test_staff_reach_none_of_it_and_supervisors_only_their_own(console: Console, category: int):
    [hit] = said(console, "私下转账")
    assert console.client(STAFF).get("/console/hits").status_code == 403
    assert console.client(STAFF).get(f"/console/hits/{hit}").status_code == 403
    assert console.client(SUPERVISOR).get("/console/sensitive/new").status_code == 403


def test_the_hits_are_exported_as_a_sheet(console: Console, category: int):
    from openpyxl import load_workbook

    said(console, "私下转账")
    client = console.client()
    assert console.post(client, "/console/tasks/export/hits", {"state": "open"}).status_code == 200
    console.product.work()
    number = re.search(r"/console/tasks/(\d+)", client.get("/console/tasks").get_data(as_text=True)).group(1)
    sheet = load_workbook(io.BytesIO(client.get(f"/console/tasks/{number}/file").data)).active
    rows = list(sheet.iter_rows(values_only=True))
    assert rows[1][:4] == ("时间", "分类", "严重程度", "命中")
    assert rows[2][1] == "飞单"
    assert rows[2][9] == "私下转账"


def test_wecoms_rules_beside_ours(console: Console, category: int):
    client = console.client(OPERATOR)
    assert "没有规则" in page(console, "/console/sensitive/rules", OPERATOR)
    with console.product.house.db.unit() as uow:
        words.save(uow, console.product.corp, CategoryForm(name="飞单", intercept=1), actor="test", category=category)
        uow.commit()
    assert "企业微信里没有" in page(console, "/console/sensitive/rules", OPERATOR)
    console.post(client, "/console/sensitive/rules", {"act": "push"})
    console.product.work()
    console.post(client, "/console/sensitive/rules", {"act": "look"})
    console.product.work()
    assert "一致" in page(console, "/console/sensitive/rules", OPERATOR)
