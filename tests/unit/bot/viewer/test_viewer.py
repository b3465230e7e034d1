"""Opening a tracked link: what counts, what does not, what staff and the timeline hear of it."""

import re

import pytest

from materials import radar_links, radar_stats
from materials.radar_stats import StatsScope
from tests.support.readers import CRAWLERS, send
from tests.unit.bot.viewer.conftest import STAFF, Shop


def figures(shop: Shop) -> radar_stats.Figures:
    now = shop.product.clock.now()
    scope = StatsScope(since=now.replace(year=2020), until=now.replace(year=2030))
    with shop.product.house.db.reading() as session:
        return radar_stats.total(session, shop.product.corp, scope)


def test_a_customer_reads_and_the_sender_hears_of_it(shop: Shop) -> None:
    link = send(shop.product, shop.article, external_user=shop.customer, key="s1")
    reader = shop.reader().open(f"/v/{link.token}")
    shop.settle()
    (notice,) = shop.notices()
    assert re.fullmatch(r"\S+ 正在看《2026 秋季案例》", notice)
    shop.product.clock.advance(minutes=1)
    assert reader.beat(30, 60) == 204
    assert reader.beat(45, 100) == 204
    shop.settle()
    assert sorted(shop.told()) == ["radar.finished", "radar.opened", "radar.scored", "radar.scored"]
    found = figures(shop)
    assert (found.sends, found.opens, found.openers, found.seconds, found.depth) == (1, 1, 1, 45, 100)
    assert (found.halves, found.finished, found.forwards) == (1, 1, 0)
    assert len(shop.notices()) == 1


def test_repeated_late_and_reordered_beacons_change_nothing(shop: Shop) -> None:
    link = send(shop.product, shop.article, external_user=shop.customer)
    reader = shop.reader().open(f"/v/{link.token}")
    shop.product.clock.advance(minutes=2)
    for seconds, depth in ((40, 80), (10, 20), (40, 80), (20, 30)):
        reader.beat(seconds, depth)
        shop.settle()
    assert reader.start() == 200  # the script said twice that it runs
    shop.settle()
    found = figures(shop)
    assert (found.opens, found.openers, found.seconds, found.depth) == (1, 1, 40, 80)


def test_nobody_reads_longer_than_time_has_passed(shop: Shop) -> None:
    link = send(shop.product, shop.article, external_user=shop.customer)
    reader = shop.reader().open(f"/v/{link.token}")
    shop.product.clock.advance(seconds=10)
    reader.beat(3600, 400)
    shop.settle()
    assert (figures(shop).seconds, figures(shop).depth) == (15, 100)


@pytest.mark.parametrize("agent", CRAWLERS)
def test_crawlers_and_previews_see_the_page_but_do_not_count(shop: Shop, agent: str) -> None:
    link = send(shop.product, shop.article, external_user=shop.customer)
    text = shop.reader(agent=agent).fetch(f"/v/{link.token}")
    assert '<meta property="og:title" content="2026 秋季案例">' in text
    assert 'data-ticket=""' in text
    person = shop.reader()
    person.fetch(f"/v/{link.token}")
    person.agent = agent  # even with somebody else's ticket
    assert person.start() == 204
    shop.settle()
    assert figures(shop).opens == 0


def test_looking_ahead_asking_for_the_head_and_pages_without_script_do_not_count(shop: Shop) -> None:
    link = send(shop.product, shop.article, external_user=shop.customer)
    reader = shop.reader()
    assert reader.browser.head(f"/v/{link.token}").status_code == 200
    reader.fetch(f"/v/{link.token}")
    assert reader.start(**{"Sec-Purpose": "prefetch;prerender"}) == 204
    assert reader.start(Purpose="prefetch") == 204
    shop.settle()
    assert figures(shop).opens == 0
    assert shop.notices() == []


def test_a_made_up_ticket_and_a_mixed_pass_are_refused(shop: Shop) -> None:
    link = send(shop.product, shop.article, external_user=shop.customer)
    reader = shop.reader()
    assert reader.say("/v/open", {"t": "made.up"}).status_code == 400
    assert reader.say("/v/beat", {"p": "made.up"}).status_code == 400
    assert reader.say("/v/open", ["t"]).status_code == 400
    assert reader.browser.post("/v/open", data="{").status_code in (204, 400)
    reader.fetch(f"/v/{link.token}")
    assert reader.say("/v/beat", {"p": reader.ticket}).status_code == 400  # a ticket is no pass
    shop.product.clock.advance(hours=49)
    assert reader.start() == 400


def test_a_forwarded_link_is_told_with_who_brought_whom(shop: Shop) -> None:
    link = send(shop.product, shop.article, external_user=shop.customer)
    first = shop.reader().open(f"/v/{link.token}")
    second = shop.reader().open(f"/v/{link.token}?f={first.ref}")
    shop.settle()
    third = shop.reader().open(f"/v/{link.token}?f={second.ref}")
    shop.reader().open(f"/v/{link.token}")  # the message itself was passed on
    first.open(f"/v/{link.token}?f={first.ref}")
    first.open(f"/v/{link.token}?f={third.ref}")  # came back to where it began
    shop.settle()
    found = figures(shop)
    assert (found.opens, found.openers, found.forwards) == (6, 4, 3)
    now = shop.product.clock.now()
    with shop.product.house.db.reading() as session:
        readers = radar_stats.readers(
            session, shop.product.corp, StatsScope(since=now.replace(year=2020), until=now.replace(year=2030))
        )
    brought = {reader.ref: (reader.forwarded, reader.brought, reader.opens) for reader in readers}
    assert brought[first.ref] == (False, 2, 3)
    assert brought[second.ref] == (True, 1, 1)
    assert brought[third.ref] == (True, 0, 1)
    assert shop.told().count("radar.forwarded") == 3
    assert shop.told().count("radar.opened") == 3


