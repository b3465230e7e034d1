"""The chat archive through the whole house: pulled from the compiled library, stored once, troubles named."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bot.sandbox.server import SandboxServer
from crm_core.chat import archive_book, archive_media, consents
from crm_core.chat.archive_book import FINE, TROUBLED
from crm_core.chat.archive_media import MediaState
from crm_core.chat.archive_port import Unopened
from crm_core.chat.model import ConversationKind, PartyKind, StoredMessage
from tests.support.archive_lab import (
    FIRST_MS,
    ArchiveLab,
    archive_config,
    archive_lab,
    key_pair,
    samples,
    text_message,
)
from tests.support.product import InProcess, in_process

RSA_BLOCK = 344  # base64 letters of 256 bytes


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ArchiveLab]:
    (tmp_path / "lab").mkdir()
    with archive_lab(tmp_path / "lab", monkeypatch) as made:
        yield made


@pytest.fixture
def product(sandbox: SandboxServer, database_url: str, lab: ArchiveLab) -> Iterator[InProcess]:
    with in_process(sandbox, database_url, archive=archive_config(lab)) as house:
        yield house


def news(product: InProcess) -> None:
    """What msgaudit_notify does, worked off."""
    moment = int(product.clock.now().timestamp())
    product.receive(
        f"<xml><ToUserName><![CDATA[{product.corp}]]></ToUserName><FromUserName><![CDATA[sys]]></FromUserName>"
        f"<CreateTime>{moment}</CreateTime><MsgType><![CDATA[event]]></MsgType><AgentID>2000004</AgentID>"
        "<Event><![CDATA[msgaudit_notify]]></Event></xml>"
    )
    product.clock.advance(seconds=16)
    product.work()


def stored(product: InProcess) -> list[StoredMessage]:
    with product.house.db.reading() as session:
        return product.house.chat.store.read(session, product.corp, 1, 100_000)


def state(product: InProcess) -> archive_book.ArchiveState:
    with product.house.db.reading() as session:
        return archive_book.state(session, product.corp)


def undecided(product: InProcess) -> dict[Unopened, int]:
    with product.house.db.reading() as session:
        return {one.reason: one.count for one in archive_book.undecided(session, product.corp)}


def test_a_notice_brings_the_messages_in_once(product: InProcess, lab: ArchiveLab) -> None:
    lab.add(*samples())
    news(product)
    found = stored(product)
    assert [one.message.kind for one in found] == [one.get("msgtype", "switch") for one in samples()]
    assert found[0].message.text == "你好，沙发多少钱？"
    lab.add(text_message(900, "再来一句"))
    news(product)
    assert [one.message.text for one in stored(product)[len(found) :]] == ["再来一句"]
    assert (state(product).state, state(product).seq) == (FINE, len(samples()) + 1)


def test_ten_thousand_messages_of_all_kinds(product: InProcess, lab: ArchiveLab) -> None:
    kinds = samples()
    lab.add(
        *(
            {**kinds[number % len(kinds)], "msgid": f"{number}_{FIRST_MS}_external", "msgtime": FIRST_MS + number}
            for number in range(10_000)
        )
    )
    news(product)
    found = stored(product)
    assert [one.message.msgid for one in found] == [f"{number}_{FIRST_MS}_external" for number in range(10_000)]
    assert [one.position for one in found] == list(range(1, 10_001))
    assert {one.message.kind for one in found} == {one.get("msgtype", "switch") for one in kinds}
    assert state(product).messages == 10_000


def test_a_missing_key_is_named_and_its_messages_come_when_it_is_there(product: InProcess, lab: ArchiveLab) -> None:
    lab.add(text_message(1))
    lab.add(text_message(2), text_message(3), version=4)
    lab.add(text_message(4))
    news(product)
    assert [one.message.seq for one in stored(product)] == [1, 4]
    with product.house.db.reading() as session:
        (group,) = archive_book.undecided(session, product.corp)
    assert (group.version, group.reason, group.count, group.first_seq) == (4, Unopened.KEY_MISSING, 2, 2)
    assert state(product).seq == 4
    lab.give_key(4)
    news(product)
    assert [one.message.seq for one in stored(product)] == [1, 4, 2, 3]
    assert undecided(product) == {}


def test_damaged_records_are_kept_and_the_rest_goes_on(product: InProcess, lab: ArchiveLab) -> None:
    lab.add(text_message(1))
    good = json.loads(lab.records.read_text())
    foreign = key_pair(9).seal(2, text_message(2))
    lab.add_raw(
        [
            {**foreign, "publickey_ver": 1},
            {**good, "seq": 3, "encrypt_random_key": "A" * RSA_BLOCK},
            {**good, "seq": 4, "encrypt_chat_msg": good["encrypt_chat_msg"][:24] + "A" * 40},
        ]
    )
    lab.add(text_message(5))
    news(product)
    assert [one.message.seq for one in stored(product)] == [1, 5]
    assert sum(undecided(product).values()) == 3
    assert state(product).state == FINE
    with product.house.db.unit() as uow:
        assert archive_book.forget_tries(uow, product.corp, actor="admin") == 3
        uow.commit()
    news(product)
    assert sum(undecided(product).values()) == 3


def test_left_out_seqs_are_named(product: InProcess, lab: ArchiveLab) -> None:
    lab.add(text_message(1), skip=100)
    lab.add(text_message(2), skip=2)
    news(product)
    lab.add(text_message(3), skip=1)
    news(product)
    with product.house.db.reading() as session:
        assert [(gap.first_seq, gap.last_seq) for gap in archive_book.gaps(session, product.corp)] == [
            (105, 105),
            (102, 103),
        ]
        assert archive_book.missing_seqs(session, product.corp) == 3


@pytest.mark.parametrize("order", ["crash", "code 10009", "errcode 301052"])
def test_trouble_is_a_state_and_passes_by_itself(product: InProcess, lab: ArchiveLab, order: str) -> None:
    lab.add(text_message(1))
    lab.order(order)
    news(product)
    seen = state(product)
    assert seen.state == TROUBLED
    assert seen.says
    assert seen.not_before is not None
    lab.order("")
    product.clock.advance(minutes=1)
    news(product)
    assert state(product).state == FINE
    assert len(stored(product)) == 1


def test_one_crash_is_not_even_noticed(product: InProcess, lab: ArchiveLab) -> None:
    lab.add(text_message(1))
    lab.order("crash_once")
    news(product)
    assert state(product).state == FINE
    assert state(product).health["restarts"] == 1
    assert len(stored(product)) == 1


def test_staff_whose_id_looks_like_a_customers_is_staff(product: InProcess, lab: ArchiveLab) -> None:
    from crm_core import staff
    from crm_core.ports import StaffFacts

    with product.house.db.unit() as uow:
        staff.apply_staff(uow, product.corp, StaffFacts(userid="wmei", name="王梅"))  # type: ignore[arg-type]
        uow.commit()
    lab.add(text_message(1, **{"from": "wmei", "tolist": ["wm_xiao"]}))
    news(product)
    message = stored(product)[0].message
    assert (message.sender.kind, message.conversation.staff) == (PartyKind.STAFF, "wmei")
    assert message.conversation.kind is ConversationKind.SINGLE
    assert message.conversation.external_user == "wm_xiao"


def test_consents_are_recorded_per_customer(product: InProcess, lab: ArchiveLab) -> None:
    lab.add(*samples())
    news(product)
    with product.house.db.reading() as session:
        (agreed,) = consents.of_customer(session, product.corp, "wm_xiao")
        (refused,) = consents.of_customer(session, product.corp, "wm_wang")
    assert (agreed.staff, agreed.status) == ("zhang", consents.Consent.AGREED)
    assert (refused.staff, refused.status) == ("li", consents.Consent.REFUSED)


def file_message(number: int, file_id: str, content: bytes, **more: Any) -> dict[str, Any]:
    import hashlib

    body = {"filename": "a.pdf", "fileext": "pdf", "filesize": len(content), "sdkfileid": file_id}
    body |= {"md5sum": hashlib.md5(content, usedforsecurity=False).hexdigest(), **more}
    return {**text_message(number), "msgtype": "file", "file": body}


def files(product: InProcess, state: MediaState) -> list[archive_media.ArchiveFile]:
    with product.house.db.reading() as session:
        return archive_media.troubled(session, product.corp, state)


def test_files_are_fetched_in_chunks_and_checked(product: InProcess, lab: ArchiveLab) -> None:
    content = bytes(range(256)) * 5000
    lab.add_file("f1", content)
    lab.add_file("f2", b"not what was told")
    lab.add(file_message(1, "f1", content), file_message(2, "f2", b"what was told"), file_message(3, "f3", b"gone"))
    news(product)
    (done,) = files(product, MediaState.DONE)
    with product.house.chat.archive.files.open(done.file_key) as kept:
        assert kept.read() == content
    failed = {one.sdkfileid: one.says for one in files(product, MediaState.FAILED)}
    assert set(failed) == {"f2", "f3"}
    assert "MD5" in failed["f2"]


def test_a_broken_off_download_goes_on_where_it_was(product: InProcess, lab: ArchiveLab) -> None:
    content = bytes(range(256)) * 5000
    lab.add_file("f1", content)
    lab.add(file_message(1, "f1", content))
    archive = product.house.chat.archive.need(product.corp).archive
    asked: list[bytes] = []
    real = archive.media

    def media(file_id: str, index: bytes) -> Any:
        asked.append(index)
        if len(asked) == 2:
            raise RuntimeError("the worker dies")
        return real(file_id, index)

    archive.media = media  # type: ignore[method-assign]
    news(product)
    (loading,) = files(product, MediaState.LOADING)
    assert loading.bytes_done == 512 * 1024
    from tests.support.product import wait_for

    wait_for(lambda: product.work() or files(product, MediaState.DONE), what="the job's own retry")
    wait_for(lambda: product.work() or files(product, MediaState.DONE), what="the file")
    assert [one or b"first" for one in asked] == [b"first", b"524288", b"524288", b"1048576"]
    with product.house.chat.archive.files.open(files(product, MediaState.DONE)[0].file_key) as kept:
        assert kept.read() == content


def test_two_pullers_store_nothing_twice(product: InProcess, lab: ArchiveLab) -> None:
    lab.add(*(text_message(number) for number in range(1, 6)))
    corp, desk = product.corp, product.house.chat.archive
    with product.house.db.unit() as uow:
        assert archive_book.begin(uow, corp, "another.1.1.x") == (0, 0)
        uow.commit()
    desk.pull({"corp": corp}, lambda: None)
    assert stored(product) == []
    product.clock.advance(minutes=3)
    desk.pull({"corp": corp}, lambda: None)
    assert len(stored(product)) == 5


def test_the_doctor_names_what_is_wrong(product: InProcess, lab: ArchiveLab) -> None:
    from bot import archive_doctor
    from bot.doctor import Level
    from bot.wecom.archives import open_archives

    def says() -> dict[str, tuple[Level, str]]:
        archives = open_archives(product.house.settings)
        try:
            found = list(archive_doctor.examining(product.house.db, archives))
        finally:
            for _, archive in archives.values():
                archive.close()
        return {one.check: (one.level, one.says + one.fix) for one in found}

    lab.add(text_message(1), version=3)
    news(product)
    assert says()["会话存档"][0] is Level.OK
    level, words = says()["会话存档私钥"]
    assert level is Level.FAIL
    assert "版本 3" in words
    lab.order("code 10009")
    assert "可信IP地址" in says()["会话存档"][1]
