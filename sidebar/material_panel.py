"""Read model of the material tab: what of the library this staff member may send now."""

from dataclasses import dataclass

from materials import folders as material_folders
from materials import material_lists
from materials.material_lists import MaterialQuery, Viewer
from materials.material_model import KINDS, MaterialFolder
from sidebar.desk import Desk
from sidebar.script_panel import Audience, Entry
from sidebar.sending import part_of_material

PAGE_SIZE = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class MaterialPanel:
    """The material tab. base: where it is served; kinds: those the library holds, as (code, name).

    next_before: asks for the next page, 0 on the last.
    """

    base: str
    words: str
    kind: str
    folder: int
    kinds: tuple[tuple[str, str], ...]
    folders: tuple[MaterialFolder, ...]
    entries: tuple[Entry, ...]
    next_before: int


def material_panel(
    desk: Desk, audience: Audience, *, kind: str = "", folder: int = 0, words: str = "", before: int = 0
) -> MaterialPanel:
    """A page of the library for this staff member, newest first; folder 0: everywhere."""
    held = material_lists.kind_counts(desk.session, desk.corp)
    chosen = kind if kind in KINDS else ""
    query = MaterialQuery(
        kind=chosen, folder_id=folder or None, words=words.strip(), viewer=Viewer(staff=desk.staff, now=desk.now)
    )
    page = material_lists.listing(desk.session, desk.corp, query, before=max(before, 0), limit=PAGE_SIZE)
    return MaterialPanel(
        base=f"{audience.base}/materials",
        words=words.strip(),
        kind=chosen,
        folder=folder,
        kinds=tuple((code, name) for code, name in KINDS.items() if held.get(code)),
        folders=tuple(material_folders.tree(desk.session, desk.corp)),
        entries=tuple(
            Entry(
                kind="material",
                id=material.id,
                title=material.title,
                note=material.kind_name,
                parts=(part_of_material(material),),
                can_act=audience.can_act,
                said=material.summary,
                has_page=material.kind in ("file", "video", "image", "poster"),
            )
            for material in page.items
        ),
        next_before=page.next_before,
    )
