"""Read models around following up: the last record, reminders, who may be the same person, the three numbers."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from crm_core import custom_fields, duplicates, group_profile, profile, reminders, timeline
from crm_core.custom_fields import FieldValue
from crm_core.db import remembered
from crm_core.duplicates import Duplicate
from crm_core.errors import InputInvalid
from crm_core.ids import ExternalUserId
from crm_core.profile import CustomerProfile
from crm_core.reminders import Reminder
from sidebar.auth import StaffSession
from sidebar.desk import Desk
from sidebar.sentences import ENDED_BY_NAMES, FOLLOW_STATES

MOST_LATER = 20
QUIET_HOUR = 10  # presets ring at 10:00, when shops are open


@dataclass(frozen=True, slots=True, kw_only=True)
class ReminderLine:
    """One reminder in words. is_due: its time has come."""

    id: int
    external_user: str
    customer_name: str
    note: str
    when: str
    is_due: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowPanel:
    """What was last said about the customer and what is planned after today. last_text "": nothing was written yet."""

    last_text: str
    last_at: str
    planned: tuple[ReminderLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeLine:
    """A merge that can be taken back."""

    id: int
    said: str
    at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SamePanel:
    """Who may be the same person, and which accounts were made one."""

    candidates: tuple[Duplicate, ...]
    merges: tuple[MergeLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """The three social numbers. shared: groups the staff member is in as well."""

    staff: int
    groups: int
    shared: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RelationLine:
    """One line behind a number. chat "": not a group one can open."""

    name: str
    detail: str
    badge: str = ""
    chat: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """A proposed time. value: as a datetime-local field takes it."""

    name: str
    value: str


def follow_panel(desk: Desk, external_user: ExternalUserId) -> FollowPanel:
    """The follow-up card of a customer."""
    last = timeline.read(desk.session, desk.corp, external_user, kinds=("follow_up.",), limit=1)
    told = [entry for entry in last if entry.data.get("text")]
    return FollowPanel(
        last_text=str(told[0].data["text"]) if told else "",
        last_at=desk.spoken(told[0].at) if told else "",
        planned=tuple(reminder_lines(desk, external_user=external_user, after=desk.midnight(days=1))),
    )


def reminder_lines(
    desk: Desk,
    *,
    external_user: ExternalUserId | None = None,
    until: datetime | None = None,
    after: datetime | None = None,
) -> list[ReminderLine]:
    """Open reminders due by ``until`` and later than ``after``, the earliest first."""
    found = remembered(
        desk.session,
        ("reminders", desk.corp, desk.staff, external_user),
        lambda: reminders.waiting(desk.session, desk.corp, desk.staff, external_user=external_user, limit=MOST_LATER),
    )
    return [
        reminder_line(desk, item)
        for item in found
        if (after is None or item.due_at > after) and (until is None or item.due_at <= until)
    ]


def reminder_line(desk: Desk, item: Reminder) -> ReminderLine:
    """One reminder in words."""
    return ReminderLine(
        id=item.id,
        external_user=item.external_user,
        customer_name=item.customer_name or "新客户",
        note=item.note or "联系客户",
        when=desk.spoken(item.due_at),
        is_due=item.due_at <= desk.now,
    )


def presets(desk: Desk) -> list[Preset]:
    """Times a reminder is usually set to."""
    monday = 7 - desk.midnight().astimezone(desk.room.zone).weekday()
    wanted = (("明天", 1), ("三天后", 3), ("下周一", monday), ("一个月后", 30))
    return [Preset(name=name, value=_field_value(desk, days)) for name, days in wanted]


def _field_value(desk: Desk, days: int) -> str:
    moment = desk.midnight(days=days).astimezone(desk.room.zone) + timedelta(hours=QUIET_HOUR)
    return f"{moment:%Y-%m-%dT%H:%M}"


def moment_of(desk: Desk, text: str) -> datetime | None:
    """What a datetime-local field holds, where the company works; None for "". Raises: InputInvalid."""
    if not text:
        return None
    try:
        local = datetime.fromisoformat(text)
    except ValueError:
        raise InputInvalid("时间不正确，请重新选择", field="due") from None
    return local if local.tzinfo else local.replace(tzinfo=desk.room.zone)


def same_panel(desk: Desk, external_user: ExternalUserId) -> SamePanel:
    """The card about accounts of one person."""
    return SamePanel(
        candidates=tuple(duplicates.find(desk.session, desk.corp, desk.staff, external_user)),
        merges=tuple(
            MergeLine(id=merge.id, said=f"已与「{merge.others}」合并（{merge.reason}）", at=desk.spoken(merge.at))
            for merge in duplicates.merges_of(desk.session, desk.corp, external_user)
        ),
    )


def numbers(desk: Desk, read: CustomerProfile) -> Numbers:
    """How many look after the customer, and how many groups they are in."""
    groups, shared = group_profile.counts(desk.session, desk.corp, desk.staff, read.external_user)
    return Numbers(staff=sum(follow.status != "ended" for follow in read.follows), groups=groups, shared=shared)


def relation_lines(desk: Desk, external_user: ExternalUserId, which: str) -> list[RelationLine]:
    """The list behind one of the numbers: staff, groups or common."""
    if which == "staff":
        read = profile.read(desk.session, desk.corp, external_user)
        return [
            RelationLine(
                name=follow.staff_name + ("（我）" if follow.staff == desk.staff else ""),
                detail=f"{desk.spoken(follow.started_at)} 添加 · {follow.source}",
                badge=ENDED_BY_NAMES.get(follow.ended_by, FOLLOW_STATES.get(follow.status, "")),
            )
            for follow in sorted(read.follows, key=lambda follow: (follow.status == "ended", follow.started_at))
        ]
    own = {line.chat for line in group_profile.groups_with(desk.session, desk.corp, desk.staff, member=external_user)}
    return [
        RelationLine(
            name=line.name,
            detail=f"群主 {line.owner_name} · {line.members} 人",
            chat=line.chat if line.chat in own else "",
        )
        for line in group_profile.groups_of_customer(desk.session, desk.corp, external_user)
        if which == "groups" or line.chat in own
    ]


def field_values(desk: Desk, external_user: ExternalUserId) -> list[FieldValue]:
    """The custom fields with their values."""
    return custom_fields.values_of(desk.session, desk.corp, external_user)


def owners(read: CustomerProfile, who: StaffSession) -> str:
    """Who looks after the customer, oneself first: 张三 +1."""
    alive = [follow for follow in read.follows if follow.status != "ended"]
    alive.sort(key=lambda follow: follow.staff != who.staff)
    if not alive:
        return "暂无"
    return alive[0].staff_name + (f" +{len(alive) - 1}" if len(alive) > 1 else "")
