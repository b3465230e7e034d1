"""会话 and 回复时效 in the console: what is shown, to whom, and what is written down of it."""

import io
from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import quote

import pytest
from openpyxl import load_workbook
from sqlalchemy import select

from crm_core import audit, erasure, tasks
from crm_core.audit import AuditFilter
from crm_core.chat import archive_media
from crm_core.chat.archive_media import MediaState
from crm_core.chat.model import ChatMessage, Conversation, MediaRef, Party, PartyKind
from crm_core.errors import NotFound
from crm_core.tasks import TaskView
from tests.console_house import OPERATOR, STAFF, SUPERVISOR, Console
from tests.support.product import FRIDAY_MORNING

STRANGER = "wm_never_seen"
FILES = {"pic": b"\x89PNG\r\n\x1a\n rest of a picture", "doc": b"<html>never in place</html>"}
FILE_OF = {"image": "pic", "file": "doc"}


@pytest.fixture
def talk(console: Console) -> Iterator[Conversation]:
    """A conversation of zhang.san with one of the demo's customers, and one of a colleague elsewhere."""
    customer = console.customer("")
    where = Conversation.single(STAFF, customer)
    keep(console, *(line(number, f"第{number}句", where) for number in range(1, 81)))
    keep(
        console,
        line(81, "<b>報價</b>多少", where),
        line(82, "三千八一平", where, staff=True),
        line(83, "", where, kind="image", media=(MediaRef(sdkfileid="x", filename="门.jpg", kind="image", size=2048),)),
        line(84, "合同", where, kind="link", body={"link_url": "javascript:alert(1)", "title": "合同"}),
        line(85, "", where, kind="revoke", revokes="c82", staff=True),
        line(86, "还在吗", where),
        line(87, "别处的报价", Conversation.single("nobody-here", STRANGER)),
    )
    console.product.work()
    yield where


def line(number: int, text: str, where: Conversation, *, staff: bool = False, **more) -> ChatMessage:
    by = Party(PartyKind.STAFF, where.staff or "") if staff else Party(PartyKind.CUSTOMER, where.external_user or "")
    fields = {"source": "archive", "kind": "text", "body": {}, "seq": number, "text": text}
    at = FRIDAY_MORNING - timedelta(hours=5) + timedelta(minutes=number)
    return ChatMessage(**{"msgid": f"c{number}", "conversation": where, "sender": by, "sent_at": at, **fields, **more})


def keep(console: Console, *messages: ChatMessage) -> None:
    with console.product.house.db.unit() as uow:
        console.product.house.chat.store.append(uow, console.product.corp, messages)
        uow.commit()


def url(where: Conversation) -> str:
    return f"/console/chats/{where.kind}/{quote(where.key, safe='')}"


def text(answer) -> str:
    assert answer.status_code == 200, answer.get_data(as_text=True)[:400]
    return answer.get_data(as_text=True)


def acts(console: Console, act: str) -> list[dict]:
    with console.product.house.db.reading() as session:
        entries, _ = audit.page(session, console.product.corp, AuditFilter(act=act))
        return [entry.data for entry in entries]


def test_a_conversation_is_shown_as_it_was_and_every_view_is_written_down(console: Console, talk: Conversation) -> None:
    client = console.client()
    listed = text(client.get("/console/chats"))
    assert url(talk) in listed.replace("%7C", "%7C")
    assert "还在吗" not in listed  # the list tells nothing of what was said
    assert acts(console, "chat.viewed") == []
    shown = text(client.get(url(talk)))
    assert "&lt;b&gt;報價&lt;/b&gt;多少" in shown
    assert "已撤回" in shown
    assert "三千八一平" in shown  # marked, but kept
    assert "门.jpg" in shown
    assert "javascript:alert" not in shown
    assert "第1句<" not in shown
    assert "第1句<" in text(client.get(f"{url(talk)}?before=60"))
    jumped = text(client.get(f"{url(talk)}?at=40"))
    assert 'id="m40" class="bubble-row left wanted"' in jumped
    assert "更新的消息" in jumped
    assert 'id="m41"' in text(client.get(f"{url(talk)}?after=40"))
    assert len(acts(console, "chat.viewed")) == 4
    assert acts(console, "chat.viewed")[0]["first"] == 41
    assert "的会话" in text(client.get("/console/audit?act=chat.viewed"))


