"""What each kind of task does: exports, bulk acts on customers, and taking such acts back."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from sqlmodel import Session

from bot.chat_tag_tasks import BACKFILL, unmake
from bot.console.customer_query import STATUSES, Ask, filter_of
from bot.console.list_specs import CUSTOMERS
from bot.console.list_state import ListState
from bot.console.tagging_acts import mark
from bot.customer_import import import_customers, take_back_row
from bot.task_desk import CHUNK_ROWS, Bench, TaskBody
from crm_core import audit, customer_acts, customer_list, customers, group_list, tasks, way_figures
from crm_core.customer_list import CustomerFilter, CustomerLine
from crm_core.customers import STAGES
from crm_core.db import UnitOfWork
from crm_core.errors import Conflict, InputInvalid, NotFound
from crm_core.ids import ExternalUserId, StaffUserId
from crm_core.tasks import TaskItem
from sidebar.sentences import masked_mobile
from tagging import holders

CUSTOMER_COLUMNS = (
    "客户",
    "备注",
    "企业",
    "阶段",
    "标签",
    "跟进人",
    "来源",
    "添加时间",
    "好友状态",
    "流失时间",
    "手机号",
    "外部联系人 ID",
)
SAME = "本来就是这样"


def _filter(bench: Bench, session: Session) -> CustomerFilter:
    """The customers the task is about, within its asker's sight when it was asked."""
    ask = Ask(session=session, corp=bench.corp, visible=bench.task.scope, now=bench.task.created_at, zone=bench.zone)
    return filter_of(ask, ListState.of_query(CUSTOMERS, str(bench.task.asked.get("query", ""))))


def _local(bench: Bench, moment: Any) -> str:
    return f"{moment.astimezone(bench.zone):%Y-%m-%d %H:%M}" if moment else ""


def export_customers(bench: Bench) -> None:
    """The customer list as a file. Phone numbers are masked unless the asker may see them whole."""
    is_whole = bool(bench.task.asked.get("whole_mobiles"))
    with bench.db.reading() as session:
        bench.count(customer_list.count(session, bench.corp, _filter(bench, session)).value)

    def rows(session: Session) -> Iterator[Sequence[object]]:
        for found in customer_list.every(session, bench.corp, _filter(bench, session)):
            shown = [line.external_user for line in found.items]
            tags = holders.tags_of_many(session, bench.corp, shown, bench.task.scope)
            for line in found.items:
                names = "、".join(tag.name for tag in tags[line.external_user])
                yield _customer_row(bench, line, names, is_whole=is_whole)

    bench.sheet("客户", CUSTOMER_COLUMNS, rows)


def _customer_row(bench: Bench, line: CustomerLine, tags: str, *, is_whole: bool) -> Sequence[object]:
    mobiles = line.mobiles if is_whole else tuple(masked_mobile(mobile) for mobile in line.mobiles)
    return (
        line.name,
        line.remark,
        line.corp_name,
        line.stage_name,
        tags,
        line.staff_name,
        line.source,
        _local(bench, line.started_at),
        STATUSES[line.status],
        _local(bench, line.ended_at),
        "、".join(mobiles),
        line.external_user,
    )


def export_groups(bench: Bench) -> None:
    """All customer groups in sight with their figures."""

    def rows(session: Session) -> Iterator[Sequence[object]]:
        for line in group_list.every(session, bench.corp, bench.task.scope, bench.now, bench.zone):
            yield (
                line.name,
                line.owner_name,
                line.members,
                line.customers,
                line.joined_today,
                line.left_today,
                _local(bench, line.created_at),
                "正常" if line.status == "active" else "已解散",
                line.chat,
            )

    heads = ("客户群", "群主", "成员", "客户", "今日入群", "今日退群", "建群时间", "状态", "群 ID")
    bench.sheet("客户群", heads, rows)


def export_ways(bench: Bench) -> None:
    """All live codes with what they brought."""

    def rows(session: Session) -> Iterator[Sequence[object]]:
        for line in way_figures.every(session, bench.corp, bench.task.scope, bench.now, bench.zone):
            yield (
                line.name,
                line.status_name,
                "、".join(line.staff_names),
                line.today,
                line.total,
                line.lost,
                _local(bench, line.created_at),
            )

    bench.sheet("渠道活码", ("活码", "状态", "接待员工", "今日添加", "累计添加", "已流失", "创建时间"), rows)


def export_audit(bench: Bench) -> None:
    """The audit log."""

    def rows(session: Session) -> Iterator[Sequence[object]]:
        for entry in audit.every(session, bench.corp):
            yield (_local(bench, entry.at), entry.actor, entry.act, entry.object_kind, entry.object_id, str(entry.data))

    bench.sheet("审计日志", ("时间", "操作人", "操作", "对象类型", "对象", "说明"), rows)


def _for_each_customer(bench: Bench, act: Callable[[UnitOfWork, str], TaskItem]) -> None:
    """Chosen customers one by one, or all that fit the asked query, from where the task stood."""
    chosen = bench.task.asked.get("who")
    if chosen is not None:
        _for_chosen(bench, [str(one) for one in chosen], act)
        return
    cursor = str(bench.task.cursor.get("after", ""))
    if not cursor:
        with bench.db.reading() as session:
            bench.count(customer_list.count(session, bench.corp, _filter(bench, session)).value)
    while True:
        with bench.db.reading() as session:
            wanted = _filter(bench, session)
            found = customer_list.page(session, bench.corp, wanted, cursor=cursor, limit=CHUNK_ROWS)
        cursor = found.next_cursor
        shown = [line.external_user for line in found.items]
        if not bench.chunk(shown, act, cursor={"after": cursor}) or not cursor:
            return


