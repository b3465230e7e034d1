"""Words from a text or a file, in two steps: first what each line is, then taking over what is new."""

import io
import json

from flask import redirect, render_template, request
from flask.typing import ResponseReturnValue

from bot.console.access import Sight, acting, looking
from bot.console.room import SURFACE
from bot.console.views import page
from bot.spreadsheets import read_rows
from crm_core.errors import InputInvalid
from crm_core.sensitive import importing, words
from crm_core.sensitive.importing import Judged, Line

SHOWN = 500


@page("/sensitive/import", permission="sensitive.write", methods=("GET", "POST"))
def import_words() -> ResponseReturnValue:
    """Paste words or choose a file, then see what becomes of each line; nothing is changed yet."""
    with looking() as sight:
        if request.method == "GET":
            return _form(sight, "")
        try:
            lines = _lines()
            usual = request.form.get("category", "")
            judged = importing.judged(sight.session, sight.corp, lines, usual)
        except InputInvalid as fault:
            return _form(sight, fault.message), 422
    return render_template(
        "console/sensitive_import_preview.html",
        judged=judged[:SHOWN],
        left_out=max(0, len(judged) - SHOWN),
        counts={state: sum(one.state == state for one in judged) for state in importing.STATES},
        states=importing.STATES,
        usual=usual,
        told=json.dumps([[one.number, one.text, one.category, one.kind] for one in lines], ensure_ascii=False),
    )


@page("/sensitive/import/apply", permission="sensitive.write", methods=("POST",))
def apply_words_import() -> ResponseReturnValue:
    """Take over what is new. Raises: InputInvalid."""
    lines, usual = _told_lines(), request.form.get("category", "")
    state = words.LIVE if request.form.get("live") else words.DRAFT
    with acting() as (uow, sight):
        judged: list[Judged] = importing.judged(uow.session, sight.corp, lines, usual)
        importing.take(uow, sight.corp, judged, usual, actor=sight.who.actor, state=state)
    return redirect(f"{SURFACE.prefix}/sensitive")


def _form(sight: Sight, fault: str) -> str:
    names = [one.form.name for one in words.listing(sight.session, sight.corp)]
    return render_template(
        "console/sensitive_import.html", fault=fault, names=names, typed=request.form.get("texts", "")
    )


def _lines() -> list[Line]:
    given = request.files.get("file")
    if given is not None and given.filename:
        return importing.lines_of_rows(read_rows(io.BytesIO(given.stream.read()), given.filename))
    return importing.lines_of_text(request.form.get("texts", ""))


def _told_lines() -> list[Line]:
    """The lines as the preview carried them. Raises: InputInvalid."""
    try:
        told = json.loads(request.form.get("told", ""))
        lines = [
            Line(number=int(at), text=str(text), category=str(name), kind=str(kind)) for at, text, name, kind in told
        ]
    except (ValueError, TypeError):
        raise InputInvalid("预览已失效，请重新导入") from None
    if len(lines) > importing.MOST_LINES:
        raise InputInvalid(f"一次最多导入 {importing.MOST_LINES} 条，请分几次")
    return lines
