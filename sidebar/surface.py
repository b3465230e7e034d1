"""What every surface of ours does the same way: CSRF, rate limits, security headers, compression.

A surface is a blueprint that people look at: the sidebar, the console, the pages customers open.
"""

import gzip
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol
from urllib.parse import urlsplit

from flask import Flask, Response, g, request
from flask_limiter import Limiter
from flask_wtf.csrf import generate_csrf, validate_csrf
from wtforms import ValidationError

from crm_core.config import Settings
from crm_core.db import Database
from crm_core.errors import InputInvalid
from crm_core.ports import Gateways

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
SESSION_LASTS = timedelta(hours=12)
LEAST_PACKED = 1024
PACKED_TYPES = ("text/", "application/json", "application/javascript", "image/svg+xml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Surface:
    """One surface. name: its blueprint, also names its cookies; prefix: where it lives, without a slash at the end."""

    name: str
    prefix: str

    @property
    def csrf_field(self) -> str:
        """The key its CSRF secret has in the session cookie."""
        return f"{self.name}_csrf"

    @property
    def login_path(self) -> str:
        """Where WeCom sends the browser back to."""
        return f"{self.prefix}/login/callback"


class SurfaceRoom(Protocol):
    """What signing in needs of a surface's room."""

    @property
    def db(self) -> Database:
        """The one database."""
        ...

    @property
    def settings(self) -> Settings:
        """All settings."""
        ...

    @property
    def gateways(self) -> Gateways:
        """WeCom, per corp and app."""
        ...

    @property
    def surface(self) -> Surface:
        """Which surface this is."""
        ...


def prepare(app: Flask, settings: Settings) -> Limiter:
    """Session cookie and rate limits of one web application; the same limiter for every surface in it."""
    app.secret_key = app.secret_key or settings.secret_key.get_secret_value()
    app.config.update(
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=settings.server.public_url.startswith("https://"),
    )
    found = app.extensions.get("scrm_limiter")
    if isinstance(found, Limiter):
        return found
    limiter = Limiter(
        key_func=lambda: "",  # every limit names its own
        storage_uri=settings.redis.url or "memory://",
        storage_options={"socket_connect_timeout": 1, "socket_timeout": 1} if settings.redis.url else {},
        strategy="fixed-window",
        in_memory_fallback_enabled=True,  # without Redis each process counts for itself
        swallow_errors=True,
    )
    limiter.init_app(app)
    app.before_request(_start_watch)
    app.extensions["scrm_limiter"] = limiter
    return limiter


def _start_watch() -> None:
    g.began = time.perf_counter()


def csrf_token(surface: Surface) -> str:
    """The token a form of this surface carries."""
    return str(generate_csrf(token_key=surface.csrf_field))


def check_csrf(surface: Surface) -> None:
    """A write must carry the token. Raises: InputInvalid."""
    token = request.headers.get("X-CSRFToken") or request.form.get("csrf_token", "")
    try:
        validate_csrf(token, time_limit=int(SESSION_LASTS.total_seconds()), token_key=surface.csrf_field)
    except ValidationError:
        raise InputInvalid("页面已过期，请刷新后再试", field="csrf_token") from None


def dress(response: Response, *, policy: str, request_id: str) -> Response:
    """Security headers, no caching of personal pages, compression."""
    headers = response.headers
    headers["X-Request-Id"] = request_id
    if "began" in g:
        headers["Server-Timing"] = f"app;dur={(time.perf_counter() - g.began) * 1000:.1f}"
    headers["X-Content-Type-Options"] = "nosniff"
    headers.setdefault("Referrer-Policy", "strict-origin-when-cross-origin")
    headers.setdefault("Content-Security-Policy", policy)
    headers.setdefault("Cache-Control", "no-store")
    return _pack(response)


def _pack(response: Response) -> Response:
    wanted = request.accept_encodings["gzip"] > 0 and "Content-Encoding" not in response.headers
    worth = (response.mimetype or "").startswith(PACKED_TYPES) and not response.direct_passthrough
    if wanted and worth and len(response.get_data()) >= LEAST_PACKED:
        response.set_data(gzip.compress(response.get_data(), 5, mtime=0))
        response.headers["Content-Encoding"] = "gzip"
        response.vary.add("Accept-Encoding")
    return response


def content_policy(*, scripts: str = "", pictures: str = "https:", frames: str = "", frame_ancestors: str = "") -> str:
    """A Content-Security-Policy: our own scripts and styles, nothing inline; each argument names further origins."""

    def rule(name: str, *sources: str) -> str:
        return " ".join([name, *(source for source in sources if source)])

    return "; ".join(
        [
            "default-src 'none'",
            rule("script-src 'self'", scripts),
            "style-src 'self'",
            rule("img-src 'self' data: blob:", pictures),
            "media-src 'self' blob:",
            "font-src 'self'",
            rule("connect-src 'self'", scripts),
            rule("frame-src 'self'", frames),
            "form-action 'self'",
            "base-uri 'none'",
            rule("frame-ancestors 'self'", frame_ancestors),
        ]
    )


def origin(url: str) -> str:
    """Scheme, host and port of an address."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def picture_origins(settings: Settings) -> str:
    """Where pictures may come from: WeCom's https hosts, in the demo also the local WeCom."""
    return " ".join(["https:", *_local(settings)])


def wecom_frames(settings: Settings) -> str:
    """Who may show the sidebar in a frame: WeCom's desktop client, in the demo the local WeCom."""
    return " ".join(_local(settings)) or "https://*.work.weixin.qq.com"


def _local(settings: Settings) -> list[str]:
    wecom = settings.wecom
    return sorted({origin(wecom.api_base), origin(wecom.open_base)}) if settings.demo.enabled else []


def picture_url(settings: Settings, url: str) -> str:
    """A picture's address as a page may load it: WeCom still hands out plain http for its https hosts."""
    return url if settings.demo.enabled else url.replace("http://", "https://", 1)
