"""Mutated callbacks at a running door: ``python -m benchmarks.fuzz_callbacks [--rounds 100000] [--seed 1]``.

Flips, cuts and splices bodies and queries, signs nonsense properly, and speaks broken HTTP. Prints the statuses and
the server's memory before and after. Exit status 1 on any 5xx, on a body in a refusal, or when a good callback that
went out between the bad ones is not in the table.
"""

import argparse
import asyncio
import contextlib
import random
import re
import sqlite3
import sys
import time
from collections import Counter
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import create_engine

from benchmarks.callback_door import PORT, Target, serving
from benchmarks.door_load import plaintext, scratch_folder, serial_of
from benchmarks.door_servers import AES_KEY, APP, CORP, TOKEN
from bot.tables import InboxRow
from bot.wecom.crypto import CallbackCrypto

CLIENTS = 16
GOOD_EVERY = 50
WARM_UP = 2000
ANSWER_SECONDS = 10
Request = tuple[str, str, bytes]
HOSTILE = (
    *(b"<!DOCTYPE x [<!ENTITY a 'b'>]>", b"&a;", b"\0", b"\xff\xfe", b"<![CDATA[", b"]]>", b"</xml>", b"<xml>"),
    *(b"<Encrypt>", b"{", b'{"encrypt":', b"A" * 5000, b"%00", b"<MsgId>1</MsgId>", b"\r\n\r\n", b"[" * 3000),
)
QUERIES = ("", "?", "?&&&=", "?msg_signature", "?nonce=%ff&timestamp=%00", "?a=" + "b" * 5000, "?timestamp=9" * 40)


