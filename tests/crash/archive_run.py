"""A puller of the archive in a process of its own, for tests that kill it."""

import sys
from pathlib import Path

from bot.wiring import build
from bot.worker import drain
from crm_core.chat import archive_book
from crm_core.config import load_settings
from crm_core.ids import CorpId


def main() -> None:
    house = build(load_settings(Path(sys.argv[1])))
    corp = CorpId(house.settings.corps[0].corp_id)
    with house.db.unit() as uow:
        archive_book.ask(uow, corp, f"{corp}:{sys.argv[2]}", actor="test")
        uow.commit()
    drain(house.loops)
    house.close()


if __name__ == "__main__":
    main()
