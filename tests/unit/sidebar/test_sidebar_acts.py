"""What staff can do from the sidebar, and what it leaves behind."""

import re
import uuid

import pytest
from sqlmodel import select

from crm_core import reminders, timeline
from crm_core.tables import AuditRow, OutboxRow
from materials import service as materials
from materials.script_statistics import usage
from sop import service as sop
from tagging import service as tagging
from tests.sidebar_house import CHEN, CORP, TAGS, WANG, ZHANG, ZHAO


@pytest.fixture
def client(house):
    return house.signed_in()


@pytest.fixture
def token(house, client):
    return house.csrf(client)


def script_id(house) -> int:
    with house.db.reading() as session:
        return materials.scripts_of(session, CORP, materials.folders(session, CORP)[0].id)[0].id


def outbox(house, kind: str) -> list[OutboxRow]:
    with house.db.reading() as session:
        return list(session.exec(select(OutboxRow).where(OutboxRow.kind == kind)))


def test_a_sent_script_is_told_once(house, client, token):
    body = {
        "key": str(uuid.uuid4()),
        "external_userid": WANG,
        "script_id": script_id(house),
        "preview": "王女士，您好！\n" + "很长的话" * 30,
        "edited": True,
    }
    answers = [client.post("/sidebar/api/sends", headers=token, json=body).get_json() for _ in range(3)]
    assert [answer["data"]["recorded"] for answer in answers] == [True, False, False]
    assert house.kinds(WANG).count("message.sent") == 1
    with house.db.reading() as session:
        entry = timeline.read(session, CORP, WANG, kinds=("message.",))[0]
        assert usage(session, CORP, [body["script_id"]])[body["script_id"]].sends == 1
    assert len(entry.data["preview"]) == 40
    assert entry.data["edited"] is True
    shown = client.get(f"/sidebar/customers/{WANG}/timeline").get_data(as_text=True)
    assert "张三改写后发送了话术「加好友后的自我介绍」" in shown
    assert "最近用过" in client.get(f"/sidebar/customers/{WANG}/scripts").get_data(as_text=True)


def test_a_sent_todo_is_ticked_off_once(house, client, token):
    todo = house.todo_of(WANG)
    body = {"key": str(uuid.uuid4()), "external_userid": WANG, "todo_id": todo.id, "preview": "您好"}
    partly = client.post("/sidebar/api/sends", headers=token, json=body | {"complete": False})
    assert partly.get_json()["data"] == {"recorded": False}
    answers = [client.post("/sidebar/api/sends", headers=token, json=body).get_json() for _ in range(2)]
    assert [answer["data"]["recorded"] for answer in answers] == [True, False]
    assert house.kinds(WANG).count("sop.sent") == 1
    with house.db.reading() as session:
        assert sop.get_todo(session, CORP, ZHANG, todo.id).status == "sent"


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"script_id": None}, 400),
        ({"todo_id": 1}, 400),
        ({"key": "short"}, 400),
        ({"surplus": 1}, 400),
        ({"script_id": 99999}, 404),
        ({"external_userid": ""}, 400),
        ({"preview": "长" * 9000}, 400),
    ],
)
def test_a_garbled_report_is_refused_by_name(house, client, token, change, status):
    body = {"key": str(uuid.uuid4()), "external_userid": WANG, "script_id": script_id(house)} | change
    answer = client.post("/sidebar/api/sends", headers=token, json=body)
    assert answer.status_code == status
    assert set(answer.get_json()["error"]) >= {"code", "message", "request_id"}
    assert client.post("/sidebar/api/sends", headers=token, data="[]").status_code == 400


def test_a_todo_cannot_be_ticked_off_through_another_customer(house, client, token):
    body = {"key": str(uuid.uuid4()), "external_userid": WANG, "todo_id": house.todo_of(CHEN).id}
    assert client.post("/sidebar/api/sends", headers=token, json=body).status_code == 404


