"""How long a search over sealed messages takes: ``python -m benchmarks.chat_search --messages 1000000 [--url …]``.

Seeds a database of its own (SQLite in a temporary folder, or the PostgreSQL server of --postgres) with own-written
sentences through the very store of the product, then asks for the first page of each kind of search. --keep FILE keeps
the SQLite file, so that a second run need not seed again.
"""

import argparse
import random
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import SecretStr
from sqlalchemy import create_engine, func, make_url, select, text

from bot import migrate
from bot.ciphers import open_cipher
from crm_core.chat import search
from crm_core.chat.model import ChatMessage, Conversation, Party, PartyKind
from crm_core.chat.search import Search
from crm_core.chat.store import MESSAGES, ChatStore
from crm_core.clock import SystemClock
from crm_core.config import Settings
from crm_core.db import Database, open_engine
from crm_core.ids import CorpId
from crm_core.turn import WriteTurn

CORP = CorpId("ww_bench")
BEGAN = datetime(2025, 11, 1, tzinfo=UTC)
STAFF, CUSTOMERS, GROUPS = 200, 40_000, 400
OPENINGS = (
    "您好",
    "老师好",
    "在吗",
    "打扰一下",
    "早上好",
    "麻烦问下",
    "对了",
    "那个",
    "嗯嗯",
    "是这样的",
    "刚看到",
    "不好意思",
)
THINGS = (
    "衣柜", "橱柜", "木门", "地板", "沙发", "床垫", "餐桌", "书架", "窗帘", "吊灯", "瓷砖", "浴室柜", "榻榻米", "玄关柜",
    "茶几", "电视柜", "鞋柜", "儿童床", "办公椅", "洗手台", "护墙板", "推拉门", "智能锁", "净水器", "热水器", "油烟机",
)  # fmt: skip
ASKS = (
    "多少钱一平", "有现货吗", "什么时候能送到", "可以上门量尺寸吗", "颜色还能换吗", "质保几年", "能不能再便宜一点",
    "安装要另外收费吗", "环保等级是多少", "有没有实物图", "这个活动到哪天", "可以分期付款吗", "发票怎么开",
    "退换货怎么处理", "师傅周末上班吗", "尺寸做大一点行不行", "和上次那款有什么区别", "先付定金可以吗",
)  # fmt: skip
ANSWERS = (
    "好的",
    "可以的",
    "我帮您问一下",
    "稍等",
    "这边记下了",
    "没问题",
    "我们一般三天内回复",
    "发您一份资料",
    "谢谢您的信任",
)
ENDS = ("谢谢", "麻烦了", "不急", "等您消息", "", "", "", "我再想想", "明天再说", "先这样")
RARE = "凤凰木纹"
KINDS = ("text",) * 17 + ("image", "file", "link")
SEARCHES: tuple[tuple[str, Search], ...] = (
    ("rare word", Search(words=RARE)),
    ("word of 4%", Search(words="衣柜")),
    ("common word", Search(words="您好")),
    ("two words", Search(words="衣柜 分期付款")),
    ("word that is nowhere", Search(words="紫檀佛珠")),
    ("pairs there, word not", Search(words="多少钱有现货")),
    ("one character", Search(words="钱")),
    ("one rare character", Search(words="凰")),
    ("word + staff", Search(words="衣柜", staff="s17")),
    ("common + customer", Search(words="您好", external_user="wm_00123")),
    ("word + group", Search(words="衣柜", chat="wr_7")),
    ("word + kind", Search(words="衣柜", kind="file")),
    ("common + one old week", Search(words="您好", since=BEGAN, until=BEGAN + timedelta(days=7))),
    ("rare + half a year", Search(words=RARE, since=BEGAN, until=BEGAN + timedelta(days=180))),
    ("common, sight of 12", Search(words="您好", visible=frozenset(f"s{n}" for n in range(12)))),
    ("customer alone", Search(external_user="wm_00123")),
)


def messages(count: int) -> Iterator[ChatMessage]:
    """Own-written sentences of a furniture company; a year of them."""
    chance = random.Random(7)
    step = timedelta(days=365) / count
    for number in range(count):
        who = chance.randrange(CUSTOMERS)
        staff, customer = f"s{who % STAFF}", f"wm_{who:05}"
        is_group = chance.random() < 0.15
        where = (
            Conversation.group(f"wr_{chance.randrange(GROUPS)}") if is_group else Conversation.single(staff, customer)
        )
        by_staff = chance.random() < 0.5
        said = f"{chance.choice(OPENINGS)}，{chance.choice(THINGS)}{chance.choice(ASKS)}，{chance.choice(ENDS)}"
        said = f"{chance.choice(ANSWERS)}，{said}" if by_staff else said
        said += f" {chance.randrange(10**6)}" if chance.random() < 0.2 else ""
        said += f"，要{RARE}的" if chance.random() < 0.00002 else ""
        kind = chance.choice(KINDS)
        yield ChatMessage(
            msgid=f"b{number}",
            source="archive",
            conversation=where,
            sender=Party(PartyKind.STAFF, staff) if by_staff else Party(PartyKind.CUSTOMER, customer),
            sent_at=BEGAN + step * number,
            kind=kind,
            text="" if kind == "image" else said,
            body={"content": said},
            seq=number,
        )


