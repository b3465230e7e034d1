"""Chats typed at the local WeCom come through its encrypted archive into the product, with and without a compiler."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.sandbox.archive_seal import PLACE
from bot.sandbox.company import Company
from bot.sandbox.model import ARCHIVE_AGENTID, Media
from bot.sandbox.server import SandboxServer
from crm_core.chat import archive_book, archive_media, consents
from crm_core.chat.archive_media import MediaState
from crm_core.chat.model import ConversationKind, PartyKind, StoredMessage
from tests.support.archive_lab import wecom_archive
from tests.support.product import InProcess, admin, in_process


@pytest.fixture
def wecom(monkeypatch: pytest.MonkeyPatch) -> Iterator[SandboxServer]:
    server = SandboxServer(Company.builtin().open_archive())
    with server:
        monkeypatch.setenv(PLACE, server.url)
        yield server


@pytest.fixture(params=["library", "local_wecom"])
def product(
    request: pytest.FixtureRequest, wecom: SandboxServer, database_url: str, tmp_path: Path
) -> Iterator[InProcess]:
    part = wecom_archive(wecom, tmp_path) | {"source": request.param}
    with in_process(wecom, database_url, archive=part) as house:
        yield house


def pair(wecom: SandboxServer) -> dict[str, str]:
    corp = wecom.world.corps[wecom.corp_id]
    links = corp.by_staff["zhang.san"]
    return {"userid": "zhang.san", "external_userid": next(e for e, f in links.items() if not f.left_by_customer)}


def pull(product: InProcess) -> list[StoredMessage]:
    product.clock.advance(seconds=1)
    with product.house.db.unit() as uow:
        archive_book.ask(uow, product.corp, uow.now().isoformat(), actor="test")
        uow.commit()
    product.work()
    with product.house.db.reading() as session:
        return product.house.chat.store.read(session, product.corp, 1, 1000)


def test_what_people_say_arrives(product: InProcess, wecom: SandboxServer) -> None:
    both = pair(wecom)
    admin(wecom, "customer_message", {**both, "content": "沙发多少钱？"})
    admin(wecom, "staff_message", {**both, "content": "3680 元"})
    corp = wecom.world.corps[wecom.corp_id]
    group = next(one for one in corp.groups.values() if not one.dismissed)
    admin(wecom, "staff_message", {"chat_id": group.chat_id, "userid": group.owner, "content": "大家好"})
    agreed, asked, answered, greeted = (one.message for one in pull(product))
    assert agreed.kind == "agree"
    assert (asked.text, asked.sender.kind, answered.text) == ("沙发多少钱？", PartyKind.CUSTOMER, "3680 元")
    assert asked.conversation.staff == "zhang.san"
    assert asked.conversation.external_user == both["external_userid"]
    assert (greeted.conversation.kind, greeted.conversation.chat) == (ConversationKind.GROUP, group.chat_id)
    with product.house.db.reading() as session:
        (given,) = consents.of_customer(session, product.corp, both["external_userid"])
    assert (given.staff, given.status) == ("zhang.san", consents.Consent.AGREED)


def test_files_come_along(product: InProcess, wecom: SandboxServer) -> None:
    content = bytes(range(256)) * 3000
    corp = wecom.world.corps[wecom.corp_id]
    corp.media["m1"] = Media("m1", "file", "报价.xlsx", content, wecom.world.clock.now())
    admin(wecom, "staff_message", {**pair(wecom), "msgtype": "file", "file": {"media_id": "m1"}})
    (message,) = pull(product)
    assert message.message.text == "报价"
    with product.house.db.reading() as session:
        (file,) = archive_media.troubled(session, product.corp, MediaState.DONE)
    assert file.filename == "报价.xlsx"
    with product.house.chat.archive.files.open(file.file_key) as kept:
        assert kept.read() == content


def test_a_wrong_secret_and_a_wrong_address_are_told(product: InProcess, wecom: SandboxServer) -> None:
    app = wecom.world.corps[wecom.corp_id].apps[ARCHIVE_AGENTID]
    app.trusted_ips = ["203.0.113.9"]
    pull(product)
    with product.house.db.reading() as session:
        assert archive_book.state(session, product.corp).code_seen == 301042
    app.trusted_ips, app.secret = None, "another"
    pull(product)
    with product.house.db.reading() as session:
        assert archive_book.state(session, product.corp).code_seen == 40001


def test_the_callback_tells_of_news_at_most_now_and_then(wecom: SandboxServer) -> None:
    both = pair(wecom)
    for words in ("一", "二", "三"):
        admin(wecom, "customer_message", {**both, "content": words})
    told = [one for one in wecom.world.callback_log if one.event == "msgaudit_notify"]
    assert len(told) == 1
    assert "<AgentID>2000004</AgentID>" in told[0].xml
