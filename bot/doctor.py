"""``scrm doctor``: asks WeCom, the database and ourselves; says in a sentence each what is wrong and where to click.

Never raises: whatever goes wrong inside a check is that check's finding.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from bot.wecom.errcodes import known
from bot.wecom.gateway import HttpWeComGateway
from bot.wecom.gateways import GatewaySet
from crm_core.config import AppPart, Settings, missing_secrets
from crm_core.errors import ScrmError, WeComError
from crm_core.ids import AppKey, CorpId

EGRESS_IP = re.compile(r"from ip: ([0-9a-fA-F.:]+)")
IP_REFUSED = 60020
SKEW_WARN_SECONDS = 5.0
SKEW_FAIL_SECONDS = 60.0
APP_PAGE = "管理后台 应用管理 → 该应用"


class Topic(StrEnum):
    """What a check of one app is about; part of the check's name."""

    CREDENTIAL = "凭证"
    DOMAIN = "可信域名"
    CONTACT = "客户联系"
    DIRECTORY = "通讯录"
    TICKETS = "JS-SDK"
    CALLBACK = "回调"


def check_of(app_key: str, topic: Topic) -> str:
    """The name of a check of one app."""
    return f"应用 {app_key} {topic.value}"


class Level(StrEnum):
    """How a check went."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One check. says: what is so, one sentence; fix: where to put it right, "" when all is well."""

    check: str
    level: Level
    says: str
    fix: str = ""
    errcode: int | None = None


Probe = Callable[[AppKey], str]
"""Sends a real encrypted echo to our own callback address; returns "" when it came back right, else what went wrong."""
Ask = Callable[[], str]
"""Returns "" when all is well, else what is wrong, in Chinese."""


def examine(
    settings: Settings,
    gateways: GatewaySet,
    *,
    probe_callback: Probe | None = None,
    database: Ask | None = None,
    migrations: Ask | None = None,
    meaning: Callable[[], Finding] | None = None,
) -> list[Finding]:
    """Run every check and return the findings in reading order; see ``examining``."""
    return list(
        examining(
            settings,
            gateways,
            probe_callback=probe_callback,
            database=database,
            migrations=migrations,
            meaning=meaning,
        )
    )


def examining(
    settings: Settings,
    gateways: GatewaySet,
    *,
    probe_callback: Probe | None = None,
    database: Ask | None = None,
    migrations: Ask | None = None,
    meaning: Callable[[], Finding] | None = None,
) -> Iterator[Finding]:
    """Run every check, one finding after the other, in reading order; a check without its probe is left out.

    Takes as long as WeCom takes: a few calls per app. Changes nothing.
    """
    yield from _config(settings)
    for corp in settings.corps:
        for app in corp.apps:
            gateway = _gateway(gateways, CorpId(corp.corp_id), AppKey(app.key))
            if gateway is not None:
                contact = app.key == corp.contact_app
                yield from _app(gateway, app, contact=contact, public_url=settings.server.public_url)
            if app.callback and probe_callback is not None:
                yield _callback(settings, AppKey(app.key), probe_callback)
    yield _skew(gateways.wire.skew_seconds)
    if database is not None:
        yield _asked("数据库", database, "数据库可用", "检查 database.url 与数据库服务是否在运行")
    if migrations is not None:
        yield _asked("表结构", migrations, "表结构已是最新", "运行 scrm migrate")
    if meaning is not None:
        yield meaning()


def render(findings: Sequence[Finding]) -> str:
    """The findings for a console, one line each, and a last line that counts them."""
    marks = {Level.OK: "✓", Level.WARN: "!", Level.FAIL: "✗"}
    lines = [f"{marks[one.level]} {one.check}：{one.says}" + (f" → {one.fix}" if one.fix else "") for one in findings]
    counts = {level: sum(1 for one in findings if one.level is level) for level in Level}
    lines.append(
        f"共 {len(findings)} 项：{counts[Level.OK]} 正常，{counts[Level.WARN]} 提醒，{counts[Level.FAIL]} 故障"
    )
    return "\n".join(lines)


def _config(settings: Settings) -> Iterator[Finding]:
    for fault in missing_secrets(settings):
        yield Finding("配置", Level.FAIL, fault, "在启动环境中设置该变量后重启")
    if not settings.data_key_list:
        said = "聊天内容用 SCRM_SECRET_KEY 派生的密钥加密；更换 SCRM_SECRET_KEY 后旧内容将无法打开"
        yield Finding("聊天内容密钥", Level.WARN, said, "设置 SCRM_DATA_KEYS 后运行 scrm keys rotate")
    if not settings.corps:
        yield Finding("配置", Level.FAIL, "还没有配置任何企业", "在 config.yaml 的 corps 中填写企业与应用")
    address = urlsplit(settings.server.public_url)
    if address.scheme != "https" and not settings.demo.enabled:
        yield Finding(
            "配置",
            Level.WARN,
            f"server.public_url 是 {settings.server.public_url}，企业微信内的网页与回调需要公网 https 地址",
            "把 server.public_url 改为员工手机能访问的 https 域名",
        )
    else:
        yield Finding("配置", Level.OK, f"对外地址 {settings.server.public_url}")


