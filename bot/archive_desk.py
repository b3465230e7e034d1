"""Pulls the chat archive: the bodies of the jobs ``archive.tick``, ``archive.pull`` and ``archive.media_purge``.

Pulling, decrypting and storing overlap: while a page is being stored, the next one is fetched and opened by the
archive's own processes. The cursor is committed with the messages, so a killed puller loses and repeats nothing.
"""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog

from bot.archive_media_desk import ArchiveMediaDesk
from bot.jobs import JobBody
from bot.media_store import FolderStore
from bot.places import media_folder, var_folder
from crm_core.chat import archive_book, archive_intake
from crm_core.chat.archive_media import MEDIA_JOB
from crm_core.chat.archive_port import ArchiveTrouble, ArchiveUnavailable, MessageArchive, OpenedRecord
from crm_core.chat.store import ChatStore
from crm_core.config import Settings
from crm_core.config_archive import ArchivePart
from crm_core.db import Database, UnitOfWork
from crm_core.errors import LeaseLost, NotFound
from crm_core.events import ArchiveHasNews
from crm_core.ids import CorpId
from crm_core.owner import new_owner
from crm_core.ports import MediaStore

log = structlog.get_logger()

TICK_JOB, PURGE_JOB = "archive.tick", "archive.media_purge"
PAGES_A_JOB = 100  # then the next corp gets its turn
QUICK_TRIES = 3  # for what may pass in a second, before the pauses begin
SMALLER_LIMIT = 301_058
LEAST_PAGE = 10
RETRY_PAGE = 200
PASSING = frozenset({ArchiveTrouble.CRASHED, ArchiveTrouble.BROKEN_ANSWER})


@dataclass(frozen=True, slots=True, kw_only=True)
class CorpArchive:
    """One corp's archive with its part of the configuration."""

    corp: CorpId
    part: ArchivePart
    archive: MessageArchive


