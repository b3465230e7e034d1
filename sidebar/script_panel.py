"""Read model of the scripts: whom they go to, what can be sent, and which are on show."""

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import quote

from crm_core import customers, staff
from crm_core.ids import ChatId, ExternalUserId
from materials import favourites, personal_scripts
from materials import service as materials
from materials.model import Script, ScriptFolder
from materials.personal_scripts import PERSONAL
from sidebar.desk import Desk
from sidebar.sending import Names, Part, parts_of

RECENT_FOLDER, FAVOURITE_FOLDER, OWN_FOLDER = -1, -2, -3


@dataclass(frozen=True, slots=True, kw_only=True)
class Audience:
    """Who gets what is sent. base: where their pages live; can_act: the follow is alive."""

    base: str
    names: Names
    can_act: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Something that can be sent. kind: script | todo | material. can_act: the follow is alive.

    is_own: a script the visitor wrote. said: what the line tells instead of the first message.
    has_page: a file that can also go out as a tracked reading page.
    """

    kind: str
    id: int
    title: str
    note: str
    parts: tuple[Part, ...]
    can_act: bool
    chosen: bool = False
    is_favourite: bool = False
    is_own: bool = False
    said: str = ""
    has_page: bool = False

    @property
    def preview(self) -> str:
        """The first words a customer would read."""
        return self.said or (self.parts[0].said if self.parts else "")

    @property
    def is_sendable(self) -> bool:
        """Whether at least one message can go out through the client."""
        return self.can_act and any(part.can_go for part in self.parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptPanel:
    """The script tab. base: where it is served. chosen: the folder on show, or one of the three that are no folder."""

    base: str
    query: str
    folders: tuple[ScriptFolder, ...]
    chosen: int
    has_recents: bool
    entries: tuple[Entry, ...]


def customer_audience(desk: Desk, external_user: ExternalUserId) -> Audience:
    """A customer as the one who gets what is sent."""
    follow = customers.find_follow(desk.session, desk.corp, desk.staff, external_user)
    return Audience(
        base=f"/sidebar/customers/{quote(external_user, safe='')}",
        names=_names(
            desk,
            customer=customers.display_name(desk.session, desk.corp, external_user),
            remark=follow.remark if follow is not None else "",
        ),
        can_act=follow is not None and follow.status != "ended",
    )


def group_audience(desk: Desk, chat: ChatId) -> Audience:
    """A group as the one who gets what is sent: nobody in it is called by name."""
    return Audience(base=f"/sidebar/groups/{quote(chat, safe='')}", names=_names(desk, customer="各位"), can_act=True)


def _names(desk: Desk, *, customer: str = "", remark: str = "") -> Names:
    own = staff.names(desk.session, desk.corp, [desk.staff])[desk.staff]
    return Names(customer=customer, staff=own, remark=remark, today=desk.now.astimezone(desk.room.zone).date())


def script_panel(desk: Desk, audience: Audience, *, query: str = "", folder: int = 0) -> ScriptPanel:
    """Search results over all folders, or one folder; without a wish, what was used last or the first folder."""
    corp, viewer = desk.corp, desk.staff
    seen = materials.folders(desk.session, corp, viewer=viewer)
    folders = tuple(item for item in seen if item.scope != PERSONAL)
    own = {item.id for item in seen if item.scope == PERSONAL}
    recents = materials.recents(desk.session, corp, viewer)
    words = query.strip()
    chosen = folder or (RECENT_FOLDER if recents else folders[0].id if folders else OWN_FOLDER)
    found: Iterable[Script]
    if words:
        found = desk.room.shelf.search(desk.session, corp, words, viewer=viewer)
    elif chosen == RECENT_FOLDER:
        found = recents
    elif chosen == FAVOURITE_FOLDER:
        found = favourites.listing(desk.session, corp, viewer)
    elif chosen == OWN_FOLDER:
        found = personal_scripts.listing(desk.session, corp, viewer)
    else:
        found = materials.scripts_of(desk.session, corp, chosen) if chosen in {each.id for each in folders} else ()
    names = {each.id: each.name for each in folders} if words or chosen < 0 else {}
    marked = favourites.marked(desk.session, corp, viewer)
    return ScriptPanel(
        base=f"{audience.base}/scripts",
        query=words,
        folders=folders,
        chosen=0 if words else chosen,
        has_recents=bool(recents),
        entries=tuple(script_entry(script, audience, marked, own, names) for script in found),
    )


def script_entry(
    script: Script, audience: Audience, marked: Container[int], own: Container[int], folders: Mapping[int, str]
) -> Entry:
    """One script as something that can be sent.

    own: ids of one's own folders. folders: names by id to say where it lies, empty to say nothing.
    """
    is_own = script.group_id in own
    return Entry(
        kind="script",
        id=script.id,
        title=script.title,
        note=("我的" if is_own else folders.get(script.group_id, "")) if folders else "",
        parts=parts_of(script.messages, audience.names),
        can_act=audience.can_act,
        is_favourite=script.id in marked,
        is_own=is_own,
    )
