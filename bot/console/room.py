"""What the console is built from, and how its views reach it."""

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from flask import Blueprint, current_app

from bot.wiring import House
from crm_core.config import Settings
from crm_core.db import Database
from crm_core.ports import Gateways
from materials.service import ScriptShelf
from sidebar.assets import Assets
from sidebar.surface import Surface

SURFACE = Surface(name="console", prefix="/console")
bp = Blueprint(SURFACE.name, __name__, url_prefix=SURFACE.prefix, template_folder="templates")


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """The console of one web application."""

    house: House
    assets: Assets
    shelf: ScriptShelf
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
    """The console that serves this request."""
    found = current_app.extensions["console"]
    if not isinstance(found, Room):
        raise TypeError("the console is not installed")
    return found
