"""Where this installation keeps its files, and which clock it goes by."""

from pathlib import Path

from sqlalchemy import make_url

from crm_core.clock import Clock, FileOffsetClock, SystemClock
from crm_core.config import Settings


def var_folder(settings: Settings) -> Path:
    """Where lock files and sockets live: beside the SQLite file, else ``var/``."""
    url = make_url(settings.database.url)
    if url.get_backend_name() == "sqlite" and url.database:
        return Path(url.database).resolve().parent
    return Path("var").resolve()


def media_folder(settings: Settings) -> Path:
    """Where file contents live: as configured, else beside the database."""
    return Path(settings.materials.folder).resolve() if settings.materials.folder else var_folder(settings) / "media"


def make_clock(settings: Settings) -> Clock:
    """The business clock: the local WeCom's in the demo, else this machine's."""
    if settings.demo.enabled and settings.demo.clock_file:
        return FileOffsetClock(Path(settings.demo.clock_file))
    return SystemClock()
