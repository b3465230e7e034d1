"""Opens of tracked links by simulated customers, with all that must not count among them.

``python -m benchmarks.radar_opens [--opens 10000] [--rate 30] [--backend sqlite|postgres]``

Every reader fetches the page, says that its script runs and tells how far it got: out of order, some of it twice. In
between come crawlers, link previews, HEAD requests, prefetching browsers and pages whose script never runs. Afterwards
the product's figures must equal what was done, and each sender must have heard of each customer once, at the latest
3 s (p95) after the open. WeCom's limits per member are lifted at the local WeCom: 10,000 customers of a few dozen staff
do not open within minutes in real life.
"""

import argparse
import os
import platform
import random
import re
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
from sqlalchemy import create_engine, text

from bot.sandbox.server import SandboxServer
from bot.wiring import build
from crm_core.ids import AppKey, CorpId
from materials import radar_links
from materials.radar_model import LinkTarget
from tests.support import databases
from tests.support.product import APP, Processes, local_wecom, make_settings, processes, wait_for
from tests.support.readers import CRAWLERS, PHONE, make_article

LIMIT_SECONDS = 3.0
SHARE_AGAIN, SHARE_FORWARDED, SHARE_NOISE = 0.15, 0.10, 0.5
THREADS = 12
LIMITS = {
    "app_message_length": 200_000,
    "app_messages_per_day_per_account": 1_000_000,
    "app_messages_per_member_minute": 1_000_000,
    "app_messages_per_member_hour": 1_000_000,
}


@dataclass
class Truth:
    """What was really done. started: external user → when the first open was told (Unix seconds)."""

    opens: int = 0
    readers: int = 0
    forwards: int = 0
    noise: int = 0
    active_ms: int = 0
    depth: int = 0
    started: dict[str, float] = field(default_factory=dict)


@dataclass
class Customer:
    """One customer with the link they were sent, and what they will do."""

    number: int
    external_user: str
    token: str
    times: int
    forwarded: bool


def plan(customers: list[tuple[str, str]], opens: int, rand: random.Random) -> list[Customer]:
    """Who opens how often; together exactly ``opens`` opens."""
    found, left = [], opens
    for number, (external_user, token) in enumerate(customers):
        forwarded = left > 1 and rand.random() < SHARE_FORWARDED
        times = 2 if left > 1 + forwarded and rand.random() < SHARE_AGAIN else 1
        found.append(Customer(number, external_user, token, times, forwarded))
        left -= times + forwarded
        if left <= 0:
            break
    return found


class Crowd:
    """Plays the customers' phones against the product."""

    def __init__(self, url: str, seed: int) -> None:
        self._url = url
        self._seed = seed

    def play(self, customer: Customer) -> Truth:
        """All that happens around one customer. Each phone has an address of its own."""
        rand = random.Random(self._seed * 1_000_003 + customer.number)
        truth = Truth()
        with self._phone(customer.number, 1) as phone:
            reference = ""
            for _ in range(customer.times):
                reference = self._read(phone, customer, "", truth, rand)
            truth.readers += 1
        if customer.forwarded:
            with self._phone(customer.number, 2) as friend:
                self._read(friend, customer, f"?f={reference}", truth, rand)
            truth.readers += 1
            truth.forwards += 1
        if rand.random() < SHARE_NOISE:
            self._disturb(customer, rand)
            truth.noise += 1
        return truth

    def _phone(self, number: int, which: int) -> httpx.Client:
        address = f"10.{which}.{number // 250}.{number % 250 + 1}"
        return httpx.Client(base_url=self._url, headers={"User-Agent": PHONE, "X-Forwarded-For": address}, timeout=30)

    def _read(self, phone: httpx.Client, customer: Customer, query: str, truth: Truth, rand: random.Random) -> str:
        page = phone.get(f"/v/{customer.token}{query}")
        page.raise_for_status()
        ticket = re.search(r'data-ticket="([^"]+)"', page.text)
        assert ticket, "a page without ticket"
        truth.started.setdefault(customer.external_user, time.time())
        said = phone.post("/v/open", json={"t": ticket.group(1)})
        said.raise_for_status()
        depths = sorted(rand.sample(range(1, 101), 3))
        beats = [(depth * 40, depth) for depth in depths]
        wanted = [*beats, rand.choice(beats)]
        rand.shuffle(wanted)
        for active_ms, depth in wanted:
            beat = phone.post("/v/beat", json={"p": said.json()["pass"], "a": active_ms, "d": depth})
            assert beat.status_code == 204, beat.status_code
        truth.opens += 1
        truth.active_ms += beats[-1][0]
        truth.depth += beats[-1][1]
        return str(said.json()["ref"])

    def _disturb(self, customer: Customer, rand: random.Random) -> None:
        """What must not count."""
        path = f"/v/{customer.token}"
        with self._phone(customer.number, 3) as stranger:
            kind = rand.randrange(4)
            if kind == 0:
                stranger.headers["User-Agent"] = rand.choice(CRAWLERS)
                assert stranger.get(path).status_code == 200
            elif kind == 1:
                assert stranger.head(path).status_code == 200
            elif kind == 2:
                ticket = re.search(r'data-ticket="([^"]+)"', stranger.get(path).text)
                headers = {"Sec-Purpose": "prefetch;prerender"}
                answer = stranger.post("/v/open", json={"t": ticket.group(1) if ticket else ""}, headers=headers)
                assert answer.status_code == 204
            else:
                assert stranger.get(path).status_code == 200  # its script never runs


