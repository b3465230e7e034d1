"""Where browser tests leave their pictures: var/shots, or the folder that SCRM_TEST_SHOTS names."""

import os
from pathlib import Path

from playwright.sync_api import Page

ROOT = Path(__file__).parents[2]


def keep_picture(page: Page, name: str) -> None:
    """A picture of the whole page, for people to look at after a run."""
    folder = Path(os.environ.get("SCRM_TEST_SHOTS", "") or ROOT / "var/shots")
    folder.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=folder / f"{name}.png", full_page=True, caret="initial")
