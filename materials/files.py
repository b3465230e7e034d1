"""The files of a corp: checked contents whose bytes the media store keeps."""

from collections.abc import Iterable, Sequence

from sqlmodel import Session, col, select

from crm_core import outbox
from crm_core.db import UnitOfWork
from crm_core.errors import NotFound
from crm_core.ids import CorpId
from materials import material_lists
from materials.intake import Incoming
from materials.material_model import StoredFile
from materials.tables import StoredFileRow

PAGES_JOB = "materials.pages"


def register(uow: UnitOfWork, corp: CorpId, actor: str, key: str, incoming: Incoming) -> StoredFile:
    """Note that a corp has a file; its bytes are in the store already. The same file again changes nothing."""
    uow.lock(f"stored_files:{corp}:{key}")
    row = uow.session.get(StoredFileRow, (corp, key))
    if row is None:
        row = StoredFileRow(
            corp_id=corp,
            file_key=key,
            kind=incoming.kind,
            mime=incoming.mime,
            filename=incoming.filename,
            size_bytes=incoming.size_bytes,
            width=incoming.width,
            height=incoming.height,
            pages=incoming.pages,
            stored_by=actor,
            stored_at=uow.now(),
        )
        uow.session.add(row)
        uow.session.flush()
    return _view(row)


def get(session: Session, corp: CorpId, key: str) -> StoredFile:
    """One file of this corp. Raises: NotFound."""
    row = session.get(StoredFileRow, (corp, key))
    if row is None:
        raise NotFound("没有这个文件，请重新上传")
    return _view(row)


def several(session: Session, corp: CorpId, keys: Iterable[str]) -> dict[str, StoredFile]:
    """The files among ``keys`` that this corp has."""
    statement = select(StoredFileRow).where(StoredFileRow.corp_id == corp, col(StoredFileRow.file_key).in_(set(keys)))
    return {row.file_key: _view(row) for row in session.exec(statement)}


def twins(session: Session, corp: CorpId, key: str) -> list[str]:
    """The titles of materials that are made of this very file: told to whoever uploads it again."""
    return material_lists.made_of(session, corp, key)


def ask_for_pages(uow: UnitOfWork, corp: CorpId, key: str) -> None:
    """Have pictures of a PDF's pages made, once; nothing happens for other files."""
    row = uow.session.get(StoredFileRow, (corp, key))
    if row is not None and row.pages and not row.page_keys:
        outbox.add_job(uow, PAGES_JOB, dedupe_key=f"{PAGES_JOB}:{corp}:{key}", payload={"corp": corp, "file_key": key})


def set_pages(uow: UnitOfWork, corp: CorpId, key: str, page_keys: Sequence[str]) -> None:
    """Note the pictures of a PDF's pages, in their order. Raises: NotFound."""
    row = uow.session.get(StoredFileRow, (corp, key))
    if row is None:
        raise NotFound("没有这个文件")
    row.page_keys = list(page_keys)
    uow.session.add(row)


def _view(row: StoredFileRow) -> StoredFile:
    return StoredFile(
        key=row.file_key,
        kind=row.kind,
        mime=row.mime,
        filename=row.filename,
        size_bytes=row.size_bytes,
        width=row.width,
        height=row.height,
        page_keys=tuple(row.page_keys),
        pages=row.pages,
    )
