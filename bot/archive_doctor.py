"""What the doctor says about a corp's chat archive: library, secret, address, private keys."""

from collections.abc import Iterator, Mapping

from bot.doctor import Finding, Level
from bot.wecom.archive_codes import ARCHIVE_PAGE
from crm_core.chat import archive_book
from crm_core.chat.archive_port import ArchiveTrouble, ArchiveUnavailable, MessageArchive, Unopened
from crm_core.config_archive import ArchivePart
from crm_core.db import Database
from crm_core.ids import CorpId

CHECK = "会话存档"
LIBRARY_FIX = "核对 archive.library 的路径；存档库只支持 glibc 的 Linux（不支持 Alpine）与对应的 CPU 架构"


def examining(db: Database, archives: Mapping[CorpId, tuple[ArchivePart, MessageArchive]]) -> Iterator[Finding]:
    """Every finding of every corp with an archive. Asks WeCom for one record each; stores nothing."""
    for corp, (part, archive) in archives.items():
        yield _reached(db, corp, part, archive)
        yield _keys(db, corp, archive)


def _reached(db: Database, corp: CorpId, part: ArchivePart, archive: MessageArchive) -> Finding:
    with db.reading() as session:
        seq = archive_book.state(session, corp).seq
    try:
        archive.pull(seq, 1)
    except ArchiveUnavailable as error:
        if error.trouble is ArchiveTrouble.LIBRARY_MISSING:
            return Finding(CHECK, Level.FAIL, error.message, LIBRARY_FIX)
        remedy = "" if error.code_seen is None else archive.remedy(error.code_seen)
        return Finding(CHECK, Level.FAIL, error.message, remedy or "稍后再试；总是这样请看会话存档页的状态")
    how = "直连本地企业微信（演示，没有编译器）" if part.source == "local_wecom" else "存档库可加载"
    return Finding(CHECK, Level.OK, f"{how}，Secret 有效，IP 被允许")


def _keys(db: Database, corp: CorpId, archive: MessageArchive) -> Finding:
    have = archive.key_prints()
    with db.reading() as session:
        wanting = [one for one in archive_book.undecided(session, corp) if one.reason is Unopened.KEY_MISSING]
    lacking = sorted({one.version for one in wanting} - set(have))
    fix = "把私钥以 <版本号>.pem 放进 archive.keys_folder；以前的版本也要一直留着"
    if lacking:
        count = sum(one.count for one in wanting)
        said = f"缺少版本 {'、'.join(map(str, lacking))} 的私钥，{count} 条消息没有解密"
        return Finding(f"{CHECK}私钥", Level.FAIL, said, fix)
    if not have:
        return Finding(f"{CHECK}私钥", Level.FAIL, "一个私钥也没有", f"{ARCHIVE_PAGE} 里的公钥版本，{fix}")
    bad = archive.health().bad_keys
    if bad:
        return Finding(f"{CHECK}私钥", Level.FAIL, f"版本 {'、'.join(bad)} 的文件不是可用的 RSA 私钥", fix)
    return Finding(f"{CHECK}私钥", Level.OK, f"已有版本 {'、'.join(map(str, sorted(have)))}")
