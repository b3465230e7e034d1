"""One corp: its records and the questions everybody asks about them."""

from __future__ import annotations

import itertools
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from bot.sandbox.archive_book import ArchiveBook
from bot.sandbox.model import (
    App,
    AppMessage,
    ChatMessage,
    ContactWay,
    Department,
    Follow,
    Group,
    JoinWay,
    JsTicket,
    Media,
    ResponseCode,
    Staff,
    Tag,
    TagGroup,
    UserTicket,
    Welcome,
    chat_line,
)
from bot.sandbox.records import (
    AcquisitionLink,
    ChatKey,
    GroupWelcome,
    InterceptRule,
    KfAccount,
    KfCode,
    KfSession,
    KfToken,
    MassMessage,
    Moment,
    MomentJob,
    Orphan,
    Transfer,
)
from bot.sandbox.refusal import Refusal


@dataclass(slots=True)
class Corp:
    """A company on WeCom. `bound`: it bound a WeChat open-platform account, so unionids show."""

    corp_id: str
    name: str
    bound: bool = True
    medical: bool = False  # only medical corps may create temporary chats
    departments: dict[int, Department] = field(default_factory=dict)
    staff: dict[str, Staff] = field(default_factory=dict)  # by lower-cased userid
    apps: dict[int, App] = field(default_factory=dict)
    groups_of_tags: dict[str, TagGroup] = field(default_factory=dict)
    tag_home: dict[str, str] = field(default_factory=dict)  # tag id -> group id
    ways: dict[str, ContactWay] = field(default_factory=dict)
    join_ways: dict[str, JoinWay] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    by_staff: dict[str, dict[str, Follow]] = field(default_factory=dict)
    by_customer: dict[str, dict[str, Follow]] = field(default_factory=dict)
    person_of: dict[str, str] = field(default_factory=dict)  # external_userid -> person id
    welcomes: dict[str, Welcome] = field(default_factory=dict)
    chats: dict[tuple[str, str], deque[ChatMessage]] = field(default_factory=dict)
    app_chats: dict[tuple[int, str], deque[ChatMessage]] = field(default_factory=dict)
    media: dict[str, Media] = field(default_factory=dict)
    app_messages: dict[str, AppMessage] = field(default_factory=dict)
    task_ids: dict[tuple[int, str], str] = field(default_factory=dict)
    response_codes: dict[str, ResponseCode] = field(default_factory=dict)
    user_tickets: dict[str, UserTicket] = field(default_factory=dict)
    js_tickets: dict[int, JsTicket] = field(default_factory=dict)
    temporary_codes: list[float] = field(default_factory=list)
    image_uploads: list[float] = field(default_factory=list)
    mass_messages: dict[str, MassMessage] = field(default_factory=dict)
    mass_received: dict[str, list[float]] = field(default_factory=dict)  # customer or group -> when
    moments: dict[str, Moment] = field(default_factory=dict)
    moment_jobs: dict[str, MomentJob] = field(default_factory=dict)
    transfers: list[Transfer] = field(default_factory=list)
    orphans: list[Orphan] = field(default_factory=list)
    orphan_groups: dict[str, int] = field(default_factory=dict)  # chat id -> when its owner left
    group_moves: list[tuple[float, str, str]] = field(default_factory=list)  # when, group, old owner
    links: dict[str, AcquisitionLink] = field(default_factory=dict)
    link_balance: int = 1000
    links_used: int = 0
    chat_keys: dict[str, ChatKey] = field(default_factory=dict)
    group_welcomes: dict[str, GroupWelcome] = field(default_factory=dict)
    group_welcome_of: dict[str, str] = field(default_factory=dict)  # chat id -> template id
    intercept_rules: dict[str, InterceptRule] = field(default_factory=dict)
    kf_accounts: dict[str, KfAccount] = field(default_factory=dict)
    kf_sessions: dict[tuple[str, str], KfSession] = field(default_factory=dict)
    kf_codes: dict[str, KfCode] = field(default_factory=dict)
    kf_tokens: dict[str, KfToken] = field(default_factory=dict)
    losses: list[tuple[str, float]] = field(default_factory=list)  # member a customer deleted, and when
    menus: dict[int, dict[str, Any]] = field(default_factory=dict)  # by agentid
    archive: ArchiveBook | None = None  # 会话内容存档, when it was bought
    seq: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    # directory
    def member(self, userid: str) -> Staff | None:
        """The member with that userid in any case, None if there is none."""
        return self.staff.get(userid.lower())

    def below(self, department_id: int) -> set[int]:
        """The department and all under it."""
        found = {department_id}
        grew = True
        while grew:
            more = {d.id for d in self.departments.values() if d.parent_id in found} - found
            found |= more
            grew = bool(more)
        return found

    def people_in(self, users: list[str], department_ids: list[int]) -> list[str]:
        """Userids of the named members and of everybody in the departments, in a stable order."""
        found = dict.fromkeys(users)
        for department_id in department_ids:
            inside = self.below(department_id)
            found |= dict.fromkeys(s.userid for s in self.staff.values() if inside.intersection(s.departments))
        return list(found)

    def visible_departments(self, app: App) -> set[int]:
        """Departments in the app's range; the contacts assistant sees them all."""
        if app.is_contacts or 1 in app.visible_departments:
            return set(self.departments)
        return set().union(*(self.below(d) for d in app.visible_departments if d in self.departments))

    def sees(self, app: App, member: Staff) -> bool:
        """Whether the member is in the app's visible range (可见范围)."""
        if app.is_contacts or 1 in app.visible_departments or member.userid in app.visible_users:
            return True
        return bool(self.visible_departments(app).intersection(member.departments))

    def visible_staff(self, app: App) -> list[Staff]:
        """Members in the app's range, oldest first."""
        if app.is_contacts or 1 in app.visible_departments:
            return list(self.staff.values())
        wide = self.visible_departments(app)
        return [s for s in self.staff.values() if s.userid in app.visible_users or wide.intersection(s.departments)]

    def need_member(self, app: App, userid: str) -> Staff:
        """The named member; Refusal 40003 malformed, 60111 unknown, 60011 out of the app's range."""
        good = 1 <= len(userid.encode()) <= 64 and all(c.isalnum() or c in "-_.@" for c in userid)
        if not good:
            raise Refusal(40003)
        member = self.member(userid)
        if member is None:
            raise Refusal(60111)
        if not self.sees(app, member):
            raise Refusal(60011)
        return member

    # relations
    def follow(self, userid: str, external_userid: str) -> Follow | None:
        """The link of these two in any stage, None when there is none."""
        return self.by_staff.get(userid, {}).get(external_userid)

    def add_follow(self, follow: Follow) -> None:
        """Put a link into both indexes."""
        self.by_staff.setdefault(follow.userid, {})[follow.external_userid] = follow
        self.by_customer.setdefault(follow.external_userid, {})[follow.userid] = follow
        self.person_of[follow.external_userid] = follow.person_id

    def drop_follow(self, follow: Follow) -> None:
        """Take a link out of both indexes; the customer's id stays known."""
        self.by_staff[follow.userid].pop(follow.external_userid, None)
        self.by_customer[follow.external_userid].pop(follow.userid, None)

    def need_follow(self, app: App, userid: str, external_userid: str) -> Follow:
        """The complete link of a visible member and a customer.

        Refusal 41035 when the customer is missing, 40096 for an unknown one, 84061 when there is no link or
        the member has not answered yet; the member's errors are those of need_member.
        """
        if not external_userid:
            raise Refusal(41035)
        if external_userid not in self.person_of:
            raise Refusal(40096)
        member = self.need_member(app, userid)
        found = self.follow(member.userid, external_userid)
        if found is None or found.stage != "full":
            raise Refusal(84061)
        return found

    def owned_groups(self, userid: str) -> list[Group]:
        """The living groups a member owns."""
        return [g for g in self.groups.values() if g.owner == userid and not g.dismissed]

    # conversations
    def chat(self, userid: str, other: str, length: int) -> deque[ChatMessage]:
        """The conversation of a member with a customer or a group."""
        return self.chats.setdefault((userid, other), chat_line(length))

    def group_chat(self, chat_id: str, length: int) -> deque[ChatMessage]:
        """The conversation of a group, whoever owns it."""
        return self.chats.setdefault(("", chat_id), chat_line(length))

    def app_chat(self, agentid: int, userid: str, length: int) -> deque[ChatMessage]:
        """The conversation of a member with an app."""
        return self.app_chats.setdefault((agentid, userid), chat_line(length))

    # tags
    def tag(self, tag_id: str) -> tuple[TagGroup, Tag] | None:
        """A corp tag with its group, None if unknown."""
        group = self.groups_of_tags.get(self.tag_home.get(tag_id, ""))
        return (group, group.tags[tag_id]) if group else None

    def tag_group_named(self, name: str) -> TagGroup | None:
        """The tag group of that name."""
        return next((g for g in self.groups_of_tags.values() if g.name == name), None)

    def forget_tag(self, tag_id: str) -> None:
        """Delete a tag from its group and from every relation."""
        home = self.tag_home.pop(tag_id)
        self.groups_of_tags[home].tags.pop(tag_id)
        for links in self.by_staff.values():
            for follow in links.values():
                follow.tags.pop(tag_id, None)
