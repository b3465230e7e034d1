"""One HTTP exchange with WeCom: JSON out, JSON object in, every fault told apart by whether WeCom may have got it.

Knows nothing of tokens' meaning, errcodes or retries. Keeps URLs, and with them tokens and secrets, out of logs and
out of exception texts.
"""

import io
import json
import logging
import re
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from typing import Any, BinaryIO

import httpx

from crm_core.clock import Clock
from crm_core.errors import InputInvalid, WeComUnavailable

SECRET_QUERY = re.compile(r"(?i)((?:access_token|corpsecret|ticket|key|code)=)[^&\s\"']+")
NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError, httpx.UnsupportedProtocol)
DEFAULT_MAX_ANSWER_BYTES = 32 * 1024 * 1024
UPLOAD_CHUNK = 256 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A file for the part ``media`` of a multipart body. Its name goes as plain UTF-8 (protocol notes 4.3)."""

    filename: str
    content: BinaryIO


class MaskSecrets(logging.Filter):
    """Blanks tokens and secrets in the request lines that httpx logs."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Always lets the record pass, masked."""
        record.msg = SECRET_QUERY.sub(r"\1***", record.getMessage())
        record.args = None
        return True


HTTPX_LOG_MASK = MaskSecrets()


class Wire:
    """A pooled HTTP client for one ``api_base``.

    read_timeout_seconds bounds each wait for bytes; total_seconds the whole exchange. ``clock`` is only compared with
    WeCom's Date header.
    """

    def __init__(
        self,
        *,
        api_base: str,
        clock: Clock,
        connect_timeout_seconds: float,
        read_timeout_seconds: float,
        pool_size: int = 32,
        max_answer_bytes: int = DEFAULT_MAX_ANSWER_BYTES,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.api_base = api_base
        self._clock = clock
        self._monotonic = monotonic
        self._max_answer_bytes = max_answer_bytes
        self._total_seconds = connect_timeout_seconds + 2 * read_timeout_seconds
        self._skew_lock = threading.Lock()
        self._skew_seconds: float | None = None
        logging.getLogger("httpx").addFilter(HTTPX_LOG_MASK)
        self._http = httpx.Client(
            base_url=f"{api_base}/cgi-bin/",
            follow_redirects=False,
            trust_env=not is_loopback(httpx.URL(api_base).host),
            timeout=httpx.Timeout(read_timeout_seconds, connect=connect_timeout_seconds, pool=read_timeout_seconds),
            limits=httpx.Limits(max_connections=pool_size, max_keepalive_connections=pool_size),
        )

    @property
    def skew_seconds(self) -> float | None:
        """WeCom's clock minus ours at the last answer, seconds; None before the first."""
        with self._skew_lock:
            return self._skew_seconds

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def exchange(
        self,
        call: str,
        *,
        params: Mapping[str, str | int],
        body: Mapping[str, Any] | None = None,
        upload: Upload | None = None,
    ) -> dict[str, Any]:
        """GET (no body), POST ``body`` or POST a file; returns the JSON object of the answer.

        Raises: WeComUnavailable; ``sent`` False only when WeCom cannot have seen the request. InputInvalid for text
        that is not Unicode (half a surrogate pair).
        """
        try:
            content, headers = _outgoing(body, upload)
            with self._http.stream(
                "GET" if content is None else "POST", call, params=dict(params), content=content, headers=headers
            ) as answer:
                self._note_date(answer)
                raw = self._read(answer, call)
                status = answer.status_code
        except UnicodeEncodeError:
            raise InputInvalid("内容中有无法编码的字符") from None
        except NOT_SENT as error:
            raise WeComUnavailable(None, type(error).__name__, call, sent=False, remedy=_unreachable(call)) from None
        except (httpx.HTTPError, httpx.StreamError) as error:
            raise WeComUnavailable(None, type(error).__name__, call, remedy=_no_answer(call)) from None
        return self._object(status, raw, call)

    def _read(self, answer: httpx.Response, call: str) -> bytes:
        ends_at = self._monotonic() + self._total_seconds
        pieces, size = [], 0
        for piece in answer.iter_bytes():
            pieces.append(piece)
            size += len(piece)
            if size > self._max_answer_bytes:
                raise WeComUnavailable(None, "answer too large", call, remedy=_no_answer(call))
            if self._monotonic() > ends_at:
                raise WeComUnavailable(None, "answer too slow", call, remedy=_no_answer(call))
        return b"".join(pieces)

    def _note_date(self, answer: httpx.Response) -> None:
        try:
            theirs = parsedate_to_datetime(answer.headers["Date"])
        except (KeyError, ValueError, TypeError):
            return
        if theirs.tzinfo is not None:
            with self._skew_lock:
                self._skew_seconds = (theirs - self._clock.now()).total_seconds()

    @staticmethod
    def _object(status: int, raw: bytes, call: str) -> dict[str, Any]:
        if status != httpx.codes.OK:
            raise WeComUnavailable(None, f"HTTP {status}", call, remedy=_no_answer(call))
        try:
            content = json.loads(raw)
        except (ValueError, RecursionError):
            content = None
        if not isinstance(content, dict):
            raise WeComUnavailable(None, "answer is not a JSON object", call, remedy=_no_answer(call))
        return content


def _outgoing(
    body: Mapping[str, Any] | None, upload: Upload | None
) -> tuple[bytes | Iterator[bytes] | None, dict[str, str]]:
    if upload is not None:
        return _multipart(upload)
    if body is None:
        return None, {}
    content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    return content, {"Content-Type": "application/json; charset=utf-8"}


def _multipart(upload: Upload) -> tuple[Iterator[bytes], dict[str, str]]:
    """The body from the file's beginning, sent piece by piece; WeCom wants its length told."""
    boundary = f"scrm-{secrets.token_hex(16)}"
    name = upload.filename.translate({ord(one): "_" for one in '"\\\r\n'})
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="media"; filename="{name}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    ).encode()
    tail = f"\r\n--{boundary}--\r\n".encode()
    size = upload.content.seek(0, io.SEEK_END)

    def pieces() -> Iterator[bytes]:
        upload.content.seek(0)
        yield head
        yield from iter(lambda: upload.content.read(UPLOAD_CHUNK), b"")
        yield tail

    return pieces(), {
        "Content-Type": f"multipart/form-data; boundary={boundary}",
        "Content-Length": str(len(head) + size + len(tail)),
    }


def is_loopback(host: str) -> bool:
    """A local WeCom must not be looked for behind the company's proxy."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _unreachable(call: str) -> str:
    return f"连不上企业微信（{call}）：检查网络、DNS 与 wecom.api_base"


def _no_answer(call: str) -> str:
    return f"企业微信没有正常应答（{call}），稍后自动重试"
