"""``scrm demo``: the product together with the local WeCom, nothing to set up.

The local WeCom runs in this process, the product in a child of its own, as in real life: they only meet over HTTP.
"""

import os
import secrets
import shutil
import signal
import string
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import httpx
import yaml

if TYPE_CHECKING:
    from bot.sandbox.server import SandboxServer

APP_KEY = "main"
CONTACTS_KEY = "contacts"
ARCHIVE_KEY = "archive"
ARCHIVE_TICK_SECONDS = 3
READY_SECONDS = 30.0
LOOK_SECONDS = 0.1
WAYS_WANTED = 3
LETTERS = string.ascii_letters + string.digits
FOLDER = Path("var") / "demo"
CALLBACK_FILE = FOLDER / "callback.env"


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="监听地址")
@click.option("--port", default=8700, show_default=True, help="产品端口")
@click.option("--wecom-port", default=8701, show_default=True, help="本地企业微信端口")
@click.option("--show-callback", is_flag=True, help="打印外部程序接入所需的 NAME=value，不启动任何东西")
@click.option("--play-day", is_flag=True, help="就绪后自动“演一天”：约一分钟演完从开门到打烊的一天")
def demo(*, host: str, port: int, wecom_port: int, show_callback: bool, play_day: bool) -> None:
    """启动演示：产品 + 本地企业微信 + 一家小公司。每次启动都从头开始。"""
    if show_callback:
        if not CALLBACK_FILE.is_file():
            raise click.ClickException("演示还没有启动过：先运行 make demo")
        click.echo(CALLBACK_FILE.read_text("utf-8").rstrip())
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # told to end while starting: the product ends as well
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    began = time.monotonic()
    product_url = f"http://{host}:{port}"
    with _local_wecom(host, wecom_port, product_url) as wecom:
        environment = _prepare(wecom, host, port, product_url)
        with _product(environment) as product:
            _wait_until_ready(wecom, product, product_url)
            _tell(wecom, product_url, time.monotonic() - began)
            if play_day:
                wecom.player.start(wecom.corp_id)
            _stay(product)


@contextmanager
def _local_wecom(host: str, port: int, product_url: str) -> Iterator["SandboxServer"]:
    from bot.sandbox.company import Company  # noqa: PLC0415 - only the demo and tests start it
    from bot.sandbox.server import SandboxServer  # noqa: PLC0415

    company = Company.builtin()
    domain = product_url.removeprefix("http://")
    app = company.corps[0]["apps"][0]
    app["trusted_domains"] = app["web_login_domains"] = [domain, f"localhost:{domain.rpartition(':')[2]}"]
    company.open_archive(f"{product_url}/callback/{ARCHIVE_KEY}")
    company.settle({"callback_url": f"{product_url}/callback/{APP_KEY}", "sidebar_url": f"{product_url}/sidebar/"})
    server = SandboxServer(company, host=host, port=port, clock_file=FOLDER / "clock.json")
    try:
        server.start()
    except OSError as error:
        raise click.ClickException(f"端口 {port} 不可用：{error.strerror}") from None
    try:
        yield server
    finally:
        server.stop()


def _prepare(wecom: "SandboxServer", host: str, port: int, product_url: str) -> dict[str, str]:
    """Write config.yaml and the callback file of this demo; answers the child's environment."""
    app = wecom.app
    config: dict[str, Any] = {
        "server": {"host": host, "port": port, "public_url": product_url},
        "database": {"url": f"sqlite:///{FOLDER / 'scrm.db'}"},
        "wecom": {
            "api_base": wecom.url,
            "open_base": wecom.url,
            "login_base": wecom.url,
            "jssdk_url": f"{wecom.url}/sandbox/jssdk.js",
        },
        "sop": {"tick_seconds": 1},
        "demo": {"enabled": True, "clock_file": str(FOLDER / "clock.json")},
        "corps": [
            {
                "corp_id": wecom.corp_id,
                "name": "云帆家居",
                "contact_app": APP_KEY,
                "apps": [
                    {"key": APP_KEY, "name": app.name, "agent_id": app.agentid, "sidebar": True},
                    {"key": CONTACTS_KEY, "name": "通讯录同步", "kind": "contacts", "callback": False},
                    {"key": ARCHIVE_KEY, "name": "会话存档", "kind": "archive"},
                ],
                "archive": _archive_part(wecom),
            }
        ],
    }
    (FOLDER / "config.yaml").write_text(yaml.safe_dump(config, allow_unicode=True, sort_keys=False), "utf-8")
    values = {
        "CALLBACK_URL": f"{product_url}/callback/{APP_KEY}",
        "CALLBACK_TOKEN": app.callback.token,
        "CALLBACK_KEY": app.callback.aes_key,
        "CORP_ID": wecom.corp_id,
        "API_BASE": wecom.url,
        "AGENT_ID": str(app.agentid),
        "APP_SECRET": app.secret,
        "CONTACTS_SECRET": wecom.contacts_secret,
    }
    CALLBACK_FILE.touch(0o600)
    CALLBACK_FILE.write_text("".join(f"{name}={value}\n" for name, value in values.items()), "utf-8")
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("SCRM_")},
        "SCRM_LOG_LEVEL": os.environ.get("SCRM_LOG_LEVEL", "warning"),
        "SCRM_SECRET_KEY": "".join(secrets.choice(LETTERS) for _ in range(48)),
        "SCRM_MAIN_SECRET": app.secret,
        "SCRM_MAIN_TOKEN": app.callback.token,
        "SCRM_MAIN_AES_KEY": app.callback.aes_key,
        "SCRM_CONTACTS_SECRET": wecom.contacts_secret,
        **_archive_environment(wecom),
    }


