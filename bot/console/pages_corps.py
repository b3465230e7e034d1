"""企业与应用, the doctor's findings, and the guide that brings a real company on."""

from flask import render_template
from flask import session as cookie
from sqlmodel import Session
from werkzeug.wrappers import Response

from bot import domain_proof, first_run
from bot.console.room import room
from bot.console.signing import Visitor
from bot.console.views import page, told, visitor
from bot.first_run import Facts, GuideStep
from bot.sync import FULL_STAGES
from crm_core import audit, checkups, contact_ways, outbox, roles, sync_progress, work_list
from crm_core.clock import from_millis
from crm_core.config import CorpPart
from crm_core.ids import CorpId
from crm_core.roles import Role, Scope

APP_KINDS = {
    "self_built": "自建应用",
    "contacts": "通讯录同步",
    "archive": "会话存档",
    "kf": "微信客服",
    "suite": "第三方应用",
    "ai_bot": "智能机器人",
}
LEVELS = {
    "ok": ("circle-check", "good", "正常"),
    "warn": ("triangle-alert", "warn", "提醒"),
    "fail": ("circle-x", "bad", "故障"),
}
SLOW_START_SECONDS = 15
GUIDE_SHOWN = "console_guide"
STAGE_NAMES = {"directory": "部门与成员", "tags": "标签库", "customers": "客户", "groups": "客户群"}


@page("/corps", permission="settings.read")
def corp_list() -> str:
    """Every corp one may see, its apps and what they do; the doctor's last report of the chosen one."""
    who, found = visitor(), room()
    several = who.grant.scope == Scope.CORPS
    corps = [one for one in found.settings.corps if several or one.corp_id == who.corp]
    return render_template(
        "console/corps.html",
        shown=corps,
        kinds=APP_KINDS,
        public_url=found.settings.server.public_url,
        **_checkup(who),
    )


@page("/corps/checkup", permission="system.read")
def checkup_part() -> str:
    """The doctor's report as it stands; the page asks again while the doctor works."""
    return render_template("console/checkup.html", **_checkup(visitor()))


@page("/corps/checkup", permission="system.read", methods=("POST",))
def ask_doctor() -> str:
    """Have the doctor look. Raises: Conflict (it is looking already)."""
    who = visitor()
    with room().db.unit() as uow:
        checkups.ask(uow, who.corp, actor=who.actor)
        uow.commit()
    return render_template("console/checkup.html", **_checkup(who))


def _checkup(who: Visitor) -> dict[str, object]:
    found = room()
    with found.db.reading() as session:
        report = checkups.last(session, who.corp)
    waited = (found.db.clock.now() - report.asked_at).total_seconds() if report else 0
    stuck = report is not None and report.status == checkups.WAITING and waited > SLOW_START_SECONDS
    return {"report": report, "levels": LEVELS, "is_stuck": stuck}


@page("/guide", permission="settings.read")
def guide() -> str:
    """The steps that bring a company on, each with its state."""
    who = visitor()
    cookie[GUIDE_SHOWN] = True
    return render_template("console/guide.html", **_guide(who), **_checkup(who))


@page("/guide/sync", permission="settings.read")
def sync_part() -> str:
    """How far the sync has come; the page asks again while it runs."""
    who = visitor()
    with room().db.reading() as session:
        return render_template("console/sync.html", **_sync(session, who.corp))


@page("/guide/sync", permission="system.replay", methods=("POST",))
def ask_sync() -> Response:
    """Read everything from WeCom."""
    who = visitor()
    with room().db.unit() as uow:
        key = f"sync.full:{who.corp}:{uow.now().isoformat()}"
        outbox.add_job(uow, "sync.full", dedupe_key=key, payload={"full": True, "corp": who.corp}, corp=who.corp)
        audit.record(uow, corp=who.corp, actor=who.actor, act="sync.asked", object_kind="corp", object_id=who.corp)
        uow.commit()
    return told("已开始同步", "sync-asked")


def open_guide_steps(session: Session, who: Visitor) -> list[GuideStep]:
    """What is still to do before the company is on."""
    return first_run.open_steps(_steps(session, who))


def wants_guide(who: Visitor) -> bool:
    """Whether to show the guide now: to those who can act on it, once per sign-in, until nothing is open."""
    if room().settings.demo.enabled or cookie.get(GUIDE_SHOWN) or not who.allows("settings.read"):
        return False
    with room().db.reading() as session:
        return bool(open_guide_steps(session, who))


def _guide(who: Visitor) -> dict[str, object]:
    with room().db.reading() as session:
        steps = _steps(session, who)
        sync = _sync(session, who.corp)
    done = sum(1 for step in steps if step.state is first_run.StepState.DONE)
    return {"steps": steps, "done": done, **sync}


def _steps(session: Session, who: Visitor) -> list[GuideStep]:
    settings = room().settings
    part = settings.corp(who.corp)
    return first_run.steps(settings, part, _facts(session, who, part))


def _facts(session: Session, who: Visitor, part: CorpPart | None) -> Facts:
    if part is None:
        return Facts(checkup=None, last_callback=None, is_synced=False, live_codes=0, admins=0, proof_files=())
    newest = work_list.newest_ms(session, room().house.inbox.table, who.corp)
    done = {one.stage for one in sync_progress.listing(session, who.corp) if one.finished_at is not None}
    report = checkups.last(session, who.corp)
    return Facts(
        checkup=report if report and report.is_over else None,
        last_callback=None if newest is None else from_millis(newest),
        is_synced=set(FULL_STAGES) <= done,
        live_codes=sum(1 for way in contact_ways.listing(session, who.corp) if way.status == "active"),
        admins=sum(1 for grant in roles.grants(session, who.corp).values() if grant.role == Role.ADMIN),
        proof_files=domain_proof.files(),
    )


def _sync(session: Session, corp: CorpId) -> dict[str, object]:
    stages = [one for one in sync_progress.listing(session, corp) if one.stage in STAGE_NAMES]
    waiting = work_list.has_open(session, room().house.jobs.table, corp, "sync.full")
    return {"stages": stages, "stage_names": STAGE_NAMES, "is_syncing": waiting}
