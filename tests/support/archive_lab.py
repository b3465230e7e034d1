"""A chat archive for tests: the local library compiled once, records sealed for real, faults by a file."""

import atexit
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from bot.sandbox.archive_seal import PLACE, ArchiveKey, build_library
from bot.sandbox.server import SandboxServer

SAMPLES = Path(__file__).parents[1] / "fixtures" / "archive" / "messages.jsonl"
FIRST_MS = 1_763_604_000_000 + 365 * 86_400_000  # 2026-11-20, 10:00 in Shanghai
SECRET = "archive-secret"


@lru_cache
def library() -> Path:
    """The compiled library of this test process."""
    folder = Path(tempfile.mkdtemp(prefix="archive-lib-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return build_library(folder)


@lru_cache
def key_pair(version: int) -> ArchiveKey:
    """One key per version and test process: making one takes a tenth of a second."""
    return ArchiveKey(version)


def samples() -> list[dict[str, Any]]:
    """One message of every type, written for these tests."""
    return [json.loads(line) for line in SAMPLES.read_text("utf-8").splitlines()]


def text_message(number: int, words: str = "", *, at_ms: int = 0, **more: Any) -> dict[str, Any]:
    """A customer's text to a member."""
    return {
        "msgid": f"{number}_{FIRST_MS // 1000}_external",
        "action": "send",
        "from": "wm_xiao",
        "tolist": ["zhang"],
        "roomid": "",
        "msgtime": at_ms or FIRST_MS + number,
        "msgtype": "text",
        "text": {"content": words or f"第{number}句"},
        **more,
    }


@dataclass
class ArchiveLab:
    """Records in a file, as the local library reads them."""

    folder: Path
    seq: int = 0
    versions: set[int] = field(default_factory=set)

    @property
    def records(self) -> Path:
        return self.folder / "records"

    @property
    def keys(self) -> Path:
        return self.folder / "keys"

    @property
    def place(self) -> str:
        return f"file:{self.records}"

    def give_key(self, version: int) -> None:
        """Put the private key where the product looks."""
        self.keys.mkdir(exist_ok=True)
        (self.keys / f"{version}.pem").write_text(key_pair(version).private_pem)

    def add(self, *messages: Mapping[str, Any], version: int = 1, skip: int = 0) -> list[int]:
        """Seal messages; skip: seqs left out before the first."""
        self.seq += skip
        lines = []
        for message in messages:
            self.seq += 1
            lines.append(key_pair(version).seal(self.seq, message))
        self.add_raw(lines)
        return [line["seq"] for line in lines]

    def add_raw(self, rows: Sequence[Mapping[str, Any]]) -> None:
        with self.records.open("a") as file:
            file.writelines(json.dumps(row, separators=(",", ":")) + "\n" for row in rows)
        self.seq = max(self.seq, *(row["seq"] for row in rows))

    def add_file(self, file_id: str, content: bytes) -> None:
        (self.folder / "records.media").mkdir(exist_ok=True)
        (self.folder / "records.media" / file_id).write_bytes(content)

    def order(self, fault: str) -> None:
        """crash | crash_once | hang | eat | code N | errcode N | crash_in_decrypt WORD; "" for none."""
        order = self.folder / "records.fault"
        if fault:
            order.write_text(fault + "\n")
        else:
            order.unlink(missing_ok=True)


@contextmanager
def archive_lab(folder: Path, monkeypatch: Any) -> Iterator[ArchiveLab]:
    """A lab that the library finds, with key 1."""
    lab = ArchiveLab(folder)
    lab.records.touch()
    lab.give_key(1)
    monkeypatch.setenv(PLACE, lab.place)
    yield lab


def wecom_archive(wecom: SandboxServer, folder: Path) -> dict[str, Any]:
    """The corp's ``archive`` part for a house that reads the archive of a local WeCom opened with one."""
    archive = wecom.world.corps[wecom.corp_id].archive
    assert archive is not None
    (folder / "keys").mkdir(exist_ok=True)
    (folder / "keys" / f"{archive.key.version}.pem").write_text(archive.key.private_pem)
    return {"app": "archive", "library": str(library()), "keys_folder": str(folder / "keys"), "processes": 1}


def archive_config(lab: ArchiveLab, **changes: Any) -> dict[str, Any]:
    """The corp's ``archive`` part for a house that reads this lab."""
    return {
        "app": "archive",
        "library": str(library()),
        "keys_folder": str(lab.keys),
        "processes": 1,
        "tick_seconds": 3600,
        **changes,
    }
