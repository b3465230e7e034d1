"""The chat archive at volume: pulled through the compiled library, decrypted, stored, read by every reader.

``python -m benchmarks.archive_ingest [--messages 100000] [--backend sqlite|postgres] [--workers 2] [--kill 0]``

Records are sealed for real (RSA-2048, a random key each). Real worker processes pull and read; with ``--kill N`` they are
killed (SIGKILL) N times on the way. Afterwards every message must be there once and every reader's job be done.
Texts come from the shared chats when they are there, else from a few sentences of our own.
"""

import argparse
import json
import os
import platform
import random
import tempfile
import time
from contextlib import ExitStack
from itertools import cycle, islice
from pathlib import Path

from sqlalchemy import Engine, create_engine, text

from benchmarks.shared_data import chat_messages
from bot.sandbox.archive_seal import PLACE
from bot.wiring import build
from crm_core.chat import archive_book
from crm_core.config import load_settings
from crm_core.ids import CorpId
from tests.support import databases
from tests.support.archive_lab import FIRST_MS, ArchiveLab, archive_config, key_pair, samples
from tests.support.product import Processes, local_wecom, processes, wait_for

OWN = (
    "这款沙发多少钱",
    "今天可以送货吗",
    "好的谢谢",
    "我想退货",
    "在吗",
    "麻烦发一下地址",
    "价格还能再便宜一点吗",
    "收到",
)
OTHER_KINDS = 10  # every tenth message is of another type than text
GENERATE_AT_ONCE = 5000
PATIENCE_SECONDS = 3600


def texts() -> list[str]:
    """What people write."""
    return chat_messages() or list(OWN)


def fill(lab: ArchiveLab, count: int) -> float:
    """Seal ``count`` messages into the lab; answers the seconds it took."""
    began = time.monotonic()
    words, others = cycle(texts()), cycle(one for one in samples() if one.get("msgtype") not in {"agree", "disagree"})
    numbers = iter(range(1, count + 1))
    seal = key_pair(1).seal
    while some := list(islice(numbers, GENERATE_AT_ONCE)):
        rows = []
        for number in some:
            base = {"msgid": f"{number}_{FIRST_MS // 1000}_external", "msgtime": FIRST_MS + number * 100}
            if number % OTHER_KINDS == 0:
                message = {**next(others), **base}
            else:
                customer, staff = f"wm_{number % 5000:06d}", f"staff{number % 50}"
                said_by = (customer, [staff]) if number % 3 else (staff, [customer])
                message = {**base, "action": "send", "from": said_by[0], "tolist": said_by[1], "roomid": ""}
                message |= {"msgtype": "text", "text": {"content": next(words)}}
            rows.append(seal(number, message))
        with lab.records.open("a") as file:
            file.writelines(json.dumps(row, separators=(",", ":")) + "\n" for row in rows)
    return time.monotonic() - began


def figures(engine: Engine) -> tuple[int, int, int]:
    """Cursor, open jobs of readers, dead jobs."""
    with engine.connect() as connection:
        seq = connection.execute(text("SELECT max(seq) FROM archive_cursors")).scalar() or 0
        jobs = "SELECT count(*) FROM jobs WHERE kind = 'chat.read' AND state "
        waiting = connection.execute(text(jobs + "NOT IN ('done', 'dead')")).scalar() or 0
        dead = connection.execute(text(jobs + "= 'dead'")).scalar() or 0
    return int(seq), int(waiting), int(dead)


def ask(crew: Processes, corp: str, turn: int) -> list[str]:
    """Have the archive pulled; answers the names of the readers."""
    previous = dict(os.environ)
    os.environ.update(crew.environment)
    try:
        house = build(load_settings(crew.folder / "config.yaml"))
    finally:
        os.environ.clear()
        os.environ.update(previous)
    with house.db.unit() as uow:
        archive_book.ask(uow, CorpId(corp), f"benchmark:{turn}", actor="benchmark")
        uow.commit()
    readers = list(house.chat.store.readers)
    house.close()
    return readers


def measure(crew: Processes, corp: str, engine: Engine, count: int, workers: int, kills: int) -> None:
    """Let workers run until everything is read, killing them now and then."""
    names = [f"worker{number}" for number in range(workers)]
    marks = sorted(random.Random(20261122).sample(range(1, count), kills))
    readers = ask(crew, corp, 0)
    for name in names:
        crew.start(name, "worker")
    wait_for(lambda: figures(engine)[0] > 0, seconds=60, what=f"the first page\n{crew.logs()}")
    first, began = figures(engine)[0], time.monotonic()
    for turn, mark in enumerate(marks, 1):
        wait_for(lambda mark=mark: figures(engine)[0] >= mark, seconds=PATIENCE_SECONDS, what="a kill")
        for name in names:
            crew.kill(name)
        ask(crew, corp, turn)
        for name in names:
            crew.start(name, "worker")
    wait_for(lambda: figures(engine)[0] >= count, seconds=PATIENCE_SECONDS, what="the archive")
    stored = time.monotonic() - began
    print(f"pulled, decrypted, stored   {(count - first) / stored:8.0f} messages/s   {stored:6.1f} s")
    wait_for(lambda: figures(engine)[1] == 0, seconds=PATIENCE_SECONDS, what="the readers")
    whole = time.monotonic() - began
    print(
        f"whole house with readers    {(count - first) / whole:8.0f} messages/s   {whole:6.1f} s   {readers or 'no reader'}"
    )
    verify(engine, count, kills)


def verify(engine: Engine, count: int, kills: int) -> None:
    """No message twice, none missing."""
    with engine.connect() as connection:
        rows, different, low, high = connection.execute(
            text("SELECT count(*), count(DISTINCT msgid), min(position), max(position) FROM chat_messages")
        ).one()
        unopened = connection.execute(text("SELECT count(*) FROM archive_undecided")).scalar()
    dead = figures(engine)[2]
    print(f"stored {rows}, different {different}, positions {low}–{high}, unopened {unopened}, dead reader jobs {dead}")
    right = (rows, different, low, high, unopened, dead) == (count, count, 1, count, 0, 0)
    print(f"{'OK' if right else 'WRONG'}: every message once after {kills} kills")
    if not right:
        raise SystemExit(1)


def main() -> None:
    """Seal, pull, read, verify."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--backend", choices=["sqlite", "postgres"], default="sqlite")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--processes", type=int, default=2, help="archive processes of the pulling worker")
    parser.add_argument("--kill", type=int, default=0)
    given = parser.parse_args()
    print(
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, {given.backend}, {given.workers} workers"
    )
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        lab = ArchiveLab(folder)
        lab.give_key(1)
        seconds = fill(lab, given.messages)
        size = lab.records.stat().st_size >> 20
        print(f"sealed {given.messages} messages in {seconds:.0f} s ({size} MB)")
        os.environ[PLACE] = lab.place
        if given.backend == "postgres":
            url = stack.enter_context(databases.postgres_clone(stack.enter_context(databases.postgres_template())))
        else:
            url = databases.sqlite_url(folder)
        wecom = stack.enter_context(local_wecom())
        part = archive_config(lab, processes=given.processes, media=False, page=1000, live_hours=1)
        crew = stack.enter_context(processes(wecom, folder, url, archive=part))
        engine = create_engine(url)
        stack.callback(engine.dispose)
        measure(crew, wecom.corp_id, engine, given.messages, given.workers, given.kill)


if __name__ == "__main__":
    main()
