"""会话存档: how far the archive has been read, what stands in the way, consents, files."""

from datetime import datetime
from urllib.parse import quote

from flask import render_template, request
from sqlmodel import Session
from werkzeug.wrappers import Response

from bot.console.access import acting, looking
from bot.console.room import room
from bot.console.views import address, number_of, page, told, visitor
from crm_core import audit, customers, staff
from crm_core.chat import archive_book, archive_media, consents
from crm_core.chat.archive_book import TROUBLED, ArchiveState
from crm_core.chat.archive_media import MediaState
from crm_core.chat.archive_port import ArchiveTrouble, MessageArchive, Unopened
from crm_core.chat.consents import Consent
from crm_core.errors import NotFound
from crm_core.ids import CorpId
from crm_core.listing import cursor_of, values_of

ROWS = 50
REASONS = {
    Unopened.KEY_MISSING: ("缺少这个版本的私钥", "把私钥放进 archive.keys_folder（<版本号>.pem），系统会自己重试"),
    Unopened.BAD_BLOCK: ("私钥与公钥版本对不上，或内容损坏", "核对管理后台里这个版本的公钥与私钥是不是一对"),
    Unopened.BAD_CONTENT: ("存档库解不开内容", "多半是私钥不是这个版本的；核对后重试"),
    Unopened.NOT_A_MESSAGE: ("解出的内容不是消息", "多半是私钥不是这个版本的；核对后重试"),
    Unopened.CRASHES: ("存档库在这条消息上崩溃", "升级存档库后重试"),
}
REMEDIES = {
    ArchiveTrouble.LIBRARY_MISSING: "核对 archive.library 的路径；存档库只支持 glibc 的 Linux，不支持 Alpine",
    ArchiveTrouble.CRASHED: "系统会自己重启存档进程；总是这样就升级存档库，或调大 archive.memory_mb",
    ArchiveTrouble.MEMORY: "调大 archive.memory_mb，或调小 archive.page",
    ArchiveTrouble.TIMEOUT: "检查服务器到企业微信的网络与代理；系统会自己重试",
    ArchiveTrouble.BROKEN_ANSWER: "系统会自己重试；总是这样请检查代理是否改写了内容",
    ArchiveTrouble.REFUSED: "",
}
CONSENTS = {
    Consent.AGREED: ("已同意", "good"),
    Consent.REFUSED: ("不同意", "bad"),
    Consent.DEFAULT: ("默认同意", "blue"),
}
FILES = {
    MediaState.WAITING: ("等待下载", "blue"),
    MediaState.LOADING: ("正在下载", "blue"),
    MediaState.DONE: ("已下载", "good"),
    MediaState.FAILED: ("未能下载", "bad"),
    MediaState.TOO_LARGE: ("超过上限", "warn"),
    MediaState.DROPPED: ("到期已删", ""),
}
KINDS = {"image": "图片", "voice": "语音", "video": "视频", "emotion": "表情", "file": "文件"}


@page("/archive", permission="archive.read")
def archive_page() -> str:
    """Where things stand."""
    return render_template("console/archive.html", **_status())


@page("/archive/status", permission="archive.read")
def archive_status() -> str:
    """The same as a part; the page asks again."""
    return render_template("console/archive_status.html", **_status())


@page("/archive/pull", permission="archive.write", methods=("POST",))
def pull_archive() -> Response:
    """Pull now, whatever pause is on. Raises: NotFound (no archive configured)."""
    with acting() as (uow, sight):
        room().house.chat.archive.need(sight.corp)
        key = f"{sight.corp}:asked:{uow.now().isoformat()}"
        archive_book.ask(uow, sight.corp, key, actor=sight.who.actor)
    return told("已开始拉取", "archive-changed")


@page("/archive/retry", permission="archive.write", methods=("POST",))
def retry_archive() -> Response:
    """Try again whatever could not be opened. Raises: NotFound (no archive configured)."""
    with acting() as (uow, sight):
        room().house.chat.archive.need(sight.corp)
        count = archive_book.forget_tries(uow, sight.corp, actor=sight.who.actor)
        archive_book.ask(uow, sight.corp, f"{sight.corp}:retry:{uow.now().isoformat()}", actor=sight.who.actor)
    return told(f"正在重试 {count} 条消息", "archive-changed")


@page("/archive/gaps", permission="archive.write", methods=("POST",))
def settle_gaps() -> Response:
    """A person has read which seqs are missing; the audit log keeps them."""
    with acting() as (uow, sight):
        archive_book.forget_gaps(uow, sight.corp, actor=sight.who.actor)
    return told("已记入审计日志", "archive-changed")


