"""The console's radar pages and the own card."""

import io
import re
import zipfile
from typing import Any

from flask.testing import FlaskClient

from crm_core import contact_ways, staff, timeline
from crm_core.ids import StaffUserId
from materials import cards, radar_rules, radar_stats
from materials.radar_stats import StatsScope
from tagging import service as tagging
from tests.support.readers import Reader, send
from tests.unit.bot.viewer.conftest import STAFF, Shop
from tests.unit.materials.conftest import picture


def console(shop: Shop, userid: str = "sun_hao") -> FlaskClient:
    client = shop.app.test_client()
    with client.session_transaction() as kept:
        until = shop.product.clock.now().timestamp() + 3600
        kept["console"] = {"corp": shop.product.corp, "app": "main", "staff": userid, "until": until}
    return client


def post(client: FlaskClient, path: str, **form: Any) -> Any:
    page = client.get("/console/customers").get_data(as_text=True)
    token = re.search(r'name="csrf-token" content="([^"]+)"', page)
    assert token
    return client.post(path, data={"csrf_token": token.group(1), **form})


def text(client: FlaskClient, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, answer.get_data(as_text=True)[-2000:]
    return str(answer.get_data(as_text=True))


def test_from_the_list_down_to_the_reader(shop: Shop) -> None:
    link = send(shop.product, shop.article, external_user=shop.customer, key="s1")
    reader = shop.reader().open(f"/v/{link.token}")
    shop.reader().open(f"/v/{link.token}?f={reader.ref}")
    shop.settle()
    admin = console(shop)
    for by, shown in (("material", "2026 秋季案例"), ("staff", "张"), ("channel", "单聊"), ("customer", "兴趣分")):
        assert shown in text(admin, f"/console/radar?by={by}&days=7")
    page = text(admin, f"/console/radar/{shop.article.id}")
    assert f"/console/customers/{shop.customer}" in page
    assert "转发来的读者" in page
    assert text(console(shop, STAFF), "/console/").count("素材雷达") == 0
    assert console(shop, STAFF).get("/console/radar").status_code == 403
    assert admin.get("/console/radar/999").status_code == 404


def test_a_supervisor_sees_only_what_their_people_sent(shop: Shop) -> None:
    for sender in (STAFF, "ChenJing"):
        link = send(shop.product, shop.article, chat=f"wr_{sender}", staff=sender)
        shop.reader().open(f"/v/{link.token}")
    shop.settle()
    with shop.product.house.db.reading() as session:
        names = staff.names(session, shop.product.corp, [STAFF, "ChenJing"])
    page = text(console(shop, "ChenJing"), "/console/radar?by=staff")
    assert names["ChenJing"] in page
    own = text(console(shop, "ChenJing"), f"/console/radar/{shop.article.id}")
    every = text(console(shop), f"/console/radar/{shop.article.id}")
    assert own.count("客户群") <= every.count("客户群")


def test_a_channel_link_is_made_and_revoked(shop: Shop) -> None:
    admin = console(shop)
    assert post(admin, f"/console/radar/{shop.article.id}/links", channel="").status_code == 400
    assert post(admin, f"/console/radar/{shop.article.id}/links", channel="公众号菜单").status_code == 302
    page = text(admin, f"/console/radar/{shop.article.id}")
    token = re.search(r"/v/([0-9A-Za-z]{22})", page)
    number = re.search(r"/radar/links/(\d+)/revoke", page)
    assert token
    assert number
    shop.reader().open(f"/v/{token.group(1)}")
    shop.settle()
    assert "公众号菜单" in text(admin, "/console/radar?by=channel")
    assert post(console(shop, STAFF), f"/console/radar/links/{number.group(1)}/revoke").status_code == 403
    assert post(admin, f"/console/radar/links/{number.group(1)}/revoke").status_code == 302
    assert shop.reader().browser.get(f"/v/{token.group(1)}").status_code == 404
    assert post(admin, f"/console/radar/{shop.article.id}/revoke").status_code == 302


def test_a_rule_tags_and_scores_once(shop: Shop) -> None:
    admin, corp = console(shop), shop.product.corp
    with shop.product.house.db.reading() as session:
        tag = tagging.library(session, corp)[0].tags[0]
    faulty = post(admin, "/console/radar/rules", name="常客", condition="opens", threshold="0", points="5")
    assert faulty.status_code == 400
    assert "条件的数值应在" in faulty.get_data(as_text=True)
    made = post(
        admin, "/console/radar/rules", name="常客", what=f"material:{shop.article.id}", condition="opens",
        threshold="2", points="7", tags=tag.tag_id, enabled="yes",
    )  # fmt: skip
    assert made.status_code == 302
    link = send(shop.product, shop.article, external_user=shop.customer)
    reader = Reader(shop.app.test_client())
    for _ in range(3):
        reader.open(f"/v/{link.token}")
        shop.settle()
    with shop.product.house.db.reading() as session:
        assert radar_rules.interest(session, corp, shop.customer) == 9
        points = radar_rules.points_of(session, corp, shop.customer)
        marks = [one for one in tagging.tags_of(session, corp, shop.customer) if one.tag_id == tag.tag_id]
        told = timeline.read(session, corp, shop.customer, kinds=("tag.",))
    assert {(one.rule_name, one.points, one.reason) for one in points} == {
        ("常客", 7, "打开《2026 秋季案例》2 次"),
        ("打开过素材", 2, "打开《2026 秋季案例》1 次"),
    }
    assert "打开《2026 秋季案例》2 次" in text(admin, f"/console/customers/{shop.customer}")
    assert [(mark.status, mark.source) for mark in marks] == [("set", "rule")]
    assert told[0].data["tags"] == [tag.name]
    page = text(admin, "/console/radar/rules")
    number = max(int(found) for found in re.findall(r"/radar/rules/(\d+)/remove", page))
    assert post(admin, "/console/radar/rules/1/remove").status_code == 400
    assert "常客" in text(admin, f"/console/radar/rules/{number}")
    assert post(admin, f"/console/radar/rules/{number}/remove").status_code == 302


def test_staff_keep_their_own_card_and_hear_of_visitors(shop: Shop) -> None:
    own, corp = console(shop, STAFF), shop.product.corp
    assert "为我新建一个专属活码" in text(own, "/console/card")
    form = {"name": "张三", "title": "设计顾问", "intro": "十年整装经验\n住过的人都说好", "mobile": "138 0013 8000"}
    assert post(own, "/console/card", **form | {"mobile": "電話"}).status_code == 400
    saved = post(
        own,
        "/console/card",
        **form,
        code="new",
        published="yes",
        picks=str(shop.article.id),
        photo=(io.BytesIO(picture((300, 300), "JPEG")), "me.jpg"),
    )
    assert saved.status_code == 302, saved.get_data(as_text=True)[-1500:]
    shop.settle()
    page = text(own, "/console/card")
    token = re.search(r"/c/([0-9A-Za-z]{22})", page).group(1)
    visitor = shop.reader()
    shown = visitor.fetch(f"/c/{token}")
    assert "设计顾问" in shown
    assert "2026 秋季案例" in shown
    assert "长按图片，识别二维码" in shown
    assert visitor.start() == 200
    shop.product.clock.advance(seconds=30)
    assert visitor.beat(20, 100, contact=True) == 204
    shop.settle()
    assert shop.notices() == ["有访客 正在看你的名片"]
    with shop.product.house.db.reading() as session:
        card = cards.published(session, corp, StaffUserId(STAFF))
        way = contact_ways.get(session, corp, card.contact_way_id)
    shop.product.receive(shop.product.add_xml(STAFF, "wm_newcomer_of_the_card", state=way.state))
    shop.product.work()
    page = text(own, "/console/card")
    assert re.search(r"新加好友</span>\s*<span class=\"figure-value\">1<", page)
    pick = re.search(r"/v/([0-9A-Za-z]{22})", shown).group(1)
    assert "名片" in visitor.fetch(f"/v/{pick}")
    for part, kind in (("contact.vcf", "text/vcard"), ("poster.png", "image/png"), ("photo", "image/jpeg")):
        answer = visitor.browser.get(f"/c/{token}/{part}")
        assert (answer.status_code, answer.mimetype) == (200, kind)
        assert part != "contact.vcf" or "TEL;TYPE=CELL:138 0013 8000" in answer.get_data(as_text=True)
        answer.close()
    assert post(own, "/console/card", **form).status_code == 302
    assert visitor.browser.get(f"/c/{token}").status_code == 404
    assert post(console(shop, "ChenJing"), "/console/card", name="陈静", code=str(way.id)).status_code == 400


def test_an_erased_customer_leaves_nothing_but_a_count(shop: Shop) -> None:
    link = send(shop.product, shop.article, external_user=shop.customer, key="s1")
    shop.reader().open(f"/v/{link.token}")
    shop.settle()
    admin = console(shop)
    data = post(admin, f"/console/customers/{shop.customer}/data")
    told = zipfile.ZipFile(io.BytesIO(data.get_data())).read("customer.json").decode()
    assert '"InterestPoint"' in told
    assert link.token not in told
    assert post(admin, f"/console/customers/{shop.customer}/erase", sure="yes").status_code == 204
    assert shop.reader().browser.get(f"/v/{link.token}").status_code == 404
    with shop.product.house.db.reading() as session:
        assert radar_rules.interest(session, shop.product.corp, shop.customer) == 0
        (reader,) = radar_stats.readers(session, shop.product.corp, everything(shop))
        assert reader.external_user.startswith("erased-")
        found = radar_stats.total(session, shop.product.corp, everything(shop))
        assert (found.sends, found.opens) == (1, 1)


def everything(shop: Shop) -> StatsScope:
    now = shop.product.clock.now()
    return StatsScope(since=now.replace(year=2020), until=now.replace(year=2030))
