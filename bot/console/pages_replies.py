"""回复时效: how quickly staff answer, week by week; the waits behind the figures; the rules of the watch."""

from flask import redirect, render_template, request
from flask.typing import ResponseReturnValue

from bot.console import lists
from bot.console.access import Sight, acting, looking
from bot.console.list_specs import WAITS
from bot.console.list_state import ListState
from bot.console.pages_chats import staff_choices, url_of
from bot.console.room import SURFACE, room
from bot.console.views import page, visitor
from crm_core import staff
from crm_core.chat import conversations, reply_report, reply_rules, reply_watch
from crm_core.chat.reply_report import Period, StaffFigures, WaitFilter
from crm_core.chat.reply_rules import STEP_NAMES, ReplyRules
from crm_core.errors import InputInvalid, NotFound

MOST_WEEKS = 52
MOST_STEPS = 5
STATES = {
    "open": "等待回复",
    "late": "超过 30 分钟才回复",
    "answered": "已回复",
    "dismissed": "无需回复",
    "closed": "已不是好友",
}
OUTCOMES = {"": "等待回复", "answered": "已回复", "dismissed": "无需回复", "closed": "已不是好友"}


@page("/replies", permission="replies.read")
def replies_page() -> str:
    """The week's figures by member."""
    week = _week(request.args.get("week", ""))
    with looking() as sight:
        period = Period.week_of(room().db.clock.now(), room().zone, weeks_ago=week)
        rows = reply_report.figures(sight.session, sight.corp, period, sight.visible)
        names = staff.names(sight.session, sight.corp, [row.staff for row in rows if row.staff])
    return render_template(
        "console/replies/report.html",
        rows=rows,
        names=names,
        total=_total(rows),
        week=week,
        most=MOST_WEEKS,
        period=period,
        spoken=spoken,
    )


def _week(text: str) -> int:
    return min(int(text), MOST_WEEKS) if text.isascii() and text.isdigit() and len(text) < 4 else 0


def spoken(seconds: int | None) -> str:
    """45 秒, 12 分钟, 3 小时 5 分; 无 without a value."""
    if seconds is None:
        return "无"
    if seconds < 60:
        return f"{seconds} 秒"
    hours, minutes = divmod(seconds // 60, 60)
    return f"{hours} 小时 {minutes} 分" if hours else f"{minutes} 分钟"


def _total(rows: list[StaffFigures]) -> dict[str, int | None]:
    waits, answered = sum(row.waits for row in rows), sum(row.answered for row in rows)
    return {
        "conversations": sum(row.conversations for row in rows),
        "messages": sum(row.from_staff + row.from_customers for row in rows),
        "open": sum(row.open_waits for row in rows),
        "rate": answered * 100 // waits if waits else None,
    }


@page("/replies/waits", permission="replies.read")
def waits_page() -> ResponseReturnValue:
    """The waits, newest first."""
    state = ListState.of(WAITS, request.args)
    with looking() as sight:
        wanted = wait_filter(state, sight)
        found = reply_report.waits(sight.session, sight.corp, wanted, cursor=state.after)
        titles = conversations.titles(sight.session, sight.corp, {one.conversation for one in found.items})
        names = staff.names(sight.session, sight.corp, {one.staff for one in found.items if one.staff})
        choices = {
            "state": list(STATES.items()),
            "staff": staff_choices(sight),
            "week": [("0", "本周"), ("1", "上周"), ("2", "两周前"), ("3", "三周前")],
        }
    return lists.show(
        "console/replies/waits.html",
        state,
        found,
        choices=choices,
        titles=titles,
        names=names,
        outcomes=OUTCOMES,
        steps=STEP_NAMES,
        spoken=spoken,
        url_of=url_of,
    )


def wait_filter(state: ListState, sight: Sight) -> WaitFilter:
    """What the address of the list asks for, within sight."""
    week = state.one("week")
    period = Period.week_of(room().db.clock.now(), room().zone, weeks_ago=_week(week)) if week else None
    wanted = state.one("state")
    return WaitFilter(
        staff=state.one("staff"), state=wanted if wanted in STATES else "", period=period, visible=sight.visible
    )


@page("/replies/waits/<int:wait_id>/dismiss", permission="replies.read", methods=("POST",))
def dismiss_wait(wait_id: int) -> ResponseReturnValue:
    """Nobody needs to answer this one. Raises: NotFound, Conflict."""
    with acting() as (uow, sight):
        if reply_report.wait(sight.session, sight.corp, wait_id, sight.visible) is None:
            raise NotFound("没有这条等待，或者您没有查看权限")
        reply_watch.end(uow, sight.corp, wait_id, outcome=reply_watch.DISMISSED, actor=sight.who.actor)
    return "", 204, {"HX-Refresh": "true"}


@page("/replies/rules", permission="replies.read")
def reply_rules_page() -> str:
    """The rules in force."""
    with looking() as sight:
        rules = reply_rules.rules_of(sight.session, sight.corp)
    return _show_rules(rules, None)


@page("/replies/rules", permission="replies.write", methods=("POST",))
def save_reply_rules() -> ResponseReturnValue:
    """Put other rules in force; faults are shown in the form."""
    rules = ReplyRules()
    try:
        rules = _rules()
        with acting() as (uow, sight):
            reply_rules.change(uow, sight.corp, rules, actor=sight.who.actor)
    except InputInvalid as fault:
        return _show_rules(rules, fault), fault.http_status
    return redirect(f"{SURFACE.prefix}/replies/rules?saved=1")


def _rules() -> ReplyRules:
    form = request.form
    steps = []
    for whom, minutes in zip(form.getlist("whom"), form.getlist("minutes"), strict=False):
        if whom and minutes.strip():
            if not (minutes.strip().isascii() and minutes.strip().isdigit()):
                raise InputInvalid("分钟数应为整数", field="steps")
            steps.append((whom, int(minutes)))
    return ReplyRules(
        is_on=form.get("is_on") == "yes",
        work_from=form.get("work_from", "").strip(),
        work_to=form.get("work_to", "").strip(),
        steps=tuple(steps[:MOST_STEPS]),
        closings=_words(form.get("closings", "")),
        holidays=_words(form.get("holidays", "")),
        extra_workdays=_words(form.get("extra_workdays", "")),
    )


def _words(text: str) -> tuple[str, ...]:
    """What stands between blanks, commas and line ends."""
    return tuple(dict.fromkeys(text.replace("，", " ").replace(",", " ").replace("、", " ").split()))


def _show_rules(rules: ReplyRules, fault: InputInvalid | None) -> str:
    steps = [*rules.steps, *[("", "")] * (MOST_STEPS - len(rules.steps))]
    return render_template(
        "console/replies/rules.html",
        rules=rules,
        steps=steps,
        step_names=STEP_NAMES,
        fault=fault,
        worktime=room().settings.worktime,
        can_write=visitor().allows("replies.write"),
        is_saved=request.args.get("saved") == "1",
    )
