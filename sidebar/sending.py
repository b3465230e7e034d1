"""From a stored message to what the client's JS-SDK sends, and back to our records once it is out."""

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from crm_core import timeline
from crm_core.db import UnitOfWork
from crm_core.errors import InputInvalid, NotFound
from crm_core.ids import ExternalUserId
from materials import library, material_lists
from materials import service as materials
from materials.material_lists import Viewer
from materials.material_model import KINDS, Material
from materials.sending import MATERIAL, attachment_of, material_ids
from sidebar.auth import StaffSession
from sidebar.schemas import PREVIEW_CHARS, SendOutcome
from sop import service as sop
from sop.model import StepState

KIND_NAMES = {"text": "文字", "news": "链接", "image": "图片", "video": "视频", "file": "文件", "miniprogram": "小程序"}
ICONS = {"text": "message-square-text", "news": "link", "image": "image", "video": "video"}
MATERIAL_ICONS = {
    "image": "image",
    "poster": "image",
    "video": "video",
    "link": "news",
    "article": "news",
    "text": "text",
}
NOT_UPLOADED = "这个素材还没有上传到企业微信，请在聊天里手动发送"
NO_COVER = "小程序缺少封面图地址，请在聊天里手动发送"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One message of an entry. payload: argument of ``sendChatMessage``; None when ``blocked`` says why not.

    material_id: the payload is asked for when it is sent (``routes_materials``).
    """

    kind_name: str
    icon: str
    said: str
    payload: dict[str, Any] | None
    blocked: str = ""
    material_id: int = 0

    @property
    def can_go(self) -> bool:
        """Whether the client can send it, now or once its material is at WeCom."""
        return self.payload is not None or self.material_id > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What the variables of a script stand for. customer "": nobody is called by name."""

    customer: str
    staff: str
    remark: str
    today: date

    def fill(self, text: str) -> str:
        """``text`` with {昵称} {备注} {员工} {日期} filled in; a missing remark falls back to the name."""
        said = text.replace("{备注}", self.remark or "{昵称}")
        said = said.replace("{日期}", f"{self.today.month}月{self.today.day}日")
        return sop.fill(said, customer=self.customer, staff_name=self.staff)


def parts_of(messages: Iterable[Mapping[str, Any]], names: Names) -> tuple[Part, ...]:
    """What the client has to send, in order, with the names filled in. Source: protocol notes 6.3."""
    found: list[Part] = []
    for message in messages:
        text = names.fill(str(message.get("text") or ""))
        if text:
            found.append(_part("text", text, {"msgtype": "text", "text": {"content": text}}))
        found += [_attachment(item) for item in message.get("attachments") or []]
    return tuple(found)


def _part(msgtype: str, said: str, payload: dict[str, Any] | None, blocked: str = "") -> Part:
    return Part(
        kind_name=KIND_NAMES[msgtype],
        icon=ICONS.get(msgtype, "file-text"),
        said=said,
        payload=payload,
        blocked=blocked,
    )


def _attachment(item: Mapping[str, Any]) -> Part:
    msgtype = str(item.get("msgtype"))
    body = item.get(msgtype) or {}
    if msgtype == "link":
        news = {
            "link": body.get("url", ""),
            "title": body.get("title", ""),
            "desc": body.get("desc", ""),
            "imgUrl": body.get("picurl", ""),
        }
        return _part("news", str(news["title"]), {"msgtype": "news", "news": news})
    if msgtype == "miniprogram":
        return _part("miniprogram", str(body.get("title", "")), None, NO_COVER)
    if msgtype == MATERIAL:
        kind = MATERIAL_ICONS.get(str(body.get("kind")), "file")
        return Part(
            kind_name=KINDS.get(str(body.get("kind")), "素材"),
            icon=ICONS.get(kind, "file-text"),
            said=str(body.get("title") or ""),
            payload=None,
            material_id=int(body["material_id"]),
        )
    if body.get("media_id"):
        payload = {"msgtype": msgtype, msgtype: {"mediaid": body["media_id"]}}
        return _part(msgtype, KIND_NAMES[msgtype], payload)
    return _part(msgtype, KIND_NAMES[msgtype], None, NOT_UPLOADED)


