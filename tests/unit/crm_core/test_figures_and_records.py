"""Figures by day, the audit log's pages, the doctor's report, where settings come from."""

from datetime import date, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from pydantic import SecretStr

from crm_core import audit, checkups, config_origins, customers, overview
from crm_core.audit import AuditFilter
from crm_core.config import AppPart, AppSecrets, CorpPart, DatabasePart, Settings
from crm_core.errors import Conflict
from crm_core.outbox import JOBS
from tests.support.ground import CORP, FRIDAY_MORNING, LI, OTHER_CORP, ZHANG, Ground

SHANGHAI = ZoneInfo("Asia/Shanghai")
DAY = 86_400


def test_days_begin_at_midnight_of_the_company(ground: Ground) -> None:
    just_before_midnight, just_after = -10 * 3600 - 1, -10 * 3600  # Friday 10:00 in Shanghai is now
    for number, (seconds, staff) in enumerate(((just_before_midnight, ZHANG), (just_after, ZHANG), (-5 * DAY, LI))):
        ground.handle(ground.added(seconds, staff=staff, who=f"wm_{number}"), customers.record_follow)
    ground.handle(ground.left(-60, who="wm_0"), customers.record_follow_ended)
    with ground.reading() as session:
        found = overview.days(session, CORP, None, FRIDAY_MORNING, SHANGHAI, 3)
        mine = overview.days(session, CORP, {LI}, FRIDAY_MORNING, SHANGHAI, 6)
        theirs = overview.days(session, OTHER_CORP, None, FRIDAY_MORNING, SHANGHAI, 3)
    assert [(one.day, one.new, one.lost) for one in found] == [
        (date(2026, 11, 18), 0, 0),
        (date(2026, 11, 19), 1, 0),
        (date(2026, 11, 20), 1, 1),
    ]
    assert [one.new for one in mine] == [1, 0, 0, 0, 0, 0]
    assert {one.new for one in theirs} == {0}


def test_the_log_comes_page_by_page_and_filters(ground: Ground) -> None:
    for number, (actor, act) in enumerate((("a", "role.given"), ("b", "role.given"), ("a", "sop.paused"))):
        with ground.committed() as uow:
            audit.record(uow, corp=CORP, actor=actor, act=act, object_kind="staff", object_id=str(number))
        ground.clock.move(hours=1)
    with ground.reading() as session:

        def page(**wanted: object) -> list[str]:
            entries, _ = audit.page(session, CORP, AuditFilter(**wanted))  # type: ignore[arg-type]
            return [entry.object_id for entry in entries]

        assert page() == ["2", "1", "0"]
        assert page(actor="a") == ["2", "0"]
        assert page(act="role.given", object_id="1") == ["1"]
        assert page(since=FRIDAY_MORNING + timedelta(hours=1)) == ["2", "1"]
        assert page(until=FRIDAY_MORNING + timedelta(hours=1)) == ["0"]
        (newest,), before = audit.page(session, CORP, AuditFilter(), limit=1)
        rest, end = audit.page(session, CORP, AuditFilter(), before=before)
        assert (newest.object_id, [one.object_id for one in rest], end) == ("2", ["1", "0"], None)
        assert audit.page(session, OTHER_CORP, AuditFilter()) == ([], None)


FINDING = {"check": "时钟", "level": "fail", "says": "慢 90 秒", "fix": "NTP", "errcode": None}


def test_a_report_grows_finding_by_finding(ground: Ground) -> None:
    with ground.committed() as uow:
        assert checkups.last(uow.session, CORP) is None
        checkups.ask(uow, CORP, actor="boss")
    with ground.unit() as uow, pytest.raises(Conflict):
        checkups.ask(uow, CORP, actor="boss")
    with ground.committed() as uow:
        checkups.begin(uow, CORP)
        checkups.note(uow, CORP, FINDING)
    with ground.reading() as session:
        report = checkups.last(session, CORP)
        assert report is not None
        assert (report.status, report.is_over, report.number("fail"), report.number("ok")) == ("running", False, 1, 0)
        assert report.finding("时钟") == FINDING
        assert report.finding("数据库") is None
    with ground.committed() as uow:
        checkups.finish(uow, CORP)
    ground.clock.move(seconds=1)
    with ground.committed() as uow:
        checkups.ask(uow, CORP, actor="boss")
        jobs = uow.session.execute(JOBS.select()).all()
    assert [(job.kind, job.corp_id, job.payload) for job in jobs] == [("doctor.run", CORP, {"corp": CORP})] * 2


def test_a_report_nobody_finished_may_be_asked_for_again(ground: Ground) -> None:
    with ground.committed() as uow:
        checkups.ask(uow, CORP, actor="boss")
    ground.clock.move(minutes=3)
    with ground.committed() as uow:
        checkups.ask(uow, CORP, actor="other")
    with ground.reading() as session:
        report = checkups.last(session, CORP)
    assert report is not None
    assert report.asked_by == "other"


def test_every_setting_says_where_it_comes_from(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("server:\n  port: 9000\nsop: {batch: 7}\n", "utf-8")
    settings = Settings(secret_key=SecretStr("k" * 40), database=DatabasePart(url="postgresql+psycopg://me:pw@host/db"))
    parts = config_origins.lines(settings, file, {"SCRM_SERVER__HOST": "0.0.0.0", "scrm_sop__batch": "9"})
    lines = {line.key: line for part in parts.values() for line in part}
    assert lines["server.host"].origin == "env"
    assert lines["server.port"].origin == "file"
    assert lines["sop.batch"].origin == "env"
    assert lines["work.lease_seconds"].origin == "default"
    assert lines["database.url"].value == "postgresql+psycopg://••••@host/db"
    assert lines["identity.merge_on_mobile"].value == "是"
    assert lines["worktime.holidays"].value == "（空）"
    assert lines["server.port"].variable == "SCRM_SERVER__PORT"
    assert lines["server.port"].says.startswith("监听端口")
    assert config_origins.lines(settings, None, {})["server"][1].origin == "default"
    assert config_origins.comments(tmp_path / "nowhere.yaml") == {}


def test_secrets_are_only_told_to_be_set() -> None:
    apps = (AppPart(key="main"), AppPart(key="contacts", kind="contacts", callback=False))
    settings = Settings(
        secret_key=SecretStr("k" * 40),
        corps=(CorpPart(corp_id="ww1", contact_app="main", apps=apps),),
        app_secrets={"main": AppSecrets(secret=SecretStr("very-secret"))},
    )
    found = {line.variable: line.is_set for line in config_origins.secrets(settings)}
    assert found == {
        "SCRM_SECRET_KEY": True,
        "SCRM_DATA_KEYS": False,
        "SCRM_DRAFT_KEY": False,
        "SCRM_ADMIN_PASSWORD": False,
        "SCRM_MAIN_SECRET": True,
        "SCRM_MAIN_TOKEN": False,
        "SCRM_MAIN_AES_KEY": False,
        "SCRM_CONTACTS_SECRET": False,
    }
    assert "very-secret" not in str(config_origins.secrets(settings))
