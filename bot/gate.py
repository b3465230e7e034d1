"""The web process: callbacks go to the door on the event loop, everything else to the Flask app on threads.

granian calls the gate through RSGI. Flask runs in a pool of its own; an answer that streams (SSE, big files) moves
to a thread of its own after its head, so that open pages do not use the pool up.
"""

import asyncio
import functools
import io
import json
import logging
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from tempfile import SpooledTemporaryFile
from typing import IO, Any, Protocol
from wsgiref.types import WSGIApplication

from bot.callback import PATH_PREFIX
from bot.live import LiveBoard
from bot.rsgi import CLIENT_GONE, HttpProtocol, Scope, StreamTransport
from sidebar.live import LIVE_HEADER

SPOOL_BYTES = 1_048_576  # larger bodies and answers do not stay in memory whole
MAX_STREAMS = 1024
LIVE = LIVE_HEADER.lower()
JSON_HEADERS = [("content-type", "application/json; charset=utf-8")]
TOO_LARGE = json.dumps(
    {"ok": False, "error": {"code": "input_invalid", "message": "上传的内容太大，文件请不要超过 20 MB"}},
    ensure_ascii=False,
).encode()

logger = logging.getLogger(__name__)


class Door(Protocol):
    """What the gate asks of the callback door."""

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin; ``loop`` runs the door."""
        ...

    def stop(self) -> None:
        """End. Blocks until done."""
        ...

    async def __call__(self, scope: Scope, protocol: HttpProtocol) -> None:
        """Answer one request."""
        ...


@dataclass(slots=True)
class _Answer:
    """What the WSGI app said. ``rest`` is None when ``body`` is all there is; ``close`` belongs to ``rest``."""

    status: int = 500
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    rest: Iterator[bytes] | None = None
    close: Callable[[], None] | None = None


class WebGate:
    """The RSGI application of one web process.

    ``threads`` serve the WSGI app; ``max_upload_bytes`` bounds a request body to it (413 beyond).
    """

    def __init__(
        self,
        door: Door,
        wsgi: WSGIApplication,
        *,
        threads: int,
        max_upload_bytes: int = 64 * 1_048_576,
        live: LiveBoard | None = None,
    ) -> None:
        self._live = live
        self._door = door
        self._wsgi = wsgi
        self._max_upload_bytes = max_upload_bytes
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="web")
        self._streams = threading.BoundedSemaphore(MAX_STREAMS)

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:  # granian's name
        self._door.start(loop)

    def __rsgi_del__(self, loop: asyncio.AbstractEventLoop) -> None:  # granian's name
        del loop
        if self._live is not None:
            self._live.close()
        self._door.stop()
        self._pool.shutdown()

    async def __rsgi__(self, scope: Scope, protocol: HttpProtocol) -> None:  # granian's name
        if scope.path.startswith(PATH_PREFIX):
            await self._door(scope, protocol)
        else:
            await self._serve(scope, protocol)

    async def _serve(self, scope: Scope, protocol: HttpProtocol) -> None:
        loop = asyncio.get_running_loop()
        try:
            body = await self._read(scope, protocol)
        except CLIENT_GONE:
            return
        if body is None:
            protocol.response_bytes(413, JSON_HEADERS, TOO_LARGE)
            return
        with body:
            answer = await loop.run_in_executor(self._pool, _call, self._wsgi, _environ(scope, body))
            lane = next((value for name, value in answer.headers if name == LIVE), "")
            if lane and self._live is not None:
                headers = [(name, value) for name, value in answer.headers if name not in {LIVE, "content-length"}]
                await self._live.hold(protocol, answer.status, headers, lane)
            elif answer.rest is None:
                protocol.response_bytes(answer.status, answer.headers, answer.body)
            else:
                await self._stream(loop, protocol, answer)

    async def _read(self, scope: Scope, protocol: HttpProtocol) -> IO[bytes] | None:
        """The request body as a file, or None when it is too large."""
        length = scope.headers.get("content-length")
        if length is None and "transfer-encoding" not in scope.headers and scope.http_version.startswith("1"):
            return io.BytesIO()
        if length is not None and int(length) > self._max_upload_bytes:
            return None
        if length is not None and int(length) <= SPOOL_BYTES:
            return io.BytesIO(await protocol())
        body = SpooledTemporaryFile(SPOOL_BYTES)  # noqa: SIM115  # the caller closes it
        size = 0
        async for chunk in protocol:
            size += len(chunk)
            if size > self._max_upload_bytes:
                body.close()
                return None
            body.write(chunk)
        body.seek(0)
        return body

    async def _stream(self, loop: asyncio.AbstractEventLoop, protocol: HttpProtocol, answer: _Answer) -> None:
        if not self._streams.acquire(blocking=False):
            if answer.close is not None:
                answer.close()
            protocol.response_empty(503, [("retry-after", "5")])
            return
        try:
            transport = protocol.response_stream(answer.status, answer.headers)
            ended = asyncio.Event()
            end = functools.partial(loop.call_soon_threadsafe, ended.set)
            pump = functools.partial(_pump, answer, functools.partial(_send, loop, transport), end)
            threading.Thread(target=pump, name="web-stream", daemon=True).start()
            await ended.wait()
        finally:
            self._streams.release()


def _environ(scope: Scope, body: IO[bytes]) -> dict[str, Any]:
    """The WSGI environment (PEP 3333) of a request."""
    host, _, port = scope.server.rpartition(":")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": scope.path.encode().decode("latin-1"),
        "QUERY_STRING": scope.query_string,
        "SERVER_NAME": host,
        "SERVER_PORT": port,
        "SERVER_PROTOCOL": f"HTTP/{scope.http_version}",
        "REMOTE_ADDR": scope.client.rpartition(":")[0].strip("[]"),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.scheme,
        "wsgi.input": body,
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    if scope.authority:
        environ["HTTP_HOST"] = scope.authority
    for name, value in scope.headers.items():
        key = name.upper().replace("-", "_")
        if key not in {"CONTENT_TYPE", "CONTENT_LENGTH"}:
            key = f"HTTP_{key}"
        glue = "; " if key == "HTTP_COOKIE" else ","
        environ[key] = f"{environ[key]}{glue}{value}" if key in environ else value
    return environ


def _call(wsgi: WSGIApplication, environ: dict[str, Any]) -> _Answer:
    """Call the app; read its answer to the end unless it streams or is large."""
    answer = _Answer()
    written: list[bytes] = []

    def start_response(
        status: str, headers: list[tuple[str, str]], exc_info: object = None
    ) -> Callable[[bytes], object]:
        del exc_info
        answer.status = int(status.split(" ", 1)[0])
        answer.headers = [(name.lower(), value) for name, value in headers]
        return written.append

    chunks: Iterable[bytes] = ()
    try:
        chunks = wsgi(environ, start_response)
        if _is_short(environ, answer):
            answer.body = b"".join((*written, *chunks))
        else:
            answer.close = getattr(chunks, "close", None)
            answer.rest = iter(chunks)
    except Exception:
        logger.exception("web request failed")
        answer = _Answer()
    if answer.rest is None and hasattr(chunks, "close"):
        chunks.close()
    return answer


def _is_short(environ: dict[str, Any], answer: _Answer) -> bool:
    if environ["REQUEST_METHOD"] == "HEAD" or answer.status in {204, 304}:
        return True
    length = next((value for name, value in answer.headers if name == "content-length"), None)
    return length is not None and int(length) <= SPOOL_BYTES


def _send(loop: asyncio.AbstractEventLoop, transport: StreamTransport, chunk: bytes) -> None:
    """Send from a thread; returns when the client's side has room. Raises: ProtocolClosed when it left."""

    async def send() -> None:
        await transport.send_bytes(chunk)

    asyncio.run_coroutine_threadsafe(send(), loop).result()


def _pump(answer: _Answer, send: Callable[[bytes], None], end: Callable[[], object]) -> None:
    try:
        for chunk in answer.rest or ():
            if chunk:
                send(chunk)
    except CLIENT_GONE:
        logger.debug("client left a stream")
    except Exception:
        logger.exception("stream failed")
    finally:
        if answer.close is not None:
            answer.close()
        end()
