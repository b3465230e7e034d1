"""What the client may send of a material: asked for at WeCom on demand, only by those to whom it is offered."""

import io
from datetime import date
from pathlib import Path

from sqlmodel import select

from bot.media_store import FolderStore
from crm_core import outbox
from crm_core.messages import parse_message
from materials import library, material_lists, media, radar_links, sending
from materials.intake import IntakeRules
from materials.material_model import MaterialDraft
from materials.radar_model import LinkTarget
from materials.tables import MediaCopyRow, ScriptRow
from materials.uploads import receive
from sidebar.sending import Names, parts_of
from tests.sidebar_house import CHEN, CORP, FAR, OTHER_CORP, WANG, ZHANG
from tests.unit.materials.conftest import picture


def made(house, *, corp=CORP, **more):
    store = FolderStore(Path(house.db.engine.url.database).parent / "media")
    stream = io.BytesIO(picture())
    key = receive(house.db, store, corp, ZHANG, stream, "a.png", IntakeRules()).file.key
    with house.db.unit() as uow:
        draft = MaterialDraft(kind="image", title="样板间", content={"file": key}, **more)
        found = library.create(uow, corp, ZHANG, draft)
        uow.commit()
    return found


def ask(house, client, material_id, **origin):
    origin = {"external_userid": WANG} | origin
    return client.post(f"/sidebar/api/materials/{material_id}/payload", json=origin, headers=house.csrf(client))


def test_the_first_tap_has_it_uploaded_the_next_one_gets_what_to_send(house):
    client, image = house.signed_in(), made(house)
    first = ask(house, client, image.id)
    assert first.get_json()["data"] == {"state": "uploading", "payload": None, "reason": sending.ON_ITS_WAY}
    with house.db.unit() as uow:
        assert uow.session.execute(select(outbox.OUTBOX.c.kind)).scalars().all()[-1] == "upload_media"
        row = uow.session.exec(select(MediaCopyRow)).one()
        row.status, row.media_id, row.expires_at = "ready", "m1", uow.now() + media.VALID
        uow.session.add(row)
        uow.commit()
    assert ask(house, client, image.id).get_json()["data"] == {
        "state": "ready",
        "payload": {"msgtype": "image", "image": {"mediaid": "m1"}},
        "reason": "",
    }


def test_only_what_is_offered_or_named_by_a_script_goes_out(house):
    client = house.signed_in()
    hidden, foreign = made(house, departments=(77,)), made(house, corp=OTHER_CORP)
    assert ask(house, client, hidden.id).status_code == 404
    assert ask(house, client, foreign.id).status_code == 404
    with house.db.unit() as uow:
        script = uow.session.exec(select(ScriptRow).where(ScriptRow.corp_id == CORP)).first()
        script.content = [{"text": "看看", "attachments": [sending.attachment_of(hidden)]}]
        uow.session.add(script)
        uow.commit()
    assert ask(house, client, hidden.id, script_id=script.id).get_json()["data"]["state"] == "uploading"
    assert ask(house, client, foreign.id, script_id=script.id).status_code == 404
    assert ask(house, client, hidden.id, todo_id=house.todo_of("wm_wang").id).status_code == 404


def test_sending_a_script_counts_its_materials_once(house):
    client, image = house.signed_in(), made(house)
    with house.db.unit() as uow:
        script = uow.session.exec(select(ScriptRow).where(ScriptRow.corp_id == CORP)).first()
        script.content = [{"text": "看看", "attachments": [sending.attachment_of(image)]}]
        uow.session.add(script)
        uow.commit()
    outcome = {"key": "0" * 32, "external_userid": "wm_wang", "script_id": script.id, "preview": "看看"}
    for _ in range(2):
        assert client.post("/sidebar/api/sends", json=outcome, headers=house.csrf(client)).status_code == 200
    with house.db.reading() as session:
        assert material_lists.get(session, CORP, image.id).uses == 1
        assert [(one.staff, one.count) for one in material_lists.users_of(session, CORP, image.id)] == [(ZHANG, 1)]


def test_a_file_can_go_out_as_its_tracked_page_and_is_counted_once_it_did(house):
    client, image = house.signed_in(), made(house)
    found = ask(house, client, image.id, as_link=True).get_json()["data"]
    assert found["state"] == "ready"
    address = found["payload"]["news"]["link"]
    assert "/v/" in address
    assert ask(house, client, image.id, as_link=True).get_json()["data"]["payload"]["news"]["link"] == address
    assert ask(house, client, image.id, as_link=True, external_userid=FAR).status_code == 404
    report = {"key": "a" * 32, "external_userid": WANG, "material_id": image.id, "as_link": True}
    for _ in range(2):
        assert client.post("/sidebar/api/sends", json=report, headers=house.csrf(client)).status_code == 200
    target = LinkTarget(staff=ZHANG, material_id=image.id, external_user=WANG)
    with house.db.reading() as session:
        assert radar_links.living(session, CORP, target).sends == 1


def test_a_part_that_names_a_material_can_be_sent_and_says_what_it_is():
    raw = {
        "text": "您好",
        "attachments": [{"msgtype": "material", "material": {"material_id": "7", "kind": "file", "title": "报价单"}}],
    }
    assert parse_message(raw)
    words, file = parts_of([raw], Names(customer="王", staff="张", remark="", today=date(2026, 11, 22)))
    assert words.can_go
    assert (file.kind_name, file.said, file.payload, file.material_id, file.can_go) == ("文件", "报价单", None, 7, True)


def test_what_a_customer_gets_opens_by_a_link_of_their_own_and_counts_as_sent_once(house):
    client = house.signed_in()
    with house.db.unit() as uow:
        draft = MaterialDraft(
            kind="article", title="秋季案例", content={"title": "秋季案例", "html": "<p>三面采光</p>"}
        )
        material = library.create(uow, CORP, "zhangsan", draft)
        uow.commit()
    sent = {}
    for who in (WANG, CHEN):
        data = ask(house, client, material.id, external_userid=who).get_json()["data"]
        sent[who] = data["payload"]["news"]["link"]
        assert sent[who].startswith("http://127.0.0.1:8700/v/")
    assert sent[WANG] != sent[CHEN]
    assert ask(house, client, material.id, external_userid=FAR).status_code == 404
    assert ask(house, client, material.id, chat_id="wr_of_others").status_code == 404
    outcome = {"key": "b" * 32, "external_userid": WANG, "material_id": material.id}
    for _ in range(2):
        assert client.post("/sidebar/api/sends", json=outcome, headers=house.csrf(client)).status_code == 200
    with house.db.reading() as session:
        links = {
            who: radar_links.living(
                session, CORP, LinkTarget(staff=ZHANG, material_id=material.id, external_user=who)
            ).sends
            for who in (WANG, CHEN)
        }
    assert links == {WANG: 1, CHEN: 0}