class ArchiveDesk:
    """What the loops do with the archives."""

    def __init__(
        self,
        db: Database,
        store: ChatStore,
        archives: Mapping[CorpId, CorpArchive],
        files: MediaStore,
        media: ArchiveMediaDesk,
    ) -> None:
        self.archives = archives
        self.files = files
        self._db = db
        self._store = store
        self._media = media

    def bodies(self) -> dict[str, JobBody]:
        """The jobs of the room, by kind."""
        return {
            TICK_JOB: self.tick,
            archive_book.PULL_JOB: self.pull,
            MEDIA_JOB: self._media.fetch,
            PURGE_JOB: self.purge,
        }

    def on_news(self, event: ArchiveHasNews, uow: UnitOfWork) -> None:
        """The callback msgaudit_notify."""
        if event.corp in self.archives:
            archive_book.ask(uow, event.corp, f"{event.corp}:{event.key}")

    def tick(self, _payload: Mapping[str, Any], _keep_alive: Callable[[], None]) -> None:
        """The fallback when no callback comes: ask for every corp's archive now and then."""
        for corp, one in self.archives.items():
            with self._db.unit() as uow:
                turn = int(uow.now().timestamp() // one.part.tick_seconds)
                archive_book.ask(uow, corp, f"{corp}:tick:{turn}")
                uow.commit()

    def pull(self, payload: Mapping[str, Any], keep_alive: Callable[[], None]) -> None:
        """Read the archive of a corp to its end; at most ``PAGES_A_JOB`` pages, then another job goes on."""
        found = self.archives.get(CorpId(str(payload["corp"])))
        if found is None:
            return
        owner = new_owner()
        with self._db.unit() as uow:
            start = archive_book.begin(uow, found.corp, owner)
            uow.commit()
        if start is None:
            return
        puller = _Puller(self._db, self._store, found, owner, keep_alive)
        with puller.closing():
            puller.run(*start)

    def purge(self, _payload: Mapping[str, Any], keep_alive: Callable[[], None]) -> None:
        """Delete the bytes of files that were kept long enough."""
        for corp, one in self.archives.items():
            if one.part.media_keep_days:
                self._media.drop_older(corp, timedelta(days=one.part.media_keep_days), keep_alive)

    def close(self) -> None:
        """End the archives' processes."""
        for one in self.archives.values():
            one.archive.close()

    def need(self, corp: CorpId) -> CorpArchive:
        """The archive of a corp. Raises: NotFound."""
        found = self.archives.get(corp)
        if found is None:
            raise NotFound("这个企业没有配置会话存档")
        return found


def open_archive_desk(
    db: Database,
    settings: Settings,
    store: ChatStore,
    opened: Mapping[CorpId, tuple[ArchivePart, MessageArchive]],
) -> ArchiveDesk:
    """The desk with its places on disk. Files lie apart from all others, because retention deletes here."""
    files = FolderStore(media_folder(settings) / "archive")
    media = ArchiveMediaDesk(db, files, var_folder(settings) / "archive-parts", opened)
    archives = {corp: CorpArchive(corp=corp, part=part, archive=archive) for corp, (part, archive) in opened.items()}
    return ArchiveDesk(db, store, archives, files, media)


class _Puller:
    """One run through a corp's archive."""

    def __init__(
        self, db: Database, store: ChatStore, found: CorpArchive, owner: str, keep_alive: Callable[[], None]
    ) -> None:
        self._db = db
        self._store = store
        self._corp, self._part, self._archive = found.corp, found.part, found.archive
        self._owner = owner
        self._keep_alive = keep_alive
        self._prints = found.archive.key_prints()
        self._ahead = ThreadPoolExecutor(1, thread_name_prefix="archive-ahead")

    @contextmanager
    def closing(self) -> Iterator[None]:
        """Whatever happens, somebody else may pull afterwards."""
        try:
            yield
        except ArchiveUnavailable as error:
            log.warning("archive_unavailable", corp=self._corp, trouble=error.trouble.value, code=error.code_seen)
            with self._db.unit() as uow:
                archive_book.fail(uow, self._corp, self._owner, error, self._archive.health())
                uow.commit()
        except LeaseLost:
            log.warning("archive_taken_over", corp=self._corp)
        finally:
            self._ahead.shutdown(wait=True)
            self._archive.rest()
            with self._db.unit() as uow:
                archive_book.let_go(uow, self._corp, self._owner)
                uow.commit()

    def run(self, seq: int, limit: int) -> None:
        """Page after page. Raises: ArchiveUnavailable, LeaseLost."""
        self._try_undecided()
        limit = limit or self._part.page
        left = PAGES_A_JOB
        while True:
            with self._db.unit() as uow:
                began = uow.now()
            page, limit = self._first_page(seq, limit)
            while page and left:
                seq, page, limit, left = *self._store_and_fetch(page, seq, limit), left - 1
            if page:
                self._hand_on(seq)
                return
            if self._is_through(began):
                return

    def _hand_on(self, seq: int) -> None:
        """Another job goes on from here."""
        with self._db.unit() as uow:
            archive_book.let_go(uow, self._corp, self._owner)
            archive_book.ask(uow, self._corp, f"{self._corp}:on:{seq}")
            uow.commit()

    def _store_and_fetch(self, page: list[OpenedRecord], seq: int, limit: int) -> tuple[int, list[OpenedRecord], int]:
        """Store a page while the next one is fetched. Answers the last seq, the next page and the limit."""
        last = page[-1].record.seq
        following: Future[list[OpenedRecord]] = self._ahead.submit(self._fetch, last, limit)
        self._take_in(page, seq)
        self._keep_alive()
        try:
            return last, following.result(), limit
        except ArchiveUnavailable:
            return last, *self._first_page(last, limit)

    def _take_in(self, page: list[OpenedRecord], after: int) -> None:
        with self._db.unit() as uow:
            archive_intake.take_in(
                uow, self._corp, self._owner, self._store, self._part, page, self._prints, after=after
            )
            uow.commit()

    def _first_page(self, seq: int, limit: int) -> tuple[list[OpenedRecord], int]:
        """The page after a seq: crashes are tried again at once, and too large a page is asked for in smaller ones."""
        tries = 0
        while True:
            try:
                return self._fetch(seq, limit), limit
            except ArchiveUnavailable as error:
                self._keep_alive()
                if error.code_seen == SMALLER_LIMIT and limit > LEAST_PAGE:
                    limit = max(LEAST_PAGE, limit // 2)
                    with self._db.unit() as uow:
                        archive_book.limit_pages(uow, self._corp, limit)
                        uow.commit()
                    continue
                tries += 1
                if error.trouble not in PASSING or tries >= QUICK_TRIES:
                    raise

    def _fetch(self, seq: int, limit: int) -> list[OpenedRecord]:
        return self._archive.open(self._archive.pull(seq, limit))

    def _try_undecided(self) -> None:
        """Records whose key has come since."""
        while True:
            with self._db.reading() as session:
                waiting = archive_book.worth_another_try(session, self._corp, self._prints, RETRY_PAGE)
            if not waiting:
                return
            opened = self._archive.open(waiting)
            with self._db.unit() as uow:
                archive_intake.take_in_again(uow, self._corp, self._store, self._part, opened, self._prints)
                uow.commit()
            self._keep_alive()

    def _is_through(self, began: Any) -> bool:
        with self._db.unit() as uow:
            through = archive_book.finish(uow, self._corp, self._owner, began=began, health=self._archive.health())
            uow.commit()
        return through