def test_a_file_that_was_fetched_is_shown_to_those_who_see_its_conversation(
    console: Console, talk: Conversation
) -> None:
    house, corp = console.product.house, console.product.corp
    with house.db.unit() as uow:
        picture = line(101, "", talk, kind="image", media=(MediaRef(sdkfileid="pic", kind="image"),))
        sheet = line(102, "表.xlsx", talk, kind="file", media=(MediaRef(sdkfileid="doc", filename="表.xlsx"),))
        archive_media.want(uow, corp, [picture, sheet], most_bytes=10**6)
        kept = house.chat.store.append(uow, corp, [picture, sheet])
        known = archive_media.of_files(uow.session, corp, ["pic", "doc"])
        blobs = {name: house.chat.archive.files.put(io.BytesIO(content)) for name, content in FILES.items()}
        for name, file in known.items():
            archive_media.end(uow, file.id, MediaState.DONE, file_key=blobs[name].key)
        uow.commit()
    client = console.client()
    addresses = {
        one.message.kind: f"/console/chats/file/{one.position}/{known[FILE_OF[one.message.kind]].id}" for one in kept
    }
    shown = text(client.get(url(talk)))
    assert f'<img class="bubble-picture" src="{addresses["image"]}"' in shown
    picture_answer, sheet_answer = client.get(addresses["image"]), client.get(addresses["file"])
    assert (picture_answer.mimetype, picture_answer.get_data()) == ("image/png", FILES["pic"])
    assert "attachment" in sheet_answer.headers["Content-Disposition"]
    assert client.get(addresses["image"].replace(f"/{kept[0].position}/", f"/{kept[1].position}/")).status_code == 404
    assert client.get("/console/chats/file/99999/1").status_code == 404
    assert console.post(client, f"/console/customers/{talk.external_user}/erase", {"sure": "yes"}).status_code == 204
    with pytest.raises(NotFound):
        house.chat.archive.files.open(blobs["pic"].key)


def test_who_may_not_see_somebody_finds_no_conversation(console: Console, talk: Conversation) -> None:
    assert console.client(STAFF).get("/console/chats").status_code == 403
    assert console.client(OPERATOR).get(url(talk)).status_code == 403
    boss = console.client(SUPERVISOR)
    foreign = Conversation.single("nobody-here", STRANGER)
    assert console.client().get(url(foreign)).status_code == 200
    assert boss.get(url(foreign)).status_code == 404
    assert boss.get("/console/chats/single/nothing").status_code == 404
    assert boss.get("/console/chats/nonsense/nothing").status_code == 404
    assert "别处的报价" not in text(boss.get("/console/chats/search?q=报价"))


def test_a_search_finds_words_in_any_spelling_and_is_written_down(console: Console, talk: Conversation) -> None:
    client = console.client()
    assert "搜索会话内容" in text(client.get("/console/chats/search"))
    assert acts(console, "chat.searched") == []
    found = text(client.get("/console/chats/search?q=报价"))
    assert "&lt;b&gt;報價" in found
    assert "别处的报价" in found
    assert f"{url(talk)}?at=81#m81" in found
    assert "没有符合条件的记录" in text(client.get("/console/chats/search?q=价报"))
    assert "三千八一平" in text(client.get(f"/console/chats/search?customer={talk.external_user}&q=三千"))
    assert "图片" in text(client.get("/console/chats/search?kind=image"))
    assert [one["hits"] for one in acts(console, "chat.searched")] == [1, 1, 0, 2]
    assert client.get("/console/chats/search?q=报价&after=xx").status_code == 400


