"""待补话术: what customers ask and no script answers, grouped; how far the index of meaning is."""

from typing import Any

from flask import render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlmodel import Session

from bot.console import acts
from bot.console.room import room
from bot.console.views import page, visitor
from crm_core.errors import NotFound
from materials import gaps, meaning, script_desk, service, suggestable
from materials.script_model import MOST_SIMILAR, SIMILAR_CHARS, TITLE_CHARS

WRITE = "scripts.write"
ACTS = {"ignore": gaps.IGNORED, "reopen": gaps.OPEN}
TOLD = {"ignore": "已忽略这组提问，以后类似的不再提示", "reopen": "已放回待补"}


@page("/scripts/gaps", permission=WRITE)
def script_gaps() -> ResponseReturnValue:
    """The groups, the most asked first."""
    return render_template("console/scripts/gaps.html", **_listed())


def _listed() -> dict[str, Any]:
    asked = request.args.get("state", gaps.OPEN)
    state = asked if asked in gaps.STATES else gaps.OPEN
    who, house = visitor(), room().house
    with room().db.reading() as session:
        return {
            "found": gaps.listing(
                session, house.chat.cipher, house.chat.store, who.corp, state=state, after=request.args.get("after", "")
            ),
            "chosen": state,
            "states": gaps.STATES,
            "when": acts.when,
            "waiting": len(script_desk.proposals(session, who.corp, state="waiting")),
            "may_write": who.allows(WRITE),
            "may_approve": who.allows("scripts.approve"),
            "index": index_progress(session),
        }


@page("/scripts/gaps/<int:gap_id>/<act>", permission=WRITE, methods=("POST",))
def switch_gap(gap_id: int, act: str) -> ResponseReturnValue:
    """Ignore a group, or open it again; the notice offers the way back. Raises: NotFound."""
    if act not in ACTS:
        raise NotFound("没有这个操作")
    with room().db.unit() as uow:
        gaps.switch(uow, visitor().corp, visitor().actor, gap_id, state=ACTS[act])
        uow.commit()
    back = "reopen" if act == "ignore" else "ignore"
    undo = url_for("console.switch_gap", gap_id=gap_id, act=back)
    return acts.told(render_template("console/scripts/gap_rows.html", **_listed()), TOLD[act], undo=undo)


@page("/scripts/index", permission="scripts.read")
def script_index() -> ResponseReturnValue:
    """How far the index of meaning is; the page asks again while it grows."""
    with room().db.reading() as session:
        return render_template("console/scripts/index_line.html", index=index_progress(session))


def index_progress(session: Session) -> tuple[int, int] | None:
    """(scripts and materials with vectors, all of them); None where words alone serve."""
    corp = visitor().corp
    embedder = room().house.meaning.ladder.when_loaded(service.offered_count(session, corp))
    if embedder is None:
        return None
    return meaning.progress(session, corp, embedder.model), suggestable.count(session, corp)


def draft_of(gap_id: int) -> dict[str, Any]:
    """What the script form holds at first for a group of questions. Raises: NotFound."""
    house = room().house
    with room().db.reading() as session:
        gap = gaps.get(session, house.chat.cipher, house.chat.store, visitor().corp, gap_id)
    asked = dict.fromkeys(text[:SIMILAR_CHARS] for text in (gap.label, *gap.examples))
    return {
        "title": gap.label[:TITLE_CHARS],
        "similar": "\n".join(list(asked)[:MOST_SIMILAR]),
        "gap": str(gap_id),
    }