def _archive_part(wecom: "SandboxServer") -> dict[str, Any]:
    """The corp's archive: through a library compiled here, or without one where there is no C compiler."""
    from bot.sandbox.archive_seal import build_library, compiler  # noqa: PLC0415 - only the demo and tests need it

    keys = FOLDER / "archive-keys"
    keys.mkdir()
    archive = wecom.world.corps[wecom.corp_id].archive
    if archive is not None:
        (keys / f"{archive.key.version}.pem").write_text(archive.key.private_pem, "ascii")
    source = "library" if compiler() else "local_wecom"
    library = str(build_library(FOLDER)) if compiler() else ""
    return {
        "app": ARCHIVE_KEY,
        "source": source,
        "library": library,
        "keys_folder": str(keys),
        "tick_seconds": ARCHIVE_TICK_SECONDS,
        "processes": 1,
    }


def _archive_environment(wecom: "SandboxServer") -> dict[str, str]:
    from bot.sandbox.archive_seal import PLACE  # noqa: PLC0415
    from bot.sandbox.model import ARCHIVE_AGENTID  # noqa: PLC0415

    app = wecom.world.corps[wecom.corp_id].apps[ARCHIVE_AGENTID]
    return {
        PLACE: wecom.url,
        "SCRM_ARCHIVE_SECRET": app.secret,
        "SCRM_ARCHIVE_TOKEN": app.callback.token,
        "SCRM_ARCHIVE_AES_KEY": app.callback.aes_key,
    }


@contextmanager
def _product(environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "bot", "--config", str(FOLDER / "config.yaml"), "serve"]
    child = subprocess.Popen(command, env=environment)  # noqa: S603 - our own program
    try:
        yield child
    finally:
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(20)
        except subprocess.TimeoutExpired:
            child.kill()


def _wait_until_ready(wecom: "SandboxServer", product: subprocess.Popen[bytes], product_url: str) -> None:
    """Until the product answers and its live codes are made at the local WeCom."""
    until = time.monotonic() + READY_SECONDS
    corp = wecom.world.corps[wecom.corp_id]
    while time.monotonic() < until:
        if product.poll() is not None:
            raise click.ClickException("产品没有启动成功，原因见上面的日志（常见：端口被占用，可用 --port 换一个）")
        try:
            ready = httpx.get(f"{product_url}/readyz", timeout=2).status_code == httpx.codes.OK
        except httpx.HTTPError:
            ready = False
        if ready and len(corp.ways) >= WAYS_WANTED:
            return
        time.sleep(LOOK_SECONDS)
    raise click.ClickException(f"等了 {READY_SECONDS:.0f} 秒仍未就绪")


def _tell(wecom: "SandboxServer", product_url: str, seconds: float) -> None:
    click.echo(
        f"""
演示已就绪（{seconds:.1f} 秒）

  打开  {wecom.url}/
        左边是客户的手机：选“门店活码·徐汇”，点“扫码”添加好友
        右边是员工的企业微信：看到欢迎语、侧边栏里的客户、跟进任务，点“发送”，任务完成
        上方：拨时钟、制造故障，或点“演一天”，一分钟看完从开门到打烊

  产品  {product_url}/console/    控制台（演示中一键登录：孙浩是管理员，周敏是运营，陈静是主管）
        {product_url}/sidebar/    侧边栏（选一位员工即可）
  接入  scrm demo --show-callback 打印外部程序接入所需的地址、Token、Key

外部程序接入："""
    )
    click.echo(CALLBACK_FILE.read_text("utf-8"))
    click.echo("按 Ctrl+C 结束；数据在 var/demo，下次启动会重新开始。")


def _stay(product: subprocess.Popen[bytes]) -> None:
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    while not stopping.wait(0.5):
        if product.poll() is not None:
            raise click.ClickException("产品进程意外结束，原因见上面的日志")
