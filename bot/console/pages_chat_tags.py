"""Tags from chats (聊天自动标签): rules, a form checked while one types, a trial on past messages, back-fill."""

from datetime import timedelta

from flask import redirect, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict

from bot.chat_tag_tasks import BACKFILL
from bot.console import lists
from bot.console.access import Sight, acting, contact_app, looking
from bot.console.list_specs import CHAT_TAGS
from bot.console.list_state import ListState
from bot.console.pages_tasks import task_page
from bot.console.room import room
from bot.console.views import number_of, page
from crm_core import audit, customers, staff, tasks
from crm_core.customers import STAGES
from crm_core.db import UnitOfWork
from crm_core.errors import InputInvalid
from crm_core.listing import PAGE_ROWS, Listed
from tagging import chat_rule_book, chat_rules, suggestion_list
from tagging import service as tagging
from tagging.chat_rule_book import ChatRuleForm, ChatRuleView
from tagging.chat_rules import ChatRule, Conditions, lines_of
from tagging.suggestion_list import Judgement, Suggestion
from tagging.suggestions import STATE_NAMES

FIELDS = ("name", "tag", "mode", "speaker", "count", "stages")
FIELDS_OF = {chat_rules.WORDS: ("words", "unless", "patterns"), chat_rules.MEANING: ("examples", "counters")}
SPANS = {"7": "最近 7 天", "30": "最近 30 天", "90": "最近 90 天", "0": "全部历史"}
FOUND_ROWS = 10
STATES = {"on": "启用中", "off": "未启用"}


@page("/tags/chat", permission="tags.read")
def chat_tags_page() -> ResponseReturnValue:
    """All rules, with what people said of what they found."""
    state = ListState.of(CHAT_TAGS, request.args)
    with looking() as sight:
        every = chat_rule_book.listing(sight.session, sight.corp)
        names = _tag_names(sight)
    fitting = [rule for rule in every if _is_asked_for(rule, state, number_of(state.after))]
    shown = fitting[:PAGE_ROWS]
    found = Listed(items=tuple(shown), next_cursor=str(shown[-1].id) if len(fitting) > PAGE_ROWS else "")
    choices = {
        "kind": list(chat_rules.KINDS.items()),
        "mode": [("suggest", "建议"), ("apply", "直接打上")],
        "state": list(STATES.items()),
    }
    return lists.show("console/chat_tags.html", state, found, choices=choices, tag_names=names, spans=SPANS)


def _is_asked_for(rule: ChatRuleView, state: ListState, before: int | None) -> bool:
    return (
        state.one("q") in rule.name
        and state.one("kind") in ("", rule.kind)
        and state.one("mode") in ("", rule.mode)
        and state.one("state") in ("", "on" if rule.is_active else "off")
        and (before is None or rule.id < before)
    )


def _tag_names(sight: Sight) -> dict[str, str]:
    return {tag.tag_id: tag.name for group in tagging.library(sight.session, sight.corp) for tag in group.tags}


def _number(given: MultiDict[str, str], name: str, usual: int) -> int:
    text = given.get(name, "").strip()
    return (number_of(text) if len(text) < 5 else None) or (usual if not text else 0)


def _form(given: MultiDict[str, str]) -> ChatRuleForm:
    kind = given.get("kind", "")
    by_words = kind != chat_rules.MEANING
    fields = {name: lines_of(given.get(name, "")[:20_000]) for name in ("words", "unless", "patterns")}
    sentences = {name: lines_of(given.get(name, "")[:20_000]) for name in ("examples", "counters")}
    conditions = Conditions(
        **(fields if by_words else sentences),
        speaker=given.get("speaker", chat_rules.CUSTOMER),
        at_least=_number(given, "at_least", 1),
        within_days=_number(given, "within_days", 7),
        stages=tuple(dict.fromkeys(given.getlist("stage"))),
    )
    return ChatRuleForm(
        name=given.get("name", ""),
        kind=kind,
        tag_id=given.get("tag", ""),
        mode=given.get("mode", ""),
        conditions=conditions,
    )


