"""Alembic's entry. Engine and metadata come through ``config.attributes``; no room is imported here."""

from alembic import context
from sqlalchemy import Engine, text

LOCK_TIMEOUT = "4s"
STATEMENT_TIMEOUT = "60s"
MIGRATION_LOCK = 7_211_304_117


PLAIN_TYPES = {"UtcDateTime": "sa.DateTime(timezone=True)", "AutoString": "sa.String()"}


def render_item(kind: str, item: object, _context: object) -> str | bool:
    """Scripts never name our own column types."""
    return PLAIN_TYPES.get(type(item).__name__, False) if kind == "type" else False


def run(engine: Engine) -> None:
    """Migrate under a lock, so that two processes starting at once do not race."""
    with engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text(f"SET lock_timeout = '{LOCK_TIMEOUT}'"))
            connection.execute(text(f"SET statement_timeout = '{STATEMENT_TIMEOUT}'"))
            connection.execute(text(f"SELECT pg_advisory_lock({MIGRATION_LOCK})"))
            connection.commit()
        try:
            context.configure(
                connection=connection,
                target_metadata=context.config.attributes["metadata"],
                render_as_batch=True,
                render_item=render_item,
                compare_type=True,
                compare_server_default=False,
                transaction_per_migration=True,
            )
            with context.begin_transaction():
                context.run_migrations()
        finally:
            if connection.dialect.name == "postgresql":
                connection.rollback()
                connection.execute(text(f"SELECT pg_advisory_unlock({MIGRATION_LOCK})"))
                connection.commit()


run(context.config.attributes["engine"])
