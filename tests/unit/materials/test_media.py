from datetime import timedelta

import pytest
from sqlmodel import select

from crm_core import outbox
from crm_core.clock import to_millis
from crm_core.errors import NotFound
from crm_core.events import MediaUploaded, OutboundFinished
from crm_core.messages import parse_message
from materials import library, media, sending
from materials.media import LASTING, MediaWish
from materials.tables import MediaCopyRow
from tests.support.ground import APP, CORP, OTHER_CORP

from .conftest import Library, mp4, pdf, picture


def asked(shelf: Library) -> list[dict]:
    with shelf.ground.reading() as session:
        rows = session.execute(select(outbox.OUTBOX).order_by(outbox.OUTBOX.c.id)).all()
    return [dict(row.payload) for row in rows if row.kind == "upload_media"]


def want(shelf: Library, wish: MediaWish, *, corp=CORP):
    with shelf.ground.committed() as uow:
        return media.want(uow, corp, APP, wish)


def finish(shelf: Library, payload: dict, *, error: str = "", media_id: str = "m1", url: str = "") -> None:
    """What the sender tells when an upload is over."""
    ground = shelf.ground
    now = ground.clock.now()
    told = {
        "corp": CORP,
        "app": APP,
        "occurred_at": now,
        "key": f"e{next(ground.numbers)}",
        "received_ms": to_millis(now),
        "kind": "upload_media",
        "outbox_id": 1,
        "subject": payload,
    }
    if error:
        ground.handle(OutboundFinished(**told, outcome="dead", error=error), media.record_not_uploaded)
    else:
        uploaded = MediaUploaded(
            **told, outcome="done", media_id=media_id, created_at=0 if url else int(now.timestamp()), url=url
        )
        ground.handle(uploaded, media.record_uploaded)


def test_a_copy_is_asked_for_once_however_many_want_it(shelf):
    wish = MediaWish(file_key=shelf.upload(picture()), kind="image")
    assert [want(shelf, wish).status for _ in range(3)] == ["uploading"] * 3
    assert len(asked(shelf)) == 1
    finish(shelf, asked(shelf)[0])
    assert want(shelf, wish).media_id == "m1"
    with shelf.ground.reading() as session:
        assert media.look(session, CORP, wish, shelf.ground.clock.now()).is_ready
        assert media.look(session, OTHER_CORP, wish, shelf.ground.clock.now()) is None
    with pytest.raises(NotFound):
        want(shelf, wish, corp=OTHER_CORP)


def test_a_file_has_a_copy_for_each_name_receivers_see(shelf):
    key = shelf.upload(pdf(), "报价.pdf")
    for name in ("报价.pdf", "报价（王女士）.pdf"):
        want(shelf, MediaWish(file_key=key, kind="file", filename=name))
    want(shelf, MediaWish(file_key=key, kind="image", filename="one"))
    want(shelf, MediaWish(file_key=key, kind="image", filename="two"))
    assert [one["filename"] for one in asked(shelf)] == ["报价.pdf", "报价（王女士）.pdf", ""]


def test_a_dying_copy_is_uploaded_anew_and_the_former_id_serves_meanwhile(shelf):
    wish = MediaWish(file_key=shelf.upload(picture()), kind="image")
    want(shelf, wish)
    finish(shelf, asked(shelf)[0])
    ground, rules = shelf.ground, shelf.ground.settings.materials

    def renew(**more) -> int:
        with ground.committed() as uow:
            return media.renew(uow, rules, **more)

    ground.clock.move(hours=59)
    assert renew() == 0
    ground.clock.move(hours=2)
    assert renew() == 1
    assert renew() == 0
    assert want(shelf, wish).media_id == "m1"
    finish(shelf, asked(shelf)[1], media_id="m2")
    assert want(shelf, wish).media_id == "m2"
    finish(shelf, asked(shelf)[0], media_id="late answer of the first")
    assert want(shelf, wish).media_id == "m2"
    ground.clock.move(days=8)
    assert renew() == 0, "nobody used it for a week"
    assert renew(wanted=[(CORP, APP, wish)]) == 1, "but a greeting names it"


def test_an_expired_copy_is_never_handed_out(shelf):
    wish = MediaWish(file_key=shelf.upload(picture()), kind="image")
    want(shelf, wish)
    finish(shelf, asked(shelf)[0])
    shelf.ground.clock.move(hours=71, minutes=51)
    with shelf.ground.reading() as session:
        assert media.look(session, CORP, wish, shelf.ground.clock.now()) is None
    assert want(shelf, wish).status == "uploading"
    assert len(asked(shelf)) == 2


def test_a_failed_upload_says_why_and_is_tried_again_later(shelf):
    wish = MediaWish(file_key=shelf.upload(picture()), kind=LASTING)
    want(shelf, wish)
    finish(shelf, asked(shelf)[0], error="图片尺寸不合法")
    assert want(shelf, wish).error == "图片尺寸不合法"
    assert len(asked(shelf)) == 1
    shelf.ground.clock.move(seconds=31)
    assert want(shelf, wish).status == "uploading"
    finish(shelf, asked(shelf)[1], url="https://wework.example/p")
    shelf.ground.clock.move(days=400)
    assert want(shelf, wish).url == "https://wework.example/p"