@contextmanager
def place(postgres: str, keep: Path | None, keep_postgres: str = "") -> Iterator[str]:
    """The address of a database of our own."""
    if postgres and keep_postgres:
        admin = create_engine(postgres, isolation_level="AUTOCOMMIT")
        with admin.connect() as connection:
            known = text("SELECT 1 FROM pg_database WHERE datname = :name")
            if connection.execute(known, {"name": keep_postgres}).first() is None:
                connection.execute(text(f'CREATE DATABASE "{keep_postgres}"'))
        yield make_url(postgres).set(database=keep_postgres).render_as_string(hide_password=False)
    elif postgres:
        name = f"scrm_bench_{uuid.uuid4().hex[:8]}"
        admin = create_engine(postgres, isolation_level="AUTOCOMMIT")
        with admin.connect() as connection:
            connection.execute(text(f'CREATE DATABASE "{name}"'))
        try:
            yield make_url(postgres).set(database=name).render_as_string(hide_password=False)
        finally:
            with admin.connect() as connection:
                connection.execute(text(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))
    elif keep is not None:
        yield f"sqlite:///{keep}"
    else:
        with tempfile.TemporaryDirectory() as folder:
            yield f"sqlite:///{folder}/bench.db"


class Silent:
    def wake(self, lanes: object) -> None:
        """Nobody waits here."""


GIN = "ix_chat_words_hashes"


def seed(db: Database, store: ChatStore, count: int) -> None:
    """PostgreSQL builds the big index once at the end: what it costs a message at a time is not asked here."""
    if not db.is_sqlite:
        with db.engine.begin() as connection:
            connection.execute(text(f"DROP INDEX {GIN}"))
    began, batch, done = time.perf_counter(), [], 0
    for message in messages(count):
        batch.append(message)
        if len(batch) == 2000:
            _keep(db, store, batch)
            done += len(batch)
            batch = []
            if done == 10_000 and not db.is_sqlite:
                _analyze(db)  # as autovacuum does within a minute
            if done % 100_000 == 0:
                print(f"  {done:,} kept, {done / (time.perf_counter() - began):,.0f} a second", flush=True)
    _keep(db, store, batch)
    if not db.is_sqlite:
        with db.engine.begin() as connection:
            connection.execute(text("SET statement_timeout = 0"))
            connection.execute(text(f"CREATE INDEX {GIN} ON chat_words USING gin (hashes)"))
        _analyze(db)
    print(f"  seeded {count:,} in {time.perf_counter() - began:.1f} s", flush=True)


def _analyze(db: Database) -> None:
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("SET statement_timeout = 0"))
        connection.execute(text("VACUUM ANALYZE"))


def _keep(db: Database, store: ChatStore, batch: list[ChatMessage]) -> None:
    with db.unit() as uow:
        store.append(uow, CORP, batch, live=False)
        uow.commit()


def timed(act: Callable[[], int], rounds: int) -> tuple[list[float], int]:
    took, hits = [], 0
    for _ in range(rounds):
        began = time.perf_counter()
        hits = act()
        took.append((time.perf_counter() - began) * 1000)
    return took, hits


def measure(url: str, count: int, rounds: int) -> None:
    migrate.upgrade(url)
    is_sqlite = url.startswith("sqlite")
    turn = WriteTurn(Path(make_url(url).database or "")) if is_sqlite else None
    db = Database(open_engine(url), SystemClock(), Silent(), turn=turn)  # type: ignore[arg-type]
    store = ChatStore(open_cipher(Settings(secret_key=SecretStr("bench" * 8))), ())
    with db.reading() as session:
        kept = session.connection().execute(select(func.count()).select_from(MESSAGES)).scalar() or 0
    print(f"{'SQLite' if is_sqlite else 'PostgreSQL'}: {count:,} messages")
    if kept < count:
        seed(db, store, count)
    every: list[float] = []
    for name, wanted in SEARCHES:

        def ask(wanted: Search = wanted) -> int:
            with db.reading() as session:
                return len(search.find(session, store, CORP, wanted).items)

        took, hits = timed(ask, rounds)
        every += took
        print(
            f"  {name:24} {hits:3} hits   p50 {statistics.median(took):7.1f} ms   p95 {_p95(took):7.1f} ms", flush=True
        )
    print(f"  {'all':24}            p50 {statistics.median(every):7.1f} ms   p95 {_p95(every):7.1f} ms")
    db.close()


def _p95(took: list[float]) -> float:
    return sorted(took)[max(0, round(len(took) * 0.95) - 1)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--postgres", default="", help="also on this server, in a database of its own")
    parser.add_argument("--only-postgres", action="store_true")
    parser.add_argument("--keep", type=Path, default=None)
    parser.add_argument("--keep-postgres", default="", help="the name of a database that stays, for a second run")
    given = parser.parse_args()
    for server in ([] if given.only_postgres else [""]) + ([given.postgres] if given.postgres else []):
        with place(server, given.keep if not server else None, given.keep_postgres) as url:
            measure(url, given.messages, given.rounds)


if __name__ == "__main__":
    main()
