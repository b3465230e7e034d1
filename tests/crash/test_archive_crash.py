"""SIGKILL the puller of the archive between any two pages: no message twice, none missing."""

import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from bot.sandbox.server import SandboxServer
from tests.support.archive_lab import archive_config, archive_lab, text_message
from tests.support.product import processes, wait_for

MESSAGES, PAGE, KILLS = 3000, 50, 4


@pytest.mark.crash
def test_a_killed_puller_loses_and_repeats_nothing(
    sandbox: SandboxServer, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lab").mkdir()
    engine = create_engine(database_url)

    def seq() -> int:
        with engine.connect() as connection:
            return connection.execute(text("SELECT max(seq) FROM archive_cursors")).scalar() or 0

    with (
        archive_lab(tmp_path / "lab", monkeypatch) as lab,
        processes(sandbox, tmp_path, database_url, archive=archive_config(lab, page=PAGE)) as crew,
    ):
        lab.add(*(text_message(number) for number in range(1, MESSAGES + 1)))

        def start(turn: int) -> subprocess.Popen[bytes]:
            command = [sys.executable, "-m", "tests.crash.archive_run", str(tmp_path / "config.yaml"), str(turn)]
            return subprocess.Popen(command, env=crew.environment)

        killed_at = []
        for turn in range(KILLS):
            before = seq()
            puller = start(turn)
            wait_for(lambda: seq() > before or puller.poll() is not None, seconds=60, what="a page")  # noqa: B023
            puller.kill()
            puller.wait()
            killed_at.append(seq())
        assert start(KILLS).wait(90) == 0
        with engine.connect() as connection:
            rows = connection.execute(text("SELECT position, seq FROM chat_messages ORDER BY position")).all()
    engine.dispose()
    assert killed_at[0] < MESSAGES
    assert [tuple(row) for row in rows] == [(number, number) for number in range(1, MESSAGES + 1)]
