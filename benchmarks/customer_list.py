"""The console's customer list over many customers: what each kind of page costs.

``python -m benchmarks.customer_list [--customers 1000000] [--staff 200] [--backend sqlite|postgres]``

Seeds an invented company, then reads pages as the console does: the first one, one far down, with filters, in the
narrow sight of one member, and the limited count. Prints the median and the worst of ten runs in milliseconds.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from sqlmodel import Session

from bot.seed import Size, external_id, fill, staff_id
from crm_core import customer_list
from crm_core.customer_list import CustomerFilter, Order
from crm_core.ids import AppKey
from tagging import holders
from tests.support import databases
from tests.support.ground import CORP, Ground, ground_on

RUNS = 10


def far_cursor(ground: Ground, customers: int) -> str:
    """The place behind a customer in the middle of the list."""
    with ground.reading() as session:
        wanted = CustomerFilter(only=(external_id(customers // 2),))
        line = customer_list.page(session, CORP, wanted).items[0]
        wanted = CustomerFilter(added_until=line.started_at)
        return customer_list.page(session, CORP, wanted, limit=1).next_cursor


def asks(ground: Ground, customers: int) -> dict[str, Callable[[Session], object]]:
    cursor = far_cursor(ground, customers)
    own = frozenset({staff_id(1)})
    tag = "seed_tag_1"

    def page(wanted: CustomerFilter, order: Order = Order.NEWEST, cursor: str = "") -> Callable[[Session], object]:
        return lambda session: customer_list.page(session, CORP, wanted, order=order, cursor=cursor)

    return {
        "first page": page(CustomerFilter()),
        "page in the middle": page(CustomerFilter(), cursor=cursor),
        "oldest first": page(CustomerFilter(), Order.OLDEST),
        "one member's own": page(CustomerFilter(visible=own)),
        "ten members'": page(CustomerFilter(visible=frozenset(staff_id(one) for one in range(10)))),
        "stage": page(CustomerFilter(stages=("won",))),
        "words, many fit": page(CustomerFilter(words="王")),
        "pinyin initials": page(CustomerFilter(words="wxm")),
        "words, none fits": page(CustomerFilter(words="没有这个人")),
        "one tag": page(CustomerFilter(within=(holders.holders(CORP, [tag], None),))),
        "lost": page(CustomerFilter(lost_from=ground.clock.now().replace(year=2000)), Order.LOST),
        "count": lambda session: customer_list.count(session, CORP, CustomerFilter()),
    }


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--customers", type=int, default=1_000_000)
    options.add_argument("--staff", type=int, default=200)
    options.add_argument("--backend", choices=("sqlite", "postgres"), default="sqlite")
    given = options.parse_args()
    with ExitStack() as stack:
        if given.backend == "postgres":
            template = stack.enter_context(databases.postgres_template())
            url = stack.enter_context(databases.postgres_clone(template))
        else:
            url = databases.sqlite_url(Path(stack.enter_context(tempfile.TemporaryDirectory())))
        ground = stack.enter_context(ground_on(url))
        began = time.monotonic()
        fill(ground.db, CORP, AppKey("main"), Size(customers=given.customers, staff=given.staff), lambda _done: None)
        print(
            f"{given.customers:,} customers of {given.staff} staff on {given.backend}, seeded in {time.monotonic() - began:.0f} s"
        )
        for name, ask in asks(ground, given.customers).items():
            taken = []
            for _ in range(RUNS):
                with ground.reading() as session:
                    at = time.perf_counter()
                    ask(session)
                    taken.append((time.perf_counter() - at) * 1000)
            print(f"{name:22} median {statistics.median(taken):8.1f} ms   worst {max(taken):8.1f} ms")


if __name__ == "__main__":
    main()
