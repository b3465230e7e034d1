"""The first page after signing in: today at a glance, each figure a way to its rows."""

from flask import redirect, render_template
from flask.typing import ResponseReturnValue

from bot.console import health, trend, work_words
from bot.console.pages_corps import open_guide_steps, wants_guide
from bot.console.pages_records import WEEKDAYS
from bot.console.pages_sops import start_of_today
from bot.console.room import SURFACE, room
from bot.console.views import page, visitor
from crm_core import overview
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
            said_today=f"{midnight.year}年{midnight.month}月{midnight.day}日 星期{WEEKDAYS[midnight.weekday()]}",
        )
