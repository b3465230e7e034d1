"""命中审核: the queue of hits, one hit with its conversation, judging one or many, statistics."""

from datetime import UTC, date, datetime, time
from typing import Any
from urllib.parse import urlencode

from flask import redirect, render_template, request
from flask.typing import ResponseReturnValue

from bot.console import lists
from bot.console.access import Sight, acting, looking
from bot.console.acts import number
from bot.console.hit_query import filter_of
from bot.console.list_specs import HITS
from bot.console.list_state import ListState
from bot.console.room import SURFACE, room
from bot.console.views import page, told
from crm_core import staff
from crm_core.chat.model import StoredMessage
from crm_core.errors import InputInvalid
from crm_core.sensitive import figures, hits, words
from crm_core.sensitive.hits import MOST_AT_ONCE, STATES, Hit
from crm_core.sensitive.words import KINDS, SEVERITIES

PERIODS = {4: "近 4 周", 12: "近 12 周", 52: "近一年"}
BEFORE_HIT, AFTER_HIT, LOOKED_THROUGH = 6, 3, 60  # messages shown around a hit, and how far is looked for them


@page("/hits", permission="hits.read")
def hits_page() -> ResponseReturnValue:
    """The queue of the staff in sight."""
    state = ListState.of(HITS, request.args)
    book = room().house.chat.sensitive.hits
    with looking() as sight:
        wanted = filter_of(state)
        found = book.page(sight.session, sight.corp, wanted, sight.visible, cursor=state.after)
        count = book.count(sight.session, sight.corp, wanted, sight.visible)
        choices = _choices(sight)
    return lists.show("console/hits.html", state, found, count=count, choices=choices, kinds=KINDS, states=STATES)


def _choices(sight: Sight) -> dict[str, list[tuple[str, str]]]:
    people = _people(sight)
    week = figures.weeks_back(room().db.clock.now(), room().zone, 0)
    weeks = [figures.weeks_back(room().db.clock.now(), room().zone, back) for back in range(12)]
    return {
        "state": list(STATES.items()),
        "severity": [(str(key), name) for key, name in SEVERITIES.items()],
        "category": [(str(one.id), one.form.name) for one in words.listing(sight.session, sight.corp)],
        "staff": people,
        "assignee": people,
        "department": [(str(key), name) for key, name in staff.departments(sight.session, sight.corp)],
        "week": [(one, "本周" if one == week else f"{one} 起的一周") for one in weeks],
    }


def _people(sight: Sight) -> list[tuple[str, str]]:
    return [
        (row.userid, row.name or row.userid)
        for row in staff.listing(sight.session, sight.corp)
        if sight.visible is None or row.userid in sight.visible
    ]


@page("/hits/<int:hit_id>", permission="hits.read")
def hit_page(hit_id: int) -> str:
    """One hit with what was said before and after. Raises: NotFound."""
    with looking() as sight:
        return _shown(sight, hit_id, {})


def _shown(sight: Sight, hit_id: int, faults: dict[str, str]) -> str:
    hit = room().house.chat.sensitive.hits.get(sight.session, sight.corp, hit_id, sight.visible)
    around = _around(sight, hit) if sight.who.allows("chat.read") else []
    spoke = {one.message.sender.id for one in around if one.message.sender.kind.value == "staff"}
    return render_template(
        "console/hit.html",
        hit=hit,
        marked=_marked(hit),
        around=around,
        names=staff.names(sight.session, sight.corp, spoke),
        kinds=KINDS,
        states=STATES,
        people=_people(sight),
        due=hit.due_at.astimezone(room().zone).date().isoformat() if hit.due_at else "",
        may_open=bool(hit.external_user) and sight.sees(hit.external_user),
        faults=faults,
    )


def _marked(hit: Hit) -> list[tuple[str, bool]]:
    """The whole text in parts, each with whether it was hit."""
    parts, at = [], 0
    for place in sorted(hit.places, key=lambda one: one.start):
        if place.start >= at:
            parts += [(hit.text[at : place.start], False), (hit.text[place.start : place.end], True)]
            at = place.end
    return [part for part in [*parts, (hit.text[at:], False)] if part[0]]


def _around(sight: Sight, hit: Hit) -> list[StoredMessage]:
    """Messages of the same conversation before and after; none for acts that are no messages."""
    if not hit.position:
        return []
    chats = room().house.chat.store
    before = chats.last_of(sight.session, sight.corp, hit.conversation, BEFORE_HIT, before=hit.position + 1)
    later = chats.read(sight.session, sight.corp, hit.position + 1, hit.position + LOOKED_THROUGH)
    after = [one for one in later if one.message.conversation == hit.conversation][:AFTER_HIT]
    return [*before, *after]


