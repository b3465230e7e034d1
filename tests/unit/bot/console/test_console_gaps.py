"""待补话术: seen by those who write scripts, ignored and taken back, written as a script."""

import re

import pytest

from crm_core.roles import Role
from materials import gaps, lessons, recommend_erasure, script_desk
from materials.lessons import UP, Said
from materials.script_model import parse_form
from tests.console_system_house import ConsoleHouse, furnished
from tests.support.product import InProcess
from tests.support.recommend_chats import from_customer

STAFF, WHO = "zhang.san", "wm_asker"


@pytest.fixture
def console(product: InProcess) -> ConsoleHouse:
    return furnished(product)


@pytest.fixture
def asked(console):
    product = console.product
    now = product.clock.now()
    with product.house.db.unit() as uow:
        said = [
            from_customer(STAFF, WHO, text, now)
            for text in ("你们支持以旧换新吗", "请问支持以旧换新吗？我13812345678", "可以货到付款么")
        ]
        product.house.chat.store.append(uow, product.corp, said)
        uow.commit()
    product.work()
    return product


def listed(product, state=gaps.OPEN):
    house = product.house
    with house.db.reading() as session:
        return list(gaps.listing(session, house.chat.cipher, house.chat.store, product.corp, state=state).items)


def test_operators_see_groups_and_staff_do_not(console, asked):
    page = console.signed_in(Role.OPERATOR).get("/console/scripts/gaps").get_data(as_text=True)
    assert "你们支持以旧换新吗" in page
    assert "问过 2 次" in page
    assert "［手机号］" in page
    assert "13812345678" not in page
    assert console.signed_in(Role.STAFF).get("/console/scripts/gaps").status_code == 403


def test_ignoring_can_be_undone_and_leaves_a_trace(console, asked):
    client, gap = console.signed_in(Role.OPERATOR), listed(asked)[0]
    headers = {"X-CSRFToken": console.token(client)}
    answer = client.post(f"/console/scripts/gaps/{gap.id}/ignore", headers=headers)
    assert f"/console/scripts/gaps/{gap.id}/reopen" in answer.headers["HX-Trigger"]
    assert gap.id not in {one.id for one in listed(asked)}
    client.post(f"/console/scripts/gaps/{gap.id}/reopen", headers=headers)
    assert gap.id in {one.id for one in listed(asked)}
    assert client.post(f"/console/scripts/gaps/{gap.id}/explode", headers=headers).status_code == 404
    audit = console.signed_in(Role.ADMIN).get("/console/audit").get_data(as_text=True)
    assert "忽略了待补话术" in audit


def test_a_group_becomes_a_script_with_its_questions(console, asked):
    client, gap = console.signed_in(Role.ADMIN), listed(asked)[0]
    with asked.house.db.unit() as uow:
        folder = script_desk.create_folder(uow, asked.corp, "售后")
        uow.commit()
    form = client.get(f"/console/scripts/new?gap={gap.id}").get_data(as_text=True)
    assert 'value="你们支持以旧换新吗"' in form
    similar = re.search(r'<textarea id="similar"[^>]*>(.*?)</textarea>', form, re.DOTALL).group(1)
    assert "请问支持以旧换新吗？我［手机号］" in similar
    fields = {
        "csrf_token": console.token(client),
        "gap": gap.id,
        "folder_id": folder,
        "title": "以旧换新",
        "text_1": "支持，旧机最高抵五百",
        "similar": similar,
        "act": "submit",
    }
    assert client.post("/console/scripts/new", data=fields).status_code == 302
    (written,) = listed(asked, gaps.WRITTEN)
    assert written.id == gap.id
    with asked.house.db.reading() as session:
        assert script_desk.get(session, asked.corp, written.script_id).script.title == "以旧换新"
    asked.house.chat.recommender.refresh(asked.corp)
    with asked.house.db.reading() as session:
        answer = asked.house.chat.recommender.answer(session, asked.corp, ["支持以旧换新吗"], now=asked.clock.now())
    assert answer.answered
    assert answer.suggestions[0].script.title == "以旧换新"


def test_erasing_a_customer_forgets_what_they_asked(console, asked):
    house, corp = asked.house, asked.corp
    with house.db.unit() as uow:
        folder = script_desk.create_folder(uow, corp, "售后")
        form = parse_form(group_id=folder, title="发票", messages=[{"text": "三天"}])
        script = script_desk.save(uow, corp, STAFF, form, may_approve=True).script_id
        said = Said(text="发票怎么开")
        lessons.learn(uow, house.chat.cipher, corp, STAFF, WHO, script_id=script, verdict=UP, said=said, key="k")
        uow.commit()
    with house.db.reading() as session:
        found = recommend_erasure.gather(session, house.chat.cipher, corp, WHO)
    assert [one["said"] for one in found["lessons"]] == ["发票怎么开"]
    assert len(found["unanswered"]) == 3
    with house.db.unit() as uow:
        recommend_erasure.erase(uow, corp, WHO)
        uow.commit()
    with house.db.reading() as session:
        assert recommend_erasure.gather(session, house.chat.cipher, corp, WHO) == {"lessons": [], "unanswered": []}
    assert {one.customers for one in listed(asked)} == {0}


def test_small_libraries_show_no_index_and_the_line_answers(console):
    answer = console.signed_in(Role.OPERATOR).get("/console/scripts/index")
    assert answer.status_code == 200
    assert "index-line" not in answer.get_data(as_text=True)
