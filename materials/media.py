"""WeCom's copies of our files (临时素材): one per corp and file, renewed before it dies, never uploaded twice at once.

Source: WeCom docs 90253 (3 days, usable by all apps of the corp) and 90256 (a picture with an address for ever).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlmodel import Session, col, select

from crm_core import outbox
from crm_core.config import MaterialsPart
from crm_core.db import UnitOfWork
from crm_core.events import MediaUploaded, OutboundFinished
from crm_core.ids import AppKey, CorpId
from materials import files
from materials.tables import MediaCopyRow

LASTING = "lasting"
SPARE = timedelta(minutes=10)  # an id that dies sooner is not handed out
VALID = timedelta(days=3)  # doc 90253
FAILED_WAIT = timedelta(seconds=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaWish:
    """A copy somebody needs. kind: image | video | file | ``lasting``. filename: what receivers of a file see."""

    file_key: str
    kind: str
    filename: str = ""

    @property
    def name(self) -> str:
        """The file name as far as it tells copies apart."""
        return self.filename if self.kind == "file" else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaCopy:
    """Where a copy stands. status: ready | uploading | failed. media_id or url are there when it is ready."""

    status: str
    media_id: str = ""
    url: str = ""
    error: str = ""

    @property
    def is_ready(self) -> bool:
        """Whether it can be sent now."""
        return self.status == "ready"


def look(session: Session, corp: CorpId, wish: MediaWish, now: datetime) -> MediaCopy | None:
    """The copy if it can be sent now, else None. Asks for nothing."""
    row = _find(session, corp, wish)
    return _ready(row) if row is not None and _is_usable(row, now) else None


def want(uow: UnitOfWork, corp: CorpId, app: AppKey, wish: MediaWish) -> MediaCopy:
    """The copy, asking for an upload when there is none that lives long enough. One upload at a time per copy.

    Raises: NotFound when the corp has no such file.
    """
    uow.lock(f"media:{corp}:{wish.file_key}:{wish.kind}:{wish.name}")
    now, row = uow.now(), _find(uow.session, corp, wish)
    if row is None:
        files.get(uow.session, corp, wish.file_key)
        row = MediaCopyRow(
            corp_id=corp,
            app_key=app,
            file_key=wish.file_key,
            kind=wish.kind,
            filename=wish.name,
            asked_at=now,
            used_at=now,
        )
        uow.session.add(row)
        _ask(uow, row)
        return MediaCopy(status="uploading")
    row.used_at = now
    uow.session.add(row)
    if _is_usable(row, now):
        return _ready(row)
    if row.status == "uploading":
        return MediaCopy(status="uploading")
    if row.status == "failed" and now - row.asked_at < FAILED_WAIT:
        return MediaCopy(status="failed", error=row.last_error)
    _again(uow, row)
    return MediaCopy(status="uploading")


def renew(uow: UnitOfWork, rules: MaterialsPart, wanted: Iterable[tuple[CorpId, AppKey, MediaWish]] = ()) -> int:
    """Upload anew what dies soon and was used lately, and whatever ``wanted`` names. Answers how many were asked for.

    The former id stays good until the new one is there.
    """
    now, asked = uow.now(), 0
    soon = now + timedelta(hours=rules.media_refresh_hours)
    live = {(corp, wish.file_key, wish.kind, wish.name): app for corp, app, wish in wanted}
    for (corp, file_key, kind, name), app in live.items():
        wish = MediaWish(file_key=file_key, kind=kind, filename=name)
        if _find(uow.session, corp, wish) is None and files.several(uow.session, corp, [file_key]):
            want(uow, corp, app, wish)
            asked += 1
    due = select(MediaCopyRow).where(
        col(MediaCopyRow.status).in_(("ready", "failed")), col(MediaCopyRow.expires_at) < soon
    )
    for row in uow.session.exec(due.order_by(col(MediaCopyRow.expires_at)).limit(500)):
        is_live = (row.corp_id, row.file_key, row.kind, row.filename) in live
        if is_live or now - row.used_at < timedelta(days=rules.media_warm_days):
            _again(uow, row)
            asked += 1
    return asked


def forget(uow: UnitOfWork, corp: CorpId, media_ids: Iterable[str]) -> None:
    """WeCom does not know these ids any more (40007): the next who wants them has them uploaded anew."""
    statement = select(MediaCopyRow).where(
        MediaCopyRow.corp_id == corp, col(MediaCopyRow.media_id).in_([one for one in media_ids if one])
    )
    for row in uow.session.exec(statement):
        row.media_id, row.expires_at = "", None
        uow.session.add(row)


def record_uploaded(event: MediaUploaded, uow: UnitOfWork) -> None:
    """The copy is there."""
    row = uow.session.get(MediaCopyRow, int(event.subject["copy_id"]), with_for_update=True)
    if row is None or row.round != event.subject["round"]:
        return
    row.status, row.last_error = "ready", ""
    row.media_id, row.url = event.media_id, event.url
    if row.kind != LASTING:
        born = datetime.fromtimestamp(event.created_at, UTC) if event.created_at else event.occurred_at
        row.expires_at = born + VALID
    uow.session.add(row)


def record_not_uploaded(event: OutboundFinished, uow: UnitOfWork) -> None:
    """An upload came to nothing: say why. An id that still lives stays in use."""
    if event.kind != outbox.UPLOAD_MEDIA.name:
        return
    row = uow.session.get(MediaCopyRow, int(event.subject["copy_id"]), with_for_update=True)
    if row is None or row.round != event.subject["round"]:
        return
    row.status, row.last_error, row.asked_at = "failed", event.error or "上传到企业微信失败", uow.now()
    uow.session.add(row)


def _find(session: Session, corp: CorpId, wish: MediaWish) -> MediaCopyRow | None:
    return session.exec(
        select(MediaCopyRow).where(
            MediaCopyRow.corp_id == corp,
            MediaCopyRow.file_key == wish.file_key,
            MediaCopyRow.kind == wish.kind,
            MediaCopyRow.filename == wish.name,
        )
    ).first()


def _is_usable(row: MediaCopyRow, now: datetime) -> bool:
    """Whether what WeCom gave us last is still good, also while it is being renewed."""
    if row.kind == LASTING:
        return bool(row.url)
    return bool(row.media_id) and row.expires_at is not None and row.expires_at > now + SPARE


def _ready(row: MediaCopyRow) -> MediaCopy:
    return MediaCopy(status="ready", media_id=row.media_id, url=row.url)


def _again(uow: UnitOfWork, row: MediaCopyRow) -> None:
    row.round += 1
    _ask(uow, row)


def _ask(uow: UnitOfWork, row: MediaCopyRow) -> None:
    row.status, row.asked_at = "uploading", uow.now()
    uow.session.add(row)
    uow.session.flush()
    outbox.add(
        uow,
        outbox.UPLOAD_MEDIA,
        corp=CorpId(row.corp_id),
        app=AppKey(row.app_key),
        payload={
            "copy_id": row.id,
            "round": row.round,
            "file_key": row.file_key,
            "kind": row.kind,
            "filename": row.filename,
        },
        dedupe_key=f"media:{row.id}:{row.round}",
    )
