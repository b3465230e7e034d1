"""Read models: one per panel. They read our own records only and never call WeCom."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from crm_core import accounts, profile, roles, staff, timeline
from crm_core.customers import STAGES
from crm_core.errors import InputInvalid
from crm_core.ids import ExternalUserId
from crm_core.profile import CustomerProfile, FollowView
from sidebar.desk import Desk
from sidebar.follow_panel import Numbers, ReminderLine, numbers, owners, reminder_lines
from sidebar.script_panel import Audience, Entry, customer_audience
from sidebar.sending import parts_of
from sidebar.sentences import ENDED_BY_NAMES, FILTERS, FOLLOW_STATES, Told, masked_mobile, tell
from sidebar.tag_hints import TagHint, tag_hints
from sop import service as sop
from sop.model import StepState
from tagging import personal
from tagging import service as tagging
from tagging.model import CustomerTagView
from tagging.personal import PersonalTag

PAGE_SIZE = 20
TODO_STATES = {"sent": "已发送", "skipped": "已跳过", "expired": "已过期", "failed": "未完成"}


@dataclass(frozen=True, slots=True, kw_only=True)
class TagChip:
    """A tag of the head. state: set | adding | removing | failed; by: whose follow carries it, "" for one's own."""

    tag_id: str
    name: str
    group: str
    state: str
    by: str
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadPanel:
    """Who is this. can_act: the follow is alive, so tags and messages make sense."""

    profile: CustomerProfile
    name: str
    initial: str
    origin: str
    remark: str
    source: str
    numbers: Numbers
    owners: str
    can_act: bool
    notice: str
    chips: tuple[TagChip, ...]
    personal: tuple[PersonalTag, ...]
    hints: tuple[TagHint, ...]

    @property
    def syncing(self) -> bool:
        """Whether a tag is on its way to WeCom."""
        return any(chip.state in ("adding", "removing") for chip in self.chips)


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherTodos:
    """What waits with another customer."""

    external_user: str
    customer_name: str
    count: int
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TodoPanel:
    """What to do next: for this customer, and where else something waits. due: reminders for today or earlier."""

    own: tuple[Entry, ...]
    due: tuple[ReminderLine, ...]
    others: tuple[OtherTodos, ...]

    @property
    def count(self) -> int:
        """How much waits for this customer."""
        return len(self.own) + len(self.due)


@dataclass(frozen=True, slots=True, kw_only=True)
class SettledTodo:
    """A todo that is over."""

    title: str
    state: str
    reason: str
    at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineLine:
    """One line of the timeline tab."""

    told: Told
    at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelinePanel:
    """The timeline tab; ``next_before`` asks for the next page and is "" on the last."""

    lines: tuple[TimelineLine, ...]
    chosen: str
    next_before: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowLine:
    """Who else looks after this customer."""

    staff_name: str
    state: str
    since: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfilePanel:
    """The data tab: what this staff member wrote down and what WeCom told."""

    profile: CustomerProfile
    own: FollowView | None
    mobiles: tuple[str, ...]
    revealed: bool
    may_reveal: bool
    follows: tuple[FollowLine, ...]
    synced: str


