"""The archives of all configured corps."""

import os
from collections.abc import Mapping

from bot.wecom.archive import LibraryArchive
from bot.wecom.archive_keys import KeyRing
from crm_core.config import Settings
from crm_core.config_archive import ArchivePart
from crm_core.ids import CorpId


def open_archives(
    settings: Settings, environment: Mapping[str, str] = os.environ
) -> dict[CorpId, tuple[ArchivePart, LibraryArchive]]:
    """One archive per corp that has one in the configuration. No process is started yet."""
    found: dict[CorpId, tuple[ArchivePart, LibraryArchive]] = {}
    for corp in settings.corps:
        part = corp.archive
        if part is None:
            continue
        secrets = settings.app_secrets.get(part.app)
        secret = secrets.secret.get_secret_value() if secrets is not None and secrets.secret is not None else ""
        found[CorpId(corp.corp_id)] = (
            part,
            LibraryArchive(
                corp.corp_id,
                part,
                secret,
                KeyRing(part.keys_folder, part.app, environment),
                proxy_password=environment.get(f"SCRM_{part.app.upper()}_PROXY_PASSWORD", ""),
            ),
        )
    return found
