"""The local WeCom's msgaudit calls: consents, whose chats are recorded, and who may not ask."""

import pytest

from bot.sandbox import Company
from bot.sandbox.model import ARCHIVE_AGENTID
from tests.sandbox_driver import Driver, running


@pytest.fixture
def w():
    with running(Company.builtin().open_archive()) as driver:
        yield driver


def secret(w: Driver) -> str:
    return w.server.world.corps[w.corp].apps[ARCHIVE_AGENTID].secret


def test_consents_of_pairs(w):
    links = w.server.world.corps[w.corp].by_staff["zhang.san"]
    yes, no, silent = [external for external, follow in links.items() if not follow.left_by_customer][:3]
    w.act("customer_message", userid="zhang.san", external_userid=yes, content="好")
    w.act("archive_consent", userid="zhang.san", external_userid=no, agreed=False)
    pairs = [{"userid": "zhang.san", "exteranalopenid": one} for one in (yes, no, silent)]
    told = w.good("msgaudit/check_single_agree", {"info": pairs}, secret=secret(w))["agreeinfo"]
    assert [one["agree_status"] for one in told] == ["Agree", "Disagree", "Default_Agree"]
    assert w.code("msgaudit/check_single_agree", {"info": pairs * 40}, secret=secret(w)) == 301060
    stranger = [{"userid": "zhang.san", "exteranalopenid": "wm_nobody"}]
    assert w.code("msgaudit/check_single_agree", {"info": stranger}, secret=secret(w)) == 301061


def test_groups_and_members(w):
    corp = w.server.world.corps[w.corp]
    group = next(one for one in corp.groups.values() if not one.dismissed)
    told = w.good("msgaudit/check_room_agree", {"roomid": group.chat_id}, secret=secret(w))["agreeinfo"]
    assert {one["exteranalopenid"] for one in told} == {one.id for one in group.members.values() if one.kind == 2}
    assert "zhang.san" in w.good("msgaudit/get_permit_user_list", {}, secret=secret(w))["ids"]
    assert w.code("msgaudit/groupchat/get", {"roomid": "wr_unknown"}, secret=secret(w)) == 301059


def test_only_the_archives_secret_may_ask(w):
    assert w.code("msgaudit/get_permit_user_list", {}) == 48002
    assert w.code("externalcontact/get_follow_user_list", secret=secret(w)) == 48002
