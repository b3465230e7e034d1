"""The archive's pages: states with their remedies, acts, consents and files."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.sandbox.server import SandboxServer
from crm_core.chat import archive_book, archive_media
from crm_core.chat.archive_media import MediaState
from crm_core.roles import Role
from tests.console_system_house import ConsoleHouse, furnished
from tests.support.archive_lab import ArchiveLab, archive_config, archive_lab, samples, text_message
from tests.support.product import in_process

PAGE = "/console/archive"


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ArchiveLab]:
    (tmp_path / "lab").mkdir()
    with archive_lab(tmp_path / "lab", monkeypatch) as made:
        yield made


@pytest.fixture
def console(sandbox: SandboxServer, database_url: str, lab: ArchiveLab) -> Iterator[ConsoleHouse]:
    with in_process(sandbox, database_url, archive=archive_config(lab)) as house:
        made = furnished(house)
        made.product.work()
        yield made


def shown(console: ConsoleHouse, path: str = PAGE, role: Role = Role.ADMIN) -> str:
    answer = console.signed_in(role).get(path)
    assert answer.status_code == 200, path
    return answer.get_data(as_text=True)


def act(console: ConsoleHouse, path: str) -> int:
    console.product.clock.advance(seconds=1)
    client = console.signed_in()
    status = client.post(path, headers={"X-CSRFToken": console.token(client)}).status_code
    console.product.work()
    return status


def test_a_corp_without_an_archive_is_told_how_to_get_one(product: object, sandbox: SandboxServer) -> None:
    console = furnished(product)  # type: ignore[arg-type]
    assert "还没有配置会话存档" in shown(console)
    client = console.signed_in()
    assert client.post(f"{PAGE}/pull", headers={"X-CSRFToken": console.token(client)}).status_code == 404


def test_pulling_by_hand_shows_what_came(console: ConsoleHouse, lab: ArchiveLab) -> None:
    assert "还没有拉取" in shown(console)
    lab.add(*samples())
    assert act(console, f"{PAGE}/pull") == 204
    text = shown(console)
    assert f"读到序号 {len(samples())}" in text
    assert "正常" in text


def test_trouble_names_its_remedy_and_a_person_need_not_wait(console: ConsoleHouse, lab: ArchiveLab) -> None:
    lab.add(text_message(1))
    lab.order("errcode 301042")
    act(console, f"{PAGE}/pull")
    text = shown(console)
    assert "不在会话存档的可信 IP 中（301042）" in text
    assert "可信IP地址 加入服务器出口 IP" in text
    lab.order("")
    act(console, f"{PAGE}/pull")
    assert "读到序号 1" in shown(console)


def test_a_crash_is_a_state_of_the_page_and_not_of_the_house(console: ConsoleHouse, lab: ArchiveLab) -> None:
    lab.add(text_message(1))
    lab.order("crash")
    act(console, f"{PAGE}/pull")
    text = shown(console)
    assert "崩溃" in text
    assert "SIGSEGV" in text


def test_missing_keys_and_gaps_are_named(console: ConsoleHouse, lab: ArchiveLab) -> None:
    lab.add(text_message(1))
    lab.add(text_message(2), version=7, skip=3)
    act(console, f"{PAGE}/pull")
    text = shown(console)
    assert "缺少这个版本的私钥" in text
    assert "2 至 4" in text
    assert act(console, f"{PAGE}/gaps") == 204
    assert "2 至 4" not in shown(console)
    assert "确认了会话存档的缺号" in shown(console, "/console/audit")
    lab.give_key(7)
    assert act(console, f"{PAGE}/retry") == 204
    assert "缺少这个版本的私钥" not in shown(console)


def test_consents_of_customers_in_sight(console: ConsoleHouse, lab: ArchiveLab) -> None:
    corp = console.product.wecom.world.corps[console.product.corp]
    userid, external = next((u, e) for u, links in corp.by_staff.items() for e in links)
    agree = {"msgtype": "agree", "agree": {"userid": external, "agree_time": 1_795_000_000_000}}
    lab.add({**text_message(1), **agree, "from": external, "tolist": [userid]})
    act(console, f"{PAGE}/pull")
    name = next(p.name for p in console.product.wecom.world.persons.values() if external in p.external_ids.values())
    assert name in shown(console, f"{PAGE}/consents")
    assert name in shown(console, f"{PAGE}/consents?status=agreed")
    assert name not in shown(console, f"{PAGE}/consents?status=refused")
    assert "客户同意了会话存档" in shown(console, f"/console/customers/{external}")


def test_a_file_is_handed_out_with_an_audit_row(console: ConsoleHouse, lab: ArchiveLab) -> None:
    lab.add_file("f1", b"%PDF inside")
    body = {"filename": "报价", "fileext": "pdf", "filesize": 11, "md5sum": "", "sdkfileid": "f1"}
    lab.add({**text_message(1), "msgtype": "file", "file": body})
    lab.add({**text_message(2), "msgtype": "file", "file": {**body, "sdkfileid": "f2"}})
    act(console, f"{PAGE}/pull")
    with console.product.house.db.reading() as session:
        (done,) = archive_media.troubled(session, console.product.corp, MediaState.DONE)
        (failed,) = archive_media.troubled(session, console.product.corp, MediaState.FAILED)
    assert "报价.pdf" in shown(console, f"{PAGE}/files?state=done")
    answer = console.signed_in().get(f"{PAGE}/files/{done.id}/content")
    assert answer.data == b"%PDF inside"
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert "下载了存档文件" in shown(console, "/console/audit")
    lab.add_file("f2", b"late but there")
    assert act(console, f"{PAGE}/files/{failed.id}/retry") == 204
    assert console.signed_in().get(f"{PAGE}/files/{failed.id}/content").data == b"late but there"


def test_the_state_survives_while_somebody_else_pulls(console: ConsoleHouse) -> None:
    with console.product.house.db.unit() as uow:
        assert archive_book.begin(uow, console.product.corp, "elsewhere.1.1.x") is not None
        uow.commit()
    assert "正在拉取" in shown(console)
