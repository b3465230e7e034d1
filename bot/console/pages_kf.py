"""微信客服: sessions with their figures, one session's transcript, and how each account answers."""

import secrets
from datetime import timedelta

from flask import redirect, render_template, request
from flask.typing import ResponseReturnValue

from bot.console import lists
from bot.console.access import Sight, acting, contact_app, looking
from bot.console.list_specs import KF_SESSIONS
from bot.console.list_state import ListState
from bot.console.room import room
from bot.console.views import page
from crm_core import audit, staff
from crm_core.chat.model import Conversation, PartyKind
from crm_core.db import UnitOfWork
from crm_core.errors import Conflict, NotFound
from crm_core.kf import accounts, session_lists, sessions
from crm_core.kf.accounts import RECEPTIONS, AccountForm
from crm_core.kf.rules import RATINGS, STANDING_NAMES, WHY_NAMES, Standing, Why
from crm_core.kf.session_lists import SessionFilter

TONES = {Standing.POOL: "warn", Standing.HUMAN: "good", Standing.BOT: "blue"}
FIGURES_DAYS = 7
MOST_LINES = 200
RATING_CHOICES = [(str(score), word) for score, word in RATINGS.items()]


@page("/kf", permission="kf.read")
def kf_page() -> ResponseReturnValue:
    """Sessions, newest first, with the figures of a week."""
    state = ListState.of(KF_SESSIONS, request.args)
    standing, rating = state.one("standing"), state.one("rating")
    wanted = SessionFilter(
        open_kfid=state.one("account"),
        standing=Standing(int(standing)) if standing in {str(int(one)) for one in Standing} else None,
        servicer=state.one("servicer"),
        rating=int(rating) if rating in dict(RATING_CHOICES) else None,
        has_problem=state.one("problem") == "1",
    )
    now = room().db.clock.now()
    with looking() as sight:
        found = session_lists.page(sight.session, sight.corp, wanted, cursor=state.after)
        count = session_lists.count(sight.session, sight.corp, wanted)
        figures = session_lists.figures(sight.session, sight.corp, now - timedelta(days=FIGURES_DAYS))
        desks = accounts.listing(sight.session, sight.corp)
        people = [(row.userid, row.name or row.userid) for row in staff.listing(sight.session, sight.corp)]
    choices = {
        "standing": [(str(int(one)), name) for one, name in STANDING_NAMES.items()],
        "account": [(one.open_kfid, one.name) for one in desks],
        "servicer": people,
        "rating": RATING_CHOICES,
        "problem": [("1", "有异常")],
    }
    return lists.show(
        "console/kf.html",
        state,
        found,
        count=count,
        choices=choices,
        figures=figures,
        desks=desks,
        days=FIGURES_DAYS,
        names=STANDING_NAMES,
        tones=TONES,
        ratings=RATINGS,
        whys={why.value: name for why, name in WHY_NAMES.items()},
        now=now,
    )


@page("/kf/<int:session_id>", permission="kf.read")
def kf_session(session_id: int) -> str:
    """One session and what was said. Raises: NotFound."""
    with looking() as sight:
        one = session_lists.one(sight.session, sight.corp, session_id)
        talk = Conversation.kf(one.open_kfid, one.external_user)
        said = room().house.chat.store.last_of(sight.session, sight.corp, talk, MOST_LINES)
        lines = [entry.message for entry in said if entry.message.sender.kind is not PartyKind.SYSTEM]
        speakers = {line.sender.id for line in lines if line.sender.kind is PartyKind.STAFF}
        people = staff.names(sight.session, sight.corp, speakers)
        may_open = sight.sees(one.external_user)
    return render_template(
        "console/kf_session.html",
        one=one,
        lines=lines,
        people=people,
        may_open=may_open,
        names=STANDING_NAMES,
        tones=TONES,
        ratings=RATINGS,
        whys={why.value: name for why, name in WHY_NAMES.items()},
    )


@page("/kf/<int:session_id>/<act>", permission="kf.write", methods=("POST",))
def kf_act(session_id: int, act: str) -> ResponseReturnValue:
    """Hand a session to people, or end it. Raises: NotFound, Conflict."""
    talker = room().house.chat.kf.talker
    with acting() as (uow, sight):
        one = session_lists.one(uow.session, sight.corp, session_id)
        talk = sessions.current(uow, sight.corp, one.open_kfid, one.external_user)
        if talk is None or talk.id != session_id:
            raise Conflict("会话已结束")
        account = accounts.get(uow.session, sight.corp, one.open_kfid)
        if act == "people":
            if talk.standing not in {Standing.NEW, Standing.BOT}:
                raise Conflict("会话已经在等待人工或由人工接待")
            talker.hand_over(uow, account, talk, Why.BY_STAFF, key=secrets.token_hex(8))
            _note(uow, sight, "kf_session.handed_over", "kf_session", str(session_id))
        elif act == "end":
            talker.close(uow, account, talk, key=secrets.token_hex(8))
            _note(uow, sight, "kf_session.ended", "kf_session", str(session_id))
        else:
            raise NotFound("没有这个操作")
    return "", 204, {"HX-Refresh": "true"}


def _note(uow: UnitOfWork, sight: Sight, act: str, kind: str, name: str) -> None:
    audit.record(uow, corp=sight.corp, actor=sight.who.actor, act=act, object_kind=kind, object_id=name)


@page("/kf/accounts/<open_kfid>", permission="kf.write")
def kf_account(open_kfid: str) -> str:
    """How an account answers. Raises: NotFound."""
    with looking() as sight:
        account = accounts.get(sight.session, sight.corp, open_kfid)
    return _account_page(open_kfid, account, {})


def _account_page(open_kfid: str, form: object, faults: dict[str, str]) -> str:
    return render_template(
        "console/kf_account.html",
        open_kfid=open_kfid,
        form=form,
        faults=faults,
        receptions=RECEPTIONS,
        hours=room().house.chat.kf.talker.hours,
    )


@page("/kf/accounts/<open_kfid>", permission="kf.write", methods=("POST",))
def change_kf_account(open_kfid: str) -> ResponseReturnValue:
    """Set how an account answers, or show the form again with what is wrong. Raises: NotFound."""
    given = request.form
    percent = given.get("threshold", "").strip()
    form = AccountForm(
        is_bot_on=bool(given.get("is_bot_on")),
        threshold=int(percent) / 100 if percent.isascii() and percent.isdigit() and len(percent) < 4 else -1.0,
        reception=given.get("reception", ""),
        welcome=given.get("welcome", ""),
        away=given.get("away", ""),
        is_survey_on=bool(given.get("is_survey_on")),
    )
    faults = accounts.faults(form)
    with acting() as (uow, sight):
        accounts.get(uow.session, sight.corp, open_kfid)
        if faults:
            return _account_page(open_kfid, form, faults), 422
        accounts.change(uow, sight.corp, open_kfid, form)
        _note(uow, sight, "kf_account.changed", "kf_account", open_kfid)
    return redirect("/console/kf")


@page("/kf/accounts", permission="kf.write", methods=("POST",))
def read_kf_accounts() -> ResponseReturnValue:
    """Have the accounts read from WeCom."""
    with acting() as (uow, sight):
        accounts.ask_accounts(uow, sight.corp, contact_app(sight.corp), key=f"asked:{secrets.token_hex(8)}")
    return "", 204, {"HX-Refresh": "true"}