def _for_chosen(bench: Bench, chosen: list[str], act: Callable[[UnitOfWork, str], TaskItem]) -> None:
    at = int(bench.task.cursor.get("at", 0))
    bench.count(len(chosen))
    while at < len(chosen):
        some, at = chosen[at : at + CHUNK_ROWS], at + CHUNK_ROWS
        if not bench.chunk(some, act, cursor={"at": at}):
            return


def _in_sight(bench: Bench, uow: UnitOfWork, external_user: str) -> ExternalUserId:
    wanted = ExternalUserId(external_user)
    if not customers.is_known(uow.session, bench.corp, wanted, bench.task.scope):
        raise NotFound("没有找到这位客户，或发起人没有权限")
    return wanted


def mark_customers(bench: Bench) -> None:
    """Put tags on and take tags off many customers."""
    add, remove = list(bench.task.asked.get("add", ())), list(bench.task.asked.get("remove", ()))

    def act(uow: UnitOfWork, external_user: str) -> TaskItem:
        done = mark(
            uow,
            corp=bench.corp,
            app=bench.app,
            external_user=_in_sight(bench, uow, external_user),
            visible=bench.task.scope,
            add=add,
            remove=remove,
            key=f"task:{bench.task.id}:{bench.task.run}",
        )
        if done.is_nothing:
            return TaskItem(item=external_user, outcome="same", message=SAME, undo={})
        undo = {"added": done.added, "removed": done.removed}
        return TaskItem(item=external_user, outcome="done", message="已提交给企业微信", undo=undo)

    _for_each_customer(bench, act)


def move_customers(bench: Bench) -> None:
    """Move many customers to another stage."""
    stage = str(bench.task.asked["stage"])
    if stage not in STAGES:
        raise InputInvalid("没有这个客户阶段")

    def act(uow: UnitOfWork, external_user: str) -> TaskItem:
        known = _in_sight(bench, uow, external_user)
        before = customer_acts.stage_of(uow.session, bench.corp, known)
        if before == stage:
            return TaskItem(item=external_user, outcome="same", message=SAME, undo={})
        by = StaffUserId(bench.task.created_by)
        customers.change_stage(uow, bench.corp, known, stage=stage, staff=by, note="批量修改")
        said = f"{STAGES.get(before, before)} → {STAGES[stage]}"
        return TaskItem(item=external_user, outcome="done", message=said, undo={"from": before, "to": stage})

    _for_each_customer(bench, act)


def take_back(bench: Bench) -> None:
    """Take back what another task did, as far as nobody has changed it since."""
    former = int(bench.task.asked["task"])
    with bench.db.reading() as session:
        kind = tasks.get(session, bench.corp, former).kind
    undo_one = {
        "bulk.tags": _unmark,
        "bulk.stage": _unmove,
        "import.customers": take_back_row,
        BACKFILL: unmake,
    }[kind]
    after = int(bench.task.cursor.get("after", 0))
    bench.count(int(bench.task.asked.get("total", 0)))
    while True:
        with bench.db.reading() as session:
            some, following = tasks.items(session, former, outcomes=("done",), after=after, limit=CHUNK_ROWS)
        undo = {one.item: one.undo for one in some}

        def act(uow: UnitOfWork, thing: str, undo: Mapping[str, Mapping[str, Any]] = undo) -> TaskItem:
            return undo_one(bench, uow, thing, undo[thing])

        if not bench.chunk(list(undo), act, cursor={"after": following}) or not following:
            return
        after = following


def _unmark(bench: Bench, uow: UnitOfWork, external_user: str, undo: Mapping[str, Any]) -> TaskItem:
    known, changed = _in_sight(bench, uow, external_user), False
    key = f"task:{bench.task.id}:{bench.task.run}"
    for staff_userid, tags in undo.get("added", {}).items():
        scope = frozenset({staff_userid})
        done = mark(
            uow, corp=bench.corp, app=bench.app, external_user=known, visible=scope, remove=tags, key=f"{key}:off"
        )
        changed = changed or not done.is_nothing
    for staff_userid, tags in undo.get("removed", {}).items():
        scope = frozenset({staff_userid})
        done = mark(uow, corp=bench.corp, app=bench.app, external_user=known, visible=scope, add=tags, key=f"{key}:on")
        changed = changed or not done.is_nothing
    return TaskItem(
        item=external_user,
        outcome="done" if changed else "same",
        message="已提交给企业微信" if changed else "后来已被改动，未再处理",
        undo={},
    )


def _unmove(bench: Bench, uow: UnitOfWork, external_user: str, undo: Mapping[str, Any]) -> TaskItem:
    known = _in_sight(bench, uow, external_user)
    if customer_acts.stage_of(uow.session, bench.corp, known) != undo["to"]:
        raise Conflict("阶段后来被改过，保持现在的阶段")
    by = StaffUserId(bench.task.created_by)
    customers.change_stage(uow, bench.corp, known, stage=str(undo["from"]), staff=by, note="撤销批量修改")
    return TaskItem(item=external_user, outcome="done", message=f"已改回 {STAGES[str(undo['from'])]}", undo={})


BODIES: dict[str, TaskBody] = {
    "export.customers": export_customers,
    "export.groups": export_groups,
    "export.ways": export_ways,
    "export.audit": export_audit,
    "bulk.tags": mark_customers,
    "bulk.stage": move_customers,
    "bulk.undo": take_back,
    "import.customers": import_customers,
}
