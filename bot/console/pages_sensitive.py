"""敏感词: categories, their words, trying words out before they go live, WeCom's own rules."""

from flask import redirect, render_template, request
from flask.typing import ResponseReturnValue

from bot.console.access import Sight, acting, contact_app, looking
from bot.console.acts import chosen, number
from bot.console.room import SURFACE, room
from bot.console.views import page, told
from bot.sensitive_desk import TRIAL
from crm_core import groups, staff, tasks
from crm_core.errors import Conflict, InputInvalid, NotFound
from crm_core.sensitive import acts, detectors, official, starter, trial, words
from crm_core.sensitive.rulebook import Options
from crm_core.sensitive.words import CategoryForm

OPTION_NAMES = {
    "letters": ("大小写、全角、花体与形近字母", "ＤＡＭＮ、ⓓⓐⓜⓝ"),
    "traditional": ("繁体与异体字", "賭博"),
    "digits": ("数字的各种写法", "下3滥、下③滥、下叁滥"),
    "repeats": ("重复的字", "加微微微信"),
    "symbols": ("中间夹符号、空格、表情", "赌*博、微 信"),
    "pinyin": ("拼音，及拼音与汉字混写", "weixin、加wei信"),
    "initials": ("拼音首字母（三个字以上）", "zfb"),
    "homophones": ("同音字（三个字以上）", "堵博网"),
    "splits": ("拆字", "贝者博"),
    "wechat": ("微信、QQ、支付宝的常见代称", "V信、薇信、vx、扣扣"),
    "whole_words": ("英文只匹配完整的单词", "class 不会命中 ass"),
    "whole_numbers": ("数字只匹配完整的数", "695 不会命中 69"),
}
DETECTORS = ("phone", "id_card", "bank_card", "qq", "wechat", "email", "url", "ipv4")
HOME = f"{SURFACE.prefix}/sensitive"


@page("/sensitive", permission="sensitive.read")
def sensitive_page() -> str:
    """All categories, and what the starter set offers beside them."""
    with looking() as sight:
        found = words.listing(sight.session, sight.corp)
        everywhere = words.words(sight.session, sight.corp, words.EVERYWHERE)
        owners = staff.names(sight.session, sight.corp, {one.form.owner for one in found} - {""})
    known = {one.form.name for one in found}
    return render_template(
        "console/sensitive.html",
        categories=found,
        owners=owners,
        everywhere=everywhere,
        sides=words.SIDES,
        intercepts=words.INTERCEPTS,
        offered=[one for one in starter.categories() if one.name not in known],
    )


@page("/sensitive/starter", permission="sensitive.write", methods=("POST",))
def take_starter_set() -> ResponseReturnValue:
    """Take chosen categories of the starter set over, as drafts or live at once."""
    state = words.LIVE if request.form.get("live") else words.DRAFT
    with acting() as (uow, sight):
        words.take_starter(uow, sight.corp, request.form.getlist("key"), actor=sight.who.actor, state=state)
    return redirect(HOME)


@page("/sensitive/exceptions", permission="sensitive.write", methods=("POST",))
def add_exceptions() -> ResponseReturnValue:
    """Phrases within which nothing hits, one a line. Raises: InputInvalid."""
    with acting() as (uow, sight):
        texts = [line for line in request.form.get("texts", "").splitlines() if line.strip()]
        words.add(uow, sight.corp, words.EVERYWHERE, texts, kind=words.EXCEPTION, actor=sight.who.actor)
    return redirect(HOME)


@page("/sensitive/new", permission="sensitive.write", methods=("GET", "POST"))
def new_category() -> ResponseReturnValue:
    """Make a category."""
    return _edit(0)


@page("/sensitive/<int:category>/edit", permission="sensitive.write", methods=("GET", "POST"))
def edit_category(category: int) -> ResponseReturnValue:
    """Change a category. Raises: NotFound."""
    return _edit(category)


def _edit(category: int) -> ResponseReturnValue:
    if request.method == "GET":
        with looking() as sight:
            form = words.get(sight.session, sight.corp, category).form if category else CategoryForm(name="")
            return _form(sight, form, category, {})
    form = _given()
    try:
        with acting() as (uow, sight):
            made = words.save(uow, sight.corp, form, actor=sight.who.actor, category=category)
    except (InputInvalid, Conflict) as fault:
        with looking() as sight:
            return _form(sight, form, category, {fault.field or "name": fault.message}), fault.http_status
    return redirect(f"{HOME}/{made}")


def _form(sight: Sight, form: CategoryForm, category: int, faults: dict[str, str]) -> str:
    return render_template(
        "console/sensitive_form.html",
        form=form,
        category=category,
        faults=faults,
        severities=words.SEVERITIES,
        sides=words.SIDES,
        kinds=words.KINDS,
        chats=words.CHATS,
        groups=groups.all_names(sight.session, sight.corp),
        intercepts=words.INTERCEPTS,
        options=OPTION_NAMES,
        detectors={kind: detectors.NAMES[kind] for kind in DETECTORS},
        acts=acts.NAMES,
        people=[(row.userid, row.name or row.userid) for row in staff.listing(sight.session, sight.corp)],
        departments=staff.departments(sight.session, sight.corp),
    )


