"""From a material to what WeCom can send: attachments for its API, payloads for the client's JS-SDK.

Files need a copy at WeCom first; where one is missing it is asked for and the caller hears "uploading".
Source: WeCom doc 92137 (attachments), protocol notes 6.3 (sendChatMessage).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from crm_core.db import UnitOfWork
from crm_core.errors import InputInvalid, NotFound
from crm_core.ids import AppKey, CorpId
from crm_core.ports import Attachment, OutboundMessage
from materials import material_lists, media
from materials.material_model import Material
from materials.media import LASTING, MediaCopy, MediaWish

MATERIAL = "material"  # the msgtype of an attachment that names one of our materials
ON_ITS_WAY = "素材正在上传到企业微信，通常几秒钟就好"
NO_COPY = MediaCopy(status="ready")
NO_PAGE = "这篇文章还没有可以打开的地址，暂时不能发送"

LinkOf = Callable[[Material], str]
"""Where customers open a material of ours; "" where it has no page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sendable:
    """A material made ready, or why it is not. state: ready | uploading | blocked; reason says it in words.

    attachment: for the API; payload: for the client; only what was asked for is filled. text: of a text material.
    """

    state: str
    text: str = ""
    attachment: Attachment | None = None
    payload: dict[str, Any] | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedMessage:
    """A message whose materials were made ready. named: it names any.

    waiting: a copy is on its way; problems: what was left out, why.
    """

    message: OutboundMessage
    waiting: bool = False
    problems: tuple[str, ...] = ()
    named: bool = False


def no_links(_material: Material) -> str:
    """For where materials have no pages of their own."""
    return ""


def attachment_of(material: Material) -> dict[str, Any]:
    """The stored form of an attachment that names a material; it is made ready when the message goes out."""
    return {
        "msgtype": MATERIAL,
        MATERIAL: {"material_id": str(material.id), "kind": material.kind, "title": material.title},
    }


def wishes_of(material: Material, *, for_client: bool = False) -> tuple[MediaWish, ...]:
    """The copies at WeCom a material needs before it can go out through the API, or through the client."""
    content, kind = material.content, material.kind
    if kind in ("image", "poster"):
        return (MediaWish(file_key=content["file"], kind="image"),)
    if kind == "video":
        return (MediaWish(file_key=content["file"], kind="video"),)
    if kind == "file":
        return (MediaWish(file_key=content["file"], kind="file", filename=content["filename"]),)
    if kind == "miniprogram":
        return (MediaWish(file_key=content["cover"], kind=LASTING if for_client else "image"),)
    if kind in ("link", "article") and content.get("cover"):
        return (MediaWish(file_key=content["cover"], kind=LASTING),)
    return ()


def prepare(
    uow: UnitOfWork,
    corp: CorpId,
    app: AppKey,
    material_id: int,
    *,
    for_client: bool,
    link_of: LinkOf = no_links,
) -> Sendable:
    """Make a material ready to go out now; asks for a copy at WeCom where one is missing. No network here."""
    try:
        material = material_lists.ready_to_send(uow.session, corp, material_id, uow.now())
    except (NotFound, InputInvalid) as error:
        return Sendable(state="blocked", reason=error.message)
    copies = [media.want(uow, corp, app, wish) for wish in wishes_of(material, for_client=for_client)]
    obstacle = _obstacle(copies)
    if obstacle is not None:
        return obstacle
    url = _address(material, link_of) if goes_by_link(material) else ""
    return _ready(material, copies[0] if copies else NO_COPY, url, for_client=for_client)


def prepare_link(uow: UnitOfWork, corp: CorpId, material_id: int, *, link_of: LinkOf) -> Sendable:
    """A material as a card that opens its tracked reading page, whatever its kind. No network, no upload."""
    try:
        material = material_lists.ready_to_send(uow.session, corp, material_id, uow.now())
    except (NotFound, InputInvalid) as error:
        return Sendable(state="blocked", reason=error.message)
    url = link_of(material)
    if not url:
        return Sendable(state="blocked", reason=NO_PAGE)
    news = {"link": url, "title": material.title, "desc": _summary(material), "imgUrl": f"{url}/cover"}
    return Sendable(state="ready", payload={"msgtype": "news", "news": news})