def test_in_a_group_each_reader_stands_for_themself_unless_brought(shop: Shop) -> None:
    link = send(shop.product, shop.article, chat="wr_some_group")
    first = shop.reader().open(f"/v/{link.token}")
    shop.reader().open(f"/v/{link.token}")
    shop.reader().open(f"/v/{link.token}?f={first.ref}")
    shop.settle()
    assert (figures(shop).openers, figures(shop).forwards) == (3, 1)
    assert shop.notices() == ["客户群里有人 正在看《2026 秋季案例》"]


def test_what_happens_in_the_pause_is_told_once_it_is_over(shop: Shop) -> None:
    link = send(shop.product, shop.article, external_user=shop.customer)
    reader = shop.reader().open(f"/v/{link.token}")
    shop.product.clock.advance(minutes=2)
    reader.beat(90, 60)
    shop.settle()
    reader.beat(100, 100)
    shop.reader().open(f"/v/{link.token}")
    shop.settle()
    tell = shop.product.house.settings.radar.tell_pause_minutes
    run(shop)
    assert len(shop.notices()) == 1
    shop.product.clock.advance(minutes=tell)
    run(shop)
    run(shop)
    assert len(shop.notices()) == 2
    assert shop.notices()[-1].endswith("看完了《2026 秋季案例》")


def run(shop: Shop) -> None:
    from bot.radar_desk import RadarDesk

    RadarDesk(shop.product.house.settings).tell_kept(shop.product.house.db)({}, lambda: None)
    shop.settle()


def test_wrong_expired_and_revoked_links_look_alike(shop: Shop) -> None:
    living = send(shop.product, shop.article, external_user=shop.customer, days=1)
    reader = shop.reader().open(f"/v/{living.token}")
    bodies = set()
    with shop.product.house.db.unit() as uow:
        radar_links.revoke(uow, shop.product.corp, living.id, actor=STAFF)
        uow.commit()
    short = send(shop.product, shop.article, chat="wr_x", days=1)
    shop.product.clock.advance(days=2)
    for token in (living.token, short.token, "0" * 22, "x", "0" * 21 + "é"):
        for path in ("", "/cover", f"/file/{'0' * 64}"):
            answer = reader.browser.get(f"/v/{token}{path}")
            assert answer.status_code == 404
            bodies.add(re.sub(r"编号 \w+", "", answer.get_data(as_text=True)))
    assert len(bodies) == 1
    again = send(shop.product, shop.article, external_user=shop.customer)
    assert again.token != living.token


def test_a_revoked_link_records_nothing_more(shop: Shop) -> None:
    link = send(shop.product, shop.article, external_user=shop.customer)
    reader = shop.reader().open(f"/v/{link.token}")
    shop.settle()
    with shop.product.house.db.unit() as uow:
        assert radar_links.revoke_all(uow, shop.product.corp, shop.article.id, actor=STAFF) == 1
        uow.commit()
    shop.product.clock.advance(minutes=1)
    reader.beat(30, 100)
    shop.settle()
    assert figures(shop).depth == 0


def test_who_objects_is_forgotten_and_not_recorded_again(shop: Shop) -> None:
    link = send(shop.product, shop.article, external_user=shop.customer)
    reader = shop.reader().open(f"/v/{link.token}")
    assert reader.say("/v/forget", {"p": reader.passed}).status_code == 204
    assert figures(shop).opens == 0
    assert reader.beat(10, 10) == 204
    text = reader.fetch(f"/v/{link.token}")
    assert reader.ticket == ""
    assert "不记录本次阅读" in text
    page = reader.fetch("/v/privacy")
    token = re.search(r'name="csrf_token" value="([^"]+)"', page).group(1)
    assert reader.browser.post("/v/objection", data={"record": "yes"}).status_code == 400
    reader.browser.post("/v/objection", data={"record": "yes", "csrf_token": token})
    reader.open(f"/v/{link.token}")
    shop.settle()
    assert figures(shop).opens == 1


def test_guessing_is_slowed_down_reading_is_not(shop: Shop) -> None:
    link = send(shop.product, shop.article, external_user=shop.customer)
    guesser = shop.app.test_client()
    answers = [guesser.get(f"/v/{n:022d}").status_code for n in range(35)]
    assert answers[:30] == [404] * 30
    assert answers[-1] == 429
    other = shop.app.test_client()
    assert other.get(f"/v/{link.token}", environ_base={"REMOTE_ADDR": "10.1.1.1"}).status_code == 200


def test_a_colleague_who_looks_does_not_count(shop: Shop) -> None:
    link = send(shop.product, shop.article, external_user=shop.customer)
    client = shop.app.test_client()
    until = shop.product.clock.now().timestamp() + 60
    with client.session_transaction() as kept:
        kept["sidebar"] = {"corp": shop.product.corp, "app": "main", "staff": STAFF, "until": until}
    reader = shop.reader()
    reader.browser = client
    assert "以员工身份预览" in reader.fetch(f"/v/{link.token}")
    assert reader.ticket == ""
