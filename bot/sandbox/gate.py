"""Who may call what: token, address, app and API rights, in the order the platform checks them."""

from __future__ import annotations

from bot.sandbox.api import (
    acquisition,
    attachments,
    contact_ways,
    customers,
    directory,
    group_welcomes,
    groups,
    intercept,
    join_ways,
    kf,
    kf_messages,
    login,
    mass,
    media,
    menu,
    messages,
    moments,
    msgaudit,
    statistics,
    tags,
    transfer,
    welcome,
)
from bot.sandbox.api.call import Endpoint
from bot.sandbox.api.login import same_secret
from bot.sandbox.corp import Corp
from bot.sandbox.fields import Fields
from bot.sandbox.model import App
from bot.sandbox.refusal import Refusal
from bot.sandbox.world import World

ENDPOINTS: dict[str, Endpoint] = {
    **directory.ENDPOINTS,
    **customers.ENDPOINTS,
    **tags.ENDPOINTS,
    **contact_ways.ENDPOINTS,
    **welcome.ENDPOINTS,
    **groups.ENDPOINTS,
    **join_ways.ENDPOINTS,
    **group_welcomes.ENDPOINTS,
    **mass.ENDPOINTS,
    **moments.ENDPOINTS,
    **transfer.ENDPOINTS,
    **acquisition.ENDPOINTS,
    **intercept.ENDPOINTS,
    **kf.ENDPOINTS,
    **kf_messages.ENDPOINTS,
    **attachments.ENDPOINTS,
    **menu.ENDPOINTS,
    **statistics.ENDPOINTS,
    **messages.ENDPOINTS,
    **msgaudit.ENDPOINTS,
    **media.ENDPOINTS,
    **login.ENDPOINTS,
}


def caller_by_secret(world: World, query: Fields) -> tuple[Corp, App]:
    """Corp and app of a gettoken call; Refusal 41002, 41004, 40013 or 40001."""
    corp_id, secret = query.text("corpid"), query.text("corpsecret")
    if not corp_id:
        raise Refusal(41002)
    if not secret:
        raise Refusal(41004)
    corp = world.corps.get(corp_id)
    if corp is None:
        raise Refusal(40013)
    found = [app for app in corp.apps.values() if same_secret(secret, app.secret)]
    if not found:
        raise Refusal(40001)
    return corp, found[0]


def caller_by_token(world: World, query: Fields) -> tuple[Corp, App]:
    """Corp and app behind an access_token; Refusal 41001, 40014 unknown, 42001 expired."""
    token = query.text("access_token")
    if not token:
        raise Refusal(41001)
    grant = world.grants.get(token)
    if grant is None:
        raise Refusal(40014)
    if grant.revoked:
        raise Refusal(grant.revoked)
    if world.clock.now() >= grant.expires_at:
        raise Refusal(42001)
    corp = world.corps[grant.corp_id]
    return corp, corp.apps[grant.agentid]


def check_rights(app: App, endpoint: Endpoint, ip: str) -> None:
    """Refusal 60020 for an untrusted address, 50003 for a disabled app,
    48002 when the app may not call this.
    """
    if endpoint.needs == "nothing":
        return
    if app.trusted_ips is not None and ip not in app.trusted_ips:
        raise Refusal(60020)
    if app.disabled:
        raise Refusal(50003)
    allowed = {
        "token": True,
        "app": not app.is_contacts and not app.is_archive,
        "archive": app.is_archive,
        "customers": not app.is_contacts and app.callable,
        "contacts": app.is_contacts,
    }
    if not allowed[endpoint.needs]:
        raise Refusal(48002)
