"""Who is told of a hit in WeCom, and in which words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any
from zoneinfo import ZoneInfo

from sqlmodel import Session

from crm_core import customers, outbox, roles, staff
from crm_core.db import UnitOfWork
from crm_core.ids import AppKey, CorpId, ExternalUserId, StaffUserId
from crm_core.roles import Role
from crm_core.sensitive.hits import AROUND, Place
from crm_core.sensitive.words import SEVERITIES, CategoryForm

TITLE_BYTES, TEXT_BYTES = 120, 480  # textcard: 128 and 512 (doc 90236)
MOST_SINGLE = 3  # hits of a batch that a person is told one by one


@dataclass(frozen=True, slots=True, kw_only=True)
class Fresh:
    """A hit that has just been kept. row: its columns."""

    id: int
    form: CategoryForm
    text: str
    places: tuple[Place, ...]
    row: Mapping[str, Any]


class Teller:
    """Writes app messages to supervisors and to whoever said it."""

    def __init__(self, public_url: str, zone: ZoneInfo) -> None:
        self._public_url = public_url
        self._zone = zone

    def tell(self, uow: UnitOfWork, corp: CorpId, app: AppKey, fresh: Sequence[Fresh]) -> None:
        """Tell everybody concerned, in the commit that keeps the hits."""
        by_person: dict[str, list[Fresh]] = {}
        watched: dict[str, list[str]] = {}
        for one in fresh:
            whose = one.row["staff_userid"]
            if one.form.tells_supervisor:
                if whose not in watched:
                    watched[whose] = supervisors_of(uow.session, corp, whose)
                people = dict.fromkeys([*([one.form.owner] if one.form.owner else []), *watched[whose]])
                for person in people:
                    by_person.setdefault(person, []).append(one)
            if one.form.tells_staff and one.row["sender_kind"] == "staff":
                self._warn(uow, corp, app, one)
        for person, hits in by_person.items():
            for one in hits[:MOST_SINGLE]:
                self._send(uow, corp, app, person, one)
            if len(hits) > MOST_SINGLE:
                self._sum_up(uow, corp, app, person, hits)

    def _send(self, uow: UnitOfWork, corp: CorpId, app: AppKey, person: str, one: Fresh) -> None:
        who = self._who(uow.session, corp, one)
        title = f"【{SEVERITIES[one.form.severity]}】{one.form.name}：{one.places[0].name if one.places else ''}"
        grey = f'<div class="gray">{self._when(one)} {escape(who)}</div>'
        words = _around(one)
        self._card(uow, corp, app, person, one, title=title, text=grey + _fitting(escape(words), grey), key="told")

    def _warn(self, uow: UnitOfWork, corp: CorpId, app: AppKey, one: Fresh) -> None:
        grey = f'<div class="gray">{self._when(one)}</div>'
        said = escape(f"您刚才说的话触发了“{one.form.name}”：{_around(one)}。请注意用语，主管可以看到这条记录。")
        person = str(one.row["sender_id"])
        body = {"title": "用语提醒", "description": grey + _fitting(said, grey), "url": f"{self._public_url}/sidebar/"}
        self._out(uow, corp, app, person, one, body, key="warned")

    def _sum_up(self, uow: UnitOfWork, corp: CorpId, app: AppKey, person: str, hits: Sequence[Fresh]) -> None:
        rest = hits[MOST_SINGLE:]
        names = "、".join(dict.fromkeys(one.form.name for one in rest))
        body = {
            "title": f"另有 {len(rest)} 条敏感词命中",
            "description": _cut(escape(f"分类：{names}"), TEXT_BYTES),
            "url": f"{self._public_url}/console/hits?state=open",
        }
        self._out(uow, corp, app, person, rest[0], body, key="summed")

    def _card(
        self, uow: UnitOfWork, corp: CorpId, app: AppKey, person: str, one: Fresh, *, title: str, text: str, key: str
    ) -> None:
        body = {
            "title": _cut(title, TITLE_BYTES),
            "description": text,
            "url": f"{self._public_url}/console/hits/{one.id}",
            "btntxt": "去处理",
        }
        self._out(uow, corp, app, person, one, body, key=key)

    def _out(
        self, uow: UnitOfWork, corp: CorpId, app: AppKey, person: str, one: Fresh, card: dict[str, str], *, key: str
    ) -> None:
        outbox.add(
            uow,
            outbox.SEND_APP_MESSAGE,
            corp=corp,
            app=app,
            payload={
                "staff": [person],
                "external_user": one.row["external_userid"],
                "body": {"msgtype": "textcard", "textcard": card},
            },
            dedupe_key=f"sensitive:{one.id}:{key}:{person}",
        )

    def _when(self, one: Fresh) -> str:
        said = one.row["sent_at"].astimezone(self._zone)
        return f"{said.month}月{said.day}日 {said:%H:%M}"

    def _who(self, session: Session, corp: CorpId, one: Fresh) -> str:
        whose, guest = str(one.row["staff_userid"]), str(one.row["external_userid"])
        member = staff.names(session, corp, {whose})[whose] if whose else "未知员工"
        customer = customers.display_name(session, corp, ExternalUserId(guest)) or "一位客户" if guest else "群聊"
        is_staff = one.row["sender_kind"] == "staff"
        return f"{member} → {customer}" if is_staff else f"{customer} → {member}"


def supervisors_of(session: Session, corp: CorpId, userid: str) -> list[str]:
    """The supervisors who see this member's customers; when there is none, the admins. Nobody who has left."""
    given = roles.grants(session, corp)

    def sees(person: str) -> bool:
        visible = roles.visible_staff(session, corp, StaffUserId(person), given[person])
        return (visible is None or userid in visible) and staff.is_active(session, corp, StaffUserId(person))

    chosen = [person for person, grant in given.items() if grant.role is Role.SUPERVISOR and sees(person)]
    others = [person for person, grant in given.items() if grant.role is Role.ADMIN and sees(person)]
    return sorted(one for one in chosen if one != userid) or sorted(others)


def _around(one: Fresh) -> str:
    if not one.places:
        return one.text[: 2 * AROUND]
    first = one.places[0]
    start, end = max(0, first.start - AROUND), first.end + AROUND
    found = f"【{one.text[first.start : first.end]}】"
    return f"{'…' if start else ''}{one.text[start : first.start]}{found}{one.text[first.end : end]}"


def _fitting(text: str, before: str) -> str:
    return _cut(text, TEXT_BYTES - len(before.encode()))


def _cut(text: str, most: int) -> str:
    """At most so many bytes, no character in half, no escape in half."""
    if len(text.encode()) <= most:
        return text
    made = text.encode()[: most - 3].decode(errors="ignore")
    head, mark, tail = made.rpartition("&")
    return f"{head if mark and ';' not in tail else made}…"
