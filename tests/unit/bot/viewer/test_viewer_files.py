"""What belongs to a page: its files, its cover, its weight; and what does not."""

import io
from dataclasses import replace

from crm_core.config import RadarPart
from materials import library, uploads
from materials.intake import IntakeRules
from materials.material_model import Material, MaterialDraft
from tests.support.readers import send
from tests.unit.bot.viewer.conftest import STAFF, Shop
from tests.unit.materials.conftest import mp4, picture, zipped


def keep(shop: Shop, content: bytes, name: str) -> str:
    house = shop.product.house
    return uploads.receive(
        house.db, house.desk.store, shop.product.corp, STAFF, io.BytesIO(content), name, IntakeRules()
    ).file.key


def make(shop: Shop, kind: str, name: str, /, **content: str) -> Material:
    with shop.product.house.db.unit() as uow:
        made = library.create(uow, shop.product.corp, STAFF, MaterialDraft(kind=kind, title=name, content=content))
        uow.commit()
    return made


def test_a_video_comes_in_parts(shop: Shop) -> None:
    key = keep(shop, mp4(), "v.mp4")
    link = send(shop.product, make(shop, "video", "安装过程", file=key), external_user=shop.customer)
    client = shop.app.test_client()
    whole = client.get(f"/v/{link.token}/file/{key}")
    assert (whole.status_code, whole.mimetype, whole.headers["Accept-Ranges"]) == (200, "video/mp4", "bytes")
    part = client.get(f"/v/{link.token}/file/{key}", headers={"Range": "bytes=4-7"})
    assert (part.status_code, part.data) == (206, b"ftyp")
    same = client.get(f"/v/{link.token}/file/{key}", headers={"If-None-Match": whole.headers["ETag"]})
    assert same.status_code == 304
    assert client.get(f"/v/{link.token}/cover").status_code == 404
    for answer in (whole, part, same):
        answer.close()


def test_a_document_is_a_download_and_never_runs(shop: Shop) -> None:
    key = keep(shop, zipped(**{"[Content_Types]__xml": b"x", "word__document__xml": b"x"}), "合同.docx")
    link = send(shop.product, make(shop, "file", "合同", file=key, filename="合同.docx"), external_user=shop.customer)
    assert "打开文件" in shop.reader().fetch(f"/v/{link.token}")
    answer = shop.app.test_client().get(f"/v/{link.token}/file/{key}")
    assert answer.headers["Content-Disposition"] == "attachment; filename*=UTF-8''%E5%90%88%E5%90%8C.docx"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    answer.close()


def test_only_what_belongs_to_the_material_is_served(shop: Shop) -> None:
    inside, other = keep(shop, picture(color="green"), "a.png"), keep(shop, picture(color="navy"), "b.png")
    html = f'<p>客厅</p><img data-file="{inside}" alt="客厅"><script>alert(1)</script>'
    article = make(shop, "article", "实景", title="实景", html=html)
    link = send(shop.product, article, external_user=shop.customer)
    text = shop.reader().fetch(f"/v/{link.token}")
    assert f'src="/v/{link.token}/file/{inside}"' in text
    assert "alert(1)" not in text
    client = shop.app.test_client()
    shown = client.get(f"/v/{link.token}/file/{inside}")
    assert (shown.status_code, shown.mimetype) == (200, "image/png")
    shown.close()
    assert client.get(f"/v/{link.token}/file/{other}").status_code == 404
    assert client.get(f"/v/{link.token}/cover").mimetype == "image/jpeg"
    with shop.product.house.db.unit() as uow:
        library.delete(uow, shop.product.corp, STAFF, [article.id])
        uow.commit()
    assert client.get(f"/v/{link.token}").status_code == 404
    assert client.get(f"/v/{link.token}/file/{inside}").status_code == 404


def test_a_page_weighs_little_and_asks_nobody_else(shop: Shop) -> None:
    link = send(shop.product, shop.article, external_user=shop.customer)
    client = shop.app.test_client()
    answer = client.get(f"/v/{link.token}", headers={"Accept-Encoding": "gzip"})
    assets = shop.app.extensions["viewer"].assets
    names = ("tokens.css", "viewer/viewer.css", "viewer/viewer.js", "vendor/icons-viewer.svg")
    assert len(answer.data) + sum(assets.packed_bytes(name) for name in names) < 30_000
    policy = answer.headers["Content-Security-Policy"]
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert "Set-Cookie" not in answer.headers  # nothing is kept in the browser before its script ran


def test_where_the_law_asks_for_consent_the_page_asks(shop: Shop) -> None:
    room = shop.app.extensions["viewer"]
    settings = room.settings.model_copy(update={"radar": RadarPart(consent="ask")})
    shop.app.extensions["viewer"] = replace(room, house=replace(room.house, settings=settings))
    link = send(shop.product, shop.article, external_user=shop.customer)
    reader = shop.reader()
    assert "是否同意记录" in reader.fetch(f"/v/{link.token}")
    assert "点“同意”之前" in reader.fetch("/v/privacy")


def test_a_channel_of_the_whole_corp_has_no_sender(shop: Shop) -> None:
    link = send(shop.product, shop.article, staff="", channel="公众号菜单")
    reader = shop.reader().open(f"/v/{link.token}")
    shop.settle()
    assert "分享给您" in reader.fetch(f"/v/{link.token}")
    assert shop.notices() == []
