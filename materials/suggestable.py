"""What can be recommended: scripts in force and living materials, in one form.

A material stands among scripts as a ``Script`` whose id is its own with a minus sign and whose folder is ``SHELF``.
"""

from sqlmodel import Session, col, func, select

from crm_core.ids import CorpId
from materials import service
from materials.material_lists import to_materials
from materials.material_model import Material
from materials.model import Script
from materials.tables import MaterialRow, ScriptRow

SHELF = -1
MOST_TEXT = 400


def all_entries(session: Session, corp: CorpId) -> list[Script]:
    """Everything a corp may recommend to somebody."""
    rows = session.exec(
        select(MaterialRow)
        .where(MaterialRow.corp_id == corp, col(MaterialRow.deleted_at).is_(None))
        .order_by(col(MaterialRow.id))
    ).all()
    return [*service.all_offered(session, corp), *(as_entry(one) for one in to_materials(session, rows))]


def count(session: Session, corp: CorpId) -> int:
    """How many scripts and materials that is."""
    living = select(func.count()).select_from(MaterialRow)
    materials = session.exec(living.where(MaterialRow.corp_id == corp, col(MaterialRow.deleted_at).is_(None))).one()
    return service.offered_count(session, corp) + materials


def as_entry(material: Material) -> Script:
    """A material in the form of a script."""
    told = " ".join(str(material.content.get(name) or "") for name in ("text", "description", "digest", "summary"))
    return Script(
        id=-material.id,
        group_id=SHELF,
        title=material.title,
        keywords=" ".join(material.tags),
        messages=({"text": told[:MOST_TEXT], "attachments": []},) if told.strip() else (),
        pinyin="",
        initials="",
        expires_at=material.expires_at,
    )


def stamp(session: Session, corp: CorpId) -> tuple[object, ...]:
    """Changes whenever what can be recommended does."""
    scripts = session.exec(
        select(func.count(), func.max(ScriptRow.changed_at), func.sum(ScriptRow.id)).where(
            ScriptRow.corp_id == corp, col(ScriptRow.enabled).is_(True)
        )
    ).one()
    materials = session.exec(
        select(func.count(), func.max(MaterialRow.changed_at), func.sum(MaterialRow.id)).where(
            MaterialRow.corp_id == corp, col(MaterialRow.deleted_at).is_(None)
        )
    ).one()
    return (*scripts, *materials)
