"""The recommendation card: whose words it shows, what a tap on it teaches, drafts."""

import json
import re
import uuid

import httpx
import pytest

from bot.ciphers import open_cipher
from bot.draft_desk import DraftDesk
from crm_core.config import Settings
from crm_core.config_chat import DraftPart
from materials import customer_turns, lessons, script_desk
from materials.script_model import parse_form
from tests.sidebar_house import CORP, FAR, LI, WANG, ZHANG
from tests.support.recommend_chats import from_customer, from_staff

BASE = f"/sidebar/customers/{WANG}/suggest"


def hear(house, *messages) -> list[int]:
    with house.db.unit() as uow:
        stored = house.chats.append(uow, CORP, messages)
        customer_turns.note_turns(uow, CORP, [one for one in stored if customer_turns.is_question_of_customer(one)])
        uow.commit()
    return [one.position for one in stored]


def ask(house, text="发票怎么开", who=WANG, staff=ZHANG) -> int:
    return hear(house, from_customer(staff, who, text, house.clock.now()))[0]


@pytest.fixture
def invoice(house) -> int:
    with house.db.unit() as uow:
        folder = script_desk.create_folder(uow, CORP, "售后")
        form = parse_form(
            group_id=folder,
            title="开发票",
            messages=[{"text": "{昵称}，电子发票三天内发到邮箱"}, {"text": "抬头发我一下"}],
            similar=("发票怎么开",),
        )
        made = script_desk.save(uow, CORP, ZHANG, form, may_approve=True).script_id
        uow.commit()
    return made


def test_the_card_quotes_the_customer_and_offers_what_answers(house, invoice):
    client = house.signed_in()
    assert client.get(BASE).status_code == 204, "nothing waits"
    position = ask(house)
    html = client.get(BASE).get_data(as_text=True)
    assert "发票怎么开</blockquote>" in re.sub(r"<span class=.suggest-at.>.*?</span>", "", html)
    assert f'id="suggest-script-{invoice}"' in html
    assert "就是这句问法" in html
    assert "王女士，电子发票三天内发到邮箱" in html
    assert html.count("发送这条") == 4, "each part by itself: label and text"
    assert f'data-asked="{position}"' in html
    assert client.get(f"{BASE}?quick=1&seen={position}").status_code == 204
    hear(house, from_staff(ZHANG, WANG, "发您了", house.clock.now()))
    assert client.get(BASE).status_code == 204, "it is answered"


def test_what_no_script_answers_is_said(house):
    ask(house, "蝌蚪嗷呜咕噜噜呢")
    assert "没有贴近的话术" in house.signed_in().get(BASE).get_data(as_text=True)


def test_nobody_reads_what_a_customer_told_a_colleague(house, invoice):
    ask(house, "只告诉李四的话", staff=LI)
    assert house.signed_in().get(BASE).status_code == 204
    assert house.signed_in().get(f"/sidebar/customers/{FAR}/suggest").status_code == 404


def test_the_line_of_news_is_the_customers_own(house):
    client = house.signed_in()
    answer = client.get(f"{BASE}/live")
    assert answer.headers["X-Scrm-Live"] == customer_turns.news_lane(CORP, WANG)
    assert answer.mimetype == "text/event-stream"
    assert WANG not in answer.headers["X-Scrm-Live"]
    assert client.get(f"/sidebar/customers/{FAR}/suggest/live").status_code == 404


def learned(house):
    with house.db.reading() as session:
        return lessons.newest(session, CORP, open_cipher(house.settings), house.clock.now())


def thumb(house, client, script_id, asked, verdict, who=WANG):
    body = {"external_userid": who, "script_id": script_id, "asked": asked, "verdict": verdict}
    return client.post("/sidebar/api/suggestions/thumb", json=body, headers=house.csrf(client))


def test_a_thumb_is_remembered_changed_and_taken_back(house, invoice):
    client, position = house.signed_in(), ask(house)
    assert thumb(house, client, invoice, position, "up").status_code == 200
    assert 'data-verdict="up" aria-pressed="true"' in client.get(BASE).get_data(as_text=True)
    thumb(house, client, invoice, position, "down")
    assert [(one.verdict, one.said) for one in learned(house)] == [("down", "发票怎么开")]
    thumb(house, client, invoice, position, "")
    assert learned(house) == []
    assert thumb(house, client, invoice, position, "great").status_code == 400
    assert thumb(house, client, invoice, 999, "up").status_code == 404
    assert thumb(house, client, 999, position, "up").status_code == 404
    other = ask(house, "李四的客户说", staff=LI)
    assert thumb(house, client, invoice, other, "up").status_code == 404, "a colleague's conversation"


def test_a_send_from_the_card_teaches_once_and_counts(house, invoice):
    client, position = house.signed_in(), ask(house)
    outcome = {
        "key": str(uuid.uuid4()),
        "external_userid": WANG,
        "script_id": invoice,
        "asked": position,
        "preview": "王女士，电子发票三天内发到邮箱",
    }
    for _ in range(2):
        answer = client.post("/sidebar/api/sends", json=outcome, headers=house.csrf(client))
        assert answer.status_code == 200, answer.get_json()
    assert [(one.verdict, one.script_id) for one in learned(house)] == [("sent", invoice)]
    assert "message.sent" in house.kinds(WANG)


def writing_house(house, reply):
    """The house with drafts on; ``reply`` answers like an endpoint."""
    part = DraftPart(enabled=True, base_url="http://model.test/v1", model="m")
    desk = DraftDesk(Settings(draft=part), transport=httpx.MockTransport(reply))
    room = house.app.extensions["sidebar"]
    object.__setattr__(room.suggesting, "drafts", desk)
    return house


def test_a_draft_shows_its_sources_and_a_fault_is_said(house, invoice):
    asked = []

    def reply(request):
        asked.append(json.loads(request.content))
        if len(asked) > 1:
            return httpx.Response(500)
        return httpx.Response(200, json={"choices": [{"message": {"content": "发票三天内<b>发您</b>"}}]})

    client, position = writing_house(house, reply).signed_in(), ask(house, "我13812345678，发票怎么开")
    assert "起草回复" in client.get(BASE).get_data(as_text=True)
    made = client.post(f"{BASE}/draft", data={"asked": position}, headers=house.csrf(client))
    html = made.get_data(as_text=True)
    assert made.status_code == 200
    assert "《开发票》" in html
    assert "发票三天内&lt;b&gt;发您" in html
    assert "13812345678" not in json.dumps(asked[0])
    failed = client.post(f"{BASE}/draft", data={"asked": position}, headers=house.csrf(client))
    assert failed.status_code == 502
    assert "大模型接口出错" in failed.get_data(as_text=True)
    newer = ask(house, "还有保修多久")
    stale = client.post(f"{BASE}/draft", data={"asked": position}, headers=house.csrf(client))
    assert (stale.status_code, newer > position) == (404, True)


def test_without_drafts_there_is_no_button(house, invoice):
    ask(house)
    assert "起草回复" not in house.signed_in().get(BASE).get_data(as_text=True)
