"""A large invented company, for trying out and measuring: written in bulk, with progress, into an empty database.

Names, tags and dates are drawn from a seed, so the same call makes the same company. Nothing of it exists at WeCom.
"""

import functools
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Table, func, select, text
from sqlmodel import SQLModel

from bot.migrate import gather_metadata
from crm_core.db import Database
from crm_core.errors import Conflict
from crm_core.ids import AppKey, CorpId
from crm_core.spelling import sounds

CHUNK = 10_000  # customers per commit
SURNAMES = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许邓冯韩曹"
GIVEN = ("小满", "晨曦", "思远", "雨桐", "子涵", "建国", "丽华", "志强", "欣怡", "浩然", "静怡", "一诺", "文博", "海燕")
CALLED = ("", "", "女士", "先生", "·装修", "·三期业主")
GROUPS = ("意向程度", "户型", "关注品类", "预算", "家庭", "进度", "来源", "服务")
TAGS_A_GROUP = 5
DEPARTMENTS, CODES, GROUPS_EVERY = 10, 20, 5_000
STAGES = ("new", "new", "nurturing", "nurturing", "intent", "won", "lost")
ADD_WAYS = (1, 1, 1, 1, 2, 3, 4, 16)
LOST_SHARE, MOBILE_SHARE, SECOND_TAG_SHARE, TODO_SHARE = 0.06, 0.35, 0.5, 0.02
DAYS_BACK = 720
SOP_ID = 1
MINUTES_A_DAY = 1440