def test_skipping_needs_a_reason(house, client, token):
    todo = house.todo_of(WANG)
    empty = client.post(f"/sidebar/todos/{todo.id}/skip", headers=token | {"HX-Request": "true"}, data={"reason": "  "})
    assert empty.status_code == 400
    assert "请写明跳过的原因" in empty.get_data(as_text=True)
    done = client.post(f"/sidebar/todos/{todo.id}/skip", headers=token, data={"reason": "刚刚聊过"})
    assert done.status_code == 200
    assert done.headers["HX-Trigger"] == "sheet-done"
    assert f"todo-{todo.id}" not in done.get_data(as_text=True)
    assert "原因：刚刚聊过" in client.get(f"/sidebar/customers/{WANG}/timeline").get_data(as_text=True)
    assert "已跳过" in client.get(f"/sidebar/customers/{WANG}/todos").get_data(as_text=True)


def test_the_wanted_todo_is_marked_and_other_customers_are_linked(house, client):
    todo = house.todo_of(WANG)
    page = client.get(f"/sidebar/main/?external_userid={WANG}&todo={todo.id}").get_data(as_text=True)
    assert re.search(rf'entry entry-todo is-chosen" id="todo-{todo.id}"', page)
    assert f'href="/sidebar/?external_userid={CHEN}"' in page
    assert "其他客户还有 1 条任务" in page


def test_stage_record_and_next_contact_in_one_sheet(house, client, token):
    sheet = client.get(f"/sidebar/customers/{WANG}/follow-up").get_data(as_text=True)
    assert 'name="stage" value="new" checked' in sheet
    form = {
        "key": str(uuid.uuid4()),
        "stage": "intent",
        "text": "已到店，预算 12 万",
        "when": "own",
        "due": "2027-01-02T15:30",
    }
    for _ in range(2):
        answer = client.post(f"/sidebar/customers/{WANG}/follow-up", headers=token, data=form)
        assert answer.headers["HX-Trigger"] == "follow-changed, sheet-done"
        assert "意向客户" in answer.get_data(as_text=True)
    shown = client.get(f"/sidebar/customers/{WANG}/timeline?kind=follow_up").get_data(as_text=True)
    assert shown.count("张三把阶段从「新客户」改为「意向客户」") == 1
    assert shown.count("张三写了跟进记录") == 1
    assert "已到店，预算 12 万" in shown
    assert "下次跟进：1月2日 15:30" in shown
    assert house.kinds(WANG).count("follow_up.recorded") == 1
    with house.db.reading() as session:
        (planned,) = reminders.waiting(session, CORP, ZHANG)
    assert (planned.note, planned.due_at.isoformat()) == ("已到店，预算 12 万", "2027-01-02T07:30:00+00:00")
    card = client.get(f"/sidebar/customers/{WANG}/follow").get_data(as_text=True)
    assert "已到店，预算 12 万" in card
    assert "2027年1月2日" in card


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"stage": "nonsense"}, "没有这个客户阶段"),
        ({"text": ""}, "请写下跟进内容"),
        ({"when": "own", "due": "garbled"}, "时间不正确"),
        ({"when": "2001-01-01T10:00"}, "提醒时间已经过去"),
        ({"text": "长" * 501}, "内容太长"),
    ],
)
def test_a_wrong_follow_up_leaves_nothing(house, client, token, change, said):
    form = {"key": str(uuid.uuid4()), "stage": "new", "text": "聊过"} | change
    before = house.kinds(WANG)
    answer = client.post(f"/sidebar/customers/{WANG}/follow-up", headers=token, data=form)
    assert answer.status_code == 400
    assert said in answer.get_data(as_text=True)
    assert house.kinds(WANG) == before


def test_tags_are_wanted_once_shown_as_syncing_and_then_set(house, client, token):
    form = {"key": str(uuid.uuid4()), "chosen": ["t_b0", "t_h1", "t_b1"], "shown": ["t_b0", "t_h0", "t_s0"]}
    for _ in range(2):
        answer = client.post(f"/sidebar/customers/{WANG}/tags", headers=token, data=form)
        assert answer.status_code == 200
    page = answer.get_data(as_text=True)
    assert page.count("同步中") == 2
    assert page.count("移除中") == 2
    assert f'hx-get="/sidebar/customers/{WANG}/head?look=1"' in page
    rows = outbox(house, "mark_tag")
    assert len(rows) == 1
    assert rows[0].payload == {
        "staff": ZHANG,
        "external_user": WANG,
        "add": ["t_h1", "t_b1"],
        "remove": ["t_h0", "t_s0"],
    }
    with house.db.unit() as uow:
        for added, removed, error in ((["t_h1"], ["t_h0", "t_s0"], ""), (["t_b1"], [], "权限不足")):
            tagging.settle_marks(
                uow,
                corp=CORP,
                staff=ZHANG,
                external_user=WANG,
                added=added,
                removed=removed,
                error=error,
                key=f"k{error}",
            )
        uow.commit()
    head = client.get(f"/sidebar/customers/{WANG}/head?look=1").get_data(as_text=True)
    assert "同步中" not in head
    assert "没有同步到企业微信：权限不足" in head
    assert "look=" not in head


