"""Read model of the group page, and the only door to a group."""

from dataclasses import dataclass

from sqlmodel import Session

from crm_core import group_profile, group_records
from crm_core.errors import NotFound
from crm_core.group_profile import GroupMember, GroupProfile
from crm_core.ids import ChatId
from sidebar.access import MOST_ID_CHARS
from sidebar.auth import StaffSession
from sidebar.desk import Desk

MISSING_GROUP = "没有找到这个客户群。如果是刚建的群，资料还在同步，请稍后重试；只有群里的成员能查看"
SHOWN_MEMBERS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberLine:
    """One member in words. detail: how and when they came."""

    member: GroupMember
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteLine:
    """One note in words. is_own: the visitor wrote it and may take it away."""

    id: int
    staff_name: str
    text: str
    at: str
    is_own: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class NotesPanel:
    """Tags and notes of a group. proposed: tags other groups carry and this one lacks."""

    tags: tuple[str, ...]
    proposed: tuple[str, ...]
    notes: tuple[NoteLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupPanel:
    """The whole group page. repeated: customers who are in other groups of the company as well."""

    profile: GroupProfile
    created: str
    synced: str
    members: tuple[MemberLine, ...]
    repeated: int
    notes: NotesPanel


def access_group(session: Session, signed_in: StaffSession, chat: str) -> ChatId:
    """The group's id, once the staff member is known to be in it or to own it.

    Raises: NotFound, for a group that is not there and for one of others alike.
    """
    wanted = ChatId(chat)
    if not wanted or len(wanted) > MOST_ID_CHARS:
        raise NotFound(MISSING_GROUP)
    if not group_profile.may_see(session, signed_in.corp, signed_in.staff, wanted):
        raise NotFound(MISSING_GROUP)
    return wanted


def group_panel(desk: Desk, chat: ChatId) -> GroupPanel:
    """The group page's contents."""
    read = group_profile.read(desk.session, desk.corp, desk.staff, chat, today=desk.midnight())
    return GroupPanel(
        profile=read,
        created=desk.spoken(read.created_at),
        synced=desk.spoken(read.synced_at),
        members=tuple(MemberLine(member=member, detail=_detail(desk, member)) for member in read.members),
        repeated=sum(not member.is_staff and member.other_groups > 0 for member in read.members),
        notes=notes_panel(desk, chat),
    )


def notes_panel(desk: Desk, chat: ChatId) -> NotesPanel:
    """Tags and notes alone."""
    tags = group_records.tags_of(desk.session, desk.corp, chat)
    return NotesPanel(
        tags=tuple(tags),
        proposed=tuple(tag for tag in group_records.used_tags(desk.session, desk.corp) if tag not in tags),
        notes=tuple(
            NoteLine(
                id=note.id,
                staff_name=note.staff_name,
                text=note.text,
                at=desk.spoken(note.at),
                is_own=note.staff == desk.staff,
            )
            for note in group_records.notes_of(desk.session, desk.corp, chat)
        ),
    )


def _detail(desk: Desk, member: GroupMember) -> str:
    came = " ".join(part for part in (desk.spoken(member.joined_at), member.joined or "入群") if part)
    invited = f"{member.invitor} 邀请" if member.invitor else ""
    elsewhere = f"还在 {member.other_groups} 个群" if member.other_groups and not member.is_staff else ""
    return " · ".join(part for part in (came if member.joined_at else "", invited, elsewhere) if part)