def goes_by_link(material: Material) -> bool:
    """Whether a material always goes out as its page."""
    return material.kind in ("link", "article")


def _obstacle(copies: Sequence[MediaCopy]) -> Sendable | None:
    for copy in copies:
        if copy.status == "failed":
            return Sendable(state="blocked", reason=f"上传到企业微信失败：{copy.error}")
    if all(copy.is_ready for copy in copies):
        return None
    return Sendable(state="uploading", reason=ON_ITS_WAY)


def _ready(material: Material, copy: MediaCopy, url: str, *, for_client: bool) -> Sendable:
    if material.kind == "text":
        text = str(material.content["text"])
        return Sendable(state="ready", text=text, payload={"msgtype": "text", "text": {"content": text}})
    if goes_by_link(material) and not url:
        return Sendable(state="blocked", reason=NO_PAGE)
    if for_client:
        return Sendable(state="ready", payload=_payload(material, copy, url))
    return Sendable(state="ready", attachment=_attachment(material, copy, url))


def resolve(
    uow: UnitOfWork, corp: CorpId, app: AppKey, message: OutboundMessage, *, link_of: LinkOf = no_links
) -> ResolvedMessage:
    """Put real attachments where a message names materials; what is not ready is left out and told."""
    texts, kept = [message.text] if message.text else [], []
    waiting, problems = False, []
    for item in message.attachments:
        if item.msgtype != MATERIAL:
            kept.append(item)
            continue
        found = prepare(uow, corp, app, int(item.body["material_id"]), for_client=False, link_of=link_of)
        waiting = waiting or found.state == "uploading"
        if found.state != "ready":
            problems.append(f"{item.body.get('title') or '素材'}：{found.reason}")
        elif found.attachment is not None:
            kept.append(found.attachment)
        elif found.text:
            texts.append(found.text)
    return ResolvedMessage(
        message=OutboundMessage(text="\n".join(texts), attachments=tuple(kept)),
        waiting=waiting,
        problems=tuple(problems),
        named=any(item.msgtype == MATERIAL for item in message.attachments),
    )


def material_ids(messages: Iterable[Mapping[str, Any] | None]) -> set[int]:
    """The materials that stored messages name."""
    return {
        int(item[MATERIAL]["material_id"])
        for message in messages
        for item in (message or {}).get("attachments") or []
        if item.get("msgtype") == MATERIAL
    }


def _address(material: Material, link_of: LinkOf) -> str:
    return link_of(material) or (str(material.content["url"]) if material.kind == "link" else "")


def _attachment(material: Material, copy: MediaCopy, url: str) -> Attachment:
    content, kind = material.content, material.kind
    if kind in ("image", "poster"):
        return Attachment(msgtype="image", body={"media_id": copy.media_id})
    if kind in ("video", "file"):
        return Attachment(msgtype=kind, body={"media_id": copy.media_id})
    if kind == "miniprogram":
        body = {name: str(content[name]) for name in ("title", "appid", "page")}
        return Attachment(msgtype="miniprogram", body=body | {"pic_media_id": copy.media_id})
    body = {"title": str(content["title"]), "url": url, "picurl": copy.url, "desc": _summary(material)}
    return Attachment(msgtype="link", body={name: value for name, value in body.items() if value})


def _payload(material: Material, copy: MediaCopy, url: str) -> dict[str, Any]:
    content, kind = material.content, material.kind
    if kind in ("image", "poster"):
        return {"msgtype": "image", "image": {"mediaid": copy.media_id}}
    if kind in ("video", "file"):
        return {"msgtype": kind, kind: {"mediaid": copy.media_id}}
    if kind == "miniprogram":
        body = {name: str(content[name]) for name in ("title", "appid", "page")}
        return {"msgtype": "miniprogram", "miniprogram": body | {"imgUrl": copy.url}}
    news = {"link": url, "title": str(content["title"]), "desc": _summary(material), "imgUrl": copy.url}
    return {"msgtype": "news", "news": news}


def _summary(material: Material) -> str:
    return str(material.content.get("desc") or material.content.get("summary") or "")