@page("/archive/consents", permission="archive.read")
def archive_consents() -> str:
    """Who agreed, youngest first; only customers in sight are named."""
    status = next((one for one in Consent if one.value == request.args.get("status")), None)
    before = values_of(request.args.get("before", ""), (datetime, str, str))
    with looking() as sight:
        place = None if before is None else (before[0], before[1], before[2])
        rows = consents.latest(sight.session, sight.corp, status=status, before=place, limit=ROWS + 1)
        shown = [one for one in rows[:ROWS] if sight.sees(one.external_user)]
        names = _names(sight.session, sight.corp, shown)
        counts = consents.counts(sight.session, sight.corp)
    last = rows[ROWS - 1] if len(rows) > ROWS else None
    older = address(before=cursor_of((last.changed_at, last.external_user, last.staff))) if last else ""
    return render_template(
        "console/archive_consents.html",
        rows=shown,
        hidden=len(rows[:ROWS]) - len(shown),
        names=names,
        counts=counts,
        status=status,
        words=CONSENTS,
        older=older,
    )


@page("/archive/files", permission="archive.read")
def archive_files() -> str:
    """Files of one state, newest first."""
    state = next((one for one in MediaState if one.value == request.args.get("state")), MediaState.FAILED)
    before = number_of(request.args.get("before", ""))
    with looking() as sight:
        rows = archive_media.troubled(sight.session, sight.corp, state, before=before, limit=ROWS + 1)
        counts = archive_media.counts(sight.session, sight.corp)
    return render_template(
        "console/archive_files.html",
        rows=rows[:ROWS],
        counts=counts,
        state=state,
        words=FILES,
        kinds=KINDS,
        older=address(before=rows[ROWS - 1].id) if len(rows) > ROWS else "",
    )


@page("/archive/files/<int:file_id>/retry", permission="archive.write", methods=("POST",))
def retry_file(file_id: int) -> Response:
    """Fetch a file again. Raises: NotFound."""
    with acting() as (uow, sight):
        archive_media.ask_again(uow, sight.corp, file_id)
    return told("已重新排队", "archive-changed")


@page("/archive/files/<int:file_id>/content", permission="content.reveal")
def archive_file(file_id: int) -> Response:
    """A file that came, as a download, with an audit row. Raises: NotFound."""
    who, found = visitor(), room()
    with found.db.unit() as uow:
        file = archive_media.get(uow.session, who.corp, file_id)
        if file.state is not MediaState.DONE:
            raise NotFound("这个文件还没有下载，或已到期删除")
        audit.record(
            uow,
            corp=who.corp,
            actor=who.actor,
            act="archive.file_read",
            object_kind="archive_file",
            object_id=str(file_id),
            data={"msgid": file.msgid},
        )
        uow.commit()
    with found.house.chat.archive.files.open(file.file_key) as content:
        response = Response(content.read(), content_type="application/octet-stream")
    name = file.filename or f"{KINDS.get(file.kind, '文件')}-{file.id}"
    response.headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(name)}"
    return response


def _status() -> dict[str, object]:
    found, who = room(), visitor()
    configured = found.house.chat.archive.archives.get(who.corp)
    now = found.db.clock.now()
    with found.db.reading() as session:
        state = archive_book.state(session, who.corp)
        return {
            "configured": configured,
            "state": state,
            "waited": state.caught_up_at is not None and _late(state, now),
            "remedy": _remedy(state, configured.archive if configured else None),
            "gaps": archive_book.gaps(session, who.corp, 20),
            "missing": archive_book.missing_seqs(session, who.corp),
            "undecided": archive_book.undecided(session, who.corp),
            "reasons": REASONS,
            "files": archive_media.counts(session, who.corp),
            "file_words": FILES,
            "consents": consents.counts(session, who.corp),
            "consent_words": CONSENTS,
            "versions": sorted(configured.archive.key_prints()) if configured else [],
        }


def _late(state: ArchiveState, now: datetime) -> bool:
    """Whether nobody has looked into the archive for long."""
    return state.caught_up_at is not None and (now - state.caught_up_at).total_seconds() > 600


def _remedy(state: ArchiveState, archive: MessageArchive | None) -> str:
    if state.state != TROUBLED:
        return ""
    known = "" if archive is None or state.code_seen is None else archive.remedy(state.code_seen)
    return known or REMEDIES.get(ArchiveTrouble(state.trouble), "")


def _names(session: Session, corp: CorpId, rows: list[consents.ConsentState]) -> dict[str, str]:
    people = customers.display_names(session, corp, [one.external_user for one in rows])
    members = staff.names(session, corp, [one.staff for one in rows if one.staff])
    return {**people, **members}
