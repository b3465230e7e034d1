"""How scripts are used: sends, people, and who keeps them at hand. Replies come with the chat archive, not before."""

from collections.abc import Sequence

from sqlmodel import Session, col, func, select

from crm_core.ids import CorpId
from materials.script_model import ScriptUsage
from materials.tables import ScriptFavouriteRow, ScriptUseRow


def usage(session: Session, corp: CorpId, ids: Sequence[int]) -> dict[int, ScriptUsage]:
    """The figures of these scripts; every id has some."""
    people = func.count(func.distinct(col(ScriptUseRow.staff_userid)))
    sent = {
        script_id: (sends, senders)
        for script_id, sends, senders in session.exec(
            select(ScriptUseRow.script_id, func.count(), people)
            .where(ScriptUseRow.corp_id == corp, col(ScriptUseRow.script_id).in_(ids))
            .group_by(col(ScriptUseRow.script_id))
        ).all()
    }
    kept = dict(
        session.exec(
            select(ScriptFavouriteRow.script_id, func.count())
            .where(ScriptFavouriteRow.corp_id == corp, col(ScriptFavouriteRow.script_id).in_(ids))
            .group_by(col(ScriptFavouriteRow.script_id))
        ).all()
    )
    return {
        script_id: ScriptUsage(
            sends=sent.get(script_id, (0, 0))[0],
            people=sent.get(script_id, (0, 0))[1],
            favourites=kept.get(script_id, 0),
        )
        for script_id in ids
    }


def use_counts(session: Session, corp: CorpId) -> dict[int, int]:
    """How often each script was sent, by script id."""
    rows = session.exec(
        select(ScriptUseRow.script_id, func.count())
        .where(ScriptUseRow.corp_id == corp)
        .group_by(col(ScriptUseRow.script_id))
    ).all()
    return dict(rows)
