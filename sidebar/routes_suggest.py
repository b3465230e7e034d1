"""The recommendation card: what it shows, the line that tells it of news, thumbs, and drafts."""

from collections.abc import Sequence

from flask import Response, jsonify, render_template, request

from crm_core.db import UnitOfWork
from crm_core.errors import NotFound
from crm_core.ids import ExternalUserId
from materials import customer_turns, lessons
from materials.lessons import SENT, Said
from materials.model import Script
from sidebar.live import held_open
from sidebar.room import bp, room
from sidebar.schemas import DraftForm, SendOutcome, ThumbForm, read_form, read_json
from sidebar.suggest_panel import Suggesting, message_at, recommend, suggest_panel, thumb_key
from sidebar.views import customer_panels, customer_unit, number_arg, visitor

NOTHING = ("", 204)


def suggesting() -> Suggesting:
    """What recommendation is built from. Raises: NotFound where this installation has no chat content."""
    found = room().suggesting
    if found is None:
        raise NotFound("这里没有接入聊天内容")
    return found


@bp.get("/customers/<external_userid>/suggest")
def suggest(external_userid: str) -> str | tuple[str, int]:
    """The card; 204 while nothing waits, or while what the page shows (``seen``) is still all there is.

    quick: by words alone, at once; the page then asks again.
    """
    with customer_panels(external_userid) as (panels, external_user):
        audience = panels.audience(external_user)
        quick = request.args.get("quick") == "1"
        panel = suggest_panel(panels.desk, suggesting(), audience, external_user, words_only=quick)
        if panel is None or (panel.asked == number_arg("seen") and quick):
            return NOTHING
        return render_template("sidebar/suggest.html", panel=panel, external_user=external_user)


@bp.get("/customers/<external_userid>/suggest/live")
def suggest_live(external_userid: str) -> Response:
    """Stays open and tells when this customer says something."""
    suggesting()
    with customer_panels(external_userid) as (panels, external_user):
        return held_open(customer_turns.news_lane(panels.desk.corp, external_user))


@bp.post("/api/suggestions/thumb")
def thumb() -> Response:
    """A thumb on a recommended script, changed, or taken back."""
    form, who = read_json(ThumbForm), visitor()
    with customer_unit(form.external_userid) as (uow, external_user):
        key = thumb_key(form.asked, form.script_id)
        if form.verdict:
            _learn(uow, external_user, form.asked, script_id=form.script_id, verdict=form.verdict, key=key)
        else:
            lessons.unlearn(uow, who.corp, who.staff, key)
    return jsonify({"ok": True, "data": {"verdict": form.verdict}})


@bp.post("/customers/<external_userid>/suggest/draft")
def draft(external_userid: str) -> str:
    """A draft out of the recommended scripts, to be read, changed and sent by hand. Raises: NotFound, DraftFailed."""
    form, found = read_form(DraftForm), suggesting()
    with customer_panels(external_userid) as (panels, external_user):
        desk = panels.desk
        waiting = customer_turns.waiting(desk.session, found.chats, desk.corp, desk.staff, external_user)
        if not waiting or waiting[-1].position != form.asked:
            raise NotFound("客户又说了别的，请看新的推荐")
        answer = recommend(desk, found, external_user, waiting)
        scripts: Sequence[Script] = [one.script for one in answer.suggestions if one.script is not None]
        can_act = panels.audience(external_user).can_act
    made = found.drafts.write([one.message.text for one in waiting], scripts)  # outside any transaction
    return render_template("sidebar/suggest_draft.html", draft=made, asked=form.asked, can_act=can_act)


def learn_from_send(uow: UnitOfWork, external_user: ExternalUserId, outcome: SendOutcome) -> None:
    """A recommended script went out: remember for what, once per key."""
    if outcome.asked and outcome.script_id is not None and room().suggesting is not None:
        key = f"sent:{outcome.asked}:{outcome.script_id}"
        _learn(uow, external_user, outcome.asked, script_id=outcome.script_id, verdict=SENT, key=key)


def _learn(
    uow: UnitOfWork, external_user: ExternalUserId, asked: int, *, script_id: int, verdict: str, key: str
) -> None:
    found, who = suggesting(), visitor()
    stored = message_at(uow.session, found.chats, who.corp, who.staff, external_user, asked)
    text = stored.message.text
    model, vector = found.recommender.remembered(text)
    lessons.learn(
        uow,
        found.cipher,
        who.corp,
        who.staff,
        external_user,
        script_id=script_id,
        verdict=verdict,
        said=Said(text=text, model=model, vector=vector),
        key=key,
    )
