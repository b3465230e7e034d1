"""The steps that bring a real company on: what to click in WeCom's console, in order, and what already works. Pure.

Menu names and rules come from the protocol notes (wecom-callbacks 1, 2, 5.2, 5.3, 6.4; customer-contact 1.2); where
no source was certain the step says so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from bot.doctor import Level, Topic, check_of
from crm_core.checkups import Checkup
from crm_core.config import AppPart, CorpPart, Settings, secret_name

IP_REFUSED = 60020
NOT_ASKED = "还没有运行过诊断"
MENU_VARIES = "菜单位置以管理后台为准"
CANNOT_ASK = "企业微信没有提供查询接口，请您自己确认"


class StepState(StrEnum):
    """done and todo are checked; unasked waits for the doctor; unknown cannot be checked, and says why."""

    DONE = "done"
    TODO = "todo"
    UNASKED = "unasked"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the product knows of one corp. proof_files: names of WeCom's domain proofs; is_synced: everything, once."""

    checkup: Checkup | None
    last_callback: datetime | None
    is_synced: bool
    live_codes: int
    admins: int
    proof_files: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class GuideStep:
    """One step. place: the menu path; acts: what to do there; values: (what it is, text to paste).

    says: what was found; path, path_name: a page of ours that does it.
    """

    key: str
    title: str
    place: str
    acts: tuple[str, ...]
    state: StepState
    says: str
    values: tuple[tuple[str, str], ...] = ()
    path: str = ""
    path_name: str = ""


def steps(settings: Settings, corp: CorpPart | None, facts: Facts) -> list[GuideStep]:
    """All steps in order. Without a corp only the first can be told."""
    if corp is None:
        return [_corp_step(None)]
    app = next(one for one in corp.apps if one.key == corp.contact_app)
    found = [_corp_step(corp), _app_step(app, facts), _callback_step(settings, app, facts)]
    found += [_domain_step(settings, app, facts), _ip_step(corp, facts), _contact_step(app, facts)]
    found += [_login_step(settings, app), *_directory_step(corp, facts)]
    found += [_sidebar_step(settings, one) for one in corp.apps if one.sidebar]
    return [*found, _sync_step(facts), _admin_step(facts), _code_step(facts)]


def open_steps(found: Sequence[GuideStep]) -> list[GuideStep]:
    """What is still to do, or to be looked at by the doctor."""
    return [step for step in found if step.state in (StepState.TODO, StepState.UNASKED)]


def _corp_step(corp: CorpPart | None) -> GuideStep:
    return GuideStep(
        key="corp",
        title="把企业写进配置",
        place="管理后台 → 我的企业 → 企业信息 → 企业ID",
        acts=(
            "复制企业 ID，填进 config.yaml 的 corps（文件末尾有完整的例子）",
            "设置环境变量后重启，再打开这一页",
        ),
        state=StepState.TODO if corp is None else StepState.DONE,
        says="还没有配置任何企业" if corp is None else f"已配置 {corp.name or corp.corp_id}（{corp.corp_id}）",
    )


def _app_step(app: AppPart, facts: Facts) -> GuideStep:
    state, says = _by_check(facts, check_of(app.key, Topic.CREDENTIAL))
    return GuideStep(
        key="app",
        title="创建自建应用，取得 AgentId 与 Secret",
        place="管理后台 → 应用管理，新建一个自建应用",
        acts=(
            "可见范围选上要使用本系统的成员",
            f"AgentId 填进 config.yaml 中应用 {app.key} 的 agent_id",
            "Secret 由管理员在企业微信客户端里查看，设置成下面的环境变量，然后重启",
        ),
        values=(("环境变量", secret_name(app.key, "secret")),),
        state=state,
        says=says,
    )


def _callback_step(settings: Settings, app: AppPart, facts: Facts) -> GuideStep:
    address = f"{settings.server.public_url}/callback/{app.key}"
    state, says = _by_check(facts, check_of(app.key, Topic.CALLBACK))
    if state is StepState.DONE and facts.last_callback is None:
        state, says = StepState.TODO, "我们这一端已经就绪，但还没有收到过企业微信的回调"
    elif facts.last_callback is not None and state is StepState.UNASKED:
        state, says = StepState.DONE, "已经收到过企业微信的回调"
    return GuideStep(
        key="callback",
        title="让企业微信把事件推送给我们",
        place="管理后台 → 应用管理 → 该应用 → 接收消息 → 设置API接收",
        acts=(
            "先定好 Token（至多 32 位字母数字）与 EncodingAESKey（43 位字母数字），设置成下面两个环境变量并重启本系统",
            "再把 URL、Token、EncodingAESKey 填好保存：保存时企业微信会立即验证这个地址",
            "勾选“外部联系人变更回调”，否则收不到添加好友的事件",
        ),
        values=(
            ("URL", address),
            ("Token 的环境变量", secret_name(app.key, "token")),
            ("EncodingAESKey 的环境变量", secret_name(app.key, "aes_key")),
        ),
        state=state,
        says=says,
    )


def _domain_step(settings: Settings, app: AppPart, facts: Facts) -> GuideStep:
    host = urlsplit(settings.server.public_url).netloc
    state, says = _by_check(facts, check_of(app.key, Topic.DOMAIN))
    files = f"已放好的校验文件：{'、'.join(facts.proof_files)}" if facts.proof_files else "还没有放校验文件"
    return GuideStep(
        key="domain",
        title="设置可信域名",
        place="管理后台 → 应用管理 → 该应用 → 网页授权及JS-SDK → 可信域名",
        acts=(
            "填下面的域名，端口也要一致；域名须已备案，主体与企业一致",
            "下载 WW_verify_….txt 校验文件，放进服务器上的 var/domain_proof/，本系统会在网站根目录提供它",
            f"回到企业微信点“校验”（{files}）",
        ),
        values=(("可信域名", host),),
        state=state,
        says=says,
    )


