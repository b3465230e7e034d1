"""The two addresses that start a sign-in. Pure.

Source: protocol notes 5.1 (网页授权: this order of parameters and the fragment), 5.2 (扫码登录).
"""

import re
from urllib.parse import quote

from crm_core.errors import InputInvalid
from crm_core.ids import CorpId

STATE = re.compile(r"[a-zA-Z0-9]{1,128}")
IN_WECOM = ("wxwork", "micromessenger")


def authorize_url(open_base: str, *, corp: CorpId, agent_id: int, redirect_uri: str, state: str) -> str:
    """Where a page inside WeCom sends the browser to learn silently who is looking.

    state: 1–128 letters and digits. Raises: InputInvalid (WeCom would say 84025).
    """
    return (
        f"{open_base}/connect/oauth2/authorize?appid={quote(corp, safe='')}&redirect_uri={quote(redirect_uri, safe='')}"
        f"&response_type=code&scope=snsapi_base&state={_checked(state)}&agentid={agent_id}#wechat_redirect"
    )


def web_login_url(login_base: str, *, corp: CorpId, agent_id: int, redirect_uri: str, state: str) -> str:
    """The QR sign-in page for an ordinary browser; a refusal comes back with state and without code.

    Raises: InputInvalid for a state that is not 1–128 letters and digits.
    """
    return (
        f"{login_base}/wwlogin/sso/login?login_type=CorpApp&appid={quote(corp, safe='')}&agentid={agent_id}"
        f"&redirect_uri={quote(redirect_uri, safe='')}&state={_checked(state)}&lang=zh"
    )


def is_wecom_client(user_agent: str) -> bool:
    """Whether the page runs inside the WeCom (or WeChat) client, where silent sign-in works."""
    lowered = user_agent.lower()
    return any(mark in lowered for mark in IN_WECOM)


def _checked(state: str) -> str:
    if not STATE.fullmatch(state):
        raise InputInvalid("state 只能是 1 到 128 位字母数字", field="state")
    return state
