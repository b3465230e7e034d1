"""Real databases for tests: an SQLite file, or a PostgreSQL database of its own cloned from a migrated template."""

import functools
import os
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import create_engine, make_url, text

from bot import migrate

BACKEND = os.environ.get("SCRM_TEST_BACKEND", "sqlite")
POSTGRES = os.environ.get("SCRM_TEST_POSTGRES", "")


def _redis_of_this_worker() -> str:
    """Tests that run side by side each get a Redis database of their own, counted from the one named."""
    named = os.environ.get("SCRM_TEST_REDIS", "")
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    if not named:
        return ""
    server, _, database = named.rpartition("/")
    return f"{server}/{int(database) + int(worker)}"


REDIS = _redis_of_this_worker()


def _admin(statement: str) -> None:
    engine = create_engine(POSTGRES, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()


@contextmanager
def postgres_template() -> Iterator[str]:
    """A migrated database to clone from; gone at the end."""
    name = f"scrm_template_{uuid.uuid4().hex[:8]}"
    _admin(f'CREATE DATABASE "{name}"')
    try:
        migrate.upgrade(_url_of(name))
        yield name
    finally:
        _admin(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


@contextmanager
def postgres_clone(template: str) -> Iterator[str]:
    """A fresh database; gone at the end."""
    name = f"scrm_test_{uuid.uuid4().hex[:10]}"
    _admin(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    try:
        yield _url_of(name)
    finally:
        _admin(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def empty_tables(url: str) -> None:
    """Delete every row; a tenth of the price of a fresh database."""
    engine = create_engine(url)
    with engine.begin() as connection:
        for table in reversed(migrate.gather_metadata().sorted_tables):
            connection.execute(table.delete())
    engine.dispose()


def _url_of(name: str) -> str:
    return make_url(POSTGRES).set(database=name).render_as_string(hide_password=False)


def sqlite_url(folder: Path) -> str:
    """A migrated SQLite file, copied from one that is made once."""
    path = folder / "scrm.db"
    path.write_bytes(_sqlite_template())
    return f"sqlite:///{path}"


@functools.cache
def _sqlite_template() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "template.db"
        migrate.upgrade(f"sqlite:///{path}")
        return path.read_bytes()
