"""The doctor with this installation's own probes: for ``scrm doctor``, and as a job that the console asks for."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import text

from bot import archive_doctor, doctor, migrate
from bot.doctor import Finding, Level
from bot.embedders import Ladder
from bot.jobs import JobBody
from bot.wecom.archives import open_archives
from bot.wecom.echo_probe import EchoProbe
from bot.wecom.gateways import GatewaySet
from crm_core import checkups
from crm_core.config import AppPart, CorpPart, Settings
from crm_core.db import Database, open_migration_engine
from crm_core.ids import CorpId
from crm_core.ports import Gateways

ReceiveIds = Callable[[CorpPart, AppPart], Sequence[str]]


def examine(
    settings: Settings, db: Database, gateways: Gateways, receive_ids: ReceiveIds, ladder: Ladder
) -> Iterator[Finding]:
    """Every finding as it is made; takes as long as WeCom takes."""
    if not isinstance(gateways, GatewaySet):
        yield Finding("企业微信接口", Level.FAIL, "没有可检查的企业微信接口")
        return
    yield from doctor.examining(
        settings,
        gateways,
        probe_callback=EchoProbe(settings, receive_ids),
        database=lambda: _database_fault(db),
        migrations=lambda: _migration_fault(settings.database.url),
        meaning=lambda: _meaning(ladder),
    )
    archives = open_archives(settings)  # processes of its own: the pulling one may hang
    try:
        yield from archive_doctor.examining(db, archives)
    finally:
        for _, archive in archives.values():
            archive.close()


def job_body(settings: Settings, db: Database, gateways: Gateways, receive_ids: ReceiveIds, ladder: Ladder) -> JobBody:
    """The job ``doctor.run``: looks at one corp and writes its report. Run again after a crash it starts over."""

    def run(payload: Mapping[str, Any], keep_alive: Callable[[], None]) -> None:
        corp = CorpId(str(payload["corp"]))
        only = settings.model_copy(update={"corps": tuple(one for one in settings.corps if one.corp_id == corp)})
        _write(db, lambda uow: checkups.begin(uow, corp))
        for finding in examine(only, db, gateways, receive_ids, ladder):
            _note(db, corp, finding)
            keep_alive()
        _write(db, lambda uow: checkups.finish(uow, corp))

    return run


def _note(db: Database, corp: CorpId, finding: Finding) -> None:
    _write(db, lambda uow: checkups.note(uow, corp, asdict(finding)))


def _write(db: Database, act: Callable[[Any], None]) -> None:
    with db.unit() as uow:
        act(uow)
        uow.commit()


def _meaning(ladder: Ladder) -> Finding:
    """Which rung of meaning search this machine reaches."""
    found = ladder.embedder()
    if ladder.fallen:
        fix = "安装对应的模型，或将 materials.embedder 设为 lexical"
        return Finding("话术搜索", Level.WARN, "；".join(ladder.fallen), fix)
    return Finding("话术搜索", Level.OK, f"按意思搜索可用：{found.model}" if found else "只按词和拼音搜索")


def _database_fault(db: Database) -> str:
    try:
        with db.reading() as session:
            session.execute(text("SELECT 1"))
    except Exception as error:  # noqa: BLE001 - told to the reader, whatever it is
        return f"数据库连不上：{type(error).__name__}"
    return ""


def _migration_fault(url: str) -> str:
    engine = open_migration_engine(url)
    try:
        return "" if migrate.is_current(engine) else "数据库不是当前版本：运行 scrm migrate"
    except Exception as error:  # noqa: BLE001 - told to the reader, whatever it is
        return f"无法读取数据库版本：{type(error).__name__}"
    finally:
        engine.dispose()
