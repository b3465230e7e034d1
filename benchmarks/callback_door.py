"""Callback door under load: ``python -m benchmarks.callback_door [--seconds 1] [--rounds 2] [--postgres URL]``.

Starts every server as a child process on loopback, drives it with 64 keep-alive clients, in turn and repeatedly, and
prints rates, latencies and the ratios product.md §5 asks for. Then proves that every event answered 200 is in the
table exactly once. Needs about a minute; longer runs are steadier. Exit status 1 when a row is missing or double;
ratios are only reported.
"""

import argparse
import importlib.metadata
import os
import platform
import signal
import socket
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Engine, create_engine, text

from benchmarks.door_load import CLIENTS, AsyncioLoad, Load, WrkLoad, callbacks, has_wrk, scratch_folder, serial_of
from benchmarks.door_servers import APP, remove_sqlite
from bot.tables import InboxRow

PORT = 18_790
PROOF_EVENTS = 1500
MOST_PER_SECOND = 32_000
PACKAGES = ("granian", "uvloop", "flask", "wechatpy", "cryptography", "sqlalchemy", "psycopg")
START_SECONDS = 15
Row = tuple[str, float, float, float]


@dataclass(slots=True)
class Target:
    """One server to measure. ``database``: sqlite, postgres or none."""

    name: str
    app: str
    interface: str
    workers: int = 1
    threads: int = 1
    database: str = ""
    path: str = f"/callback/{APP}"
    loads: list[Load] = field(default_factory=list)

    @property
    def rate(self) -> float:
        return statistics.median(load.rate for load in self.loads)

    @property
    def p50_ms(self) -> float:
        return statistics.median(load.p50_ms for load in self.loads)

    @property
    def p99_ms(self) -> float:
        return statistics.median(load.p99_ms for load in self.loads)


def targets(postgres: str | None) -> list[Target]:
    """What is compared, in the order it runs."""
    every = [
        Target("do-nothing Flask, WSGI, 1 worker", "do_nothing", "wsgi"),
        Target("do-nothing Flask, WSGI, 2 workers", "do_nothing", "wsgi", workers=2),
        Target("do-nothing Flask behind our gate", "door", "rsgi", database="sqlite", path=f"/nothing/{APP}"),
        Target("plain wechatpy + Flask, 1 thread", "plain", "wsgi", database="sqlite"),
        Target("plain wechatpy + Flask, 16 threads", "plain", "wsgi", threads=16, database="sqlite"),
        Target("door, SQLite, 1 worker", "door", "rsgi", database="sqlite"),
        Target("door, SQLite, 2 workers", "door", "rsgi", workers=2, database="sqlite"),
    ]
    if postgres is not None:
        every += [
            Target("door, PostgreSQL, 1 worker", "door", "rsgi", database="postgres"),
            Target("door, PostgreSQL, 2 workers", "door", "rsgi", workers=2, database="postgres"),
        ]
    return every


class Bench:
    """Databases, servers and the checks around one run."""

    def __init__(self, folder: Path, postgres: str | None, seconds: int) -> None:
        self.folder = folder
        self.postgres = postgres
        self.seconds = seconds
        self.sqlite = f"sqlite:///{folder / 'door.db'}"
        made = callbacks(0, int(MOST_PER_SECOND * seconds) if has_wrk() else 30_000)
        self.generator = WrkLoad(folder, made) if has_wrk() else AsyncioLoad(made)
        self.proof = AsyncioLoad(callbacks(90_000_000, PROOF_EVENTS))

    def url(self, target: Target) -> str:
        return self.postgres if target.database == "postgres" and self.postgres else self.sqlite

    @contextmanager
    def fresh_table(self, target: Target) -> Iterator[Engine]:
        """An empty inbox."""
        if target.database != "postgres":
            remove_sqlite(self.folder / "door.db")
            with sqlite3.connect(self.folder / "door.db") as connection:
                connection.execute("PRAGMA journal_mode=WAL")
        engine = create_engine(self.url(target))
        table = InboxRow.metadata.tables["inbox"]
        table.drop(engine, checkfirst=True)
        table.create(engine)
        try:
            yield engine
        finally:
            if target.database == "postgres":
                table.drop(engine)
            engine.dispose()

    def measure(self, target: Target) -> list[str]:
        """One turn of one target. Answers what is wrong with the table, if anything."""
        with self.fresh_table(target) as engine:
            with serving(target, self.url(target)):
                proof = self.proof.run(PORT, target.path, self.seconds)  # warms the server up as well
                load = self.generator.run(PORT, target.path, self.seconds)
                target.loads.append(load)
            return faults(engine, load, proof) if target.name.startswith("door") else []


@contextmanager
def serving(target: Target, url: str) -> Iterator[int]:
    """granian as a child process until the block ends; yields its process id."""
    command = [sys.executable, "-m", "granian", "--host", "127.0.0.1", "--port", str(PORT), "--log-level", "error"]
    command += ["--interface", target.interface, "--factory", "--no-ws", "--workers", str(target.workers)]
    command += ["--workers-kill-timeout", "5"]
    if target.interface == "wsgi":
        command += ["--blocking-threads", str(target.threads)]
    else:
        command += ["--runtime-mode", "mt" if target.workers == 1 else "st"]
    process = subprocess.Popen(
        [*command, f"benchmarks.door_servers:{target.app}"], env={**os.environ, "DOOR_DATABASE": url}
    )
    try:
        wait_for_port()
        time.sleep(0.2)  # the second worker may still be on its way
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(START_SECONDS)


