import io
import zipfile
from dataclasses import dataclass
from typing import Any

import pytest
from PIL import Image

from bot.media_store import FolderStore
from crm_core.ids import CorpId
from materials import library
from materials.intake import IntakeRules
from materials.material_model import Material, MaterialDraft
from materials.uploads import receive
from tests.support.ground import CORP, Ground


def picture(size: tuple[int, int] = (40, 30), kind: str = "PNG", color: str = "red", **save: Any) -> bytes:
    made = io.BytesIO()
    Image.new("RGB", size, color).save(made, kind, **save)
    return made.getvalue()


def mp4(size: int = 4000) -> bytes:
    return b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isomiso2" + b"\x00" * size


def pdf(pages: int = 2) -> bytes:
    sheets = [Image.new("RGB", (120, 160), color) for color in ("white", "blue", "green")[:pages]]
    made = io.BytesIO()
    sheets[0].save(made, "PDF", save_all=True, append_images=sheets[1:])
    return made.getvalue()


def zipped(**entries: bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name.replace("__", "/"), content)
    return made.getvalue()


@dataclass
class Library:
    """A material library of one corp over a real store."""

    ground: Ground
    store: FolderStore

    def upload(self, content: bytes, filename: str = "a.png", *, corp: CorpId = CORP) -> str:
        found = receive(self.ground.db, self.store, corp, "zhang", io.BytesIO(content), filename, IntakeRules())
        return found.file.key

    def make(self, kind: str, name: str = "素材", /, *, corp: CorpId = CORP, **parts: Any) -> Material:
        sides = {name: parts.pop(name) for name in ("folder_id", "tags", "departments", "expires_at") if name in parts}
        with self.ground.committed() as uow:
            return library.create(uow, corp, "zhang", MaterialDraft(kind=kind, title=name, content=parts, **sides))

    def image(self, title: str = "样板间", color: str = "red", **parts: Any) -> Material:
        return self.make("image", title, file=self.upload(picture(color=color)), **parts)


@pytest.fixture
def shelf(ground: Ground, tmp_path: Any) -> Library:
    return Library(ground, FolderStore(tmp_path / "media"))
