"""Sign-in pages: OAuth inside WeCom and the web login. Source: WeCom docs 91022 and 98152."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

from flask import Blueprint, redirect, render_template, request
from werkzeug.wrappers import Response

from bot.sandbox import ids
from bot.sandbox.acts import find_person
from bot.sandbox.corp import Corp
from bot.sandbox.door import the_world
from bot.sandbox.model import App, LoginCode
from bot.sandbox.world import World

sign_in = Blueprint("sign_in", __name__)
_STATE = re.compile(r"[A-Za-z0-9]{0,128}")
_SCOPES = {"snsapi_base", "snsapi_privateinfo"}


class PageRefused(Exception):
    """A sign-in that cannot go on: errcode and what to do about it, in Chinese."""

    def __init__(self, errcode: int, advice: str) -> None:
        super().__init__(errcode, advice)
        self.errcode = errcode
        self.advice = advice


@sign_in.errorhandler(PageRefused)
def show_refusal(fault: PageRefused) -> tuple[str, int]:
    """The page WeCom shows in place of the application."""
    return render_template("refused.html", errcode=fault.errcode, advice=fault.advice), 200


def staff_cookie(corp_id: str) -> str:
    """Name of the cookie that says as whom the demo page signs in to a corp."""
    return f"sandbox_staff_{corp_id}"


@dataclass(slots=True)
class _Wish:
    """A checked request for a code."""

    corp: Corp
    app: App | None
    redirect_uri: str
    state: str
    private: bool


def domain_of(url: str) -> str:
    """host[:port] of a URL, in lower case; the port counts."""
    return urlsplit(url).netloc.rpartition("@")[2].lower()


def _corp(world: World) -> Corp:
    corp = world.corps.get(request.args.get("appid", ""))
    if corp is None:
        raise PageRefused(40013, "appid 不是任何企业的 corpid")
    return corp


def _app(corp: Corp, *, required: bool) -> App | None:
    wanted = request.args.get("agentid", "")
    app = corp.apps.get(int(wanted)) if wanted.isdigit() and wanted != "0" else None
    if app is None and (wanted or required):
        raise PageRefused(40056, "agentid 缺失或不存在")
    return app


def _wish(world: World) -> _Wish:
    corp = _corp(world)
    scope = request.args.get("scope", "")
    if request.args.get("response_type") != "code" or scope not in _SCOPES:
        raise PageRefused(40058, "response_type 必须是 code，scope 必须是 snsapi_base 或 snsapi_privateinfo")
    private = scope == "snsapi_privateinfo"
    app = _app(corp, required=private)
    uri = request.args.get("redirect_uri", "")
    apps = [app] if app else list(corp.apps.values())
    if domain_of(uri) not in {d.lower() for one in apps for d in one.trusted_domains}:
        raise PageRefused(50001, f"redirect_uri 的域名 {domain_of(uri)} 不在应用的可信域名里（端口也要一致）")
    state = request.args.get("state", "")
    if not _STATE.fullmatch(state):
        raise PageRefused(84025, "state 只能由字母和数字组成，最长 128 字节")
    return _Wish(corp, app, uri, state, private)


@sign_in.get("/connect/oauth2/authorize")
def authorize() -> str | Response:
    """网页授权: straight back with a code for who the demo page or `sandbox_as` says,
    else a page to choose.
    """
    world = the_world()
    with world.lock:
        wish = _wish(world)
        seated = unquote(request.cookies.get(staff_cookie(wish.corp.corp_id), ""))
        known_as = request.args.get("sandbox_as") or seated
        if not known_as:
            return _picker(wish.corp, "以谁的身份进入", wish.state, wish.redirect_uri)
        return redirect(_with_code(world, wish, known_as))


@sign_in.get("/wwlogin/sso/login")
@sign_in.get("/wwopen/sso/qrConnect")
def web_login() -> str | Response:
    """企业微信扫码登录: a page on which a member "scans"; refusing goes back with state and no code."""
    world = the_world()
    with world.lock:
        corp = _corp(world)
        app = _app(corp, required=True)
        uri, state = request.args.get("redirect_uri", ""), request.args.get("state", "")
        domains = {d.lower() for d in app.web_login_domains} if app else set()
        if domain_of(uri) not in domains:
            raise PageRefused(50001, f"redirect_uri 的域名 {domain_of(uri)} 不是应用的授权回调域（端口也要一致）")
        known_as = request.args.get("sandbox_as", "")
        if not known_as:
            return _picker(corp, "企业微信扫码登录", state, uri)
        return redirect(_with_code(world, _Wish(corp, app, uri, state, private=False), known_as))


def _picker(corp: Corp, title: str, state: str, uri: str) -> str:
    here = request.args.to_dict()
    choices = [
        {
            "name": m.name,
            "note": m.position,
            "href": f"{request.path}?{urlencode({**here, 'sandbox_as': m.userid})}",
        }
        for m in corp.staff.values()
        if m.status == 1
    ]
    cancel = with_query(uri, {"state": state})
    return render_template("picker.html", title=title, corp=corp.name, choices=choices, cancel=cancel)


def _with_code(world: World, wish: _Wish, known_as: str) -> str:
    """The redirect URI with a fresh code for a member, or for an outsider when a customer is named."""
    member = wish.corp.member(known_as)
    person = None if member else find_person(world, known_as)
    if member is None and person is None:
        raise PageRefused(60111, f"没有这个成员：{known_as}")
    if member and wish.app and not wish.corp.sees(wish.app, member):
        raise PageRefused(50002, "该成员不在应用的可见范围内")
    made = LoginCode(
        ids.letters(43),
        wish.corp.corp_id,
        wish.app.agentid if wish.app else 0,
        member.userid if member else "",
        person.id if person else "",
        wish.private,
        world.clock.now() + world.options.oauth_code_ttl_seconds,
    )
    world.new_login_code(made)
    return with_query(wish.redirect_uri, {"code": made.code, "state": wish.state})


def with_query(url: str, more: dict[str, Any]) -> str:
    """`url` with query parameters added."""
    parts = urlsplit(url)
    query = urlencode([*parse_qsl(parts.query, keep_blank_values=True), *more.items()])
    return urlunsplit((parts.scheme, parts.netloc, parts.path, query, parts.fragment))
