"""The first page after signing in: today at a glance, each figure a way to its rows."""

from collections.abc import Set as AbstractSet

from flask import redirect, render_template
from flask.typing import ResponseReturnValue
from sqlmodel import Session

from bot.console import health, trend, work_words
from bot.console.pages_corps import open_guide_steps, wants_guide
from bot.console.pages_records import WEEKDAYS
from bot.console.pages_sops import start_of_today
from bot.console.room import SURFACE, room
from bot.console.views import page, visitor
from crm_core import overview
from crm_core.ids import CorpId
from crm_core.listing import Count
from crm_core.sensitive.hits import OPEN, HitFilter
from sop import progress

TREND_DAYS = 14


@page("/", permission="customers.read")
def home() -> ResponseReturnValue:
    """Today at a glance; whoever can act on open first-run steps is led to them once per sign-in."""
    who, found = visitor(), room()
    if wants_guide(who):
        return redirect(f"{SURFACE.prefix}/guide")
    midnight = start_of_today()
    with found.db.reading() as session:
        visible = who.visible_staff(session)
        now = found.db.clock.now()
        days = overview.days(session, who.corp, visible, now, found.zone, TREND_DAYS)
        return render_template(
            "console/home.html",
            today=overview.today(session, who.corp, visible, now, found.zone),
            due=progress.due_counts(session, who.corp, midnight, visible),
            trend=trend.draw(days),
            health=health.look(found.house, session, who.corp) if who.allows("system.read") else None,
            open_steps=open_guide_steps(session, who) if who.allows("settings.read") else [],
            words=work_words,
            open_hits=_open_hits(session, who.corp, visible) if who.allows("hits.judge") else None,
            said_today=f"{midnight.year}年{midnight.month}月{midnight.day}日 星期{WEEKDAYS[midnight.weekday()]}",
        )


def _open_hits(session: Session, corp: CorpId, visible: AbstractSet[str] | None) -> Count:
    return room().house.chat.sensitive.hits.count(session, corp, HitFilter(state=OPEN), visible)