def prepare(wecom: SandboxServer, url: str, opens: int) -> list[tuple[str, str]]:
    """A tracked link per customer; answers (external user, token)."""
    corp = CorpId(wecom.corp_id)
    house = build(make_settings(wecom, url))
    try:
        staff = house.gateways.of(corp).list_follow_staff()
        article = make_article(house, corp)
        made = []
        with house.db.unit() as uow:
            for number in range(opens):
                target = LinkTarget(
                    staff=staff[number % len(staff)], material_id=article.id, external_user=f"wm_customer_{number:06d}"
                )
                link = radar_links.link_for(uow, corp, AppKey(APP), target, lasts=timedelta(days=30))
                made.append((target.external_user, link.token))
            uow.commit()
    finally:
        house.close()
    return made


def drive(url: str, crowd: list[Customer], rate: float, seed: int) -> Truth:
    """Let the customers come at ``rate`` opens a second; answers what was really done."""
    player, total = Crowd(url, seed), Truth()
    began, opened = time.monotonic(), 0
    with ThreadPoolExecutor(THREADS) as pool:
        waiting = []
        for customer in crowd:
            time.sleep(max(0.0, began + opened / rate - time.monotonic()))
            opened += customer.times + customer.forwarded
            waiting.append(pool.submit(player.play, customer))
        for done in waiting:
            one = done.result()
            for name in ("opens", "readers", "forwards", "noise", "active_ms", "depth"):
                setattr(total, name, getattr(total, name) + getattr(one, name))
            total.started |= one.started
    return total


def counted(url: str) -> dict[str, int]:
    """What the product wrote down."""
    engine = create_engine(url)
    with engine.connect() as connection:
        views = connection.execute(
            text("SELECT count(*), coalesce(sum(active_ms), 0), coalesce(sum(depth), 0) FROM radar_views")
        ).one()
        readers = connection.execute(text("SELECT count(*) FROM radar_readers")).scalar_one()
        forwards = connection.execute(text("SELECT count(*) FROM radar_readers WHERE parent_ref <> ''")).scalar_one()
    engine.dispose()
    return {
        "opens": int(views[0]),
        "readers": int(readers),
        "forwards": int(forwards),
        "active_ms": int(views[1]),
        "depth": int(views[2]),
    }


def notices(wecom: SandboxServer) -> list[tuple[str, float]]:
    """(external user, when WeCom got it) of every notice that somebody opened."""
    found = []
    for message in list(wecom.world.corps[wecom.corp_id].app_messages.values()):
        card = message.body if message.msgtype == "textcard" else {}
        if "首次打开" in str(card.get("description", "")):  # not those kept during a pause
            found.append((parse_qs(urlsplit(card["url"]).query)["external_userid"][0], message.at))
    return found


@dataclass
class Outcome:
    """Figures of a run. waits: seconds from open to notice, sorted; wrong: what does not equal the truth."""

    truth: Truth
    seconds: float
    waits: list[float]
    wrong: dict[str, tuple[int, int]]

    @property
    def p95(self) -> float:
        return self.waits[len(self.waits) * 95 // 100]


def run(*, opens: int, rate: float, backend: str, seed: int = 7) -> Outcome:
    """One whole run against real processes."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        wecom = stack.enter_context(local_wecom(log_length=200, **LIMITS))
        if backend == "postgres":
            url = stack.enter_context(databases.postgres_clone(stack.enter_context(databases.postgres_template())))
        else:
            url = databases.sqlite_url(folder)
        crowd = plan(prepare(wecom, url, opens), opens, random.Random(seed))
        crew: Processes = stack.enter_context(processes(wecom, folder, url))
        crew.environment["SCRM_SERVER__TRUSTED_PROXIES"] = "1"
        crew.start("web", "serve")
        crew.wait_ready()
        began = time.monotonic()
        truth = drive(crew.url, crowd, rate, seed)
        seconds = time.monotonic() - began
        wait_for(lambda: len(notices(wecom)) >= len(truth.started), seconds=120, what="notices")
        time.sleep(1)  # what would come too much comes now
        crew.stop("web")
        return judge(truth, counted(url), notices(wecom), seconds)


def judge(truth: Truth, found: dict[str, int], told: list[tuple[str, float]], seconds: float) -> Outcome:
    """Compare what was counted and told with what was done."""
    wrong = {name: (getattr(truth, name), value) for name, value in found.items() if getattr(truth, name) != value}
    per_customer = Counter(external_user for external_user, _ in told)
    if set(per_customer) != set(truth.started) or max(per_customer.values(), default=0) > 1:
        wrong["notices"] = (len(truth.started), len(told))
    waits = sorted(at - truth.started[external_user] for external_user, at in told if external_user in truth.started)
    return Outcome(truth, seconds, waits, wrong)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--opens", type=int, default=10_000)
    parser.add_argument("--rate", type=float, default=30)
    parser.add_argument("--backend", choices=["sqlite", "postgres"], default="sqlite")
    given = parser.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {given.backend}")
    found = run(opens=given.opens, rate=given.rate, backend=given.backend)
    truth, waits = found.truth, found.waits
    print(f"{truth.opens} opens by {truth.readers} readers in {found.seconds:.0f} s, {truth.forwards} by forwarding")
    print(f"{truth.noise} visits that must not count: crawlers, previews, HEAD, prefetch, pages without script")
    print(f"notices {len(waits)}: p50 {waits[len(waits) // 2]:.2f} s, p95 {found.p95:.2f} s, max {waits[-1]:.2f} s")
    for name, (done, seen) in found.wrong.items():
        print(f"WRONG {name}: done {done}, counted {seen}")
    good = not found.wrong and found.p95 <= LIMIT_SECONDS
    print(f"figure counts equal the truth, notices within 3 s p95: {'reached' if good else 'NOT reached'}")
    raise SystemExit(not good)


if __name__ == "__main__":
    main()
