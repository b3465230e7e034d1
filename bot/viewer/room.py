"""What the pages that customers open are built from, and how their views reach it."""

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from flask import Blueprint, current_app

from bot.wiring import House
from crm_core.config import Settings
from crm_core.db import Database
from crm_core.ports import Gateways
from sidebar.assets import Assets
from sidebar.surface import Surface

SURFACE = Surface(name="viewer", prefix="/v")
CARD_PREFIX = "/c"
bp = Blueprint(SURFACE.name, __name__, template_folder="templates")


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """The reading pages of one web application."""

    house: House
    assets: Assets
    zone: ZoneInfo
    surface: Surface = SURFACE

    @property
    def db(self) -> Database:
        """The one database."""
        return self.house.db

    @property
    def settings(self) -> Settings:
        """All settings."""
        return self.house.settings

    @property
    def gateways(self) -> Gateways:
        """WeCom, per corp and app."""
        return self.house.gateways


def room() -> Room:
    """The reading pages that serve this request."""
    found = current_app.extensions["viewer"]
    if not isinstance(found, Room):
        raise TypeError("the reading pages are not installed")
    return found
