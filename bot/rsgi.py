"""What the front uses of RSGI, granian's own interface, as types (its documentation: docs/spec/RSGI.md)."""

from collections.abc import AsyncIterator, Awaitable
from typing import Protocol

from granian.rsgi import ProtocolClosed, ProtocolError  # type: ignore[attr-defined]  # not re-exported formally

CLIENT_GONE = (ProtocolClosed, ProtocolError, OSError)
HeaderList = list[tuple[str, str]]


class Headers(Protocol):
    """Request headers; names are lower case."""

    def __contains__(self, key: str) -> bool: ...
    def items(self) -> HeaderList:
        """All headers, repeated ones repeatedly."""
        ...

    def get(self, key: str, default: str | None = None) -> str | None:
        """The first value of a header."""
        ...


class Scope(Protocol):
    """One request's head. ``path`` is percent-decoded, ``client`` and ``server`` are ``host:port``."""

    http_version: str
    server: str
    client: str
    scheme: str
    method: str
    path: str
    query_string: str
    authority: str | None

    @property
    def headers(self) -> Headers:
        """The request's headers."""
        ...


class StreamTransport(Protocol):
    """The open body of a streamed answer."""

    async def send_bytes(self, data: bytes) -> None:
        """Send; waits while the client is slow. Raises: ProtocolClosed."""
        ...


class HttpProtocol(Protocol):
    """One request's body and the one answer to it."""

    def __call__(self) -> Awaitable[bytes]:
        """The whole body."""
        ...

    def __aiter__(self) -> AsyncIterator[bytes]: ...
    def response_empty(self, status: int, headers: HeaderList) -> None:
        """Answer without a body."""
        ...

    def response_bytes(self, status: int, headers: HeaderList, body: bytes) -> None:
        """Answer with a body."""
        ...

    def response_stream(self, status: int, headers: HeaderList) -> StreamTransport:
        """Answer with a body that follows."""
        ...
