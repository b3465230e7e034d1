"""Files between our store and WeCom: uploads, messages made ready, copies kept alive, pages drawn, the bin emptied."""

import contextlib
import io
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Any

from sqlmodel import Session

from bot.jobs import JobBody
from crm_core import contact_ways, welcome_messages
from crm_core.config import Settings
from crm_core.db import Database
from crm_core.errors import InputInvalid, NotFound
from crm_core.ids import AppKey, CorpId
from crm_core.ports import MediaStore, OutboundMessage, WeComGateway
from materials import files, library, material_lists, media, pictures, radar_links, sending
from materials.media import LASTING, MediaWish
from materials.radar_model import LinkTarget
from materials.sending import ResolvedMessage
from sop import service as sop

PAGES_JOB, RENEW_JOB, BIN_JOB = files.PAGES_JOB, "media.renew", "materials.empty_bin"
UPLOAD_NAMES = {"image/png": "picture.png", "image/jpeg": "picture.jpg", "video/mp4": "video.mp4"}


class MediaDesk:
    """What the loops do with files."""

    def __init__(self, db: Database, store: MediaStore, settings: Settings) -> None:
        self.store = store
        self._db = db
        self._settings = settings

    def bodies(self) -> dict[str, JobBody]:
        """The jobs of the room, by kind."""
        return {RENEW_JOB: self.renew, BIN_JOB: self.empty_bin, PAGES_JOB: self.draw_pages}

    def make_ready(self, corp: CorpId, app: AppKey, message: OutboundMessage, target: LinkTarget) -> ResolvedMessage:
        """A message with real attachments where it names materials; missing copies are asked for.

        target: whom it goes to; what has a page of its own goes out by a tracked link.
        """
        if not any(item.msgtype == sending.MATERIAL for item in message.attachments):
            return ResolvedMessage(message=message)
        with self._db.unit() as uow:
            link_of = radar_links.tracked(
                uow,
                corp,
                app,
                target,
                public_url=self._settings.server.public_url,
                lasts=timedelta(days=self._settings.radar.link_days),
            )
            found = sending.resolve(uow, corp, app, message, link_of=link_of)
            uow.commit()
        return found

    def forget(self, corp: CorpId, message: OutboundMessage) -> None:
        """WeCom refused an id of this message as unknown: have its files uploaded anew."""
        ids = [str(item.body.get(name) or "") for item in message.attachments for name in ("media_id", "pic_media_id")]
        with self._db.unit() as uow:
            media.forget(uow, corp, ids)
            uow.commit()

    def upload(self, gateway: WeComGateway, payload: Mapping[str, Any]) -> dict[str, Any]:
        """Give WeCom a copy; the fields of ``MediaUploaded``. Raises: NotFound, the WeComError family."""
        key, kind = str(payload["file_key"]), str(payload["kind"])
        with self._db.reading() as session:
            stored = files.get(session, gateway.corp_id, key)
        with self.store.open(key) as content:
            if kind == LASTING:
                return {"url": gateway.upload_image("picture.jpg", io.BytesIO(pictures.small(content)))}
            name = str(payload["filename"]) or UPLOAD_NAMES.get(stored.mime, stored.filename)
            made = gateway.upload_media(kind, name, content)
        return {"media_id": made.media_id, "created_at": made.created_at}

    def draw_pages(self, payload: Mapping[str, Any], keep_alive: Callable[[], None]) -> None:
        """Make and keep a picture of each page of a PDF. A PDF that cannot be read is left without."""
        corp, key = CorpId(payload["corp"]), str(payload["file_key"])
        kept: list[str] = []
        with self.store.open(key) as content, contextlib.suppress(InputInvalid):
            for number, drawn in enumerate(pictures.page_pictures(content), start=1):
                kept.append(self.store.put(io.BytesIO(drawn)).key)
                if number % 5 == 0:
                    keep_alive()
        with self._db.unit() as uow:
            files.set_pages(uow, corp, key, kept)
            uow.commit()

    def renew(self, _payload: Mapping[str, Any], _keep_alive: Callable[[], None]) -> None:
        """Upload anew what dies soon and is in use; what live codes, greetings and SOPs name is always kept alive."""
        with self._db.unit() as uow:
            wanted = [
                (CorpId(corp.corp_id), AppKey(corp.contact_app), wish)
                for corp in self._settings.corps
                for wish in _live_wishes(uow.session, CorpId(corp.corp_id))
            ]
            media.renew(uow, self._settings.materials, wanted)
            uow.commit()

    def empty_bin(self, _payload: Mapping[str, Any], keep_alive: Callable[[], None]) -> None:
        """Delete for good what has been in the bin for long. The bytes stay: other rooms may use the file."""
        age = timedelta(days=self._settings.materials.recycle_days)
        gone = 1
        while gone:
            with self._db.unit() as uow:
                gone = library.empty_bin(uow, older_than=age)
                uow.commit()
            keep_alive()


def _live_wishes(session: Session, corp: CorpId) -> Iterator[MediaWish]:
    """The copies that messages need which go out by themselves."""
    messages = [
        *contact_ways.live_welcomes(session, corp),
        *welcome_messages.live(session, corp),
        *sop.live_messages(session, corp),
    ]
    for material_id in sorted(sending.material_ids(messages)):
        with contextlib.suppress(NotFound):
            yield from sending.wishes_of(material_lists.get(session, corp, material_id))