def _shown(sight: Sight, form: ChatRuleForm, faults: dict[str, str], rule: ChatRuleView | None = None) -> str:
    return render_template(
        "console/chat_tag_form.html",
        form=form,
        faults=faults,
        rule=rule,
        library=tagging.library(sight.session, sight.corp),
        kinds=chat_rules.KINDS,
        modes=chat_rules.MODES,
        speakers=chat_rules.SPEAKERS,
        stages=STAGES,
        spans=SPANS,
    )


@page("/tags/chat/new", permission="chat_tags.write")
def new_chat_tag_rule() -> str:
    """The empty form, by words or by meaning."""
    kind = request.args.get("kind", "")
    with looking() as sight:
        return _shown(sight, ChatRuleForm(kind=kind if kind in chat_rules.KINDS else chat_rules.WORDS), {})


@page("/tags/chat/<int:rule_id>", permission="chat_tags.write")
def chat_tag_rule_page(rule_id: int) -> str:
    """One rule: its form, its figures, what it found. Raises: NotFound."""
    with looking() as sight:
        rule = chat_rule_book.get(sight.session, sight.corp, rule_id)
        return _shown(sight, rule.form, {}, rule)


@page("/tags/chat/check", permission="chat_tags.write", methods=("POST",))
def check_chat_tag_rule() -> str:
    """What is wrong so far with the fields already touched, and the rule in words."""
    form, touched = _form(request.form), set(request.form.get("touched", "").split(","))
    faults = form.faults()
    said = "" if faults else chat_rules.tell(form.kind, form.conditions, STAGES)
    shown = {name: fault for name, fault in faults.items() if name in touched}
    fields = FIELDS + FIELDS_OF.get(form.kind, ())
    return render_template("console/chat_tag_check.html", fields=fields, faults=shown, said=said)


@page("/tags/chat/try", permission="chat_tags.write", methods=("POST",))
def try_chat_tag_rule() -> ResponseReturnValue:
    """What the rule as it stands in the form would have found in past messages."""
    form = _form(request.form)
    faults = {name: fault for name, fault in form.faults().items() if name not in ("name", "mode")}
    if faults:
        return render_template("console/chat_tag_trial.html", faults=faults, run=None), 422
    rule = ChatRule(
        id=0,
        version=0,
        kind=form.kind,
        tag_id=form.tag_id,
        mode=form.mode,
        conditions=form.conditions,
        confidence=Judgement().trust,
    )
    with looking() as sight:
        run = room().house.chat.tags.trial(sight.session, sight.corp, rule, sight.visible)
        people = {one.external_user for one in run.trial.examples}
        names = customers.display_names(sight.session, sight.corp, people)
    with acting() as (uow, sight):
        _note(uow, sight, "chat_tags.tried", 0, form.name)
    return render_template("console/chat_tag_trial.html", faults={}, run=run, names=names)


@page("/tags/chat", permission="chat_tags.write", methods=("POST",))
def make_chat_tag_rule() -> ResponseReturnValue:
    """Write a rule down, or show the form again with what is wrong. It is switched on by hand, after a trial."""
    form = _form(request.form)
    faults = form.faults()
    with acting() as (uow, sight):
        if faults:
            return _shown(sight, form, faults), 422
        rule_id = chat_rule_book.create(uow, sight.corp, form, actor=sight.who.actor)
        _note(uow, sight, "chat_tag_rule.created", rule_id, form.name)
    return redirect(f"/console/tags/chat/{rule_id}")


@page("/tags/chat/<int:rule_id>", permission="chat_tags.write", methods=("POST",))
def change_chat_tag_rule(rule_id: int) -> ResponseReturnValue:
    """Change a rule, or show the form again with what is wrong. Raises: NotFound, Conflict."""
    form = _form(request.form)
    faults = form.faults()
    with acting() as (uow, sight):
        rule = chat_rule_book.get(sight.session, sight.corp, rule_id)
        if faults:
            return _shown(sight, form, faults, rule), 422
        chat_rule_book.change(uow, sight.corp, rule_id, form)
        _note(uow, sight, "chat_tag_rule.changed", rule_id, form.name)
    return redirect(f"/console/tags/chat/{rule_id}")


