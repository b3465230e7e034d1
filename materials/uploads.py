"""Taking in an upload: checked, stored, noted down, and told whether the library knows it already."""

from dataclasses import dataclass
from typing import IO

from crm_core.config import MaterialsPart
from crm_core.db import Database
from crm_core.ids import CorpId
from crm_core.ports import MediaStore
from materials import files
from materials.intake import MEGABYTE, IntakeRules, take_in
from materials.material_model import StoredFile


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """An upload that was taken in. twins: titles of materials made of the very same file."""

    file: StoredFile
    twins: tuple[str, ...]


def rules_of(settings: MaterialsPart) -> IntakeRules:
    """The intake's rules as configured."""
    return IntakeRules(most_pixels=settings.most_pixels, most_unpacked_bytes=settings.most_unpacked_mb * MEGABYTE)


def receive(
    db: Database,
    store: MediaStore,
    corp: CorpId,
    actor: str,
    stream: IO[bytes],
    filename: str,
    rules: IntakeRules,
    *,
    wanted: str = "",
) -> Received:
    """Check an upload, store its bytes, note the file. The bytes are on disk before the row is committed.

    wanted: image | video | file, "" takes what it is. Raises: InputInvalid, in plain words.
    """
    incoming = take_in(stream, filename, rules, wanted=wanted)
    with incoming.content:
        key = store.put(incoming.content).key
    with db.unit() as uow:
        stored = files.register(uow, corp, actor, key, incoming)
        twins = files.twins(uow.session, corp, key)
        uow.commit()
    return Received(file=stored, twins=tuple(twins))
