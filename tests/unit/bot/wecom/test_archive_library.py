"""The archive process: the compiled library through ctypes, its crashes, hangs and appetite."""

import ctypes
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bot.wecom.archive import LibraryArchive
from bot.wecom.archive_keys import KeyRing
from bot.wecom.archive_runner import ArchiveRunner
from bot.wecom.archive_sdk import FinanceSdk, LibraryMissing, SdkRefused
from crm_core.chat.archive_port import ArchiveTrouble, ArchiveUnavailable, Unopened
from crm_core.config_archive import ArchivePart
from tests.support.archive_lab import SECRET, ArchiveLab, archive_lab, library, samples, text_message


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ArchiveLab]:
    with archive_lab(tmp_path, monkeypatch) as made:
        yield made


@pytest.fixture
def archive(lab: ArchiveLab) -> Iterator[LibraryArchive]:
    made = archive_of(lab)
    yield made
    made.close()


def archive_of(lab: ArchiveLab, **changes: Any) -> LibraryArchive:
    part = {"app": "archive", "library": str(library()), "processes": 1, **changes}
    return LibraryArchive("ww_corp", ArchivePart(**part), SECRET, KeyRing(str(lab.keys), "archive", {}))


def test_every_kind_of_message_comes_out_as_it_went_in(lab: ArchiveLab, archive: LibraryArchive) -> None:
    lab.add(*samples())
    opened = archive.open(archive.pull(0, 1000))
    assert [json.loads(one.text) for one in opened] == samples()
    assert [one.record.seq for one in opened] == list(range(1, len(samples()) + 1))


def test_pages_go_on_after_a_seq(lab: ArchiveLab, archive: LibraryArchive) -> None:
    lab.add(*(text_message(number) for number in range(1, 8)))
    assert [one.seq for one in archive.pull(0, 3)] == [1, 2, 3]
    assert [one.seq for one in archive.pull(3, 3)] == [4, 5, 6]
    assert [one.seq for one in archive.pull(1, 3)] == [2, 3, 4]
    assert archive.pull(7, 3) == []


def test_slices_are_freed_once(lab: ArchiveLab) -> None:
    lab.add(*(text_message(number) for number in range(1, 4)))
    lab.add_file("f1", b"x" * 10)
    sdk = FinanceSdk(str(library()), "ww_corp", SECRET, proxy="", password="", timeout_seconds=5)
    try:
        sdk.pull(0, 10)
        with pytest.raises(SdkRefused):
            sdk.decrypt(b"no key", b"no message")
        sdk.media("f1", b"")
        with pytest.raises(SdkRefused):
            sdk.media("missing", b"")
    finally:
        sdk.close()
    assert ctypes.CDLL(str(library())).LivingSlices() == 0


def test_media_come_in_chunks_with_nul_bytes(lab: ArchiveLab, archive: LibraryArchive) -> None:
    content = bytes(range(256)) * 4096 + b"\x00end"  # 1 MB and a bit
    lab.add_file("f1", content)
    got, index, parts, last = b"", b"", 0, False
    while not last:
        part = archive.media("f1", index)
        got, index, last, parts = got + part.data, part.index, part.is_last, parts + 1
    assert (got, parts) == (content, 3)
    with pytest.raises(ArchiveUnavailable) as caught:
        archive.media("missing", b"")
    assert caught.value.code_seen == 10005


@pytest.mark.parametrize(
    ("order", "trouble", "code"),
    [
        ("crash", ArchiveTrouble.CRASHED, None),
        ("eat", ArchiveTrouble.CRASHED, None),
        ("code 10009", ArchiveTrouble.REFUSED, 10009),
        ("errcode 301042", ArchiveTrouble.REFUSED, 301042),
    ],
)
def test_what_goes_wrong_in_the_library_is_an_answer(
    lab: ArchiveLab, order: str, trouble: ArchiveTrouble, code: int | None
) -> None:
    archive = archive_of(lab, memory_mb=512)
    try:
        lab.add(text_message(1))
        lab.order(order)
        with pytest.raises(ArchiveUnavailable) as caught:
            archive.pull(0, 10)
        assert (caught.value.trouble, caught.value.code_seen) == (trouble, code)
        lab.order("")
        assert [one.seq for one in archive.pull(0, 10)] == [1]
        if trouble is ArchiveTrouble.CRASHED:
            assert archive.health().last_end in {"SIGSEGV", "SIGILL", "SIGABRT"}
            assert archive.health().restarts == 1
    finally:
        archive.close()


