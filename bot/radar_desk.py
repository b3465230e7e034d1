"""What the house does with the radar: staff hear of readers, greetings count as sends, old records go."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from sqlmodel import Session

from bot.jobs import JobBody
from crm_core import customers, groups, outbox
from crm_core.config import Settings
from crm_core.db import Database, UnitOfWork
from crm_core.events import OutboundFinished, RadarEvent, RadarForwarded, RadarOpened, RadarProgressed
from crm_core.ids import AppKey, ChatId, CorpId, ExternalUserId
from materials import radar, radar_links, radar_telling, sending
from materials.radar_model import CARD, LinkTarget, Milestone
from materials.radar_telling import Telling

TELL_JOB, PURGE_JOB = "radar.tell", "radar.purge"
TELL_BATCH = 200
TITLE_CHARS = 40


class RadarDesk:
    """Tells staff of readers, each sender of each link at most every ``radar.tell_pause_minutes``."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._pause = timedelta(minutes=settings.radar.tell_pause_minutes)

    def tell_opened(self, event: RadarOpened, uow: UnitOfWork) -> None:
        """Somebody opened what a staff member sent."""
        if event.forwarded:  # told as forwarded
            return
        times = f"第 {event.times} 次打开" if event.times > 1 else "首次打开"
        self._tell_now(event, uow, Milestone.OPENED, "正在看", "", times)

    def tell_progressed(self, event: RadarProgressed, uow: UnitOfWork) -> None:
        """The reader got somewhere."""
        if event.forwarded:
            return
        milestone = Milestone(event.milestone)
        verb, place = _reading(milestone, event.depth, event.page)
        self._tell_now(event, uow, milestone, verb, place, _spent(event.active_seconds))

    def tell_forwarded(self, event: RadarForwarded, uow: UnitOfWork) -> None:
        """Somebody new came by what a reader passed on."""
        self._tell_now(event, uow, Milestone.FORWARDED, "转发了", "", f"已带来 {event.readers} 位新读者")

    def record_greeting(self, event: OutboundFinished, uow: UnitOfWork) -> None:
        """A greeting with materials went out: their links count as sent."""
        if event.kind != outbox.SEND_WELCOME.name or event.outcome != "done":
            return
        for material_id in sorted(sending.material_ids([event.subject.get("message")])):
            target = LinkTarget(
                staff=str(event.subject["staff"]),
                material_id=material_id,
                external_user=str(event.subject["external_user"]),
            )
            link = radar_links.living(uow.session, event.corp, target)
            if link is not None:
                radar_links.record_send(uow, event.corp, link.id, key=f"{event.key}:{material_id}")

    def bodies(self, db: Database) -> dict[str, JobBody]:
        """The jobs of the radar, by kind."""
        return {TELL_JOB: self.tell_kept(db), PURGE_JOB: self.purge(db)}

    def tell_kept(self, db: Database) -> JobBody:
        """The body of the job that tells what was kept during a pause."""

        def body(_payload: Mapping[str, Any], keep_alive: Callable[[], None]) -> None:
            count = TELL_BATCH
            while count == TELL_BATCH:
                with db.unit() as uow:
                    tellings = radar_telling.due(uow, limit=TELL_BATCH)
                    for telling in tellings:
                        self._tell_later(telling, uow)
                    uow.commit()
                count = len(tellings)
                keep_alive()

        return body

    def purge(self, db: Database) -> JobBody:
        """The body of the job that deletes what is older than ``radar.keep_days``."""

        def body(_payload: Mapping[str, Any], keep_alive: Callable[[], None]) -> None:
            gone = radar.PURGE_BATCH
            while gone == radar.PURGE_BATCH:
                with db.unit() as uow:
                    gone = radar.purge(uow, before=uow.now() - timedelta(days=self._settings.radar.keep_days))
                    uow.commit()
                keep_alive()

        return body

    def _tell_now(
        self, event: RadarEvent, uow: UnitOfWork, milestone: Milestone, verb: str, place: str, said: str
    ) -> None:
        if not event.staff or not radar_telling.may_tell(uow, event.link_id, milestone, pause=self._pause):
            return
        target = LinkTarget(
            staff=event.staff,
            material_id=event.material_id,
            subject=event.subject,
            external_user=event.external_user,
            chat=event.chat,
            channel=event.channel,
        )
        self._send(
            uow, event.corp, event.app, target, _title(uow.session, event.corp, target, verb, event.title, place), said,
            key=event.key,
        )  # fmt: skip

    def _tell_later(self, telling: Telling, uow: UnitOfWork) -> None:
        link = telling.link
        if not link.target.staff or not telling.milestones:
            return
        read = [milestone for milestone in telling.milestones if milestone is not Milestone.FORWARDED]
        verb, place = _reading(read[-1], telling.depth, telling.page) if read else ("转发了", "")
        said = [_spent(telling.active_seconds)]
        if read and Milestone.FORWARDED in telling.milestones:
            said.append("还转发给了别人")
        title = _title(uow.session, link.corp, link.target, verb, telling.title, place)
        self._send(
            uow,
            link.corp,
            link.app,
            link.target,
            title,
            "，".join(said),
            key=f"radar:kept:{telling.turn}",
            can_wait=True,
        )

    def _send(
        self,
        uow: UnitOfWork,
        corp: CorpId,
        app: AppKey,
        target: LinkTarget,
        title: str,
        said: str,
        *,
        key: str,
        can_wait: bool = False,
    ) -> None:
        public = self._settings.server.public_url
        page = f"/console/radar/{target.material_id}" if target.material_id else "/console/card"
        if target.external_user:
            page = f"/sidebar/?external_userid={target.external_user}"
        outbox.add(
            uow,
            outbox.SEND_APP_MESSAGE,
            corp=corp,
            app=app,
            payload={
                "staff": [target.staff],
                "external_user": target.external_user,
                "body": {
                    "msgtype": "textcard",
                    "textcard": {
                        "title": title,
                        "description": f'<div class="gray">素材雷达</div>{said or "现在联系正合适"}',
                        "url": f"{public}{page}",
                        "btntxt": "看客户" if target.external_user else "看详情",
                    },
                },
            },
            dedupe_key=f"notice:{key}",
            can_wait=can_wait,
        )


def _reading(milestone: Milestone, depth: int, page: int) -> tuple[str, str]:
    """The verb and the place: 正在看 … 第 3 页 | 已看到 … 一半 | 看完了."""
    if milestone is Milestone.FINISHED:
        return "看完了", ""
    if page:
        return "正在看", f"第 {page} 页"
    return "正在看", f"已到 {depth}%"


def _title(session: Session, corp: CorpId, target: LinkTarget, verb: str, title: str, place: str) -> str:
    short = title if len(title) <= TITLE_CHARS else f"{title[: TITLE_CHARS - 1]}…"
    thing = "你的名片" if target.subject == CARD else f"《{short}》"
    return f"{_who(session, corp, target)} {verb}{thing}{place}"


def _who(session: Session, corp: CorpId, target: LinkTarget) -> str:
    if target.external_user:
        return customers.display_name(session, corp, ExternalUserId(target.external_user)) or "一位客户"
    if target.chat:
        name = groups.names(session, corp, [ChatId(target.chat)]).get(target.chat, "")
        return f"群“{name}”里有人" if name else "客户群里有人"
    return f"“{target.channel}”来的访客" if target.channel else "有访客"


def _spent(seconds: int) -> str:
    if seconds < 1:
        return ""
    minutes, rest = divmod(seconds, 60)
    return f"已看 {minutes} 分 {rest} 秒" if minutes else f"已看 {rest} 秒"