def test_what_was_found_is_exported_with_an_audit_row(console: Console, talk: Conversation) -> None:
    client = console.client()
    assert (
        console.post(console.client(SUPERVISOR), "/console/tasks/export/chat_search", {"q": "报价"}).status_code == 403
    )
    assert console.post(client, "/console/tasks/export/chat_search", {"q": "报价"}).status_code == 200
    console.product.work()
    rows = sheet(console)
    assert [row[6] for row in rows[2:]] == ["别处的报价", "<b>報價</b>多少"]
    assert acts(console, "export.asked")[0]["what"] == "chat_search"
    assert console.post(client, "/console/tasks/export/waits", {"state": "open"}).status_code == 200
    console.product.work()
    assert {row[4] for row in sheet(console)[2:]} == {"等待回复"}


def sheet(console: Console) -> list[tuple]:
    with console.product.house.db.reading() as session:
        task: TaskView = tasks.listing(session, console.product.corp).items[0]
    assert task.state == "done", task.last_error
    with console.product.house.tasks.store.open(task.file_key) as content:
        return list(load_workbook(content, read_only=True).worksheets[0].iter_rows(values_only=True))


def test_the_week_tells_how_staff_answer_and_leads_to_the_waits(console: Console, talk: Conversation) -> None:
    client = console.client()
    report = text(client.get("/console/replies"))
    assert "50%" in report  # one of two waits was answered
    assert "等待回复" in report
    assert "这一周还没有会话" in text(client.get("/console/replies?week=3"))
    waits = text(client.get(f"/console/replies/waits?state=open&week=0&staff={STAFF}"))
    assert f"{url(talk)}?at=" in waits
    wait = waits.partition("/console/replies/waits/")[2].partition("/dismiss")[0]
    assert console.post(client, f"/console/replies/waits/{wait}/dismiss").status_code == 204
    assert console.post(client, f"/console/replies/waits/{wait}/dismiss").status_code == 409
    assert "没有符合条件的记录" in text(client.get(f"/console/replies/waits?state=open&staff={STAFF}"))
    assert len(acts(console, "reply.dismissed")) == 1


def test_rules_are_changed_and_faults_stand_beside_their_field(console: Console) -> None:
    client = console.client()
    form = {
        "is_on": "yes",
        "work_from": "08:30",
        "work_to": "20:00",
        "minutes": ["5", "15", ""],
        "whom": ["staff", "supervisor", ""],
        "closings": "好的 谢谢，收到",
        "holidays": "2026-10-01 2026-10-02",
    }
    assert console.post(client, "/console/replies/rules", form).status_code == 302
    shown = text(client.get("/console/replies/rules"))
    assert 'value="08:30"' in shown
    assert "好的 谢谢 收到" in shown
    wrong = console.post(client, "/console/replies/rules", form | {"minutes": ["15", "5"]})
    assert wrong.status_code == 400
    assert "后一步的分钟数要大于前一步" in wrong.get_data(as_text=True)
    assert console.post(console.client(SUPERVISOR), "/console/replies/rules", form).status_code == 403
    assert "修改了回复时效的规则" in text(client.get("/console/audit?act=reply.rules"))


def test_a_customer_s_right_covers_what_they_said(console: Console, talk: Conversation) -> None:
    client, path = console.client(), f"/console/customers/{talk.external_user}"
    assert len(console.post(client, f"{path}/data").get_data()) > 1000
    text(client.get(url(talk)))
    assert console.post(client, f"{path}/erase", {"sure": "yes"}).status_code == 204
    assert client.get(url(talk)).status_code == 404
    assert "報價" not in text(client.get("/console/chats/search?q=报价"))
    shown = text(client.get("/console/audit?act=chat.viewed"))
    assert talk.external_user not in shown
    assert erasure.NOBODY in shown or "erased-" in shown
    with console.product.house.db.reading() as session:
        from crm_core.outbox import JOBS

        assert session.execute(select(JOBS.c.id).where(JOBS.c.state == "dead")).all() == []