Rows = dict[str, list[dict[str, Any]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How large. staff share the customers evenly."""

    customers: int
    staff: int


def staff_id(number: int) -> str:
    """The userid of the n-th invented member."""
    return f"seed{number:04d}"


def external_id(number: int) -> str:
    """The external_userid of the n-th invented customer."""
    return f"wmseed{number:026d}"


def fill(db: Database, corp: CorpId, app: AppKey, size: Size, tell: Callable[[int], None], *, seed: int = 1) -> None:
    """Write the company; ``tell`` hears how many customers are written after each commit.

    Raises: Conflict, if the database already holds customers.
    """
    writer = _Writer(db)
    if writer.has_customers():
        raise Conflict("数据库里已经有客户。为了不混入真实数据，只能在空库里生成")
    rand = random.Random(seed)  # noqa: S311 - invented data
    now = db.clock.now()
    writer.write(_company(corp, app, size, now))
    for first in range(1, size.customers + 1, CHUNK):
        last = min(first + CHUNK - 1, size.customers)
        writer.write(_customers(corp, app, size, now, rand, first, last))
        tell(last)
    writer.settle()


def _company(corp: CorpId, app: AppKey, size: Size, now: datetime) -> Rows:
    return {
        "departments": [
            {"corp_id": corp, "dept_id": number, "name": f"第 {number} 门店", "parent_id": 1 if number > 1 else 0}
            for number in range(1, DEPARTMENTS + 1)
        ],
        "staff": [
            {
                "corp_id": corp,
                "userid": staff_id(number),
                "name": f"{SURNAMES[number % len(SURNAMES)]}{GIVEN[number % len(GIVEN)]}",
                "departments": [1 + number % DEPARTMENTS],
                "main_department": 1 + number % DEPARTMENTS,
                "can_contact": True,
                "synced_at": now,
            }
            for number in range(size.staff)
        ],
        "tag_groups": [
            {"corp_id": corp, "group_id": f"g{place}", "name": name, "sort_order": len(GROUPS) - place}
            for place, name in enumerate(GROUPS)
        ],
        "tags": [
            {
                "corp_id": corp,
                "tag_id": _tag(place),
                "group_id": f"g{place // TAGS_A_GROUP}",
                "name": f"标签 {place + 1}",
            }
            for place in range(len(GROUPS) * TAGS_A_GROUP)
        ],
        "contact_ways": [
            {
                "id": number,
                "corp_id": corp,
                "app_key": app,
                "name": f"门店活码 {number}",
                "state": f"seed_{number}",
                "staff": [staff_id(number % size.staff)],
                "status": "active",
                "config_id": f"config_{number}",
                "created_at": now,
            }
            for number in range(1, CODES + 1)
        ],
        "sops": [
            {"id": SOP_ID, "corp_id": corp, "key": "seed", "name": "新客跟进", "created_at": now, "enabled": False}
        ],
        "customer_groups": [
            {"corp_id": corp, "chat_id": f"wrseed{number}", "name": f"业主交流群 {number}", "owner": staff_id(0)}
            for number in range(1 + size.customers // GROUPS_EVERY)
        ],
    }


_sounds = functools.cache(sounds)  # few names, many customers


def _tag(place: int) -> str:
    return f"seed_tag_{place}"


def _customers(
    corp: CorpId, app: AppKey, size: Size, now: datetime, rand: random.Random, first: int, last: int
) -> Rows:
    rows: Rows = {name: [] for name in ("customers", "identities", "external_users", "follows", "follow_tags")}
    rows |= {name: [] for name in ("timeline", "enrolments", "step_runs", "group_members")}
    for number in range(first, last + 1):
        for name, row in _customer(corp, app, size, now, rand, number):
            rows[name].append(row)
    return rows


def _customer(
    corp: CorpId, app: AppKey, size: Size, now: datetime, rand: random.Random, number: int
) -> Iterator[tuple[str, dict[str, Any]]]:
    user, owner = external_id(number), staff_id(number % size.staff)
    name = rand.choice(SURNAMES) + rand.choice(GIVEN) + rand.choice(CALLED)
    began = now - timedelta(minutes=rand.randrange(1, DAYS_BACK * MINUTES_A_DAY))
    remark = f"{name}·{1 + number % DEPARTMENTS} 店"
    base = {"corp_id": corp, "external_userid": user}
    of_follow = base | {"staff_userid": owner}
    is_lost = rand.random() < LOST_SHARE
    yield "customers", {"id": number, "corp_id": corp, "created_at": began}
    yield "identities", {"id": number, "kind": "external", "corp_id": corp, "value": user, "customer_id": number}
    yield (
        "external_users",
        base
        | {
            "customer_id": number,
            "name": name,
            "sounds": _sounds(name),
            "gender": rand.randrange(3),
            "lifecycle_stage": rand.choice(STAGES),
            "created_at": began,
            "fetched_at": began,
        },
    )
    yield (
        "follows",
        of_follow
        | {
            "id": number,
            "status": "ended" if is_lost else "active",
            "started_at": began,
            "ended_at": began + (now - began) / 2 if is_lost else None,
            "ended_by": "customer" if is_lost else "",
            "remark": remark,
            "remark_sounds": _sounds(remark),
            "remark_mobiles": [f"139{number % 100_000_000:08d}"] if rand.random() < MOBILE_SHARE else [],
            "add_way": rand.choice(ADD_WAYS),
            "contact_way_id": 1 + number % CODES,
            "changed_at": began,
            "synced_at": began,
        },
    )
    chosen = rand.sample(range(len(GROUPS) * TAGS_A_GROUP), 2 if rand.random() < SECOND_TAG_SHARE else 1)
    for place in chosen:
        yield "follow_tags", of_follow | {"tag_id": _tag(place), "changed_at": began}
    yield from _story(corp, app, now, rand, number, began, of_follow)


def _story(
    corp: CorpId,
    app: AppKey,
    now: datetime,
    rand: random.Random,
    number: int,
    began: datetime,
    of_follow: dict[str, Any],
) -> Iterator[tuple[str, dict[str, Any]]]:
    """What happened with the customer: timeline, an open task for some, a group for every tenth."""
    story = ("follow.started", began), ("stage.changed", began + timedelta(hours=3))
    for kind, at in story:
        yield "timeline", of_follow | {"kind": kind, "at": at, "dedupe_key": f"{kind}:{number}"}
    if rand.random() < TODO_SHARE:
        yield (
            "enrolments",
            of_follow
            | {
                "id": number,
                "app_key": app,
                "sop_id": SOP_ID,
                "dedupe_key": f"seed:{number}",
                "next_step": 1,
                "next_at": now + timedelta(days=30),
                "entered_at": began,
            },
        )
        yield (
            "step_runs",
            of_follow
            | {
                "id": number,
                "enrolment_id": number,
                "step": 0,
                "step_key": "visit",
                "title": "次日回访",
                "sop_name": "新客跟进",
                "message": {"text": "{昵称}，您好！昨天看的方案，家里人商量得怎么样？", "attachments": []},
                "due_at": now,
                "ran_at": now,
            },
        )
    if number % 10 == 0:
        yield (
            "group_members",
            {
                "corp_id": corp,
                "chat_id": f"wrseed{number // GROUPS_EVERY}",
                "member_id": of_follow["external_userid"],
                "joined_at": began,
            },
        )


class _Writer:
    """Bulk inserts: executemany on SQLite, COPY on PostgreSQL; columns that are not given take the model's default."""

    def __init__(self, db: Database) -> None:
        gather_metadata()
        self._db = db
        self._models = {
            str(mapper.class_.__tablename__): mapper.class_
            for mapper in SQLModel._sa_registry.mappers  # noqa: SLF001
        }
        self._is_postgres = db.engine.dialect.name == "postgresql"

    def has_customers(self) -> bool:
        """Whether anything is there already."""
        with self._db.reading() as session:
            return session.execute(select(self._table("customers").c.id).limit(1)).first() is not None

    def write(self, rows: Rows) -> None:
        """All rows in one commit, as one writer among others."""
        with self._db.unit() as uow:
            connection = uow.session.connection()
            for name, given in rows.items():
                if given:
                    self._insert(connection, name, given)
            uow.commit()

    def settle(self) -> None:
        """After the last row: sequences go on behind it, and the planner knows the sizes."""
        with self._db.unit() as uow:
            for name in ("customers", "identities", "follows", "contact_ways", "sops", "enrolments", "step_runs"):
                table = self._table(name)
                if self._is_postgres:
                    highest = select(func.max(table.c.id)).scalar_subquery()
                    sequence = func.pg_get_serial_sequence(name, "id")
                    uow.session.execute(select(func.setval(sequence, func.coalesce(highest, 1))))
            uow.session.execute(text("ANALYZE"))
            uow.commit()

    def _table(self, name: str) -> Table:
        return SQLModel.metadata.tables[name]

    def _insert(self, connection: Connection, name: str, rows: list[dict[str, Any]]) -> None:
        fields = self._models[name].model_fields
        table = self._table(name)
        columns = [column for column in table.columns if column.name in rows[0] or not _is_own_id(table, column.name)]
        defaults = {
            column.name: fields[column.name].get_default(call_default_factory=True)
            for column in columns
            if column.name not in rows[0]
        }
        full = [defaults | row for row in rows]
        if not self._is_postgres:
            connection.execute(table.insert(), full)
            return
        from psycopg.types.json import Jsonb  # noqa: PLC0415 - an extra

        names = [column.name for column in columns]
        raw = connection.connection.driver_connection
        with raw.cursor() as cursor, cursor.copy(f"COPY {name} ({', '.join(names)}) FROM STDIN") as copy:  # type: ignore[union-attr]
            for row in full:
                values = (row[column] for column in names)
                copy.write_row([Jsonb(value) if isinstance(value, dict | list) else value for value in values])


def _is_own_id(table: Table, name: str) -> bool:
    return name == "id" and "id" in table.primary_key.columns
