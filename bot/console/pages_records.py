"""审计日志 and 设置: what people did, and how this installation is set up. Both only read."""

import os
from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from pathlib import Path

from flask import render_template, request
from sqlmodel import Session

from bot.console import audit_words
from bot.console.room import room
from bot.console.views import number_of, page, visitor
from bot.web_server import CONFIG_VARIABLE
from crm_core import audit, config_origins, customers, staff
from crm_core.audit import AuditEntry, AuditFilter
from crm_core.config import WorktimePart
from crm_core.ids import CorpId

WEEKDAYS = ("一", "二", "三", "四", "五", "六", "日")
ORIGINS = {"env": "环境变量", "file": "配置文件", "default": "默认值"}
PARTS = {
    "server": "网站",
    "database": "数据库",
    "redis": "Redis",
    "work": "后台工作",
    "callback": "回调入口",
    "wecom": "调用企业微信",
    "worktime": "工作时间",
    "identity": "客户合并",
    "sop": "SOP",
    "draft": "回复草稿",
    "chat": "会话消息",
    "demo": "演示",
}


@page("/audit", permission="audit.read")
def audit_log() -> str:
    """Who did what, newest first."""
    who, before = visitor(), number_of(request.args.get("before", ""))
    wanted = AuditFilter(
        actor=request.args.get("actor", ""),
        act=request.args.get("act", ""),
        object_id=request.args.get("object", ""),
        since=_midnight(request.args.get("since", "")),
        until=_midnight(request.args.get("until", ""), days=1),
    )
    with room().db.reading() as session:
        entries, older = audit.page(session, who.corp, wanted, before=before)
        names = _names(session, who.corp, entries, also=wanted.actor)
    return render_template(
        "console/audit.html",
        entries=[(entry, audit_words.tell(entry, names)) for entry in entries],
        acts=audit_words.ACTS,
        actor_name=audit_words.actor_name(wanted.actor, names) if wanted.actor else "",
        older=older,
        before=before,
    )


def _names(session: Session, corp: CorpId, entries: Iterable[AuditEntry], *, also: str) -> dict[str, str]:
    entries = list(entries)
    people = {entry.actor.rpartition("/")[2] for entry in entries} | ({also} if also else set())
    people |= {entry.object_id for entry in entries if entry.object_kind == "staff"}
    guests = {entry.object_id for entry in entries if entry.object_kind in ("customer", "external_user")}
    return {**customers.display_names(session, corp, guests), **staff.names(session, corp, people)}


def _midnight(text: str, *, days: int = 0) -> datetime | None:
    """The start of a day given as 2026-11-22 in the company's time zone, ``days`` later."""
    try:
        day = date.fromisoformat(text) + timedelta(days=days)
    except (ValueError, OverflowError):
        return None
    return datetime.combine(day, time(), tzinfo=room().zone)


@page("/settings", permission="settings.read")
def settings() -> str:
    """What is in force, and where each value comes from."""
    found = room().settings
    path = os.environ.get(CONFIG_VARIABLE)
    file = Path(path) if path else None
    return render_template(
        "console/settings.html",
        parts=config_origins.lines(found, file, os.environ),
        part_names=PARTS,
        secrets=config_origins.secrets(found),
        origins=ORIGINS,
        file=file,
        workdays=spoken_workdays(found.worktime),
        worktime=found.worktime,
    )


def spoken_workdays(worktime: WorktimePart) -> str:
    """周一至周五, or the days one by one."""
    days = sorted(set(worktime.workdays))
    if len(days) > 2 and days[-1] - days[0] == len(days) - 1:
        return f"周{WEEKDAYS[days[0] - 1]}至周{WEEKDAYS[days[-1] - 1]}"
    return "、".join(f"周{WEEKDAYS[day - 1]}" for day in days)
