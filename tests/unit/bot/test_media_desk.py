"""Files on their way to the local WeCom: uploaded once, kept alive, filled into greetings, left out when too late."""

import io
from typing import Any

import pytest

from bot.media_desk import PAGES_JOB, RENEW_JOB
from crm_core import outbox, welcome_messages
from crm_core.errors import NotFound
from crm_core.ids import AppKey
from crm_core.messages import parse_message
from materials import files, library, media, sending
from materials.intake import IntakeRules
from materials.material_model import Material, MaterialDraft
from materials.media import LASTING, MediaWish
from materials.radar_model import LinkTarget
from materials.uploads import receive
from tests.support.bench import Bench
from tests.support.product import APP, admin
from tests.unit.materials.conftest import pdf, picture


def stored(bench: Bench, content: bytes, filename: str) -> str:
    desk = bench.house.desk
    stream = io.BytesIO(content)
    return receive(bench.house.db, desk.store, bench.corp, "zhang.san", stream, filename, IntakeRules()).file.key


def made(bench: Bench, kind: str, **content: Any) -> Material:
    with bench.unit() as uow:
        found = library.create(uow, bench.corp, "zhang.san", MaterialDraft(kind=kind, title="样板间", content=content))
        uow.commit()
    return found


def want(bench: Bench, wish: MediaWish) -> media.MediaCopy:
    with bench.unit() as uow:
        found = media.want(uow, bench.corp, AppKey(APP), wish)
        uow.commit()
    return found


def at_wecom(bench: Bench) -> list[Any]:
    return list(bench.wecom.world.corps[bench.corp].media.values())


def test_a_file_reaches_wecom_once_under_the_name_receivers_see(bench: Bench) -> None:
    content = pdf()
    wish = MediaWish(file_key=stored(bench, content, "a.pdf"), kind="file", filename="报价“春季”.pdf")
    assert [want(bench, wish).status for _ in range(2)] == ["uploading"] * 2
    bench.send(bench.sender())
    (there,) = at_wecom(bench)
    assert (there.kind, there.filename, there.content) == ("file", "报价“春季”.pdf", content)
    assert want(bench, wish).media_id == there.media_id
    assert bench.called("media/upload") == 1


def test_a_cover_is_made_small_and_gets_an_address_for_ever(bench: Bench) -> None:
    wish = MediaWish(file_key=stored(bench, picture((3000, 2000)), "cover.png"), kind=LASTING)
    want(bench, wish)
    bench.send(bench.sender())
    (there,) = at_wecom(bench)
    assert there.permanent
    assert len(there.content) < 200_000
    assert want(bench, wish).url.endswith(there.media_id)


def test_wecoms_refusal_is_told_in_its_own_words(bench: Bench) -> None:
    wish = MediaWish(file_key=stored(bench, picture(), "a.png"), kind="image")
    bench.fault("media/upload", "errcode", code=45001)
    want(bench, wish)
    bench.send(bench.sender())
    assert "45001" in want(bench, wish).error


def greet(bench: Bench, *materials: Material, text: str = "您好", seconds: float = 20) -> tuple[int, dict[str, Any]]:
    """A greeting that names materials waits in the outbox for somebody who has just been added."""
    person = admin(bench.wecom, "add", {"corp": bench.corp, "userid": "zhang.san", "name": "小测试"})
    payload = {
        "code": person["welcome_code"],
        "staff": "zhang.san",
        "external_user": person["external_userid"],
        "message": {"text": text, "attachments": [sending.attachment_of(one) for one in materials]},
    }
    deadline = bench.now_ms + int(seconds * 1000)
    return bench.put(outbox.SEND_WELCOME, payload, deadline_ms=deadline), person


def received(bench: Bench, person: dict[str, Any]) -> list[str]:
    path = f"chat?corp={bench.corp}&userid=zhang.san&external_userid={person['external_userid']}"
    return [line["msgtype"] for line in admin(bench.wecom, path)["messages"] if line["sender"] == "staff"]


def outcome(bench: Bench, row_id: int) -> tuple[str, str | None, int]:
    row = bench.read(bench.house.outbox, row_id)
    return row.state, row.last_error, row.attempts


def test_a_greeting_waits_for_its_picture_and_carries_it(bench: Bench) -> None:
    image = made(bench, "image", file=stored(bench, picture(), "a.png"))
    row_id, person = greet(bench, image)
    bench.send(bench.sender())
    assert outcome(bench, row_id) == ("ready", "欢迎语里的素材正在上传到企业微信", 0)
    bench.send(bench.sender())
    bench.clock.advance(seconds=1.5)
    bench.send(bench.sender())
    assert outcome(bench, row_id)[0] == "done"
    assert received(bench, person) == ["text", "image"]


