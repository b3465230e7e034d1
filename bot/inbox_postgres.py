"""Rows of the inbox into PostgreSQL: one statement and one round trip a batch."""

import contextlib
from collections.abc import Sequence

import psycopg

from bot.inbox import InboxEvent, RowRefused
from bot.inbox_store import COLUMNS
from crm_core.errors import StoreUnavailable
from crm_core.lease import WorkState

CONNECT_SECONDS = 3
STATEMENT_MS = 4000  # WeCom gives up after 5 s (reference §1.5)

_TUNE = f"""
SELECT set_config('synchronous_commit', 'on', false), set_config('statement_timeout', '{STATEMENT_MS}', false)
"""

_INSERT = f"""
INSERT INTO inbox ({COLUMNS})
SELECT corp_id, app_key, dedupe_key, lane, priority, body, now.ms, now.ms, now.ms + lifetime_ms, 0, false,
       '{WorkState.READY}'
FROM unnest(%b::text[], %b::text[], %b::text[], %b::text[], %b::int4[], %b::bytea[], %b::int8[])
     AS event (corp_id, app_key, dedupe_key, lane, priority, body, lifetime_ms),
     (SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS ms) AS now
ON CONFLICT (dedupe_key) DO NOTHING
"""  # noqa: S608  # only our own constants


class PostgresInbox:
    """Rows into PostgreSQL, by its clock, with ``synchronous_commit`` on whatever the server's default is."""

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo
        self._connection: psycopg.Connection | None = None

    def turn(self) -> contextlib.AbstractContextManager[None]:
        """Nothing to wait for: PostgreSQL has room for many writers."""
        return contextlib.nullcontext()

    def commit(self, events: Sequence[InboxEvent]) -> None:
        """Store all or none, on disk when it returns. Raises: RowRefused, StoreUnavailable."""
        # One order for all processes: two that insert the same keys crosswise would deadlock.
        columns = zip(*sorted(events, key=lambda event: event.dedupe_key), strict=True)
        try:
            self._connected().execute(_INSERT, [list(column) for column in columns], prepare=True)
        except (psycopg.DataError, psycopg.IntegrityError, UnicodeError) as error:
            raise RowRefused(type(error).__name__) from error
        except psycopg.Error as error:  # gone, full, timed out, read-only, not migrated
            self.close()
            raise StoreUnavailable(type(error).__name__) from error

    def _connected(self) -> psycopg.Connection:
        if self._connection is None:
            self._connection = psycopg.connect(
                self._conninfo,
                autocommit=True,
                connect_timeout=CONNECT_SECONDS,
                tcp_user_timeout=STATEMENT_MS,
            )
            self._connection.execute(_TUNE)
        return self._connection

    def close(self) -> None:
        """Close the connection; the next commit opens another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(psycopg.Error):
                connection.close()
