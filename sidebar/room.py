"""What the sidebar is built from, and how its views reach it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from flask import Blueprint, current_app

from crm_core.chat.store import ChatStore
from crm_core.config import Settings
from crm_core.db import Database
from crm_core.ports import Embedder, Gateways, MediaStore
from materials.service import ScriptShelf
from sidebar.assets import Assets
from sidebar.surface import Surface

if TYPE_CHECKING:
    from sidebar.suggest_panel import Suggesting  # it is made of panels, and panels know the room

SURFACE = Surface(name="sidebar", prefix="/sidebar")
bp = Blueprint(SURFACE.name, __name__, url_prefix=SURFACE.prefix, template_folder="templates")


@dataclass(frozen=True, slots=True, kw_only=True)
class SidebarDeps:
    """What the sidebar needs from outside."""

    db: Database
    settings: Settings
    gateways: Gateways
    store: MediaStore
    chats: ChatStore
    embedder: Callable[[int], Embedder | None] = lambda _scripts: None
    suggesting: "Suggesting | None" = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """The sidebar of one web application."""

    db: Database
    settings: Settings
    gateways: Gateways
    store: MediaStore
    chats: ChatStore
    shelf: ScriptShelf
    assets: Assets
    zone: ZoneInfo
    surface: Surface = SURFACE
    suggesting: "Suggesting | None" = None


def room() -> Room:
    """The sidebar that serves this request."""
    found = current_app.extensions["sidebar"]
    if not isinstance(found, Room):
        raise TypeError("the sidebar is not installed")
    return found