class Panels:
    """The panels of one request: one session, one staff member."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._session, self._who = desk.session, desk.who
        self._audiences: dict[ExternalUserId, Audience] = {}

    def audience(self, external_user: ExternalUserId) -> Audience:
        """The customer as the one who gets what is sent; looked up once per request."""
        if external_user not in self._audiences:
            self._audiences[external_user] = customer_audience(self.desk, external_user)
        return self._audiences[external_user]

    def head(self, external_user: ExternalUserId) -> HeadPanel:
        """Who is this, in two lines and a row of chips."""
        read = profile.read(self._session, self._who.corp, external_user)
        own = read.follow_of(self._who.staff)
        name = read.name or (own.remark if own else "") or "新客户"
        return HeadPanel(
            profile=read,
            name=name,
            initial=name[:1],
            origin=f"@{read.corp_name or '企业微信'}" if read.kind == 2 else "@微信",
            remark=own.remark if own and own.remark != name else "",
            source=own.source if own else "",
            numbers=numbers(self.desk, read),
            owners=owners(read, self._who),
            can_act=own is not None and own.status != "ended",
            notice=_notice(read, own),
            chips=tuple(self._chips(external_user)),
            personal=tuple(personal.of_follow(self._session, self._who.corp, self._who.staff, external_user)),
            hints=tag_hints(self.desk, external_user) if own is not None else (),
        )

    def _chips(self, external_user: ExternalUserId) -> list[TagChip]:
        best: dict[str, CustomerTagView] = {}
        for tag in tagging.tags_of(self._session, self._who.corp, external_user):
            kept = best.get(tag.tag_id)
            if kept is None or tag.staff == self._who.staff:
                best[tag.tag_id] = tag
        known = staff.names(self._session, self._who.corp, {tag.staff for tag in best.values()})
        return [
            TagChip(
                tag_id=tag.tag_id,
                name=tag.name,
                group=tag.group_name,
                state=tag.status,
                by="" if tag.staff == self._who.staff else known[tag.staff],
                error=tag.error,
            )
            for tag in best.values()
        ]

    def own_tag_ids(self, external_user: ExternalUserId) -> set[str]:
        """The tags that sit, or are about to sit, on the staff member's own follow."""
        tags = tagging.tags_of(self._session, self._who.corp, external_user)
        return {tag.tag_id for tag in tags if tag.staff == self._who.staff and tag.status != "removing"}

    def todos(self, external_user: ExternalUserId, *, chosen: int = 0) -> TodoPanel:
        """Open todos of this customer, and the other customers who wait."""
        found = sop.todos(self._session, self._who.corp, self._who.staff)
        audience = self.audience(external_user)
        own = [self._todo_entry(todo, chosen, audience) for todo in found if todo.external_user == external_user]
        others: dict[str, list[sop.Todo]] = {}
        for todo in found:
            if todo.external_user != external_user:
                others.setdefault(todo.external_user, []).append(todo)
        return TodoPanel(
            own=tuple(sorted(own, key=lambda entry: not entry.chosen)),
            due=tuple(reminder_lines(self.desk, external_user=external_user, until=self.desk.midnight(days=1)))
            if external_user
            else (),
            others=tuple(
                OtherTodos(
                    external_user=user,
                    customer_name=todos[0].customer_name or "新客户",
                    count=len(todos),
                    title=todos[0].title,
                )
                for user, todos in others.items()
            ),
        )

    def _todo_entry(self, todo: sop.Todo, chosen: int, audience: Audience) -> Entry:
        return Entry(
            kind="todo",
            id=todo.id,
            title=todo.title,
            note=f"{todo.sop_name} · {self.desk.spoken(todo.due_at)}",
            parts=parts_of([todo.message], audience.names),
            can_act=audience.can_act,
            chosen=todo.id == chosen,
        )

    def settled(self, external_user: ExternalUserId) -> list[SettledTodo]:
        """What was done with this customer's earlier todos, newest first."""
        found = sop.todos(
            self._session, self._who.corp, self._who.staff, external_user=external_user, open_only=False, limit=20
        )
        return [
            SettledTodo(
                title=todo.title,
                state=TODO_STATES.get(todo.status, todo.status),
                reason=todo.reason,
                at=self.desk.spoken(todo.ended_at or todo.due_at),
            )
            for todo in found
            if todo.status != StepState.DUE.value
        ]

    def timeline(self, external_user: ExternalUserId, *, chosen: str = "all", before: str = "") -> TimelinePanel:
        """A page of the timeline, newest first. Raises: InputInvalid for a garbled ``before``."""
        label = chosen if chosen in FILTERS else "all"
        found = timeline.read(
            self._session,
            self._who.corp,
            external_user,
            before=_place(before),
            kinds=FILTERS[label][1],
            limit=PAGE_SIZE + 1,
            also=accounts.accounts_of(self._session, self._who.corp, self._who.staff, external_user)[1:],
        )
        shown = found[:PAGE_SIZE]
        known = staff.names(self._session, self._who.corp, {entry.staff for entry in shown if entry.staff})
        last = shown[-1] if len(found) > PAGE_SIZE else None
        return TimelinePanel(
            lines=tuple(
                TimelineLine(
                    told=tell(entry.kind, entry.data, known.get(entry.staff, "")),
                    at=self.desk.spoken(entry.at),
                )
                for entry in shown
            ),
            chosen=label,
            next_before=f"{_micros(last.at)}-{last.id}" if last else "",
        )

    def data(self, external_user: ExternalUserId, *, revealed: bool = False) -> ProfilePanel:
        """What is written down about the customer; mobiles are masked unless ``revealed``."""
        read = profile.read(self._session, self._who.corp, external_user)
        own = read.follow_of(self._who.staff)
        mobiles = own.mobiles if own else ()
        return ProfilePanel(
            profile=read,
            own=own,
            mobiles=mobiles if revealed else tuple(masked_mobile(mobile) for mobile in mobiles),
            revealed=revealed,
            may_reveal=roles.grant_of(self._session, self._who.corp, self._who.staff).allows("mobile.reveal"),
            follows=tuple(
                FollowLine(
                    staff_name=follow.staff_name,
                    state=ENDED_BY_NAMES.get(follow.ended_by, FOLLOW_STATES.get(follow.status, "")),
                    since=self.desk.spoken(follow.started_at),
                    source=follow.source,
                )
                for follow in read.follows
            ),
            synced=self.desk.spoken(read.synced_at) if read.synced_at else "",
        )


def _notice(read: CustomerProfile, own: FollowView | None) -> str:
    if own is not None and own.status == "ended":
        return f"{ENDED_BY_NAMES.get(own.ended_by, '好友关系已结束')}，现在不能发消息和改标签"
    if own is not None and own.status == "half":
        return "客户已添加您，您还没有通过，请先在企业微信里通过"
    return "" if read.synced_at else "客户资料正在从企业微信同步，稍后会自动补全"


def stage_choices() -> list[tuple[str, str]]:
    """Stages in their order, as (code, name)."""
    return list(STAGES.items())


def _micros(moment: datetime) -> int:
    return (moment - datetime.fromtimestamp(0, UTC)) // timedelta(microseconds=1)


def _place(before: str) -> tuple[datetime, int] | None:
    if not before:
        return None
    micros, _, entry_id = before.partition("-")
    if not (micros.isdigit() and entry_id.isdigit() and len(micros) < 18 and len(entry_id) < 19):
        raise InputInvalid("翻页位置不正确，请刷新", field="before")
    return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=int(micros)), int(entry_id)
