"""What the client may send of a material right now; copies at WeCom are asked for on the way."""

from flask import Response, jsonify
from sqlmodel import Session

from crm_core.errors import NotFound
from materials import material_lists, sending
from materials import service as scripts
from materials.material_lists import Viewer
from materials.radar_model import LinkTarget
from sidebar import tracking
from sidebar.access import access_customer
from sidebar.group_panel import access_group
from sidebar.room import bp, room
from sidebar.schemas import MaterialOrigin, read_json
from sidebar.views import visitor
from sop import service as sop


@bp.post("/api/materials/<int:material_id>/payload")
def material_payload(material_id: int) -> Response:
    """The argument of ``sendChatMessage``, or that it is still uploading, or why it cannot go out."""
    origin, who = read_json(MaterialOrigin), visitor()
    with room().db.unit() as uow:
        target = _target(uow.session, origin)
        _require_access(uow.session, material_id, origin)
        link_of = tracking.link_of(uow, room().settings, who, target)
        if origin.as_link:
            found = sending.prepare_link(uow, who.corp, material_id, link_of=link_of)
        else:
            found = sending.prepare(uow, who.corp, who.app, material_id, for_client=True, link_of=link_of)
        uow.commit()
    return jsonify({"ok": True, "data": {"state": found.state, "payload": found.payload, "reason": found.reason}})


def _target(session: Session, origin: MaterialOrigin) -> LinkTarget:
    """Whom the tracked link is for. Raises: NotFound, where the visitor may not see them."""
    who = visitor()
    if origin.chat_id:
        return LinkTarget(staff=who.staff, chat=access_group(session, who, origin.chat_id))
    return LinkTarget(staff=who.staff, external_user=access_customer(session, who, origin.external_userid))


def _require_access(session: Session, material_id: int, origin: MaterialOrigin) -> None:
    """A material is theirs to send when it is offered to them, or a script or todo of theirs names it.

    Raises: NotFound.
    """
    who = visitor()
    if origin.script_id is not None:
        messages = list(scripts.get(session, who.corp, origin.script_id, viewer=who.staff).messages)
    elif origin.todo_id is not None:
        messages = [sop.get_todo(session, who.corp, who.staff, origin.todo_id).message]
    else:
        material_lists.get(session, who.corp, material_id, viewer=Viewer(staff=who.staff, now=room().db.clock.now()))
        return
    if material_id not in sending.material_ids(messages):
        raise NotFound("这条内容里没有这个素材，请刷新后再试")
