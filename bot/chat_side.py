"""The chat side of the house: the store, who reads it, the desks around it, their jobs, tasks and loops."""

from collections.abc import Mapping
from dataclasses import dataclass

from bot.archive_desk import ArchiveDesk, open_archive_desk
from bot.chat_desk import ReadingDesk
from bot.chat_exports import chat_exports
from bot.chat_tag_desk import ChatTagDesk
from bot.chat_tag_tasks import task_bodies as chat_tag_task_bodies
from bot.ciphers import open_cipher
from bot.jobs import JobBody, UnitBody
from bot.kf_desk import KfDesk
from bot.meaning_desk import MeaningDesk
from bot.recommend_desk import GapDesk, RecommendReader
from bot.reply_desk import ReplyDesk
from bot.sensitive_desk import SensitiveDesk
from bot.staff_bot import StaffBot
from bot.task_desk import TaskBody
from crm_core.chat import archive_book, archive_media
from crm_core.chat.archive_port import MessageArchive
from crm_core.chat.reading import LANE, READ_JOB, ChatReader
from crm_core.chat.reply_watch import ReplyWatch
from crm_core.chat.store import ChatStore
from crm_core.config import Settings
from crm_core.config_archive import ArchivePart
from crm_core.db import Database
from crm_core.ids import AppKey, CorpId
from crm_core.kf import accounts as kf_accounts
from crm_core.ports import Gateways, TextCipher
from materials.meaning import LANE as MEANING_LANE
from materials.recommending import Recommender
from materials.service import ScriptShelf
from tagging.chat_reader import ChatTagReader

LANES = {
    "kf": (kf_accounts.LANE, 2),
    "chat": (LANE, 1),
    "meaning": (MEANING_LANE, 2),
    "archive": (archive_book.LANE, 1),
    "archive-media": (archive_media.LANE, 1),
}
"""Loops over the jobs table by name: lane and threads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatSide:
    """Everything that lives on chat messages, made once by ``open_chat_side``."""

    cipher: TextCipher
    store: ChatStore
    readers: tuple[ChatReader, ...]
    archive: ArchiveDesk
    tags: ChatTagDesk
    sensitive: SensitiveDesk
    recommender: Recommender
    gaps: GapDesk
    replies: ReplyDesk
    kf: KfDesk
    bot: StaffBot

    def bodies(self) -> Mapping[str, JobBody]:
        """What its jobs do."""
        desks = (self.archive, self.tags, self.gaps, self.replies, self.kf)
        return {kind: body for desk in desks for kind, body in desk.bodies().items()}

    def unit_bodies(self) -> Mapping[str, UnitBody]:
        """What its jobs do in the unit that ends them."""
        return {READ_JOB: ReadingDesk(self.store, self.readers).read}

    def task_bodies(self) -> Mapping[str, TaskBody]:
        """What the task desk runs for it."""
        return {**chat_tag_task_bodies(self.tags), **self.sensitive.bodies(self.store), **chat_exports(self.store)}

    def close(self) -> None:
        """Give everything back."""
        self.archive.close()


def open_chat_side(
    db: Database,
    settings: Settings,
    gateways: Gateways,
    meaning: MeaningDesk,
    archives: Mapping[CorpId, tuple[ArchivePart, MessageArchive]],
) -> ChatSide:
    """Make the chat side. archives: the archive of each corp that has one."""
    tag_reader = ChatTagReader({corp.corp_id: AppKey(corp.contact_app) for corp in settings.corps})
    cipher = open_cipher(settings)
    sensitive = SensitiveDesk(settings, cipher)
    readers: tuple[ChatReader, ...] = (RecommendReader(), tag_reader, sensitive.reader, ReplyWatch(settings.worktime))
    shelf = ScriptShelf(meaning.ladder.when_loaded)
    store = ChatStore(cipher, [reader.name for reader in readers])
    recommender = Recommender(db, cipher, meaning.ladder.when_loaded)
    archive = open_archive_desk(db, settings, store, archives)
    return ChatSide(
        cipher=cipher,
        store=store,
        readers=readers,
        archive=archive,
        tags=ChatTagDesk(db, store, tag_reader, meaning.ladder),
        sensitive=sensitive,
        kf=KfDesk(db, settings, gateways, store, shelf),
        bot=StaffBot(settings, shelf),
        recommender=recommender,
        gaps=GapDesk(db, store, cipher, recommender),
        replies=ReplyDesk(db, settings, store, archive.files),
    )
