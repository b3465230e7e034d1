"""Who is looking: WeCom says so once, a signed cookie remembers it for twelve hours. For every surface of staff."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from flask import session as cookie

from crm_core import staff
from crm_core.config import AppPart, CorpPart, Settings
from crm_core.errors import NotAllowed, NotAuthenticated, NotFound
from crm_core.ids import AppKey, CorpId, StaffUserId
from sidebar import login_urls
from sidebar.surface import SESSION_LASTS, Surface, SurfaceRoom

LOGIN_LASTS = timedelta(minutes=10)
MOST_LOGINS = 4  # tabs that may be signing in at the same time
MOST_TARGET_CHARS = 400
NOT_ONE_OF_US = "没有认出您的企业成员身份。请用企业微信打开，并请管理员把您加入这个应用的可见范围"


def _logins(surface: Surface) -> str:
    return f"{surface.name}_logins"


def _fresh(surface: Surface) -> str:
    return f"{surface.name}_fresh"


@dataclass(frozen=True, slots=True, kw_only=True)
class StaffSession:
    """The staff member who is signed in, and through which app of which corp."""

    corp: CorpId
    app: AppKey
    staff: StaffUserId


def sidebar_apps(settings: Settings) -> list[tuple[CorpPart, AppPart]]:
    """Every app that serves as a chat toolbar."""
    return [(corp, app) for corp in settings.corps for app in corp.apps if app.sidebar]


def find_app(settings: Settings, app_key: str) -> tuple[CorpPart, AppPart]:
    """The sidebar app of this key. Raises: NotFound."""
    for corp, app in sidebar_apps(settings):
        if app.key == app_key:
            return corp, app
    raise NotFound("没有这个应用的侧边栏")


def current(room: SurfaceRoom) -> StaffSession | None:
    """Who is signed in, if the sign-in is still good and its app still configured."""
    kept = cookie.get(room.surface.name)
    if not isinstance(kept, dict) or float(kept.get("until", 0)) <= room.db.clock.now().timestamp():
        return None
    try:
        corp, app = find_app(room.settings, str(kept.get("app", "")))
    except NotFound:
        return None
    if corp.corp_id != kept.get("corp"):
        return None
    return StaffSession(corp=CorpId(corp.corp_id), app=AppKey(app.key), staff=StaffUserId(str(kept["staff"])))


def begin_login(room: SurfaceRoom, app_key: str, target: str, user_agent: str) -> str:
    """Where to send the browser to sign in. ``target``: our own path to come back to; it stays in the cookie."""
    corp, app = find_app(room.settings, app_key)
    now = room.db.clock.now()
    state = secrets.token_hex(16)
    waiting = {
        **_waiting(room.surface, now),
        state: {"app": app.key, "to": _clean(room.surface, target), "at": now.timestamp()},
    }
    cookie[_logins(room.surface)] = dict(sorted(waiting.items(), key=lambda item: item[1]["at"])[-MOST_LOGINS:])
    wecom = room.settings.wecom
    back = f"{room.settings.server.public_url}{room.surface.login_path}"
    if room.settings.demo.enabled or login_urls.is_wecom_client(user_agent):
        return login_urls.authorize_url(
            wecom.open_base, corp=CorpId(corp.corp_id), agent_id=app.agent_id, redirect_uri=back, state=state
        )
    return login_urls.web_login_url(
        wecom.login_base, corp=CorpId(corp.corp_id), agent_id=app.agent_id, redirect_uri=back, state=state
    )


def finish_login(room: SurfaceRoom, state: str, code: str) -> str:
    """Swap the code for a staff member and remember them. Answers our own path to go on to.

    Raises: NotAuthenticated (state unknown, used or too old; no code), NotAllowed (not a member), WeComError.
    """
    now = room.db.clock.now()
    waiting = _waiting(room.surface, now)
    login = waiting.pop(state, None)
    cookie[_logins(room.surface)] = waiting
    if login is None:
        raise NotAuthenticated("登录链接已失效，请重新打开页面")
    if not code:
        raise NotAuthenticated("您取消了登录，请重新打开页面")
    corp, app = find_app(room.settings, login["app"])
    who = room.gateways.of(CorpId(corp.corp_id), AppKey(app.key)).sign_in(code)
    if not who.staff or "/" in who.staff:
        raise NotAllowed(NOT_ONE_OF_US)
    signed_in = StaffSession(corp=CorpId(corp.corp_id), app=AppKey(app.key), staff=who.staff)
    require_active(room, signed_in)
    cookie[room.surface.name] = {
        "corp": corp.corp_id,
        "app": app.key,
        "staff": who.staff,
        "until": (now + SESSION_LASTS).timestamp(),
    }
    if room.settings.demo.enabled:
        cookie[_fresh(room.surface)] = str(login["to"])
    return str(login["to"])


def seat_may_have_changed(room: SurfaceRoom, fetch_dest: str, target: str) -> bool:
    """In the demo one browser plays several members: a framed page asks anew who sits there, once per load.

    fetch_dest: the request's Sec-Fetch-Dest header. target: our own path with query, as asked for; only the load that
    a sign-in was made for may use it, so that a slow sign-in of the member before cannot slip in.
    """
    return (
        room.settings.demo.enabled
        and fetch_dest == "iframe"
        and cookie.pop(_fresh(room.surface), "") != _clean(room.surface, target)
    )


def require_active(room: SurfaceRoom, signed_in: StaffSession) -> None:
    """A member who left or was disabled is shut out at once. Raises: NotAllowed."""
    with room.db.reading() as session:
        if not staff.is_active(session, signed_in.corp, signed_in.staff):
            raise NotAllowed("您的企业微信账号已停用，不能再使用这个系统")


def sign_out(surface: Surface) -> None:
    """Forget who was signed in."""
    for name in (surface.name, _logins(surface), _fresh(surface)):
        cookie.pop(name, None)


def _waiting(surface: Surface, now: datetime) -> dict[str, dict[str, Any]]:
    kept = cookie.get(_logins(surface))
    oldest = (now - LOGIN_LASTS).timestamp()
    return {state: login for state, login in kept.items() if login["at"] >= oldest} if isinstance(kept, dict) else {}


def _clean(surface: Surface, target: str) -> str:
    """Our own path without what an earlier sign-in left in it."""
    parts = urlsplit(target)
    if not parts.path.startswith(f"{surface.prefix}/") or parts.netloc or len(target) > MOST_TARGET_CHARS:
        return f"{surface.prefix}/"
    query = urlencode([(name, value) for name, value in parse_qsl(parts.query) if name not in ("code", "state")])
    return f"{parts.path}?{query}" if query else parts.path
