"""Categories and their words: made, changed, put in force. Every change is audited and moves the book's version."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlmodel import Session, col, delete, func, select

from crm_core import audit, staff
from crm_core.db import UnitOfWork
from crm_core.errors import Conflict, InputInvalid, NotFound
from crm_core.ids import CorpId, StaffUserId
from crm_core.sensitive import acts, detectors, starter
from crm_core.sensitive.matcher import compile_regex
from crm_core.sensitive.rulebook import CategoryRules, Detector, Entry, EntryKind, Options, Rulebook
from crm_core.sensitive_tables import SensitiveBookRow, SensitiveCategoryRow, SensitiveWordRow

SEVERITIES = {1: "提示", 2: "一般", 3: "严重"}
SIDES = {"both": "员工与客户", "staff": "只看员工说的", "customer": "只看客户说的"}
CHATS = {"all": "全部客户群", "none": "不看客户群", "chosen": "只看选定的群"}
KINDS = {"single": "单聊", "group": "客户群", "internal": "同事聊天", "kf": "微信客服"}
INTERCEPTS = {0: "不使用", 1: "提醒并拦截", 2: "只提醒员工"}
WORD, REGEX, EXCEPTION = "word", "regex", "exception"
WORD_KINDS = {WORD: "词", REGEX: "正则", EXCEPTION: "例外"}
DRAFT, LIVE = "draft", "live"
STATES = {DRAFT: "草稿", LIVE: "已生效"}
MOST_NAME_CHARS, MOST_WORD_CHARS, MOST_CATEGORIES, MOST_WORDS = 20, 100, 100, 20_000
EVERYWHERE = 0  # the category of exceptions that hold for all
_BLANKS = re.compile(r"\s+")


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryForm:
    """A category as somebody fills it in; see ``SensitiveCategoryRow``."""

    name: str
    note: str = ""
    severity: int = 2
    owner: str = ""
    side: str = "both"
    departments: tuple[int, ...] = ()
    kinds: tuple[str, ...] = ("single", "group", "kf")
    chats: str = "all"
    chat_ids: tuple[str, ...] = ()
    tells_supervisor: bool = True
    tells_staff: bool = False
    intercept: int = 0
    options: Options = field(default_factory=Options)
    detectors: tuple[str, ...] = ()
    acts: tuple[str, ...] = ()
    is_enabled: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Category:
    """A category for display. live, drafts, exceptions: how many entries of each."""

    id: int
    form: CategoryForm
    live: int
    drafts: int
    exceptions: int

    @property
    def severity_name(self) -> str:
        """The severity in words."""
        return SEVERITIES[self.form.severity]


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """An entry for display."""

    id: int
    category: int
    kind: str
    text: str
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """What is in force in a corp."""

    version: int
    rules: Rulebook
    categories: Mapping[int, CategoryForm]
    word_ids: Mapping[int, int]


def listing(session: Session, corp: CorpId) -> list[Category]:
    """All categories, the gravest first."""
    rows = session.exec(
        select(SensitiveCategoryRow)
        .where(SensitiveCategoryRow.corp_id == corp, col(SensitiveCategoryRow.is_deleted).is_(False))
        .order_by(col(SensitiveCategoryRow.severity).desc(), col(SensitiveCategoryRow.id))
    ).all()
    counts = _counts(session, corp)
    return [_category(row, counts.get(row.id or 0, {})) for row in rows]


def get(session: Session, corp: CorpId, category: int) -> Category:
    """One category. Raises: NotFound."""
    return _category(_row(session, corp, category), _counts(session, corp).get(category, {}))


def save(uow: UnitOfWork, corp: CorpId, form: CategoryForm, *, actor: str, category: int = 0) -> int:
    """Make or change a category. Answers its id. Raises: InputInvalid, NotFound, Conflict (the name is taken)."""
    _check(uow.session, corp, form, category)
    row = (
        _row(uow.session, corp, category)
        if category
        else SensitiveCategoryRow(corp_id=corp, name="", created_by=actor, created_at=uow.now())
    )
    row.name, row.note, row.severity = form.name.strip(), form.note.strip(), form.severity
    row.owner_userid, row.side, row.departments = form.owner, form.side, list(form.departments)
    row.kinds, row.chats, row.chat_ids = list(form.kinds), form.chats, list(form.chat_ids)
    row.tells_supervisor, row.tells_staff = form.tells_supervisor, form.tells_staff
    row.intercept, row.is_enabled = form.intercept, form.is_enabled
    row.options = {name: getattr(form.options, name) for name in Options.__dataclass_fields__}
    row.detectors, row.acts = list(form.detectors), list(form.acts)
    uow.session.add(row)
    uow.session.flush()
    _changed(uow, corp)
    _audit(uow, corp, actor, "sensitive.category_saved", row.id or 0, {"name": row.name})
    return row.id or 0


def _check(session: Session, corp: CorpId, form: CategoryForm, category: int) -> None:
    if not 1 <= len(form.name.strip()) <= MOST_NAME_CHARS:
        raise InputInvalid(f"分类名称为 1 到 {MOST_NAME_CHARS} 个字", field="name")
    faults = {
        "severity": form.severity not in SEVERITIES,
        "side": form.side not in SIDES,
        "chats": form.chats not in CHATS,
        "intercept": form.intercept not in INTERCEPTS,
        "kinds": not form.kinds or not set(form.kinds) <= set(KINDS),
        "detectors": not set(form.detectors) <= set(detectors.NAMES),
        "acts": not set(form.acts) <= set(acts.NAMES),
    }
    for name, is_wrong in faults.items():
        if is_wrong:
            raise InputInvalid("请从选项中选择" if name != "kinds" else "请至少选择一种会话", field=name)
    if form.owner and not staff.is_known(session, corp, StaffUserId(form.owner)):
        raise InputInvalid("没有这位负责人", field="owner")
    if form.chats == "chosen" and not form.chat_ids:
        raise InputInvalid("请至少选择一个群", field="chat_ids")
    others = session.exec(
        select(SensitiveCategoryRow.id, SensitiveCategoryRow.name).where(
            SensitiveCategoryRow.corp_id == corp, col(SensitiveCategoryRow.is_deleted).is_(False)
        )
    ).all()
    if any(name == form.name.strip() and other != category for other, name in others):
        raise Conflict("已有同名的分类", field="name")
    if not category and len(others) >= MOST_CATEGORIES:
        raise InputInvalid(f"最多 {MOST_CATEGORIES} 个分类", field="name")


def remove(uow: UnitOfWork, corp: CorpId, category: int, *, actor: str, is_back: bool = False) -> None:
    """Take a category away with its words, or bring it back; its hits stay. Raises: NotFound."""
    row = uow.session.get(SensitiveCategoryRow, category)
    if row is None or row.corp_id != corp:
        raise NotFound("没有这个分类")
    row.is_deleted = not is_back
    uow.session.add(row)
    _changed(uow, corp)
    act = "sensitive.category_restored" if is_back else "sensitive.category_removed"
    _audit(uow, corp, actor, act, category, {"name": row.name})


def words(session: Session, corp: CorpId, category: int, *, state: str = "", contains: str = "") -> list[Word]:
    """Entries of a category, drafts first, then by text."""
    wanted = select(SensitiveWordRow).where(SensitiveWordRow.corp_id == corp, SensitiveWordRow.category_id == category)
    if state:
        wanted = wanted.where(SensitiveWordRow.state == state)
    if contains:
        wanted = wanted.where(col(SensitiveWordRow.text).contains(contains, autoescape=True))
    rows = session.exec(wanted.order_by(SensitiveWordRow.state, SensitiveWordRow.kind, SensitiveWordRow.text))
    return [_word(row) for row in rows]


def by_ids(session: Session, corp: CorpId, ids: Sequence[int]) -> list[Word]:
    """These entries, as far as they are there."""
    return [_word(row) for row in _chosen(session, corp, ids)]


def clean(text: str, kind: str) -> str:
    """An entry as it is kept. Raises: InputInvalid when it cannot be one."""
    made = text.strip() if kind == REGEX else _BLANKS.sub(" ", text.strip())
    if not made:
        raise InputInvalid("请填写词语", field="text")
    if kind == REGEX:
        compile_regex(made)
    elif len(made) > MOST_WORD_CHARS:
        raise InputInvalid(f"词语最多 {MOST_WORD_CHARS} 个字", field="text")
    if kind not in WORD_KINDS:
        raise InputInvalid("没有这种类型", field="kind")
    return made


def add(
    uow: UnitOfWork, corp: CorpId, category: int, texts: Sequence[str], *, kind: str, actor: str, state: str = DRAFT
) -> int:
    """Add entries that are not there yet; answers how many were new. Raises: InputInvalid, NotFound."""
    if category != EVERYWHERE or kind != EXCEPTION:
        _row(uow.session, corp, category)
    wanted = list(dict.fromkeys(clean(text, kind) for text in texts))
    known = {one.text for one in words(uow.session, corp, category) if one.kind == kind}
    fresh = [text for text in wanted if text not in known]
    if _total(uow.session, corp) + len(fresh) > MOST_WORDS:
        raise InputInvalid(f"一个企业最多 {MOST_WORDS} 条词语", field="text")
    state = LIVE if kind == EXCEPTION else state
    now = uow.now()
    uow.session.add_all(
        SensitiveWordRow(
            corp_id=corp, category_id=category, kind=kind, text=text, state=state, created_by=actor, created_at=now
        )
        for text in fresh
    )
    if fresh:
        _changed(uow, corp)
        told = {"count": len(fresh), "first": fresh[0][:20]}
        _audit(uow, corp, actor, "sensitive.words_added", category, told)
    return len(fresh)


def set_state(uow: UnitOfWork, corp: CorpId, ids: Sequence[int], state: str, *, actor: str) -> int:
    """Put entries in force (live) or out of force (draft). Answers how many changed. Raises: InputInvalid."""
    if state not in STATES:
        raise InputInvalid("没有这种状态", field="state")
    changed = [row for row in _chosen(uow.session, corp, ids) if row.state != state and row.kind != EXCEPTION]
    for row in changed:
        row.state = state
        uow.session.add(row)
    if changed:
        _changed(uow, corp)
        told = {"count": len(changed), "state": state}
        _audit(uow, corp, actor, "sensitive.words_switched", changed[0].category_id, told)
    return len(changed)


def drop(uow: UnitOfWork, corp: CorpId, ids: Sequence[int], *, actor: str) -> int:
    """Delete entries for good. Answers how many there were."""
    rows = _chosen(uow.session, corp, ids)
    if rows:
        uow.session.execute(delete(SensitiveWordRow).where(col(SensitiveWordRow.id).in_([row.id for row in rows])))
        _changed(uow, corp)
        told = {"count": len(rows), "first": rows[0].text[:20]}
        _audit(uow, corp, actor, "sensitive.words_dropped", rows[0].category_id, told)
    return len(rows)


def take_starter(uow: UnitOfWork, corp: CorpId, keys: Sequence[str], *, actor: str, state: str = DRAFT) -> int:
    """Take categories of the starter set over. One whose name is there gets what it lacks. Answers how many entries."""
    known = {one.form.name: one.id for one in listing(uow.session, corp)}
    added = 0
    for one in starter.categories():
        if one.key not in keys:
            continue
        category = known.get(one.name) or save(
            uow,
            corp,
            CategoryForm(
                name=one.name,
                note=one.note,
                severity=one.severity,
                side=one.side,
                options=one.options,
                detectors=one.detectors,
            ),
            actor=actor,
        )
        added += add(uow, corp, category, one.words, kind=WORD, actor=actor, state=state)
    return added


def version(session: Session, corp: CorpId) -> int:
    """Which state of the book is in force."""
    return session.exec(select(SensitiveBookRow.version).where(SensitiveBookRow.corp_id == corp)).first() or 0


def book(session: Session, corp: CorpId, *, drafts_of: Iterable[int] = (), only: bool = False) -> Book:
    """What is in force. drafts_of: words that count as live though they are drafts; only: these and nothing else."""
    number, extra = version(session, corp), set(drafts_of)
    forms = {one.id: one.form for one in listing(session, corp) if one.form.is_enabled or extra}
    rows = session.exec(select(SensitiveWordRow).where(SensitiveWordRow.corp_id == corp)).all()
    entries: dict[int, list[Entry]] = {category: [] for category in forms}
    exceptions: dict[int, list[str]] = {category: [] for category in (*forms, EVERYWHERE)}
    for row in rows:
        if row.kind == EXCEPTION:
            exceptions.get(row.category_id, []).append(row.text)
        elif row.category_id in forms and (row.id in extra or (row.state == LIVE and not only)):
            entries[row.category_id].append(Entry(row.id or 0, row.text, EntryKind(row.kind)))
    rules = tuple(
        CategoryRules(
            id=category,
            entries=tuple(entries[category]),
            options=form.options,
            exceptions=tuple(exceptions[category]),
            detectors=() if only else tuple(Detector(kind=kind) for kind in form.detectors),
        )
        for category, form in forms.items()
    )
    ids = {row.id or 0: row.category_id for row in rows}
    made = Rulebook(categories=rules, allowed=tuple(exceptions[EVERYWHERE]))
    return Book(version=number, rules=made, categories=forms, word_ids=ids)


def _row(session: Session, corp: CorpId, category: int) -> SensitiveCategoryRow:
    row = session.get(SensitiveCategoryRow, category)
    if row is None or row.corp_id != corp or row.is_deleted:
        raise NotFound("没有这个分类")
    return row


def _chosen(session: Session, corp: CorpId, ids: Sequence[int]) -> list[SensitiveWordRow]:
    wanted = col(SensitiveWordRow.id).in_(ids)
    return list(session.exec(select(SensitiveWordRow).where(SensitiveWordRow.corp_id == corp, wanted)))


def _total(session: Session, corp: CorpId) -> int:
    return session.exec(select(func.count()).where(SensitiveWordRow.corp_id == corp)).one()


def _counts(session: Session, corp: CorpId) -> dict[int, dict[tuple[str, str], int]]:
    row = SensitiveWordRow
    found: dict[int, dict[tuple[str, str], int]] = {}
    wanted = select(row.category_id, row.kind, row.state, func.count()).where(row.corp_id == corp)
    rows = session.exec(wanted.group_by(col(row.category_id), col(row.kind), col(row.state)))
    for category, kind, state, count in rows:
        found.setdefault(category, {})[kind, state] = count
    return found


def _category(row: SensitiveCategoryRow, counts: Mapping[tuple[str, str], int]) -> Category:
    form = CategoryForm(
        name=row.name,
        note=row.note,
        severity=row.severity,
        owner=row.owner_userid,
        side=row.side,
        departments=tuple(row.departments),
        kinds=tuple(row.kinds),
        chats=row.chats,
        chat_ids=tuple(row.chat_ids),
        tells_supervisor=row.tells_supervisor,
        tells_staff=row.tells_staff,
        intercept=row.intercept,
        options=Options.of(row.options),
        detectors=tuple(row.detectors),
        acts=tuple(row.acts),
        is_enabled=row.is_enabled,
    )
    told = {state: sum(counts.get((kind, state), 0) for kind in (WORD, REGEX)) for state in STATES}
    exceptions = counts.get((EXCEPTION, LIVE), 0)
    return Category(id=row.id or 0, form=form, live=told[LIVE], drafts=told[DRAFT], exceptions=exceptions)


def _word(row: SensitiveWordRow) -> Word:
    return Word(id=row.id or 0, category=row.category_id, kind=row.kind, text=row.text, state=row.state)


def _changed(uow: UnitOfWork, corp: CorpId) -> None:
    uow.lock(f"sensitive-book:{corp}")
    row = uow.session.get(SensitiveBookRow, corp) or SensitiveBookRow(corp_id=corp)
    row.version += 1
    uow.session.add(row)
    uow.session.flush()


def _audit(uow: UnitOfWork, corp: CorpId, actor: str, act: str, category: int, data: dict[str, Any]) -> None:
    audit.record(uow, corp=corp, actor=actor, act=act, object_kind="sensitive", object_id=str(category), data=data)