@page("/hits/<int:hit_id>", permission="hits.judge", methods=("POST",))
def judge_hit(hit_id: int) -> ResponseReturnValue:
    """State, note, assignee and due date of one hit. Raises: NotFound."""
    given = request.form
    try:
        with acting() as (uow, sight):
            room().house.chat.sensitive.hits.get(uow.session, sight.corp, hit_id, sight.visible)
            actor = sight.who.actor
            due_at = _due(given.get("due", ""))
            hits.assign(uow, sight.corp, [hit_id], given.get("assignee", ""), due_at, sight.visible, actor=actor)
            hits.judge(
                uow,
                sight.corp,
                [hit_id],
                given.get("state", ""),
                sight.visible,
                actor=actor,
                note=given.get("note", ""),
            )
    except InputInvalid as fault:
        with looking() as sight:
            return _shown(sight, hit_id, {fault.field or "state": fault.message}), 422
    return redirect(f"{SURFACE.prefix}/hits/{hit_id}")


def _due(told_day: str) -> datetime | None:
    """The end of a day, None for "". Raises: InputInvalid."""
    if not told_day:
        return None
    try:
        day = date.fromisoformat(told_day)
    except ValueError:
        raise InputInvalid("请选择日期", field="due") from None
    return datetime.combine(day, time(23, 59), tzinfo=room().zone).astimezone(UTC)


@page("/hits/judge", permission="hits.judge", methods=("POST",))
def judge_hits() -> ResponseReturnValue:
    """Put the chosen hits into one state; can be undone from the notice. Raises: InputInvalid."""
    with acting() as (uow, sight):
        ids = _chosen(sight)
        state = request.form.get("state", "")
        former = hits.judge(uow, sight.corp, ids, state, sight.visible, actor=sight.who.actor)
    if not former:
        return told("选中的命中本来就是这个状态", "hits-changed")
    back = urlencode({"was": ",".join(f"{hit}:{was}" for hit, was in former.items())})
    said = f"{len(former)} 条已改为“{STATES[state]}”"
    return told(said, "hits-changed", undo=f"{SURFACE.prefix}/hits/back?{back}")


def _chosen(sight: Sight) -> list[int]:
    if request.form.get("all"):
        wanted = filter_of(ListState.of_query(HITS, request.form.get("query", "")))
        book = room().house.chat.sensitive.hits
        if book.count(sight.session, sight.corp, wanted, sight.visible).value > MOST_AT_ONCE:
            raise InputInvalid(f"一次最多处理 {MOST_AT_ONCE} 条，请用筛选缩小范围")
        found = book.page(sight.session, sight.corp, wanted, sight.visible, limit=MOST_AT_ONCE)
        return [hit.id for hit in found.items]
    ids = [hit for one in request.form.getlist("who")[:MOST_AT_ONCE] if (hit := number(one))]
    if not ids:
        raise InputInvalid("请先选择命中")
    return ids


@page("/hits/back", permission="hits.judge", methods=("POST",))
def unjudge_hits() -> ResponseReturnValue:
    """Put hits back into the states they had. Raises: InputInvalid."""
    by_state: dict[str, list[int]] = {}
    for one in request.args.get("was", "").split(",")[:MOST_AT_ONCE]:
        hit, _, was = one.partition(":")
        if number(hit):
            by_state.setdefault(was, []).append(number(hit))
    with acting() as (uow, sight):
        changed = [
            hits.judge(uow, sight.corp, ids, state, sight.visible, actor=sight.who.actor)
            for state, ids in by_state.items()
        ]
    return told(f"已撤销 {sum(map(len, changed))} 条", "hits-changed")


@page("/hit-figures", permission="hits.read")
def hit_figures() -> str:
    """What hits add up to, each line a way to its rows."""
    by = request.args.get("by", "staff")
    by = by if by in figures.BY else "staff"
    weeks = number(request.args.get("weeks")) or 4
    weeks = weeks if weeks in PERIODS else 4
    with looking() as sight:
        since = figures.weeks_back(room().db.clock.now(), room().zone, weeks - 1)
        found = figures.lines(sight.session, sight.corp, by, sight.visible, since_week=since)
    total: dict[str, Any] = {
        name: sum(getattr(line, name) for line in found)
        for name in ("total", "open", "confirmed", "false_alarms", "handled")
    }
    return render_template(
        "console/hit_figures.html",
        lines=found,
        total=total,
        by=by,
        tabs=figures.BY,
        weeks=weeks,
        periods=PERIODS,
        since=since,
    )
