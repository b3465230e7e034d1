"""From a submitted form to a material: its pieces, the poster drawn from its parts, the day it ends."""

import io
from datetime import datetime, time, timedelta

from flask import request

from bot import qr
from bot.console import acts
from bot.console.room import room
from bot.console.views import visitor
from crm_core.errors import InputInvalid
from materials import files, pictures
from materials.material_model import PIECES, MaterialDraft
from materials.uploads import receive, rules_of

PLACE_NAMES = {"bottom_right": "右下角", "bottom_left": "左下角", "bottom": "底部居中", "middle": "正中"}


def draft_from_form(kind: str) -> MaterialDraft:
    """What the form says. Raises: InputInvalid naming the field, NotFound (a file that is not there)."""
    form = request.form
    content = {piece.name: form.get(piece.name, "") for piece in PIECES[kind]}
    if kind == "poster":
        content["file"] = _poster(content)
    return MaterialDraft(
        kind=kind,
        title=form.get("name", ""),
        content=content,
        folder_id=acts.number(form.get("folder_id")),
        tags=tuple(form.get("tags", "").replace("，", " ").replace(",", " ").split()),
        departments=tuple(acts.number(one) for one in form.getlist("departments")),
        expires_at=end_of_day(form.get("expires", "")),
    )


def _poster(content: dict[str, str]) -> str:
    """The key of the finished picture; the background itself where there is no code to draw."""
    if not content["background"]:
        raise InputInvalid("请上传底图", field="background")
    if not content["qr_text"].strip():
        return content["background"]
    who, store = visitor(), room().house.desk.store
    with room().db.reading() as session:
        files.get(session, who.corp, content["background"])
    code = qr.render(content["qr_text"].strip(), "png")
    with store.open(content["background"]) as background:
        drawn = pictures.poster(background, code, content["qr_place"])
    rules = rules_of(room().settings.materials)
    made = receive(room().db, store, who.corp, who.actor, io.BytesIO(drawn), "海报.jpg", rules, wanted="image")
    return made.file.key


def end_of_day(day: str) -> datetime | None:
    """The moment a chosen day (2026-11-22) is over here; "" gives None. Raises: InputInvalid."""
    if not day:
        return None
    try:
        chosen = datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=room().zone)
    except ValueError as error:
        raise InputInvalid("日期不正确", field="expires") from error
    return datetime.combine(chosen.date(), time(), room().zone) + timedelta(days=1)
