"""A greeting as a form: text, links and materials in, the stored message out, and the bubbles of its preview."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session
from werkzeug.datastructures import MultiDict

from crm_core.errors import InputInvalid, NotFound
from crm_core.ids import CorpId
from crm_core.messages import with_nickname
from materials import material_lists, sending
from materials.material_lists import MaterialQuery

LINKS = 2
MOST_MATERIALS = 100
EXAMPLE_NAME = "林小满"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bubble:
    """One bubble of the preview. kind: text | link | image | file | video | miniprogram | article | poster."""

    kind: str
    title: str
    said: str = ""


def read(session: Session, corp: CorpId, form: MultiDict[str, str]) -> dict[str, Any] | None:
    """The stored message of a form, None when it is empty. Raises: InputInvalid (a material that is gone)."""
    attachments: list[dict[str, Any]] = []
    for number in range(LINKS):
        link = {name: form.get(f"link_{name}_{number}", "").strip() for name in ("title", "url", "desc")}
        if any(link.values()):
            attachments.append({"msgtype": "link", "link": {name: text for name, text in link.items() if text}})
    for wanted in form.getlist("material"):
        if wanted.isascii() and wanted.isdigit():
            try:
                attachments.append(sending.attachment_of(material_lists.get(session, corp, int(wanted))))
            except NotFound as error:
                raise InputInvalid("选择的素材已被删除，请重新选择", field="welcome") from error
    text = form.get("welcome_text", "").strip()
    return {"text": text, "attachments": attachments} if text or attachments else None


def values(message: Mapping[str, Any] | None) -> dict[str, Any]:
    """What the form's fields show for a stored message."""
    items = (message or {}).get("attachments") or []
    links = [item["link"] for item in items if item.get("msgtype") == "link"]
    materials = [str(item["material"]["material_id"]) for item in items if item.get("msgtype") == "material"]
    return {"text": (message or {}).get("text", ""), "links": links, "materials": materials}


def choices(session: Session, corp: CorpId) -> list[tuple[str, str]]:
    """The materials that may be attached."""
    found = material_lists.listing(session, corp, MaterialQuery(), limit=MOST_MATERIALS).items
    return [(str(one.id), f"{one.kind_name} · {one.title}") for one in found]


def bubbles(message: Mapping[str, Any] | None) -> list[Bubble]:
    """How the customer will see it."""
    if not message:
        return []
    told = []
    if message.get("text"):
        told.append(Bubble(kind="text", title=with_nickname(str(message["text"]), EXAMPLE_NAME)))
    for item in message.get("attachments") or []:
        kind = str(item["msgtype"])
        body = item[kind]
        if kind == "material":
            told.append(Bubble(kind=str(body.get("kind", "")), title=str(body.get("title", ""))))
        else:
            told.append(
                Bubble(kind=kind, title=str(body.get("title", kind)), said=str(body.get("desc") or body.get("url", "")))
            )
    return told
