"""Tells people that a customer waits: the staff member, then the supervisor, then colleagues who could take over.

Also the nightly end of messages whose time is over: both are regular jobs over the chat store.
"""

from collections.abc import Callable, Mapping
from html import escape
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from bot.jobs import JobBody
from crm_core import customers, outbox, roles, staff
from crm_core.chat import keeping, renames, reply_watch
from crm_core.chat.reply_rules import HANDOVER, STAFF
from crm_core.chat.reply_watch import CLOSED, DueStep
from crm_core.chat.retention import limits
from crm_core.chat.store import ChatStore
from crm_core.config import Settings
from crm_core.db import Database, UnitOfWork
from crm_core.ids import AppKey, CorpId, ExternalUserId, StaffUserId
from crm_core.ports import MediaStore

TICK_JOB, EXPIRE_JOB = "reply.tick", "chat.expire"
AT_ONCE = 200


class ReplyDesk:
    """The bodies of ``reply.tick`` and ``chat.expire``."""

    def __init__(self, db: Database, settings: Settings, store: ChatStore, files: MediaStore) -> None:
        self._files = files
        self._db = db
        self._settings = settings
        self._store = store
        self._zone = ZoneInfo(settings.worktime.time_zone)

    def bodies(self) -> Mapping[str, JobBody]:
        """The jobs, by kind."""
        return {TICK_JOB: self.tick, EXPIRE_JOB: self.expire, renames.RENAME_JOB: self.rename}

    def tick(self, _payload: Mapping[str, Any], keep_alive: Callable[[], None]) -> None:
        """Tell whom it is time to tell; a step and its messages are one commit."""
        count = AT_ONCE
        while count == AT_ONCE:
            with self._db.unit() as uow:
                steps = reply_watch.take_due(uow, self._settings.worktime, limit=AT_ONCE)
                for step in steps:
                    self._tell(uow, step)
                uow.commit()
            count = len(steps)
            keep_alive()

    def expire(self, _payload: Mapping[str, Any], keep_alive: Callable[[], None]) -> None:
        """Delete messages whose time is over, batch by batch, with one audit row a corp."""
        before = limits(self._settings.chat, self._db.clock.now())
        for corp in self._store.corps(self._db):
            counts: dict[str, int] = {}
            for kind, moment in before.items():
                is_over = False
                while not is_over:
                    with self._db.unit() as uow:
                        dropped = keeping.drop_older(uow, self._store, corp, kind, moment)
                        uow.commit()
                    for key in dropped.file_keys:
                        self._files.delete(key)
                    counts[kind] = counts.get(kind, 0) + dropped.messages
                    is_over = dropped.is_over
                    keep_alive()
            with self._db.unit() as uow:
                keeping.note_dropped(uow, corp, counts)
                uow.commit()

    def rename(self, payload: Mapping[str, Any], keep_alive: Callable[[], None]) -> None:
        """Carry a changed userid through the chats; run again after a crash it moves what is left."""
        corp, old, new = CorpId(str(payload["corp"])), str(payload["old"]), str(payload["new"])
        after, is_over = 0, False
        while not is_over:
            with self._db.unit() as uow:
                after = renames.move_messages(uow, self._store, corp, old, new, after)
                uow.commit()
            is_over = not after
            keep_alive()
        with self._db.unit() as uow:
            renames.move_talks(uow, corp, old, new)
            uow.commit()

    def _tell(self, uow: UnitOfWork, step: DueStep) -> None:
        if not self._is_contact(uow, step):
            reply_watch.end(uow, step.corp, step.wait, outcome=CLOSED)
            return
        people = self._people(uow, step)
        reply_watch.note_told(uow, step, people)
        part = self._settings.corp(step.corp)
        if part is None:
            return
        for userid in people:
            outbox.add(
                uow,
                outbox.SEND_APP_MESSAGE,
                corp=step.corp,
                app=AppKey(part.contact_app),
                payload={
                    "staff": [userid],
                    "external_user": step.external_user,
                    "body": {"msgtype": "textcard", "textcard": self._card(uow, step, userid)},
                },
                dedupe_key=f"reply:{step.wait}:{step.number}:{userid}",
            )

    def _is_contact(self, uow: UnitOfWork, step: DueStep) -> bool:
        """Nobody can answer a customer who is gone. In 微信客服 there need be no contact."""
        if step.conversation.staff is None:
            return True
        user, member = ExternalUserId(step.external_user), StaffUserId(step.staff)
        known = customers.is_known(uow.session, step.corp, user, frozenset({step.staff}))
        return not known or customers.is_following(uow.session, step.corp, member, user)

    def _people(self, uow: UnitOfWork, step: DueStep) -> list[str]:
        session, member = uow.session, StaffUserId(step.staff)
        if step.whom == STAFF and step.staff:
            return [step.staff] if staff.is_active(session, step.corp, member) else []
        found: list[str] = []
        if step.whom == HANDOVER:
            found = customers.others_following(session, step.corp, ExternalUserId(step.external_user), step.staff)
        found = found or roles.supervisors_of(session, step.corp, member)
        return [one for one in found if staff.is_active(session, step.corp, StaffUserId(one))]

    def _card(self, uow: UnitOfWork, step: DueStep, userid: str) -> dict[str, str]:
        session = uow.session
        name = customers.display_name(session, step.corp, ExternalUserId(step.external_user)) or "一位客户"
        own = userid == step.staff
        who = "你" if own else staff.names(session, step.corp, [step.staff])[step.staff] if step.staff else "同事"
        since = step.since.astimezone(self._zone)
        title = f"{name} 在等{who}回复"
        if step.whom == HANDOVER and not own:
            title = f"请接手：{name} 等{who}回复已超过 {step.minutes} 分钟"
        said = f"{since.month}月{since.day}日 {since:%H:%M} 起 {step.messages} 条消息未回复，"
        said += f"已超过 {step.minutes} 分钟工作时间"
        follows = own or customers.is_following(
            session, step.corp, StaffUserId(userid), ExternalUserId(step.external_user)
        )
        return {
            "title": title,
            "description": f'<div class="gray">{escape(said)}</div>',
            "url": self._customer_url(step) if follows else self._chat_url(step),
            "btntxt": "去回复" if follows else "看会话",
        }

    def _customer_url(self, step: DueStep) -> str:
        return f"{self._settings.server.public_url}/sidebar/?external_userid={quote(step.external_user, safe='')}"

    def _chat_url(self, step: DueStep) -> str:
        where = step.conversation
        key = quote(where.key, safe="")
        return f"{self._settings.server.public_url}/console/chats/{where.kind}/{key}#m{step.position}"