def test_a_hanging_library_is_ended(lab: ArchiveLab, archive: LibraryArchive, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.add(text_message(1))
    archive.pull(0, 1)
    first = archive.health().pid
    lab.order("hang")
    monkeypatch.setattr(LibraryArchive, "_patience", lambda _self: 0.3)
    with pytest.raises(ArchiveUnavailable) as caught:
        archive.pull(0, 10)
    assert caught.value.trouble is ArchiveTrouble.TIMEOUT
    assert not Path(f"/proc/{first}").exists()


def test_the_one_record_that_kills_the_library_stands_alone(lab: ArchiveLab, archive: LibraryArchive) -> None:
    lab.add(*(text_message(number, "毒" if number == 5 else "好") for number in range(1, 9)))
    lab.order("crash_in_decrypt 毒")
    opened = archive.open(archive.pull(0, 10))
    assert [one.record.seq for one in opened] == list(range(1, 9))
    assert {one.record.seq: one.fault for one in opened if one.fault} == {5: Unopened.CRASHES}


def test_bad_records_do_not_hold_up_good_ones(lab: ArchiveLab, archive: LibraryArchive) -> None:
    lab.add(text_message(1))
    lab.add(text_message(2), version=2)
    good = json.loads(lab.records.read_text().splitlines()[0])
    lab.add_raw(
        [
            {**good, "seq": 3, "encrypt_random_key": "AAAA"},
            {**good, "seq": 4, "encrypt_random_key": "no base64 ä"},
            {**good, "seq": 5, "encrypt_chat_msg": good["encrypt_chat_msg"][:40] + "A" * 80},
            {**good, "seq": 6, "encrypt_chat_msg": ""},
        ]
    )
    lab.add(text_message(7))
    faults = [one.fault for one in archive.open(archive.pull(0, 10))]
    wrong = {Unopened.BAD_BLOCK, Unopened.BAD_CONTENT}
    assert faults[:2] == [None, Unopened.KEY_MISSING]
    assert faults[2:4] == [Unopened.BAD_BLOCK] * 2
    assert set(faults[5:6]) <= wrong
    assert faults[6] is None
    lab.give_key(2)
    assert archive.open(archive.pull(1, 1))[0].fault is None


def test_a_library_that_is_none_is_named(lab: ArchiveLab) -> None:
    archive = archive_of(lab, library="/nowhere/libWeWorkFinanceSdk_C.so")
    try:
        with pytest.raises(ArchiveUnavailable) as caught:
            archive.pull(0, 1)
        assert caught.value.trouble is ArchiveTrouble.LIBRARY_MISSING
    finally:
        archive.close()
    with pytest.raises(LibraryMissing):
        FinanceSdk("libc.so.6", "c", "s", proxy="", password="", timeout_seconds=1)


def test_two_processes_keep_the_order(lab: ArchiveLab) -> None:
    archive = archive_of(lab, processes=2)
    try:
        lab.add(*(text_message(number) for number in range(1, 301)))
        opened = archive.open(archive.pull(0, 1000))
        assert [json.loads(one.text)["msgid"].split("_")[0] for one in opened] == [str(n) for n in range(1, 301)]
    finally:
        archive.close()


def test_the_process_ends_with_the_house(lab: ArchiveLab, archive: LibraryArchive) -> None:
    archive.pull(0, 1)
    pid = archive.health().pid
    runner: ArchiveRunner = archive._crew[0]
    runner._child.stdin.close()  # type: ignore[union-attr]
    until = time.monotonic() + 10
    while archive.health().pid and time.monotonic() < until:
        time.sleep(0.02)
    assert pid
    assert not archive.health().pid
