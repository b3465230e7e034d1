"""Files of the material centre in the console: small pictures, downloads, uploads."""

from contextlib import closing
from typing import Any
from urllib.parse import quote

from flask import Response, jsonify, request
from flask.typing import ResponseReturnValue

from bot.console.room import room
from bot.console.views import page, visitor
from crm_core.errors import InputInvalid, NotFound
from materials import files, library, pictures
from materials.material_model import KINDS, TITLE_CHARS, MaterialDraft, StoredFile
from materials.pictures import THUMB_SIDE
from materials.uploads import Received, receive, rules_of

KEPT_BY_BROWSER = "private, max-age=604800, immutable"  # a key names its content


@page("/materials/files/<key>/small", permission="materials.read")
def small_picture(key: str) -> ResponseReturnValue:
    """A picture of ours, small enough for lists."""
    stored = _stored(key)
    if stored.kind != "image":
        raise NotFound("这个文件不是图片")
    with room().house.desk.store.open(key) as content:
        drawn = pictures.small(content, side=THUMB_SIDE)
    return _kept(Response(drawn, content_type="image/jpeg"))


@page("/materials/files/<key>/page/<int:number>", permission="materials.read")
def page_picture(key: str, number: int) -> ResponseReturnValue:
    """One page of a PDF, as drawn by the job; numbers begin at 1."""
    pages = _stored(key).page_keys
    if not 1 <= number <= len(pages):
        raise NotFound("没有这一页，或还没有生成")
    with room().house.desk.store.open(pages[number - 1]) as content:
        return _kept(Response(content.read(), content_type="image/jpeg"))


@page("/materials/files/<key>", permission="materials.read")
def whole_file(key: str) -> ResponseReturnValue:
    """The file itself: pictures and videos in place, everything else as a download."""
    stored = _stored(key)
    with room().house.desk.store.open(key) as content:
        response = Response(content.read(), content_type=stored.mime)
    if stored.kind == "file":
        response.headers["Content-Type"] = "application/octet-stream"
        response.headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(stored.filename)}"
    return _kept(response)


@page("/api/materials/upload", permission="materials.write", methods=("POST",))
def take_upload() -> ResponseReturnValue:
    """One file of an upload. With ``create`` it becomes a material at once; a known one is named instead."""
    who, form = visitor(), request.form
    given = request.files.get("file")
    if given is None:
        raise InputInvalid("没有收到文件，请重新选择", field="file")
    with closing(given):
        received = receive(
            room().db,
            room().house.desk.store,
            who.corp,
            who.actor,
            given.stream,
            given.filename or "",
            rules_of(room().settings.materials),
            wanted=form.get("wanted", ""),
        )
    told = _told(received)
    if form.get("create") and (form.get("again") or not received.twins):
        told["material_id"] = _create(received.file, given.filename or "", form.get("folder_id", ""))
    return jsonify({"ok": True, "data": told})


def _told(received: Received) -> dict[str, Any]:
    file = received.file
    return {
        "key": file.key,
        "kind": file.kind,
        "filename": file.filename,
        "size_bytes": file.size_bytes,
        "twins": list(received.twins),
    }


def _create(file: StoredFile, filename: str, folder_id: str) -> int:
    content = {"file": file.key}
    if file.kind != "image":
        content["filename"] = file.filename
    stem = filename.rpartition(".")[0] or file.filename.rpartition(".")[0]
    draft = MaterialDraft(
        kind=file.kind,
        title=" ".join(stem.split())[:TITLE_CHARS] or KINDS[file.kind],
        content=content,
        folder_id=int(folder_id) if folder_id.isascii() and folder_id.isdecimal() else 0,
    )
    with room().db.unit() as uow:
        made = library.create(uow, visitor().corp, visitor().actor, draft)
        uow.commit()
    return made.id


def _stored(key: str) -> StoredFile:
    with room().db.reading() as session:
        return files.get(session, visitor().corp, key)


def _kept(response: Response) -> Response:
    response.headers["Cache-Control"] = KEPT_BY_BROWSER
    return response
