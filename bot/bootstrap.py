"""What every process does before it works: logs, and the defaults that a corp has never had."""

import logging
import os
import sys

import structlog

from bot.wiring import House
from crm_core.ids import CorpId
from materials import radar_rules
from materials import service as materials
from sop import service as sop


def configure_logs() -> None:
    """Structured lines on stderr; ``SCRM_LOG_LEVEL`` is debug, info (default), warning or error."""
    level = logging.getLevelNamesMapping().get(os.environ.get("SCRM_LOG_LEVEL", "info").upper(), logging.INFO)
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s %(message)s")
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )


def install_defaults(house: House) -> None:
    """Give each corp the built-in SOPs, scripts and radar rules it has never had."""
    for corp in house.settings.corps:
        with house.db.unit() as uow:
            uow.lock(f"defaults:{corp.corp_id}")
            sop.install_missing(uow, CorpId(corp.corp_id))
            materials.install_missing(uow, CorpId(corp.corp_id))
            radar_rules.install_missing(uow, CorpId(corp.corp_id))
            uow.commit()
