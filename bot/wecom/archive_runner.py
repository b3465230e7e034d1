"""One archive process seen from the house: started when needed, asked with a deadline, killed when it hangs.

A crash of the native library is an answer here (ArchiveUnavailable), never a fault of the caller's process.
"""

import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from typing import Any

from bot.wecom.archive_codes import explain
from bot.wecom.archive_frames import LENGTHS, FrameBroken, lengths, pack, unpack
from crm_core.chat.archive_port import ArchiveTrouble, ArchiveUnavailable

START_SECONDS = 30.0
GRACE_SECONDS = 2.0
BACKOFF_FIRST_SECONDS, BACKOFF_MOST_SECONDS = 0.05, 5.0
READ_BYTES = 1 << 20


class ArchiveRunner:
    """start: the request that a fresh process gets first (library, secret, keys, ceiling). Safe to share by threads."""

    def __init__(self, start: Mapping[str, Any]) -> None:
        self._start = dict(start)
        self._child: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._failures = 0
        self.starts = 0
        self.last_end = ""
        self.bad_keys: tuple[str, ...] = ()

    @property
    def pid(self) -> int:
        """Of the running process, 0 when there is none."""
        child = self._child
        return child.pid if child is not None and child.poll() is None else 0

    @property
    def is_busy(self) -> bool:
        """Whether somebody is asking right now."""
        return self._lock.locked()

    def renew(self, start: Mapping[str, Any]) -> None:
        """Begin anew with other keys, when they are others."""
        with self._lock:
            if dict(start) != self._start:
                self._start = dict(start)
                self._end()

    def ask(self, request: Mapping[str, Any], *, seconds: float) -> tuple[dict[str, Any], bytes]:
        """Ask and wait. Raises: ArchiveUnavailable; the process is gone then and comes anew with the next question."""
        with self._lock:
            self._run()
            try:
                head, body = self._exchange(request, seconds)
            except ArchiveUnavailable:
                self._failures += 1
                raise
            self._failures = 0
        return _checked(head), body

    def stop(self) -> None:
        """End the process; a later question starts another."""
        with self._lock:
            self._end()

    def _run(self) -> None:
        if self._child is not None and self._child.poll() is None:
            return
        self._end()
        if self._failures:
            time.sleep(min(BACKOFF_FIRST_SECONDS * 2 ** (self._failures - 1), BACKOFF_MOST_SECONDS))
        environment = {name: value for name, value in os.environ.items() if not name.startswith("SCRM_")}
        environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
        self._child = subprocess.Popen(
            [sys.executable, "-m", "bot.wecom.archive_child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # the library may print what people wrote
            start_new_session=True,  # Ctrl+C is for the house
            env=environment,
        )
        for pipe in (self._child.stdin, self._child.stdout):
            os.set_blocking(pipe.fileno(), False)  # type: ignore[union-attr]
        self.starts += 1
        try:
            head, _ = self._exchange({"act": "start", **self._start}, START_SECONDS)
            self.bad_keys = tuple(_checked(head)["bad_keys"])
        except ArchiveUnavailable:
            self._failures += 1
            self._end()
            raise

    def _exchange(self, request: Mapping[str, Any], seconds: float) -> tuple[dict[str, Any], bytes]:
        until = time.monotonic() + seconds
        try:
            self._write(pack(request), until)
            head_length, body_length = lengths(self._read(LENGTHS.size, until))
            head, body = self._read(head_length, until), self._read(body_length, until)
            return unpack(head, body)
        except TimeoutError:
            self._end()
            self.last_end = f"超过 {seconds:.0f} 秒没有应答"
            raise ArchiveUnavailable(ArchiveTrouble.TIMEOUT, f"存档库{self.last_end}，已结束该进程") from None
        except (EOFError, BrokenPipeError):
            self.last_end = self._cause_of_death()
            self._end()
            raise ArchiveUnavailable(ArchiveTrouble.CRASHED, f"存档库使其进程崩溃（{self.last_end}）") from None
        except FrameBroken as error:
            self._end()
            self.last_end = str(error)
            raise ArchiveUnavailable(ArchiveTrouble.BROKEN_ANSWER, "存档进程的应答无法读懂，已重新启动") from None

    def _write(self, data: bytes, until: float) -> None:
        pipe = self._child.stdin.fileno()  # type: ignore[union-attr]
        rest = memoryview(data)
        while rest:
            _wait(until, writing=pipe)
            rest = rest[os.write(pipe, rest[:READ_BYTES]) :]

    def _read(self, length: int, until: float) -> bytes:
        pipe = self._child.stdout.fileno()  # type: ignore[union-attr]
        found = bytearray()
        while len(found) < length:
            _wait(until, reading=pipe)
            part = os.read(pipe, min(length - len(found), READ_BYTES))
            if not part:
                raise EOFError
            found += part
        return bytes(found)

    def _cause_of_death(self) -> str:
        try:
            code = self._child.wait(GRACE_SECONDS)  # type: ignore[union-attr]
        except subprocess.TimeoutExpired:
            return "不再应答"
        if code >= 0:
            return f"退出码 {code}"
        try:
            return signal.Signals(-code).name
        except ValueError:
            return f"信号 {-code}"

    def _end(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        child.kill()
        child.wait()
        for pipe in (child.stdin, child.stdout):
            try:
                pipe.close()  # type: ignore[union-attr]
            except BrokenPipeError:
                continue


def _wait(until: float, *, reading: int | None = None, writing: int | None = None) -> None:
    rest = until - time.monotonic()
    read_from, write_to = ([] if one is None else [one] for one in (reading, writing))
    if rest <= 0 or not any(select.select(read_from, write_to, [], rest)):
        raise TimeoutError


def _checked(head: dict[str, Any]) -> dict[str, Any]:
    """The head, unless it tells a fault."""
    fault = head.get("fault")
    if fault is None:
        return head
    if fault == "library_missing":
        raise ArchiveUnavailable(ArchiveTrouble.LIBRARY_MISSING, f"存档库无法加载：{head['says']}")
    if fault == "memory":
        raise ArchiveUnavailable(ArchiveTrouble.MEMORY, "存档进程的内存到了上限")
    code = int(head.get("code", 0))
    raise ArchiveUnavailable(ArchiveTrouble.REFUSED, explain(code).says, code_seen=code)
