"""How the sidebar shows a failure. A customer or group that is only just new is asked for again by itself."""

import re
from urllib.parse import urlencode

from flask import render_template, request

from sidebar.failures import FailurePages, answer_failures
from sidebar.room import SURFACE, bp

ELEMENT_ID = re.compile(r"[a-z][a-z-]{0,31}")
JUST_NEW = {f"{bp.name}.customer": "正在同步这位客户的资料…", f"{bp.name}.group": "正在同步这个客户群的资料…"}
MOST_LOOKS = 15  # about ten seconds for WeCom's callback to arrive
NOT_FOUND = 404


def _page(_status: int, code: str, message: str) -> str:
    return render_template("sidebar/failure.html", message=message, code=code)


def _part(status: int, message: str) -> str:
    target = request.headers.get("HX-Target", "")
    look = request.args.get("look", "0")
    looks = int(look) if look.isdigit() and len(look) < 3 else MOST_LOOKS
    by_itself = status == NOT_FOUND and request.endpoint in JUST_NEW and looks < MOST_LOOKS
    retry_url = ""
    if request.method == "GET":
        kept = {name: value for name, value in request.args.items() if name != "look"}
        retry_url = f"{request.path}?{urlencode(kept | ({'look': looks + 1} if by_itself else {}))}".rstrip("?")
    return render_template(
        "sidebar/failure_part.html",
        message=JUST_NEW[request.endpoint or ""] if by_itself else message,
        retry_url=retry_url,
        by_itself=by_itself,
        target=target if ELEMENT_ID.fullmatch(target) else "",
    )


answer_failures(bp, FailurePages(api=f"{SURFACE.prefix}/api/", page=_page, part=_part))
