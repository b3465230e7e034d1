"""Migrations of the whole database, run through Alembic with our own engine."""

import fcntl
import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Engine, MetaData, make_url
from sqlmodel import SQLModel

import crm_core
from crm_core.db import open_migration_engine

ROOMS_WITH_TABLES = ("crm_core", "tagging", "materials", "sop", "bot")


def gather_metadata() -> MetaData:
    """The tables of every room."""
    for room in ROOMS_WITH_TABLES:
        importlib.import_module(f"{room}.tables")
    return SQLModel.metadata


def upgrade(url: str, revision: str = "head") -> None:
    """Bring the database to ``revision``; makes the folder of a SQLite file."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite" and parsed.database:
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    engine = open_migration_engine(url)
    with _alone(parsed):
        command.upgrade(_config(engine), revision)
    engine.dispose()


@contextmanager
def _alone(url: URL) -> Iterator[None]:
    """One migration at a time beside a SQLite file; PostgreSQL's own lock is taken in ``env.py``."""
    if url.get_backend_name() != "sqlite" or not url.database:
        yield
        return
    with Path(f"{url.database}-migrate").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def downgrade(url: str, revision: str) -> None:
    """Go back to ``revision``."""
    engine = open_migration_engine(url)
    command.downgrade(_config(engine), revision)
    engine.dispose()


def draft(url: str, message: str) -> None:
    """Write a new revision from the difference between tables and database."""
    engine = open_migration_engine(url)
    command.revision(_config(engine), message=message, autogenerate=True)
    engine.dispose()


def drift(url: str) -> list[str]:
    """What the tables say and the database lacks, or the reverse; empty when they agree."""
    engine = open_migration_engine(url)
    with engine.connect() as connection:
        opts = {"compare_type": True, "include_object": _has_table_class}
        context = MigrationContext.configure(connection, opts=opts)
        found = [str(item) for item in compare_metadata(context, gather_metadata())]
    engine.dispose()
    return found


def _has_table_class(_thing: object, name: str | None, kind: str, *_more: object) -> bool:
    """The blind index and SQLite's tables behind it have no class: they differ between the databases."""
    return not (kind == "table" and name is not None and name.startswith("chat_words"))


def is_current(engine: Engine) -> bool:
    """Whether the database is at the newest revision."""
    head = ScriptDirectory.from_config(_config(engine)).get_current_head()
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision() == head


def _config(engine: Engine) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(crm_core.__file__).parent / "migrations"))
    config.attributes["engine"] = engine
    config.attributes["metadata"] = gather_metadata()
    return config
