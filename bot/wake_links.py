"""Which link carries wake-ups to other processes: Redis where it is configured, else what the database offers."""

from pathlib import Path
from typing import Any

from sqlalchemy import make_url

from bot.wake import Link, PostgresLink, RedisLink, SocketLink, socket_folder
from crm_core.config import Settings


def open_redis(settings: Settings) -> Any:
    """A Redis client, None where none is configured."""
    if not settings.redis.url:
        return None
    import redis  # noqa: PLC0415 - an extra

    return redis.Redis.from_url(settings.redis.url, socket_timeout=3, socket_connect_timeout=2)


def wake_links(settings: Settings, redis_client: Any, folder: Path) -> list[Link]:
    """The links of this process. folder: where sockets live beside SQLite."""
    if redis_client is not None:
        return [RedisLink(redis_client)]
    url = make_url(settings.database.url)
    if url.get_backend_name() == "postgresql":
        return [PostgresLink(url.set(drivername="postgresql").render_as_string(hide_password=False))]
    return [SocketLink(socket_folder(folder / "wake"))]
