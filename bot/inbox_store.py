"""Where the inbox's rows go: SQLite through its own connection, and the choice between the databases.

The ORM is left out on purpose: a session costs 0.4 ms a row, a whole commit of one row costs as much.
"""

import contextlib
import functools
import sqlite3
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from sqlalchemy import make_url

from bot.inbox import InboxEvent, InboxStore, RowRefused
from crm_core.errors import StoreUnavailable
from crm_core.lease import WorkState
from crm_core.turn import WriteTurn

COLUMNS = (
    "corp_id, app_key, dedupe_key, lane, priority, body, created_ms, run_at, deadline_at, attempts, interrupted, state"
)
SQLITE_WAIT_SECONDS = 4.0  # WeCom gives up after 5 s (reference §1.5)
ROWS_PER_STATEMENT = 64
_ROW_FAULTS = (
    sqlite3.IntegrityError,
    sqlite3.DataError,
    sqlite3.ProgrammingError,
    sqlite3.InterfaceError,
    OverflowError,
    UnicodeError,
)
CHECKPOINT_PAGES = 4000  # measured: p99 of a commit 6.7 ms at SQLite's 1000 pages, 0.6 ms at 4000


def system_ms() -> int:
    """The clock of this machine; milliseconds UTC."""
    return time.time_ns() // 1_000_000


def open_store(url: str, turn: WriteTurn | None = None, now_ms: Callable[[], int] = system_ms) -> InboxStore:
    """The store for ``sqlite:///file`` or ``postgresql+psycopg://…``; connects with the first commit.

    ``turn`` is the one that the other writers of an SQLite file share; by default one of its own.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() == "postgresql":
        from bot.inbox_postgres import PostgresInbox  # noqa: PLC0415  # psycopg is an extra

        return PostgresInbox(parsed.set(drivername="postgresql").render_as_string(hide_password=False))
    path = Path(parsed.database or "")
    return SqliteInbox(path, turn or WriteTurn(path), now_ms)


class SqliteInbox:
    """Rows into an SQLite file in WAL with ``synchronous=FULL``.

    A batch of up to 64 rows is one statement, so the interpreter lock is given up and won back once, not once a row.
    """

    def __init__(self, path: Path, turn: WriteTurn, now_ms: Callable[[], int] = system_ms) -> None:
        self._path = path
        self._turn = turn
        self._now_ms = now_ms
        self._connection: sqlite3.Connection | None = None

    def turn(self) -> WriteTurn:
        """The turn to write, shared with the other writers of the file. Raises: OSError."""
        self._turn.hurry()  # WeCom waits for its answer
        return self._turn

    def commit(self, events: Sequence[InboxEvent]) -> None:
        """Store all or none, on disk when it returns. Raises: RowRefused, StoreUnavailable."""
        try:
            self._insert(self._connected(), events)
        except _ROW_FAULTS as error:
            self._roll_back()
            raise RowRefused(type(error).__name__) from error
        except (sqlite3.Error, OSError) as error:  # locked, full, read-only, gone, damaged
            self.close()
            raise StoreUnavailable(type(error).__name__) from error

    def _insert(self, connection: sqlite3.Connection, events: Sequence[InboxEvent]) -> None:
        if len(events) <= ROWS_PER_STATEMENT:
            self._insert_some(connection, events)  # one statement is its own transaction
            return
        connection.execute("BEGIN IMMEDIATE")
        for first in range(0, len(events), ROWS_PER_STATEMENT):
            self._insert_some(connection, events[first : first + ROWS_PER_STATEMENT])
        connection.execute("COMMIT")

    def _insert_some(self, connection: sqlite3.Connection, events: Sequence[InboxEvent]) -> None:
        now = self._now_ms()
        values: list[object] = []
        for *fields, lifetime_ms in events:
            values += fields
            values += (now, now, None if lifetime_ms is None else now + lifetime_ms)
        connection.execute(_insert_statement(len(events)), values)

    def _connected(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = sqlite3.connect(
                f"{self._path.absolute().as_uri()}?mode=rw",  # a missing file is an outage, not a new database
                uri=True,
                isolation_level=None,
                timeout=SQLITE_WAIT_SECONDS,
                check_same_thread=False,
                cached_statements=ROWS_PER_STATEMENT * 2,
            )
            for pragma in ("journal_mode=WAL", "synchronous=FULL", f"wal_autocheckpoint={CHECKPOINT_PAGES}"):
                self._connection.execute(f"PRAGMA {pragma}")
        return self._connection

    def _roll_back(self) -> None:
        if self._connection is not None and self._connection.in_transaction:
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")

    def close(self) -> None:
        """Close the connection; the next commit opens another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(sqlite3.Error):
                connection.close()


@functools.cache
def _insert_statement(rows: int) -> str:
    row = f"(?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, '{WorkState.READY}')"
    return (
        f"INSERT INTO inbox ({COLUMNS}) VALUES {', '.join([row] * rows)} "  # noqa: S608  # only our own constants
        "ON CONFLICT (dedupe_key) DO NOTHING"
    )
