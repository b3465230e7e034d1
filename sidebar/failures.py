"""One form for every failure of a surface: JSON for the api, a sentence in place for a fragment, a page otherwise."""

import logging
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from flask import Blueprint, Response, g, jsonify, make_response, request
from werkzeug.exceptions import HTTPException

from crm_core.errors import ScrmError, WeComError

log = logging.getLogger(__name__)

SENTENCES = {
    400: "请求不正确，请刷新后重试",
    403: "没有权限",
    404: "页面不存在",
    405: "不支持这样的请求",
    413: "内容太大",
    429: "操作太频繁，请过一分钟再试",
}
CODES = {400: "input_invalid", 403: "not_allowed", 404: "not_found", 405: "not_allowed", 429: "too_many_requests"}
BROKEN = "系统出了点问题，请稍后重试；如果一直这样，请把页面底部的编号发给管理员"
WECOM_DOWN = "企业微信暂时没有响应，请稍后重试"


@dataclass(frozen=True, slots=True, kw_only=True)
class FailurePages:
    """How a surface shows a failure.

    api: the path prefix that is answered in JSON. page: (status, code, message) → a whole page. part: (status,
    message) → a sentence for htmx to put in place.
    """

    api: str
    page: Callable[[int, str, str], str]
    part: Callable[[int, str], str]


def request_id() -> str:
    """The id that ties this answer to our logs."""
    if "request_id" not in g:
        g.request_id = uuid.uuid4().hex
    return str(g.request_id)


def answer_failures(bp: Blueprint, pages: FailurePages) -> None:
    """From now on every failure inside ``bp`` is answered in the form the request can read."""

    def answer(status: int, code: str, message: str, field: str | None = None) -> Response:
        if request.path.startswith(pages.api):
            error = {"code": code, "message": message, "request_id": request_id()}
            response = jsonify({"ok": False, "error": error | ({"field": field} if field else {})})
        elif request.headers.get("HX-Request") == "true":
            response = make_response(pages.part(status, message))
        else:
            response = make_response(pages.page(status, code, message))
        response.status_code = status
        return response

    def ours(error: ScrmError) -> Response:
        if isinstance(error, WeComError):
            log.warning(
                "wecom refused", extra={"request_id": request_id(), "errcode": error.errcode, "call": error.call}
            )
            message = WECOM_DOWN if error.errcode in (None, -1) else error.message
            return answer(error.http_status, error.code, message)
        return answer(error.http_status, error.code, error.message, error.field)

    def http(error: HTTPException) -> Response:
        status = error.code or 500
        return answer(status, CODES.get(status, "http_error"), SENTENCES.get(status, "请求没有完成，请重试"))

    def unforeseen(error: Exception) -> Response:
        log.error("%s failed", bp.name, exc_info=error, extra={"request_id": request_id()})
        return answer(500, "internal", BROKEN)

    bp.errorhandler(ScrmError)(ours)
    bp.errorhandler(HTTPException)(http)
    bp.errorhandler(Exception)(unforeseen)