def wait_for_port() -> None:
    """Raises: TimeoutError when no server listens in time."""
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", PORT)) == 0:
                return
        time.sleep(0.05)
    raise TimeoutError("the server did not start")


def faults(engine: Engine, load: Load, proof: Load) -> list[str]:
    """Compare the table with what the clients were told."""
    with engine.connect() as connection:
        serials = [serial_of(bytes(row[0])) for row in connection.execute(text("SELECT body FROM inbox"))]
    first_proof = 90_000_000
    under_load = [serial for serial in serials if serial < first_proof]
    kept = {serial - first_proof for serial in serials if serial >= first_proof}
    found = []
    if len(serials) != len(set(serials)):
        found.append(f"{len(serials) - len(set(serials))} events stored twice")
    if lost := set(proof.stored_serials) - kept:
        found.append(f"{len(lost)} events answered 200 but not stored")
    if len(under_load) < min(load.answered - load.failed, load.issued) or load.issued - len(under_load) > CLIENTS:
        found.append(f"{load.answered} answered, {load.issued} sent, but {len(under_load)} stored under load")
    if load.failed or proof.failed:
        found.append(f"{load.failed + proof.failed} answers were not 200")
    return found


def print_machine() -> None:
    model = platform.processor()
    if (info := Path("/proc/cpuinfo")).exists():
        model = next((line.split(":")[1].strip() for line in info.read_text().splitlines() if "model name" in line), "")
    print(f"machine   {platform.system()} {platform.release()}, {os.cpu_count()} CPUs, {model}")
    versions = [f"{name} {importlib.metadata.version(name)}" for name in PACKAGES if has_package(name)]
    print(f"versions  Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {', '.join(versions)}")


def has_package(name: str) -> bool:
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def print_report(every: list[Target]) -> None:
    by_name = {target.name: target for target in every}
    one, two = (by_name[f"do-nothing Flask, WSGI, {count}"] for count in ("1 worker", "2 workers"))
    behind = by_name["do-nothing Flask behind our gate"]
    plain = max((target for target in every if target.app == "plain"), key=lambda target: target.rate)
    print(f"\n{'server':38s}{'req/s':>8s}{'p50 ms':>9s}{'p99 ms':>9s}   rounds")
    for target in every:
        rounds = " ".join(f"{load.rate:.0f}" for load in target.loads)
        print(f"{target.name:38s}{target.rate:8.0f}{target.p50_ms:9.2f}{target.p99_ms:9.2f}   {rounds}")
    print(f"\nratios, median of the rounds (plain = {plain.name}, the faster of the two)")
    print(f"{'door':32s}{'x Flask':>9s}{'goal':>7s}{'x plain':>9s}{'goal':>7s}{'p99 x plain':>13s}{'goal':>7s}")
    for target in (target for target in every if target.name.startswith("door")):
        yardsticks = [one, behind, *([two] if target.workers > 1 else [])]
        flask = min(ratio(target, yardstick) for yardstick in yardsticks)
        latency = statistics.median(a.p99_ms / b.p99_ms for a, b in zip(target.loads, plain.loads, strict=True))
        speed = f"{flask:9.2f}{'>=0.7':>7s}{ratio(target, plain):9.2f}{'>=1.5':>7s}"
        print(f"{target.name:32s}{speed}{latency:13.3f}{'<=0.25':>7s}")
    print("x Flask: against the fastest do-nothing Flask with as many workers or fewer, round by round")


def ratio(target: Target, yardstick: Target) -> float:
    """Median over the rounds; each round compares neighbours in time."""
    return statistics.median(a.rate / b.rate for a, b in zip(target.loads, yardstick.loads, strict=True))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=1, help="of load per server and round")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--postgres", default=os.environ.get("SCRM_TEST_POSTGRES"), help="postgresql+psycopg://…")
    parser.add_argument("--only", default="", help="run only targets whose name holds this (no ratios)")
    options = parser.parse_args()
    print_machine()
    if not has_wrk():
        print(
            "NOTE      wrk is not installed: the Python client is the bottleneck, rates are too low (apt install wrk)"
        )
    if options.postgres is None:
        print("NOTE      no PostgreSQL given (--postgres or SCRM_TEST_POSTGRES): only SQLite is measured")
    every = [target for target in targets(options.postgres) if options.only in target.name]
    found: list[str] = []
    with scratch_folder() as folder:
        bench = Bench(Path(folder), options.postgres, options.seconds)
        for _ in range(options.rounds):
            for target in every:
                found += [f"{target.name}: {fault}" for fault in bench.measure(target)]
    if options.only:
        for target in every:
            print(target.name, [f"{load.rate:.0f}/s p99 {load.p99_ms:.1f} ms" for load in target.loads])
    else:
        print_report(every)
    proved = PROOF_EVENTS * options.rounds * sum(target.name.startswith("door") for target in every)
    print(f"\nkept      {'every event answered 200 is in the table exactly once' if not found else 'FAULTS'}", end="")
    print(f" ({proved} checked one by one, the loads by count)" if not found else "")
    for fault in found:
        print(f"  - {fault}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