def prepared(shelf: Library, material, *, for_client: bool, link_of=sending.no_links) -> sending.Sendable:
    """Ready, with every copy uploaded on the way."""
    for number in range(2):
        with shelf.ground.committed() as uow:
            found = sending.prepare(uow, CORP, APP, material.id, for_client=for_client, link_of=link_of)
        if found.state != "uploading":
            break
        assert number == 0
        for payload in asked(shelf):
            lasting = payload["kind"] == LASTING
            finish(shelf, payload, media_id="" if lasting else "m1", url="https://w.example/p" if lasting else "")
    return found


def test_every_kind_goes_out_in_wecoms_shape(shelf):
    cover = shelf.upload(picture())
    link = shelf.make("link", "官网", url="https://example.com", title="云帆", desc="装修", cover=cover)
    mini = shelf.make("miniprogram", title="预约", appid="wx1", page="pages/a.html", cover=cover)
    file = shelf.make("file", file=shelf.upload(pdf(), "a.pdf"), filename="报价.pdf")
    video, image = shelf.make("video", file=shelf.upload(mp4(), "a.mp4")), shelf.image()
    text = shelf.make("text", text="您好")
    api = {one.kind: prepared(shelf, one, for_client=False) for one in (link, mini, file, video, image, text)}
    assert {kind: found.attachment and found.attachment.body for kind, found in api.items()} == {
        "link": {"title": "云帆", "url": "https://example.com", "picurl": "https://w.example/p", "desc": "装修"},
        "miniprogram": {"title": "预约", "appid": "wx1", "page": "pages/a.html", "pic_media_id": "m1"},
        "file": {"media_id": "m1"},
        "video": {"media_id": "m1"},
        "image": {"media_id": "m1"},
        "text": None,
    }
    assert api["text"].text == "您好"
    client = {one.kind: prepared(shelf, one, for_client=True).payload for one in (link, mini, file, video, image, text)}
    news = {"link": "https://example.com", "title": "云帆", "desc": "装修", "imgUrl": "https://w.example/p"}
    assert client == {
        "link": {"msgtype": "news", "news": news},
        "miniprogram": {
            "msgtype": "miniprogram",
            "miniprogram": {"title": "预约", "appid": "wx1", "page": "pages/a.html", "imgUrl": "https://w.example/p"},
        },
        "file": {"msgtype": "file", "file": {"mediaid": "m1"}},
        "video": {"msgtype": "video", "video": {"mediaid": "m1"}},
        "image": {"msgtype": "image", "image": {"mediaid": "m1"}},
        "text": {"msgtype": "text", "text": {"content": "您好"}},
    }


def test_an_article_goes_out_as_a_card_where_it_has_a_page(shelf):
    made = shelf.make("article", title="避坑", summary="三条", html="<p>一</p>")
    assert prepared(shelf, made, for_client=True).state == "blocked"
    found = prepared(shelf, made, for_client=True, link_of=lambda one: f"https://scrm.example/m/{one.id}")
    assert found.payload["news"]["link"] == f"https://scrm.example/m/{made.id}"


def test_a_message_that_names_materials_is_filled_when_it_goes_out(shelf):
    image, text = shelf.image("样板间"), shelf.make("text", text="地址：徐汇")
    gone, old = shelf.image("下架的"), shelf.image("过期的", expires_at=shelf.ground.clock.now() + timedelta(hours=1))
    raw = {
        "text": "您好",
        "attachments": [sending.attachment_of(one) for one in (image, text, gone, old)]
        + [{"msgtype": "link", "link": {"title": "a", "url": "https://a.cn"}}],
    }
    message = parse_message(raw)
    assert sending.material_ids([raw, None]) == {image.id, text.id, gone.id, old.id}
    shelf.ground.clock.move(hours=2)
    with shelf.ground.committed() as uow:
        library.delete(uow, CORP, "zhang", [gone.id])
        first = sending.resolve(uow, CORP, APP, message)
        assert first.waiting
        assert first.message.text == "您好\n地址：徐汇"
        assert [one.msgtype for one in first.message.attachments] == ["link"]
    finish(shelf, asked(shelf)[0])
    with shelf.ground.committed() as uow:
        second = sending.resolve(uow, CORP, APP, message)
    assert not second.waiting
    assert [one.msgtype for one in second.message.attachments] == ["image", "link"]
    assert second.problems == ("下架的：素材“下架的”已被删除", "过期的：素材“过期的”已过期")


def test_nothing_else_is_written_by_looking(shelf):
    wish = MediaWish(file_key=shelf.upload(picture()), kind="image")
    with shelf.ground.reading() as session:
        assert media.look(session, CORP, wish, shelf.ground.clock.now()) is None
    assert shelf.ground.all(select(MediaCopyRow)) == []