def test_the_head_stops_asking(client, token):
    client.post(
        f"/sidebar/customers/{WANG}/tags",
        headers=token,
        data={"key": str(uuid.uuid4()), "chosen": ["t_h1"], "shown": []},
    )
    assert "look=9" not in client.get(f"/sidebar/customers/{WANG}/head?look=8").get_data(as_text=True)
    assert "look=3" in client.get(f"/sidebar/customers/{WANG}/head?look=2").get_data(as_text=True)


def test_unknown_tags_are_refused(client, token):
    form = {"key": str(uuid.uuid4()), "chosen": ["t_gone"]}
    assert client.post(f"/sidebar/customers/{WANG}/tags", headers=token, data=form).status_code == 404
    sheet = client.get(f"/sidebar/customers/{WANG}/tags").get_data(as_text=True)
    assert all(group.name in sheet for group in TAGS)


def test_mobiles_are_masked_and_looking_leaves_a_row(house, client, token):
    masked = client.get(f"/sidebar/customers/{WANG}/data").get_data(as_text=True)
    assert "138****8003" in masked
    assert "13812348003" not in masked
    with house.db.reading() as session:
        assert session.exec(select(AuditRow)).all() == []
    full = client.post(f"/sidebar/customers/{WANG}/mobiles", headers=token).get_data(as_text=True)
    assert "13812348003" in full
    with house.db.reading() as session:
        row = session.exec(select(AuditRow)).one()
    assert (row.actor, row.act, row.object_id) == (ZHANG, "mobile.revealed", WANG)


def test_a_hostile_name_stays_text(client):
    for path in (f"/sidebar/main/?external_userid={ZHAO}", f"/sidebar/customers/{ZHAO}/data", "/sidebar/start"):
        page = client.get(path).get_data(as_text=True)
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert" in page
    parts = client.get(f"/sidebar/customers/{ZHAO}/scripts").get_data(as_text=True)
    assert "<script>" not in parts


def test_search_for_scripts_covers_all_folders(client):
    page = client.get(f"/sidebar/customers/{WANG}/scripts?q=质保几年&part=list").get_data(as_text=True)
    assert page.index("质保多久") < page.index("担心质量没保障")
    assert "王女士" in page
    assert "{昵称}" not in page
    assert "{员工}" not in page
    nothing = client.get(f"/sidebar/customers/{WANG}/scripts?q=xyzq&part=list").get_data(as_text=True)
    assert "没有找到“xyzq”" in nothing


def test_my_customers_can_be_searched(client):
    page = client.get("/sidebar/start").get_data(as_text=True)
    assert "陈先生" in page
    assert "别人的客户" not in page
    found = client.get("/sidebar/start?q=陈").get_data(as_text=True)
    assert "陈先生" in found
    assert "王女士" not in found


def test_the_timeline_has_pages_without_gaps(house, client):
    with house.db.unit() as uow:
        for number in range(45):
            timeline.append(
                uow,
                corp=CORP,
                external_user=WANG,
                kind="lead.claimed",
                at=uow.now(),
                dedupe_key=f"many:{number}",
                data={"text": f"第{number:02d}件"},
            )
        uow.commit()
    seen, url = [], f"/sidebar/customers/{WANG}/timeline"
    while url:
        page = client.get(url).get_data(as_text=True)
        seen += re.findall(r"第(\d\d)件", page)
        more = re.search(r'hx-get="(/sidebar/customers/[^"]+before=[^"]+)"', page)
        url = more.group(1).replace("&amp;", "&") if more else ""
    assert seen == [f"{number:02d}" for number in range(44, -1, -1)]
    assert client.get(f"/sidebar/customers/{WANG}/timeline?before=garbled").status_code == 400