class Mutator:
    """Makes requests; the seed makes them the same again."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.crypto = CallbackCrypto(TOKEN, AES_KEY, [CORP])

    def good(self, serial: int) -> Request:
        """A genuine callback."""
        return self.signed(self.crypto.seal(plaintext(serial), "1735700000", str(serial)).encrypt.encode(), str(serial))

    def signed(self, encrypted: bytes, nonce: str) -> Request:
        """A properly signed envelope around anything."""
        signature = self.crypto.signature("1735700000", nonce, encrypted.decode("latin-1"))
        path = f"/callback/{APP}?msg_signature={signature}&timestamp=1735700000&nonce={nonce}"
        return "POST", path, b"<xml><Encrypt><![CDATA[" + encrypted + b"]]></Encrypt></xml>"

    def bad(self, serial: int) -> Request:
        """A request that must not be taken."""
        method, path, body = self.good(serial)
        kind = self.random.randrange(6)
        if kind == 0:
            return method, path, self.damaged(body)
        if kind == 1:
            return method, self.damaged_path(path), body
        if kind == 2:
            letters = bytes(self.random.choices(b"ABCabc0129+/=", k=self.random.randrange(400)))
            return self.signed(letters, str(serial))
        if kind == 3:
            return self.signed(self.crypto.seal(b"x", "1", "n", "wwother").encrypt.encode(), str(serial))
        if kind == 4:
            echo = quote(self.damaged(self.crypto.seal(b"echo", "1", "n").encrypt.encode()), safe="")
            return "GET", f"{path}&echostr={echo}", b""
        return self.random.choice(("PUT", "DELETE", "X", "GET")), path, self.damaged(body)

    def damaged(self, body: bytes) -> bytes:
        """The body with one to three faults; never unchanged."""
        changed = bytearray(body)
        for _ in range(self.random.randint(1, 3)):
            at = self.random.randrange(len(changed) or 1)
            fault = self.random.randrange(4)
            if fault == 0 and changed:
                changed[at] ^= 1 << self.random.randrange(8)
            elif fault == 1:
                del changed[at : at + self.random.randrange(1, 200)]
            elif fault == 2:
                changed[at:at] = self.random.choice(HOSTILE)
            else:
                changed += changed[:at]
        return bytes(changed) if bytes(changed) != body else body + b"<"

    def damaged_path(self, path: str) -> str:
        """The path with another query, app or signature."""
        fault = self.random.randrange(4)
        if fault == 0:
            return path.partition("?")[0] + self.random.choice(QUERIES)
        if fault == 1:
            return path.replace(APP, self.random.choice(("nobody", "", "%00", "%E4%BD", "a/b", APP + "x")), 1)
        if fault == 2:
            return path.replace("nonce=", self.random.choice(("nonce=%41", "once=", "nonce=1&nonce=")), 1)
        return path.replace("msg_signature=", "msg_signature=" + self.random.choice("0g%-"), 1)


class Fuzz:
    """Clients that send and count."""

    def __init__(self, seed: int, rounds: int) -> None:
        self.mutator = Mutator(seed)
        self.turns = iter(range(rounds))
        self.statuses: Counter[str] = Counter()
        self.talkative = 0
        self.kept: set[int] = set()

    async def client(self) -> None:
        """Send until all turns are over; connect again whenever the server hangs up."""
        for turn in self.turns:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                reader, writer = await asyncio.open_connection("127.0.0.1", PORT)
                with contextlib.closing(writer):
                    await self.talk(reader, writer, turn)

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, turn: int) -> None:
        """One connection's life."""
        for number in (turn, *self.turns):
            good = number % GOOD_EVERY == 0
            method, path, body = (self.mutator.good if good else self.mutator.bad)(number)
            writer.write(f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
            try:
                status, length = await asyncio.wait_for(answer(reader), ANSWER_SECONDS)
            except (OSError, asyncio.IncompleteReadError):
                self.statuses["hung up"] += 1
                return
            except TimeoutError:
                self.statuses["no answer"] += 1
                return
            self.statuses[status] += 1
            self.talkative += length > 0
            if good and status == "200":
                self.kept.add(number)

    async def run(self) -> None:
        """All clients at once."""
        await asyncio.gather(*(self.client() for _ in range(CLIENTS)))


async def answer(reader: asyncio.StreamReader) -> tuple[str, int]:
    """Status and body length of one answer."""
    head = await reader.readuntil(b"\r\n\r\n")
    found = re.search(rb"content-length: (\d+)", head)
    length = int(found[1]) if found else 0
    await reader.readexactly(length)
    return head.split()[1].decode(), length


def memory_mb(pid: int) -> float:
    """Resident memory of a process and its children in MB; 0 where /proc is missing."""
    total = 0.0
    with contextlib.suppress(OSError):
        total += int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1]) * 4096 / 1e6
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split():
            total += memory_mb(int(child))
    return total


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with scratch_folder() as folder:
        path = Path(folder) / "door.db"
        engine = create_engine(f"sqlite:///{path}")
        InboxRow.metadata.tables["inbox"].create(engine)
        engine.dispose()
        with serving(Target("door", "door", "rsgi"), f"sqlite:///{path}") as pid:
            asyncio.run(Fuzz(options.seed + 1, WARM_UP).run())
            before, started = memory_mb(pid), time.monotonic()
            fuzz = Fuzz(options.seed, options.rounds)
            asyncio.run(fuzz.run())
            after = memory_mb(pid)
        with contextlib.closing(sqlite3.connect(path)) as connection:
            stored = {serial_of(row[0]) for row in connection.execute("SELECT body FROM inbox")}
    bad = sum(count for status, count in fuzz.statuses.items() if status[0] == "5" or status == "no answer")
    lost = len(fuzz.kept - stored)
    taken = fuzz.statuses["200"] - len(fuzz.kept)
    print(f"requests  {options.rounds} in {time.monotonic() - started:.0f} s, seed {options.seed}")
    print(f"statuses  {dict(sorted(fuzz.statuses.items()))}")
    print(f"memory    {before:.1f} MB before, {after:.1f} MB after")
    print(f"good ones {len(fuzz.kept)} answered 200, {lost} of them not stored; {taken} with changed envelopes too")
    print(f"verdict   {bad} answers 5xx or none, {fuzz.talkative} answers with a body")
    return 1 if bad or lost or fuzz.talkative else 0


if __name__ == "__main__":
    sys.exit(main())
