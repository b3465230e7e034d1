"""Whose turn it is to write to an SQLite file: one writer at a time, waiting in the kernel instead of polling.

SQLite's own ``busy_timeout`` sleeps and tries again (1 to 100 ms), so two busy writers starve each other. All writers
that share a turn queue up on a thread lock and then on an ``flock``. The kernel gives the lock back when its holder
dies. SQLite's lock stays in force for writers that know nothing of the turn.
"""

import os
import sys
import threading
from pathlib import Path
from types import TracebackType

if sys.platform != "win32":
    import fcntl

MOST_COURTESY_SECONDS = 1.0


class WriteTurn:
    """A lock among threads and, where the platform has ``flock``, among processes. Not reentrant.

    ``path`` is the database file; the lock is held on ``<path>-turn`` beside it, made when first needed.
    ``acquire`` and ``release`` are those of ``threading.Lock``, so a turn can stand in for one.
    """

    def __init__(self, path: Path) -> None:
        self._path = path.with_name(path.name + "-turn")
        self._thread_lock = threading.Lock()
        self._changed = threading.Condition()
        self._urgent_waiting = 0
        self._urgent_thread = threading.local()
        self._file: int | None = None
        self._pid = 0

    def acquire(self) -> bool:
        """Wait for the turn; urgent threads of this process go first. Raises: OSError: no lock file can be made."""
        if getattr(self._urgent_thread, "yes", False):
            self._acquire_urgently()
        else:
            with self._changed:
                self._changed.wait_for(lambda: self._urgent_waiting == 0, MOST_COURTESY_SECONDS)
            self._thread_lock.acquire()
        try:
            self._lock_file()
        except OSError:
            self._thread_lock.release()
            raise
        return True

    def hurry(self) -> None:
        """From now on the calling thread goes before the others of this process that wait."""
        self._urgent_thread.yes = True

    def _acquire_urgently(self) -> None:
        with self._changed:
            self._urgent_waiting += 1
        self._thread_lock.acquire()
        with self._changed:
            self._urgent_waiting -= 1
            if self._urgent_waiting == 0:
                self._changed.notify_all()

    def release(self) -> None:
        """Give the turn back."""
        if sys.platform != "win32" and self._file is not None:
            fcntl.flock(self._file, fcntl.LOCK_UN)
        self._thread_lock.release()

    def _lock_file(self) -> None:
        if sys.platform == "win32":
            return
        if self._file is None or self._pid != os.getpid():  # a forked child must not share its parent's lock
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            self._pid = os.getpid()
        fcntl.flock(self._file, fcntl.LOCK_EX)

    def close(self) -> None:
        """Close the lock file; nobody may hold the turn."""
        with self._thread_lock:
            if self._file is not None and self._pid == os.getpid():
                os.close(self._file)
            self._file = None

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