def test_a_greeting_goes_out_without_what_is_not_ready_in_time(bench: Bench) -> None:
    image = made(bench, "image", file=stored(bench, picture(), "a.png"))
    bench.fault("media/upload", "busy")
    row_id, person = greet(bench, image, seconds=5)
    bench.send(bench.sender())
    assert outcome(bench, row_id)[:2] == ("done", f"样板间：{sending.ON_ITS_WAY}")
    assert received(bench, person) == ["text"]


def test_a_greeting_of_nothing_but_a_deleted_picture_is_not_sent_empty(bench: Bench) -> None:
    image = made(bench, "image", file=stored(bench, picture(), "a.png"))
    with bench.unit() as uow:
        library.delete(uow, bench.corp, "zhang.san", [image.id])
        uow.commit()
    row_id, person = greet(bench, image, text="")
    bench.send(bench.sender())
    state, said, _ = outcome(bench, row_id)
    assert state == "dead"
    assert said is not None
    assert "素材“样板间”已被删除" in said
    assert received(bench, person) == []


def test_an_id_that_wecom_forgot_is_uploaded_anew_within_the_twenty_seconds(bench: Bench) -> None:
    wish = MediaWish(file_key=stored(bench, picture(), "a.png"), kind="image")
    image = made(bench, "image", file=wish.file_key)
    want(bench, wish)
    bench.send(bench.sender())
    bench.wecom.world.corps[bench.corp].media.clear()
    row_id, person = greet(bench, image)
    for _ in range(4):
        bench.send(bench.sender())
        bench.clock.advance(seconds=1.5)
    assert outcome(bench, row_id)[0] == "done"
    assert received(bench, person) == ["text", "image"]
    assert bench.called("media/upload") == 2


def test_what_greetings_name_is_uploaded_before_anybody_comes_and_again_before_it_dies(bench: Bench) -> None:
    image = made(bench, "image", file=stored(bench, picture(), "a.png"))
    with bench.unit() as uow:
        raw = {"text": "您好", "attachments": [sending.attachment_of(image)]}
        welcome_messages.set_message(uow, bench.corp, "", raw)
        uow.commit()

    def renewed() -> int:
        before = {one.media_id for one in at_wecom(bench)}
        bench.house.desk.renew({}, lambda: None)
        bench.send(bench.sender())
        return len({one.media_id for one in at_wecom(bench)} - before)

    assert renewed() == 1
    assert renewed() == 0
    bench.clock.advance(hours=61)
    assert renewed() == 1
    bench.clock.advance(hours=61)
    assert renewed() == 1
    row_id, person = greet(bench, image)
    bench.send(bench.sender())
    assert outcome(bench, row_id)[0] == "done"
    assert received(bench, person) == ["text", "image"]


def test_pages_of_a_pdf_are_drawn_once_by_a_job(bench: Bench) -> None:
    key = stored(bench, pdf(3), "a.pdf")
    made(bench, "file", file=key, filename="a.pdf")
    made(bench, "file", file=key, filename="b.pdf")
    jobs = [row for row in bench.rows(bench.house.jobs) if row.kind == PAGES_JOB]
    assert len(jobs) == 1
    bench.house.desk.draw_pages(jobs[0].payload, lambda: None)
    with bench.house.db.reading() as session:
        pages = files.get(session, bench.corp, key).page_keys
    assert len(pages) == 3
    with bench.house.desk.store.open(pages[1]) as drawn:
        assert drawn.read(3) == b"\xff\xd8\xff"


def test_the_scheduler_keeps_copies_alive() -> None:
    from bot.scheduler import schedules
    from crm_core.config import Settings

    assert RENEW_JOB in {one.kind for one in schedules(Settings())}


def test_the_store_keeps_bytes_by_what_they_are(bench: Bench) -> None:
    store = bench.house.desk.store
    first, again = (store.put(io.BytesIO(b"the same bytes")) for _ in range(2))
    assert first == again
    with store.open(first.key) as content:
        assert content.read() == b"the same bytes"
    store.delete(first.key)
    store.delete(first.key)
    for key in (first.key, "../../etc/passwd", ""):
        with pytest.raises(NotFound):
            store.open(key)


@pytest.mark.parametrize("text", ["", "您好"])
def test_a_message_that_names_no_material_is_left_alone(bench: Bench, text: str) -> None:
    message = parse_message({"text": text or "a"})
    assert message is not None
    ready = bench.house.desk.make_ready(bench.corp, AppKey(APP), message, LinkTarget(staff="zhang.san"))
    assert ready.message is message
    assert not ready.named
