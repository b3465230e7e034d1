"""Open pages that wait for news (server-sent events): one coroutine each on the event loop, no thread.

A view checks who asks and answers with the header ``X-Scrm-Live``; the gate then holds the answer open here. What goes
out is only that there is news; the page asks for it through the usual door.
"""

import asyncio
import threading
from collections import defaultdict
from collections.abc import Set as AbstractSet

from bot.rsgi import CLIENT_GONE, HeaderList, HttpProtocol
from bot.wake import EVERYBODY, WakeHub

MOST_OPEN = 4000  # pages of one web process
BREATH_SECONDS = 15.0  # how soon a page that was closed is noticed
LIFE_SECONDS = 600.0  # then the page asks again, and is checked again
HELLO = b"retry: 3000\n\n"
NEWS = b"event: news\ndata: 1\n\n"
BREATH = b": \n\n"


class LiveBoard:
    """Who waits for which lane. ``told`` may be called from any thread."""

    def __init__(self, hub: WakeHub, *, breath_seconds: float = BREATH_SECONDS, life: float = LIFE_SECONDS) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting: dict[str, set[asyncio.Event]] = defaultdict(set)
        self._breath_seconds = breath_seconds
        self._life_seconds = life
        self._is_open = True
        hub.watch(self.told)

    @property
    def open_pages(self) -> int:
        """How many pages wait now."""
        with self._lock:
            return sum(len(events) for events in self._waiting.values())

    def told(self, lanes: AbstractSet[str]) -> None:
        """There is news in these lanes."""
        with self._lock:
            named = list(self._waiting) if EVERYBODY in lanes else [lane for lane in lanes if lane in self._waiting]
            events = [event for lane in named for event in self._waiting[lane]]
            loop = self._loop
        if loop is not None and events and not loop.is_closed():
            loop.call_soon_threadsafe(_set_all, events)

    def close(self) -> None:
        """Let every page go."""
        self._is_open = False
        self.told({EVERYBODY})

    async def hold(self, protocol: HttpProtocol, status: int, headers: HeaderList, lane: str) -> None:
        """Keep an answer open and send a line whenever there is news, until the page leaves or its time is over."""
        self._loop = asyncio.get_running_loop()
        event = asyncio.Event()
        with self._lock:
            is_full = sum(map(len, self._waiting.values())) >= MOST_OPEN
            if not is_full:
                self._waiting[lane].add(event)
        if is_full:
            protocol.response_empty(503, [("retry-after", "30")])
            return
        try:
            transport = protocol.response_stream(status, headers)
            await transport.send_bytes(HELLO)
            ends_at = self._loop.time() + self._life_seconds
            while self._is_open and self._loop.time() < ends_at:
                try:
                    await asyncio.wait_for(event.wait(), self._breath_seconds)
                except TimeoutError:
                    await transport.send_bytes(BREATH)
                    continue
                event.clear()
                if self._is_open:
                    await transport.send_bytes(NEWS)
        except CLIENT_GONE:
            return
        finally:
            self._leave(lane, event)

    def _leave(self, lane: str, event: asyncio.Event) -> None:
        with self._lock:
            self._waiting[lane].discard(event)
            if not self._waiting[lane]:
                del self._waiting[lane]


def _set_all(events: list[asyncio.Event]) -> None:
    for event in events:
        event.set()