def _ip_step(corp: CorpPart, facts: Facts) -> GuideStep:
    if facts.checkup is None:
        state, says = StepState.UNASKED, NOT_ASKED
    else:
        refused = next((one for one in facts.checkup.findings if one["errcode"] == IP_REFUSED), None)
        reached = any(
            facts.checkup.finding(check_of(app.key, topic)) is not None
            for app in corp.apps
            for topic in (Topic.DOMAIN, Topic.CONTACT, Topic.DIRECTORY)
        )
        state = StepState.TODO if refused else StepState.DONE if reached else StepState.UNKNOWN
        says = str(refused["says"]) if refused else "企业微信接受了来自本机的调用" if reached else "还没有取得凭证"
    return GuideStep(
        key="ip",
        title="加入可信 IP",
        place="管理后台 → 应用管理 → 该应用 → 企业可信IP",
        acts=(
            "加入本系统所有服务器的出口 IP；诊断会告诉您企业微信看到的是哪个 IP",
            "新加入的 IP 约 1 分钟后生效",
        ),
        state=state,
        says=says,
    )


def _contact_step(app: AppPart, facts: Facts) -> GuideStep:
    state, says = _by_check(facts, check_of(app.key, Topic.CONTACT))
    return GuideStep(
        key="contact",
        title="授权客户联系",
        place="管理后台 → 客户联系",
        acts=(
            "“可调用接口的应用”里勾选这个自建应用",
            "“权限配置 → 使用范围”里加入要添加客户的成员，并确认他们在应用的可见范围内",
        ),
        state=state,
        says=says,
    )


def _login_step(settings: Settings, app: AppPart) -> GuideStep:
    return GuideStep(
        key="login",
        title="允许在浏览器里扫码登录控制台",
        place=f"管理后台 → 应用管理 → {app.name or '该应用'}，授权回调域（{MENU_VARIES}）",
        acts=("授权回调域填下面的域名：要与端口完全一致，不带 https://。它与可信域名是两项分开的设置",),
        values=(("授权回调域", urlsplit(settings.server.public_url).netloc),),
        state=StepState.UNKNOWN,
        says=CANNOT_ASK,
    )


def _directory_step(corp: CorpPart, facts: Facts) -> list[GuideStep]:
    contacts = next((app for app in corp.apps if app.kind == "contacts"), None)
    if contacts is None:
        return []
    state, says = _by_check(facts, check_of(contacts.key, Topic.DIRECTORY))
    return [
        GuideStep(
            key="directory",
            title="开通通讯录同步",
            place=f"管理后台，通讯录同步（{MENU_VARIES}）",
            acts=("取得通讯录同步的 Secret，设置成下面的环境变量后重启",),
            values=(("环境变量", secret_name(contacts.key, "secret")),),
            state=state,
            says=says,
        )
    ]


def _sidebar_step(settings: Settings, app: AppPart) -> GuideStep:
    return GuideStep(
        key=f"sidebar-{app.key}",
        title="把侧边栏放进聊天工具栏",
        place=f"管理后台 → 客户联系 → 聊天工具栏管理（{MENU_VARIES}）",
        acts=(
            f"选择应用“{app.name or app.key}”，页面地址填下面的 URL，单聊与群聊都勾选",
            "改动可能要几分钟才生效，有时需要重启企业微信客户端",
        ),
        values=(("页面地址", f"{settings.server.public_url}/sidebar/{app.key}/"),),
        state=StepState.UNKNOWN,
        says=CANNOT_ASK,
    )


def _sync_step(facts: Facts) -> GuideStep:
    return GuideStep(
        key="sync",
        title="第一次同步",
        place="本系统",
        acts=("把部门、成员、标签、客户、客户群读进来；客户多时要几分钟，可以随时离开这一页",),
        state=StepState.DONE if facts.is_synced else StepState.TODO,
        says="已完成全量同步" if facts.is_synced else "还没有完成过全量同步",
    )


def _admin_step(facts: Facts) -> GuideStep:
    return GuideStep(
        key="admin",
        title="指定管理员",
        place="本系统",
        acts=("在员工列表里给至少一位成员“管理员”角色，以后用企业微信登录即可",),
        state=StepState.DONE if facts.admins else StepState.TODO,
        says=f"已有 {facts.admins} 位管理员" if facts.admins else "还没有管理员，只能用密码登录",
        path="/console/staff",
        path_name="去员工列表",
    )


def _code_step(facts: Facts) -> GuideStep:
    return GuideStep(
        key="code",
        title="创建第一个渠道活码",
        place="本系统",
        acts=("建一个活码，自己扫一扫：能收到欢迎语，客户出现在侧边栏里，就全部打通了",),
        state=StepState.DONE if facts.live_codes else StepState.TODO,
        says=f"已有 {facts.live_codes} 个可用的活码" if facts.live_codes else "还没有可用的活码",
    )


def _by_check(facts: Facts, check: str) -> tuple[StepState, str]:
    if facts.checkup is None:
        return StepState.UNASKED, NOT_ASKED
    found: Mapping[str, Any] | None = facts.checkup.finding(check)
    if found is None:
        return StepState.UNKNOWN, "还查不了，先完成前面的步骤"
    if found["level"] == Level.OK:
        return StepState.DONE, str(found["says"])
    return StepState.TODO, str(found["says"])