def _gateway(gateways: GatewaySet, corp: CorpId, app: AppKey) -> HttpWeComGateway | None:
    try:
        return gateways.of(corp, app)
    except ScrmError:
        return None


def _app(gateway: HttpWeComGateway, app: AppPart, *, contact: bool, public_url: str) -> Iterator[Finding]:
    """All checks of one app; without a token the others would only repeat the same fault."""
    token = _asked(check_of(app.key, Topic.CREDENTIAL), lambda: _quiet(gateway.client.token), "Secret 有效，已取得凭证")
    yield token
    if token.level is Level.FAIL:
        return
    if app.agent_id:
        yield _told(check_of(app.key, Topic.DOMAIN), lambda: _domain(gateway, app.key, public_url))
    if contact:
        yield _told(check_of(app.key, Topic.CONTACT), lambda: _contact_scope(gateway, app.key))
    elif app.kind == "contacts":
        yield _asked(check_of(app.key, Topic.DIRECTORY), lambda: _quiet(gateway.list_departments), "可以读取部门")
    if app.sidebar:
        yield _asked(check_of(app.key, Topic.TICKETS), lambda: _tickets(gateway), "企业票据与应用票据都可取得")


def _domain(gateway: HttpWeComGateway, key: str, public_url: str) -> Finding:
    check = check_of(key, Topic.DOMAIN)
    facts = gateway.app_facts()
    if facts.closed:
        return Finding(check, Level.FAIL, "应用已被停用", f"{APP_PAGE} → 启用")
    ours = urlsplit(public_url).netloc
    if facts.redirect_domain.lower() != ours.lower():
        there = f"是 {facts.redirect_domain}" if facts.redirect_domain else "还没有填写"
        return Finding(
            check,
            Level.FAIL,
            f"可信域名{there}，与 server.public_url 的 {ours} 不一致",
            f"{APP_PAGE} → 网页授权及JS-SDK → 可信域名 填 {ours}（端口也要一致）并完成校验",
        )
    return Finding(check, Level.OK, f"可信域名是 {ours}")


def _contact_scope(gateway: HttpWeComGateway, key: str) -> Finding:
    check = check_of(key, Topic.CONTACT)
    staff = gateway.list_follow_staff()
    if not staff:
        return Finding(
            check,
            Level.FAIL,
            "应用可见范围内没有人有客户联系功能",
            f"管理后台 客户联系 → 权限配置 → 使用范围 加入成员，并核对 {APP_PAGE} → 可见范围",
        )
    return Finding(check, Level.OK, f"可见范围内 {len(staff)} 人有客户联系功能")


def _tickets(gateway: HttpWeComGateway) -> str:
    gateway.jsapi_ticket(for_app=False)
    gateway.jsapi_ticket(for_app=True)
    return ""


def _callback(settings: Settings, key: AppKey, probe: Probe) -> Finding:
    address = f"{settings.server.public_url}/callback/{key}"
    return _asked(
        check_of(key, Topic.CALLBACK),
        lambda: probe(key),
        f"{address} 验签、解密、应答都正确",
        f"{APP_PAGE} → 接收消息 → 设置API接收：URL 填 {address}，Token 与 EncodingAESKey 与环境变量一致",
    )


def _skew(seconds: float | None) -> Finding:
    if seconds is None:
        return Finding("时钟", Level.WARN, "没有连上企业微信，无法比较时钟", "先修复上面的连接问题")
    size = abs(seconds)
    if size <= SKEW_WARN_SECONDS:
        return Finding("时钟", Level.OK, f"与企业微信相差 {size:.0f} 秒")
    level = Level.FAIL if size > SKEW_FAIL_SECONDS else Level.WARN
    way = "慢" if seconds > 0 else "快"
    return Finding("时钟", level, f"本机时钟比企业微信{way} {size:.0f} 秒", "在服务器上开启 NTP 对时")


def _quiet(act: Callable[[], object]) -> str:
    act()
    return ""


def _asked(check: str, ask: Ask, fine: str, fix: str = "") -> Finding:
    def tell() -> Finding:
        wrong = ask()
        return Finding(check, Level.FAIL, wrong, fix) if wrong else Finding(check, Level.OK, fine)

    return _told(check, tell)


def _told(check: str, tell: Callable[[], Finding]) -> Finding:
    """The finding of a check; a fault inside it is a finding, too."""
    try:
        return tell()
    except WeComError as error:
        return _refused(check, error)
    except ScrmError as error:
        return Finding(check, Level.FAIL, error.message or error.code)
    except Exception as error:  # noqa: BLE001 - a doctor that dies helps nobody; the fault is told, not hidden
        return Finding(check, Level.FAIL, f"检查本身出错：{type(error).__name__}", "查看日志")


def _refused(check: str, error: WeComError) -> Finding:
    row = known(error.errcode, error.call) if error.errcode is not None else None
    if row is None:
        return Finding(check, Level.FAIL, error.message, errcode=error.errcode)
    address = EGRESS_IP.search(error.errmsg) if row.code == IP_REFUSED else None
    seen = f"，企业微信看到的出口 IP 是 {address.group(1)}" if address else ""
    return Finding(check, Level.FAIL, f"{row.wording}（{row.code}）{seen}", row.remedy, row.code)