@page("/tags/chat/<int:rule_id>/switch", permission="chat_tags.write", methods=("POST",))
def switch_chat_tag_rule(rule_id: int) -> ResponseReturnValue:
    """On or off. Raises: NotFound."""
    with acting() as (uow, sight):
        is_on = chat_rule_book.switch(uow, sight.corp, rule_id)
        name = chat_rule_book.get(uow.session, sight.corp, rule_id).name
        _note(uow, sight, "chat_tag_rule.on" if is_on else "chat_tag_rule.off", rule_id, name)
    return "", 204, {"HX-Refresh": "true"}


@page("/tags/chat/<int:rule_id>/delete", permission="chat_tags.write", methods=("POST",))
def delete_chat_tag_rule(rule_id: int) -> ResponseReturnValue:
    """Gone; what it tagged stays. Raises: NotFound."""
    with acting() as (uow, sight):
        name = chat_rule_book.get(uow.session, sight.corp, rule_id).name
        chat_rule_book.delete(uow, sight.corp, rule_id)
        _note(uow, sight, "chat_tag_rule.deleted", rule_id, name)
    return "", 204, {"HX-Redirect": "/console/tags/chat"}


@page("/tags/chat/<int:rule_id>/backfill", permission="chat_tags.write", methods=("POST",))
def backfill_chat_tags(rule_id: int) -> ResponseReturnValue:
    """Have a rule, or the learner (0), read history as a task. Raises: NotFound, InputInvalid."""
    span = request.form.get("span", "")
    if span not in SPANS:
        raise InputInvalid("请选择回溯多久的消息")
    with acting() as (uow, sight):
        name = "学习模型" if rule_id == 0 else chat_rule_book.get(uow.session, sight.corp, rule_id).name
        first, last = _span(sight, int(span))
        if last < first:
            raise InputInvalid("这段时间没有聊天消息")
        task_id = tasks.ask(
            uow,
            corp=sight.corp,
            app=contact_app(sight.corp),
            kind=BACKFILL,
            title=f"聊天标签回溯：{name}（{SPANS[span]}）",
            asked={"rule": rule_id, "first": first, "last": last},
            scope=sight.visible,
            created_by=sight.who.actor,
        )
        _note(uow, sight, "chat_tags.backfilled", rule_id, name)
    return task_page(task_id)


def _span(sight: Sight, days: int) -> tuple[int, int]:
    """The positions of the messages of so many days, 0: of all there are."""
    chats = room().house.chat.store
    last = chats.head(sight.session, sight.corp)
    if not days:
        return 1, last
    now = room().db.clock.now()
    oldest = chats.between(sight.session, sight.corp, now - timedelta(days=days), now + timedelta(days=1), limit=1)
    return (oldest[0].position, last) if oldest else (1, 0)


@page("/tags/chat/<int:rule_id>/found", permission="chat_tags.write")
def found_chat_tags(rule_id: int) -> str:
    """What a rule, or the learner (0), proposed, with the sentences, for customers in sight; the newest first."""
    before = number_of(request.args.get("before", "")) or 0
    source = f"rule:{rule_id}" if rule_id else "learned"
    with acting() as (uow, sight):
        _note(uow, sight, "chat_tags.read", rule_id, chat_rule_book.names(uow.session, sight.corp).get(source, ""))
        found = suggestion_list.of_source(
            sight.session, sight.corp, source, visible=sight.visible, before=before, limit=FOUND_ROWS
        )
        said = _sentences(sight, found)
        names = customers.display_names(sight.session, sight.corp, {one.external_user for one in found})
        people = staff.names(
            sight.session, sight.corp, {one.staff for one in found} | {one.settled_by for one in found}
        )
    return render_template(
        "console/chat_tag_found.html",
        found=found,
        said=said,
        names=names,
        people=people,
        states=STATE_NAMES,
        more=f"/console/tags/chat/{rule_id}/found?before={found[-1].id}" if len(found) == FOUND_ROWS else "",
    )


def _sentences(sight: Sight, found: list[Suggestion]) -> dict[int, str]:
    chats = room().house.chat.store
    return {
        message.position: message.message.text
        for one in found
        for message in chats.read(sight.session, sight.corp, one.position, one.position)
    }


def _note(uow: UnitOfWork, sight: Sight, act: str, rule_id: int, name: str) -> None:
    audit.record(
        uow,
        corp=sight.corp,
        actor=sight.who.actor,
        act=act,
        object_kind="chat_tag_rule",
        object_id=str(rule_id),
        data={"name": name},
    )