def part_of_material(material: Material) -> Part:
    """A material of the library as the one message of an entry."""
    return _attachment(attachment_of(material))


def record_outcome(
    uow: UnitOfWork, signed_in: StaffSession, external_user: ExternalUserId, outcome: SendOutcome
) -> bool:
    """A message is out: tick off the todo, or put the script on the timeline. Answers whether that was news.

    Telling the same thing twice changes nothing. Raises: InputInvalid, NotFound, Conflict.
    """
    _require_one(outcome)
    if outcome.todo_id is not None:
        return _record_todo(uow, signed_in, external_user, outcome.todo_id, complete=outcome.complete)
    title = _record_use(uow, signed_in, outcome)
    return _tell_sent(uow, signed_in, external_user, title, outcome)


def _require_one(outcome: SendOutcome) -> None:
    given = [outcome.script_id, outcome.todo_id, outcome.material_id]
    if sum(item is not None for item in given) != 1:
        raise InputInvalid("应说明发送的是话术、素材还是任务")


def _record_use(uow: UnitOfWork, signed_in: StaffSession, outcome: SendOutcome) -> str:
    """Count the use of a script or material, once per key. Answers its title. Raises: NotFound."""
    corp, who = signed_in.corp, signed_in.staff
    if outcome.material_id is not None:
        material = material_lists.get(uow.session, corp, outcome.material_id, viewer=Viewer(staff=who, now=uow.now()))
        library.record_use(uow, corp, who, material.id, key=outcome.key)
        return material.title
    script = materials.get(uow.session, corp, outcome.script_id or 0, viewer=who)
    materials.record_use(uow, corp, who, script.id, key=outcome.key)
    _count_materials(uow, signed_in, script.messages, key=outcome.key)
    return script.title


def record_group_outcome(uow: UnitOfWork, signed_in: StaffSession, outcome: SendOutcome) -> bool:
    """A script or material went out into a group: count its use, once. Raises: InputInvalid, NotFound."""
    _require_one(outcome)
    if outcome.todo_id is not None:
        raise InputInvalid("任务只能发给客户本人")
    _record_use(uow, signed_in, outcome)
    return True


def _record_todo(
    uow: UnitOfWork, signed_in: StaffSession, external_user: ExternalUserId, todo_id: int, *, complete: bool
) -> bool:
    todo = sop.get_todo(uow.session, signed_in.corp, signed_in.staff, todo_id)
    if todo.external_user != external_user:
        raise NotFound("没有这条任务")
    if not complete:
        return False
    if todo.status != StepState.SENT.value:
        _count_materials(uow, signed_in, [todo.message], key=f"todo:{todo_id}")
    sop.settle_todo(uow, signed_in.corp, signed_in.staff, todo_id, outcome=StepState.SENT)
    return todo.status != StepState.SENT.value


def _count_materials(
    uow: UnitOfWork, signed_in: StaffSession, messages: Iterable[Mapping[str, Any]], *, key: str
) -> None:
    """The materials that went out with these messages were used once each; one that is gone for good is not counted."""
    for material_id in sorted(material_ids(messages)):
        with contextlib.suppress(NotFound):
            library.record_use(uow, signed_in.corp, signed_in.staff, material_id, key=f"{key}:{material_id}")


def _tell_sent(
    uow: UnitOfWork, signed_in: StaffSession, external_user: ExternalUserId, title: str, outcome: SendOutcome
) -> bool:
    preview = " ".join(outcome.preview.split())
    thing = {"script_id": outcome.script_id} if outcome.script_id is not None else {"material_id": outcome.material_id}
    return timeline.append(
        uow,
        corp=signed_in.corp,
        external_user=external_user,
        staff=signed_in.staff,
        kind="message.sent",
        at=uow.now(),
        dedupe_key=f"sidebar_send:{signed_in.staff}:{outcome.key}",
        data={
            "title": title,
            "preview": preview[: PREVIEW_CHARS - 1] + "…" if len(preview) > PREVIEW_CHARS else preview,
            "edited": outcome.edited,
        }
        | thing,
    )
