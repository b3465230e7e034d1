"""Pages held open: news reaches them from any thread, and nobody who left is kept."""

import asyncio
import threading

import pytest

from bot.gate import WebGate
from bot.live import BREATH, HELLO, NEWS, LiveBoard
from bot.rsgi import ProtocolClosed
from bot.wake import MOST_NEWS, WakeHub

LANE, OTHER = "news:aa", "news:bb"


class Page:
    """One open page as granian would show it."""

    def __init__(self, *, leaves_after: int = 99) -> None:
        self.got: list[bytes] = []
        self.status = 0
        self.headers: list[tuple[str, str]] = []
        self.arrived = asyncio.Event()
        self._leaves_after = leaves_after

    def response_stream(self, status, headers):
        self.status, self.headers = status, headers
        return self

    def response_empty(self, status, headers):
        self.status, self.headers = status, headers

    async def send_bytes(self, data):
        if len(self.got) >= self._leaves_after:
            raise ProtocolClosed
        self.got.append(data)
        self.arrived.set()

    async def until(self, count: int) -> None:
        while len(self.got) < count:
            self.arrived.clear()
            await asyncio.wait_for(self.arrived.wait(), 10)


def run(story) -> None:
    asyncio.run(story())


def test_news_reaches_the_pages_of_its_lane_from_any_thread():
    async def story():
        hub = WakeHub()
        board = LiveBoard(hub)
        mine, other = Page(), Page()
        tasks = [
            asyncio.create_task(board.hold(mine, 200, [], LANE)),
            asyncio.create_task(board.hold(other, 200, [], OTHER)),
        ]
        await mine.until(1)
        await other.until(1)
        assert board.open_pages == 2
        threading.Thread(target=hub.wake, args=({LANE, "jobs:chat"},)).start()
        await mine.until(2)
        hub.ring({"*"})
        await mine.until(3)
        await other.until(2)
        board.close()
        await asyncio.gather(*tasks)
        assert (mine.got, other.got) == ([HELLO, NEWS, NEWS], [HELLO, NEWS])
        assert board.open_pages == 0

    run(story)


def test_a_page_breathes_and_one_that_left_is_forgotten():
    async def story():
        board = LiveBoard(WakeHub(), breath_seconds=0.01)
        gone = Page(leaves_after=2)
        await board.hold(gone, 200, [], LANE)
        assert gone.got == [HELLO, BREATH]
        assert board.open_pages == 0
        short = LiveBoard(WakeHub(), breath_seconds=0.01, life=0.03)
        page = Page()
        await short.hold(page, 200, [], LANE)
        assert page.got[0] == HELLO

    run(story)


def test_too_many_pages_are_sent_away(monkeypatch):
    async def story():
        monkeypatch.setattr("bot.live.MOST_OPEN", 1)
        board = LiveBoard(WakeHub())
        first, second = Page(), Page()
        task = asyncio.create_task(board.hold(first, 200, [], LANE))
        await first.until(1)
        await board.hold(second, 200, [], LANE)
        assert (second.status, second.got) == (503, [])
        board.close()
        await task

    run(story)


def test_news_lanes_are_not_counted_and_many_become_one_between_processes():
    told = []

    class Spy:
        def tell(self, lanes):
            told.append(set(lanes))

        def start(self, hub):
            pass

        def stop(self):
            pass

    hub = WakeHub([Spy()])
    heard = []
    hub.watch(heard.append)
    lanes = {f"news:{number}" for number in range(MOST_NEWS + 1)}
    hub.wake(lanes | {"jobs:chat"})
    assert told == [{"news:", "jobs:chat"}]
    assert heard == [lanes]
    hub.ring({"news:"})
    assert heard[-1] == {"*"}
    assert hub.ticket(["news:1"]) == 0


class NoHeaders:
    def get(self, key, default=None):
        return default

    def items(self):
        return []

    def __contains__(self, key):
        return False


class Scope:
    path, method, query_string, http_version = "/x", "GET", "", "1.1"
    client = server = "127.0.0.1:1"
    scheme, authority, headers = "http", "h", NoHeaders()


@pytest.mark.parametrize("has_board", [True, False])
def test_the_gate_holds_what_a_view_marks_and_never_shows_the_mark(has_board):
    def wsgi(environ, start_response):
        start_response(
            "200 OK", [("Content-Type", "text/event-stream"), ("X-Scrm-Live", LANE), ("Content-Length", "2")]
        )
        return [b"\n\n"]

    class Whole(Page):
        body = b""

        def response_bytes(self, status, headers, body):
            self.status, self.headers, self.body = status, headers, body

    async def story():
        hub = WakeHub()
        board = LiveBoard(hub) if has_board else None
        gate = WebGate(None, wsgi, threads=1, live=board)
        page = Whole()
        task = asyncio.create_task(gate._serve(Scope(), page))
        if board is None:
            await task
            assert page.body == b"\n\n"
            return
        await page.until(1)
        assert dict(page.headers) == {"content-type": "text/event-stream"}
        hub.wake({LANE})
        await page.until(2)
        board.close()
        await task

    run(story)
