"""The learner's page: how its training stands, how well it tells each tag, and what it may do with it."""

from flask import render_template, request
from flask.typing import ResponseReturnValue

from bot.console.access import acting, looking
from bot.console.pages_chat_tags import SPANS
from bot.console.views import page, told
from crm_core import audit, staff
from crm_core.errors import InputInvalid
from tagging import learned, suggestion_list
from tagging import service as tagging
from tagging.suggestion_list import Judgement


@page("/tags/chat/learner", permission="tags.read")
def chat_tag_learner_page() -> str:
    """The learner."""
    return render_template("console/chat_tag_learner.html", is_part=False, **_state())


@page("/tags/chat/learner/state", permission="tags.read")
def chat_tag_learner_state() -> str:
    """Its state alone, asked again while a training is under way."""
    return render_template("console/chat_tag_learner_body.html", **_state())


def _state() -> dict[str, object]:
    with looking() as sight:
        found = learned.overview(sight.session, sight.corp)
        judged = suggestion_list.judgements(sight.session, sight.corp).get(learned.SOURCE, Judgement())
        library = tagging.library(sight.session, sight.corp)
        asked_by = {one.asked_by for one in (found.current, found.last) if one is not None and one.asked_by}
        people = staff.names(sight.session, sight.corp, asked_by)
    return {
        "found": found,
        "judged": judged,
        "names": {tag.tag_id: f"{group.name} / {tag.name}" for group in library for tag in group.tags},
        "people": people,
        "modes": learned.MODES,
        "spans": SPANS,
    }


@page("/tags/chat/learner/train", permission="chat_tags.write", methods=("POST",))
def train_chat_tag_learner() -> str:
    """Have it trained anew. Raises: Conflict."""
    with acting() as (uow, sight):
        number = learned.ask_training(uow, sight.corp, actor=sight.who.actor)
        audit.record(
            uow,
            corp=sight.corp,
            actor=sight.who.actor,
            act="chat_tags.trained",
            object_kind="tag_model",
            object_id=str(number),
        )
    return render_template("console/chat_tag_learner_body.html", **_state())


@page("/tags/chat/learner/tags/<tag_id>", permission="chat_tags.write", methods=("POST",))
def allow_learned_tag(tag_id: str) -> ResponseReturnValue:
    """Say what the learner may do with a tag, and how sure it must be. Raises: InputInvalid."""
    percent, mode = request.form.get("threshold", ""), request.form.get("mode", "")
    if not (percent.isascii() and percent.isdigit() and len(percent) < 4):
        raise InputInvalid("置信度请填 30 到 99 的整数", field="threshold")
    with acting() as (uow, sight):
        learned.allow(uow, sight.corp, tag_id, mode=mode, threshold=int(percent) / 100)
        audit.record(
            uow,
            corp=sight.corp,
            actor=sight.who.actor,
            act="chat_tags.allowed",
            object_kind="tag",
            object_id=tag_id,
            data={"mode": mode, "threshold": int(percent)},
        )
    return told(f"已保存：{learned.MODES[mode]}，置信度 {percent}% 以上")
