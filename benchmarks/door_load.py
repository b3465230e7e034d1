"""Load for the callback door: distinct encrypted callbacks, wrk where it is installed, else an asyncio client."""

import asyncio
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.door_servers import AES_KEY, CORP, TOKEN
from bot.wecom.crypto import CallbackCrypto

CLIENTS = 64
EVENTS_PER_SECOND = 10_000  # how many made-up events share one CreateTime

_LUA = """
local requests, count = {}, 0
local threads = {}
function setup(thread) table.insert(threads, thread) end
function init(args)
  issued = 0
  local path = args[2]
  for line in io.lines(args[1]) do
    local query, body = line:match("^(.-)\\t(.*)$")
    count = count + 1
    requests[count] = wrk.format("POST", path .. query, {["Content-Type"] = "text/xml"}, body)
  end
end
function request() issued = issued + 1; return requests[(issued - 1) % count + 1] end
function done(summary, latency, _)
  local errors = summary.errors
  print(string.format("RESULT %d %d %f %f %f %d", summary.requests,
    errors.status + errors.connect + errors.read + errors.write + errors.timeout,
    summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, threads[1]:get("issued")))
end
"""


@dataclass(slots=True)
class Load:
    """What the clients saw. Milliseconds; ``failed`` counts all answers but 200."""

    answered: int
    failed: int
    seconds: float
    p50_ms: float
    p99_ms: float
    issued: int
    stored_serials: list[int] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.answered / self.seconds


def plaintext(serial: int) -> bytes:
    """A customer added through a live code, 500 bytes; ``serial`` tells events apart."""
    return (
        f"<xml><ToUserName><![CDATA[{CORP}]]></ToUserName><FromUserName><![CDATA[sys]]></FromUserName>"
        f"<CreateTime>{1_735_700_123 + serial // EVENTS_PER_SECOND}</CreateTime><MsgType><![CDATA[event]]></MsgType>"
        "<Event><![CDATA[change_external_contact]]></Event><ChangeType><![CDATA[add_external_contact]]></ChangeType>"
        f"<UserID><![CDATA[LiNa]]></UserID><ExternalUserID><![CDATA[wmQx7hDgAAk3Zt9s1bVY2{serial:08d}]]></ExternalUserID>"
        "<State><![CDATA[store12_spring]]></State>"
        f"<WelcomeCode><![CDATA[wc_7Hs2kQpV91_{serial}]]></WelcomeCode></xml>"
    ).encode()


def serial_of(body: bytes) -> int:
    """The serial of a stored plaintext."""
    match = re.search(rb"wmQx7hDgAAk3Zt9s1bVY2(\d{8})", body)
    return int(match[1]) if match else -1


def callbacks(first: int, count: int) -> list[tuple[str, str]]:
    """Query and body of so many distinct callbacks."""
    crypto = CallbackCrypto(TOKEN, AES_KEY, [CORP])
    made = []
    for serial in range(first, first + count):
        sealed = crypto.seal(plaintext(serial), "1735700000", str(10**9 + serial))
        query = f"?msg_signature={sealed.signature}&timestamp={sealed.timestamp}&nonce={sealed.nonce}"
        head = f"<xml><ToUserName><![CDATA[{CORP}]]></ToUserName><AgentID><![CDATA[1000007]]></AgentID>"
        made.append((query, f"{head}<Encrypt><![CDATA[{sealed.encrypt}]]></Encrypt></xml>"))
    return made


def has_wrk() -> bool:
    """Is the fast load generator there?"""
    return shutil.which("wrk") is not None


class WrkLoad:
    """wrk with one thread and 64 keep-alive connections; events go out in the order of their serials."""

    def __init__(self, folder: Path, made: Sequence[tuple[str, str]]) -> None:
        self._bodies = folder / "bodies.txt"
        self._bodies.write_text("".join(f"{query}\t{body}\n" for query, body in made))
        self._script = folder / "post.lua"
        self._script.write_text(_LUA)

    def run(self, port: int, path: str, seconds: int) -> Load:
        """Drive the server for so long."""
        command = ["wrk", "-t1", f"-c{CLIENTS}", f"-d{seconds}s", "-s", str(self._script), f"http://127.0.0.1:{port}"]
        command += ["--", str(self._bodies), path]
        output = subprocess.run(command, check=True, capture_output=True, text=True, timeout=seconds + 30).stdout
        numbers = next(line for line in output.splitlines() if line.startswith("RESULT")).split()[1:]
        answered, failed, duration, p50, p99, issued = map(float, numbers)
        return Load(int(answered), int(failed), duration, p50, p99, int(issued))


class AsyncioLoad:
    """64 keep-alive connections from one Python process: exact about who was answered, but slow itself."""

    def __init__(self, made: Sequence[tuple[str, str]]) -> None:
        self._made = made

    def run(self, port: int, path: str, seconds: int) -> Load:
        """Drive the server for so long, or until every callback was sent once."""
        return asyncio.run(self._run(port, path, seconds))

    async def _run(self, port: int, path: str, seconds: int) -> Load:
        turn = iter(range(len(self._made)))
        times: list[float] = []
        stored: list[int] = []
        started = time.perf_counter()

        async def client() -> None:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            for index in turn:
                query, body = self._made[index]
                sent = time.perf_counter()
                writer.write(
                    f"POST {path}{query} HTTP/1.1\r\nHost: door\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
                )
                head = await reader.readuntil(b"\r\n\r\n")
                length = re.search(rb"content-length: (\d+)", head)
                await reader.readexactly(int(length[1]) if length else 0)
                times.append(time.perf_counter() - sent)
                if head.startswith(b"HTTP/1.1 200"):
                    stored.append(index)
                if time.perf_counter() - started > seconds:
                    break
            writer.close()

        await asyncio.gather(*(client() for _ in range(CLIENTS)))
        spent = time.perf_counter() - started
        times.sort()
        return Load(
            answered=len(times),
            failed=len(times) - len(stored),
            seconds=spent,
            p50_ms=times[len(times) // 2] * 1e3,
            p99_ms=times[int(len(times) * 0.99)] * 1e3,
            issued=len(times),
            stored_serials=stored,
        )


def scratch_folder() -> tempfile.TemporaryDirectory[str]:
    """A folder on the disk the system calls temporary; the databases under test live there."""
    return tempfile.TemporaryDirectory(prefix="door-")
