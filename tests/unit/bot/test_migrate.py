"""The whole database from empty to head, back and forth, and by several processes at once."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, inspect, text

from bot import migrate
from crm_core.db import open_migration_engine
from tests.support import databases


@pytest.fixture
def empty_url(tmp_path: Path) -> Iterator[str]:
    if databases.BACKEND == "postgres":
        with databases.postgres_clone("template1") as url:
            yield url
    else:
        yield f"sqlite:///{tmp_path / 'made' / 'on' / 'the way' / 'scrm.db'}"


def tables(url: str) -> set[str]:
    engine = create_engine(url)
    found = set(inspect(engine).get_table_names())
    engine.dispose()
    return found


def current(url: str) -> bool:
    engine = open_migration_engine(url)
    try:
        return migrate.is_current(engine)
    finally:
        engine.dispose()


def test_from_empty_to_head_there_is_no_drift(empty_url: str) -> None:
    migrate.upgrade(empty_url)
    assert current(empty_url)
    assert migrate.drift(empty_url) == []
    without_class = {name for name in tables(empty_url) if name.startswith("chat_words")}
    assert tables(empty_url) - without_class == set(migrate.gather_metadata().tables) | {"alembic_version"}
    assert "chat_words" in without_class
    migrate.upgrade(empty_url)
    assert current(empty_url)


def test_the_last_step_goes_down_and_up_again(database_url: str) -> None:
    migrate.downgrade(database_url, "-1")
    assert not current(database_url)
    migrate.upgrade(database_url)
    assert current(database_url)
    assert migrate.drift(database_url) == []


def test_numbers_of_older_follows_are_found_after_the_upgrade(database_url: str) -> None:
    migrate.downgrade(database_url, "0003")
    engine = create_engine(database_url)
    with engine.begin() as connection:
        for staff, mobiles in (("zhang", '["138", "139"]'), ("li", '["138", ""]'), ("wang", "[]")):
            connection.execute(
                text(
                    "INSERT INTO follows (corp_id, staff_userid, external_userid, status, started_at, ended_by, remark,"
                    " description, remark_corp_name, remark_mobiles, add_way, oper_userid, state, changed_at) VALUES"
                    f" ('c', '{staff}', 'wm', 'active', '2026-01-01 00:00:00', '', '', '', '', '{mobiles}', 0, '', '',"
                    " '2026-01-01 00:00:00')"
                )
            )
    migrate.upgrade(database_url)
    with engine.connect() as connection:
        found = connection.execute(text("SELECT mobile FROM customer_mobiles ORDER BY mobile")).scalars().all()
    engine.dispose()
    assert list(found) == ["138", "139"]


def test_all_the_way_down_leaves_nothing(database_url: str) -> None:
    migrate.downgrade(database_url, "base")
    assert tables(database_url) == {"alembic_version"}


def test_drift_is_named(database_url: str) -> None:
    engine = create_engine(database_url)
    with engine.begin() as connection:
        connection.execute(text("DROP INDEX ix_outbox_state_finished"))
        connection.execute(text("CREATE TABLE stranger (id INTEGER PRIMARY KEY)"))
    engine.dispose()
    found = " ".join(migrate.drift(database_url))
    assert "ix_outbox_state_finished" in found
    assert "stranger" in found


def test_three_processes_at_once_migrate_once(empty_url: str) -> None:
    code = "import sys; from bot.migrate import upgrade; upgrade(sys.argv[1])"
    running = [
        subprocess.Popen([sys.executable, "-c", code, empty_url], stderr=subprocess.PIPE, text=True) for _ in range(3)
    ]
    for process in running:
        _, said = process.communicate(timeout=60)
        assert process.returncode == 0, said
    assert current(empty_url)
    assert migrate.drift(empty_url) == []