def _given() -> CategoryForm:
    given = request.form
    return CategoryForm(
        name=given.get("name", ""),
        note=given.get("note", "")[:200],
        severity=number(given.get("severity")),
        owner=given.get("owner", ""),
        side=given.get("side", ""),
        departments=tuple(number(one) for one in given.getlist("department") if number(one)),
        kinds=tuple(given.getlist("kind")),
        chats=given.get("chats", ""),
        chat_ids=tuple(given.getlist("chat")),
        tells_supervisor=bool(given.get("tells_supervisor")),
        tells_staff=bool(given.get("tells_staff")),
        intercept=number(given.get("intercept")),
        options=Options(**{name: name in given.getlist("option") for name in OPTION_NAMES}),
        detectors=tuple(given.getlist("detector")),
        acts=tuple(given.getlist("act")),
        is_enabled=bool(given.get("is_enabled")),
    )


@page("/sensitive/<int:category>/remove", permission="sensitive.write", methods=("POST",))
def remove_category(category: int) -> ResponseReturnValue:
    """Take a category away; can be undone from the notice. Raises: NotFound."""
    with acting() as (uow, sight):
        words.remove(uow, sight.corp, category, actor=sight.who.actor)
    return told("已删除分类，命中记录保留", "sensitive-changed", undo=f"{HOME}/{category}/restore")


@page("/sensitive/<int:category>/restore", permission="sensitive.write", methods=("POST",))
def restore_category(category: int) -> ResponseReturnValue:
    """Bring a category back. Raises: NotFound."""
    with acting() as (uow, sight):
        words.remove(uow, sight.corp, category, actor=sight.who.actor, is_back=True)
    return told("已恢复", "sensitive-changed")


@page("/sensitive/<int:category>", permission="sensitive.read")
def category_page(category: int) -> str:
    """The words of a category. Raises: NotFound."""
    return _words(category, "")


def _words(category: int, fault: str) -> str:
    contains = request.args.get("q", "").strip()[:100]
    with looking() as sight:
        found = words.get(sight.session, sight.corp, category)
        entries = words.words(sight.session, sight.corp, category, contains=contains)
    return render_template(
        "console/sensitive_words.html",
        category=found,
        entries=entries,
        kinds=words.WORD_KINDS,
        states=words.STATES,
        sides=words.SIDES,
        contains=contains,
        fault=fault,
        typed=request.form.get("texts", "") if fault else "",
    )


@page("/sensitive/<int:category>/words", permission="sensitive.write", methods=("POST",))
def add_words(category: int) -> ResponseReturnValue:
    """Add entries as drafts, one a line; what is wrong is said in the form. Raises: NotFound."""
    kind = request.form.get("kind", words.WORD)
    texts = [line for line in request.form.get("texts", "").splitlines() if line.strip()]
    if not texts:
        return _words(category, "请填写词语，每行一个"), 422
    try:
        with acting() as (uow, sight):
            words.add(uow, sight.corp, category, texts, kind=kind, actor=sight.who.actor)
    except InputInvalid as fault:
        return _words(category, fault.message), 422
    return redirect(f"{HOME}/{category}")


@page("/sensitive/words", permission="sensitive.write", methods=("POST",))
def change_words() -> ResponseReturnValue:
    """What is to become of the chosen words: tried out, live, drafts, deleted. Raises: InputInvalid."""
    ids, act, back = chosen(), request.form.get("act", ""), number(request.form.get("category"))
    if not ids:
        raise InputInvalid("请先选择词语")
    with acting() as (uow, sight):
        actor = sight.who.actor
        if act == "trial":
            task = tasks.ask(
                uow,
                corp=sight.corp,
                app=contact_app(sight.corp),
                kind=TRIAL,
                title=f"试运行 {len(ids)} 条敏感词",
                asked={"words": ids},
                scope=None,
                created_by=actor,
            )
        elif act in words.STATES:
            words.set_state(uow, sight.corp, ids, act, actor=actor)
        elif act == "drop":
            words.drop(uow, sight.corp, ids, actor=actor)
        else:
            raise InputInvalid("没有这种操作")
    if act == "trial":
        return redirect(f"{HOME}/trials/{task}")
    return redirect(f"{HOME}/{back}" if back else HOME)


@page("/sensitive/trials/<int:task_id>", permission="sensitive.write")
def trial_page(task_id: int) -> str:
    """What words would have hit in the last 30 days; asks again while it runs. Raises: NotFound."""
    with looking() as sight:
        task = tasks.get(sight.session, sight.corp, task_id)
        if task.kind != TRIAL:
            raise NotFound("没有这次试运行")
        ids = [int(one) for one in task.asked["words"]]
        entries = words.by_ids(sight.session, sight.corp, ids)
        cipher = room().house.chat.sensitive.cipher
        view = trial.view(sight.session, cipher, sight.corp, task_id, [one.text for one in entries])
    return render_template(
        "console/sensitive_trial.html",
        task=task,
        view=view,
        ids=ids,
        days=trial.DAYS,
        entries=entries,
        kinds=words.KINDS,
    )


@page("/sensitive/rules", permission="sensitive.read")
def rules_at_wecom() -> str:
    """WeCom's own rules beside ours, with what differs."""
    with looking() as sight:
        found = official.differences(sight.session, sight.corp)
        seen_at = official.seen_at(sight.session, sight.corp)
    return render_template("console/sensitive_rules.html", rules=found, states=official.STATES, seen_at=seen_at)


@page("/sensitive/rules", permission="sensitive.write", methods=("POST",))
def change_rules_at_wecom() -> ResponseReturnValue:
    """Have WeCom's rules read anew, or made as ours."""
    with acting() as (uow, sight):
        app = contact_app(sight.corp)
        if request.form.get("act") == "push":
            official.push(uow, sight.corp, app, actor=sight.who.actor)
        else:
            official.look(uow, sight.corp, app)
    return redirect(f"{HOME}/rules?asked=1")
