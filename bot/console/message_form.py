"""A greeting as a form: text, links and materials in, the stored message out, and the bubbles of its preview.

What the form has no fields for (a picture by its media_id, say) travels through it as it is, behind a tick.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session
from werkzeug.datastructures import MultiDict

from crm_core.errors import InputInvalid, NotFound
from crm_core.ids import CorpId
from crm_core.messages import MOST_ATTACHMENTS, with_nickname
from materials import material_lists, sending
from materials.material_lists import MaterialQuery

LINK_FIELDS = ("title", "url", "desc", "picurl")
MOST_MATERIALS = 100
EXAMPLE_NAME = "林小满"
KINDS = {"image": "图片", "video": "视频", "file": "文件", "miniprogram": "小程序", "link": "链接"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bubble:
    """One bubble of the preview. kind: text | link | image | file | video | miniprogram | article | poster."""

    kind: str
    title: str
    said: str = ""


def read(session: Session, corp: CorpId, form: MultiDict[str, str]) -> dict[str, Any] | None:
    """The stored message of a form, None when it is empty. Raises: InputInvalid (a material that is gone)."""
    attachments: list[dict[str, Any]] = []
    for number in range(MOST_ATTACHMENTS):
        link = {name: form.get(f"link_{name}_{number}", "").strip() for name in LINK_FIELDS}
        if any(link.values()):
            attachments.append({"msgtype": "link", "link": {name: text for name, text in link.items() if text}})
    for wanted in form.getlist("material"):
        if wanted.isascii() and wanted.isdigit():
            try:
                attachments.append(sending.attachment_of(material_lists.get(session, corp, int(wanted))))
            except NotFound as error:
                raise InputInvalid("选择的素材已被删除，请重新选择", field="welcome") from error
    attachments += [_kept(said) for said in form.getlist("kept")]
    text = form.get("welcome_text", "").strip()
    return {"text": text, "attachments": attachments} if text or attachments else None


def _kept(said: str) -> dict[str, Any]:
    try:
        item = json.loads(said)
    except ValueError:
        item = None
    if not isinstance(item, dict):
        raise InputInvalid("原有附件没有读懂，请刷新页面再试", field="welcome")
    return item


def fields(session: Session, corp: CorpId, message: Mapping[str, Any] | None) -> dict[str, Any]:
    """What the form's fields show for a stored message: text, links, materials, and what is only kept."""
    offered = _choices(session, corp)
    shown = {value for value, _ in offered}
    items = (message or {}).get("attachments") or []
    links = [item["link"] for item in items if item.get("msgtype") == "link"]
    chosen = {str(item["material"]["material_id"]) for item in items if item.get("msgtype") == "material"} & shown
    others = [item for item in items if item.get("msgtype") != "link" and not _is_among(item, shown)]
    kept = [(_bubble(item).title, json.dumps(item, ensure_ascii=False)) for item in others]
    welcome = {"text": (message or {}).get("text", ""), "links": links, "materials": chosen, "kept": kept}
    return {"welcome": welcome, "materials": offered}


def _is_among(item: Mapping[str, Any], materials: set[str]) -> bool:
    return item.get("msgtype") == "material" and str(item["material"]["material_id"]) in materials


def _choices(session: Session, corp: CorpId) -> list[tuple[str, str]]:
    found = material_lists.listing(session, corp, MaterialQuery(), limit=MOST_MATERIALS).items
    return [(str(one.id), f"{one.kind_name} · {one.title}") for one in found]


def bubbles(message: Mapping[str, Any] | None) -> list[Bubble]:
    """How the customer will see it."""
    if not message:
        return []
    told = []
    if message.get("text"):
        told.append(Bubble(kind="text", title=with_nickname(str(message["text"]), EXAMPLE_NAME)))
    return told + [_bubble(item) for item in message.get("attachments") or []]


def _bubble(item: Mapping[str, Any]) -> Bubble:
    kind = str(item.get("msgtype", ""))
    body = item.get(kind) or {}
    if kind == "material":
        return Bubble(kind=str(body.get("kind", "")), title=str(body.get("title", "")))
    title = str(body.get("title") or KINDS.get(kind, kind))
    return Bubble(kind=kind, title=title, said=str(body.get("desc") or body.get("url", "")))
