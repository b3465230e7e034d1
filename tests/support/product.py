"""The product in a test: settings that point at a local WeCom, a house in this process, or real processes."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import yaml

from bot.inbox import event_of
from bot.inbox_store import open_store
from bot.sandbox.company import Company
from bot.sandbox.model import ARCHIVE_AGENTID
from bot.sandbox.server import SandboxServer
from bot.wiring import House, build
from bot.worker import drain
from crm_core.config import AppSecrets, Settings
from crm_core.ids import CorpId

SECRET_KEY = "test-secret-key-of-at-least-32-characters"
APP = "main"
FRIDAY_MORNING = datetime(2026, 11, 20, 2, 0, tzinfo=UTC)  # 10:00 in Shanghai


class SetClock:
    """A clock that only a test moves; the local WeCom's clock goes with it."""

    def __init__(self, wecom: SandboxServer, moment: datetime = FRIDAY_MORNING) -> None:
        self._wecom = wecom
        self.moment = moment
        wecom.world.clock.set_now(moment.timestamp())

    def now(self) -> datetime:
        return self.moment

    def advance(self, **parts: float) -> None:
        self.moment += timedelta(**parts)
        self._wecom.world.clock.set_now(self.moment.timestamp())


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _lifted_limits(wecom: SandboxServer) -> dict[str, int]:
    """A local WeCom whose limits a test lifted is used without ours."""
    options = wecom.options
    return {
        "app_messages_per_member_minute": options.app_messages_per_member_minute,
        "app_messages_per_member_hour": options.app_messages_per_member_hour,
    }


def raw_config(
    wecom: SandboxServer,
    url: str,
    *,
    port: int,
    redis: str = "",
    archive: Mapping[str, Any] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """config.yaml of a product that talks to ``wecom``. archive: the corp's chat archive, with an app of its own."""
    app = wecom.app
    archive_app = [{"key": "archive", "kind": "archive", "callback": False}] if archive else []
    return {
        "server": {"port": port, "public_url": f"http://127.0.0.1:{port}"},
        "database": {"url": url},
        "redis": {"url": redis},
        "wecom": {
            "api_base": wecom.url,
            "open_base": wecom.url,
            "login_base": wecom.url,
            "jssdk_url": f"{wecom.url}/sandbox/jssdk.js",
            **_lifted_limits(wecom),
        },
        "corps": [
            {
                "corp_id": wecom.corp_id,
                "name": "云帆家居",
                "contact_app": APP,
                "apps": [
                    {"key": APP, "agent_id": app.agentid, "sidebar": True},
                    {"key": "contacts", "kind": "contacts", "callback": False},
                    *archive_app,
                ],
                "archive": archive,
            }
        ],
        **more,
    }


def archive_secret(wecom: SandboxServer) -> str:
    """Of the archive; any text where the local WeCom has none and a file stands for it."""
    found = wecom.world.corps[wecom.corp_id].apps.get(ARCHIVE_AGENTID)
    return found.secret if found else "archive-secret"


def secrets_of(wecom: SandboxServer) -> dict[str, str]:
    """The product's environment variables."""
    app = wecom.app
    return {
        "SCRM_SECRET_KEY": SECRET_KEY,
        "SCRM_MAIN_SECRET": app.secret,
        "SCRM_MAIN_TOKEN": app.callback.token,
        "SCRM_MAIN_AES_KEY": app.callback.aes_key,
        "SCRM_CONTACTS_SECRET": wecom.contacts_secret,
        "SCRM_ARCHIVE_SECRET": archive_secret(wecom),
    }


def make_settings(wecom: SandboxServer, url: str, *, port: int = 8700, **more: Any) -> Settings:
    """Settings without files or environment."""
    app = wecom.app
    main = AppSecrets(secret=app.secret, token=app.callback.token, aes_key=app.callback.aes_key)  # type: ignore[arg-type]
    raw = raw_config(wecom, url, port=port, **more)
    return Settings(
        **raw,
        secret_key=SECRET_KEY,
        app_secrets={
            APP: main,
            "contacts": AppSecrets(secret=wecom.contacts_secret),  # type: ignore[arg-type]
            "archive": AppSecrets(secret=archive_secret(wecom)),  # type: ignore[arg-type]
        },
    )


class InProcess:
    """A house in this process; callbacks are put into the inbox and worked off by hand."""

    def __init__(self, house: House, wecom: SandboxServer, clock: SetClock) -> None:
        self.house = house
        self.wecom = wecom
        self.clock = clock
        self.corp = CorpId(wecom.corp_id)

    def receive(self, xml: str, *, app: str = APP) -> None:
        """Store one decrypted callback, as the door does."""
        store = open_store(self.house.settings.database.url, self.house.turn)
        with store.turn():
            store.commit([event_of(self.corp, app, xml.encode())])
        store.close()

    def work(self) -> int:
        """Do everything that is due now."""
        return drain(self.house.loops)

    def add_xml(self, staff: str, external_user: str, *, state: str = "", code: str = "", at: int | None = None) -> str:
        """An add_external_contact callback."""
        moment = int(self.clock.now().timestamp()) if at is None else at
        extra = f"<State><![CDATA[{state}]]></State>" if state else ""
        extra += f"<WelcomeCode><![CDATA[{code}]]></WelcomeCode>" if code else ""
        return self.contact_xml("add_external_contact", staff, external_user, extra=extra, at=moment)

    def contact_xml(
        self, change: str, staff: str, external_user: str, *, extra: str = "", at: int | None = None
    ) -> str:
        """A change_external_contact callback."""
        moment = int(self.clock.now().timestamp()) if at is None else at
        return (
            f"<xml><ToUserName><![CDATA[{self.corp}]]></ToUserName><FromUserName><![CDATA[sys]]></FromUserName>"
            f"<CreateTime>{moment}</CreateTime><MsgType><![CDATA[event]]></MsgType>"
            "<Event><![CDATA[change_external_contact]]></Event>"
            f"<ChangeType><![CDATA[{change}]]></ChangeType><UserID><![CDATA[{staff}]]></UserID>"
            f"<ExternalUserID><![CDATA[{external_user}]]></ExternalUserID>{extra}</xml>"
        )


@contextmanager
def in_process(wecom: SandboxServer, url: str, **more: Any) -> Iterator[InProcess]:
    """A house with a clock that the test moves."""
    clock = SetClock(wecom)
    house = build(make_settings(wecom, url, **more), clock=clock)
    try:
        yield InProcess(house, wecom, clock)
    finally:
        house.close()


def admin(wecom: SandboxServer, path: str, body: Mapping[str, Any] | None = None, *, method: str = "") -> Any:
    """Ask the local WeCom's admin API."""
    verb = method or ("GET" if body is None else "POST")
    with httpx.Client(verify=False, timeout=20) as client:
        return ask_admin(client, wecom, path, body, verb)


def ask_admin(client: httpx.Client, wecom: SandboxServer, path: str, body: Any, verb: str = "POST") -> Any:
    """The same over a connection that is kept."""
    answer = client.request(verb, f"{wecom.url}/sandbox/api/{path}", json=body)
    answer.raise_for_status()
    return answer.json()


@dataclass
class Processes:
    """Real processes of the product over one configuration."""

    wecom: SandboxServer
    folder: Path
    port: int
    environment: dict[str, str]
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def callback_url(self) -> str:
        return f"{self.url}/callback/{APP}"

    def start(self, name: str, *command: str) -> subprocess.Popen[bytes]:
        """Start ``scrm <command>`` under a name of the test's choosing."""
        log = (self.folder / f"{name}.log").open("ab")
        arguments = [sys.executable, "-m", "bot", "--config", str(self.folder / "config.yaml"), *command]
        # a process group of its own, so that a test can kill granian's workers together with it
        self.running[name] = subprocess.Popen(
            arguments, env=self.environment, stdout=log, stderr=log, start_new_session=True
        )
        log.close()
        return self.running[name]

    def kill(self, name: str) -> None:
        """SIGKILL the process and its children."""
        process = self.running.pop(name)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def stop(self, name: str, *, seconds: float = 30) -> int:
        """SIGTERM and wait; answers the exit code."""
        process = self.running.pop(name)
        process.send_signal(signal.SIGTERM)
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise

    def wait_ready(self, *, seconds: float = 30) -> None:
        """Until the web process answers."""
        try:
            wait_for(lambda: _is_ready(f"{self.url}/readyz"), seconds=seconds, what="web process")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.logs()}") from None

    def logs(self) -> str:
        """The end of every log, for failure messages."""
        return "\n".join(f"== {path.name}\n{path.read_text()[-3000:]}" for path in self.folder.glob("*.log"))

    def close(self) -> None:
        for name in list(self.running):
            self.kill(name)


@contextmanager
def processes(wecom: SandboxServer, folder: Path, url: str, **more: Any) -> Iterator[Processes]:
    """Configuration and environment for real processes; whatever still runs is killed at the end."""
    port = free_port()
    config = raw_config(wecom, url, port=port, **more)
    (folder / "config.yaml").write_text(yaml.safe_dump(config, allow_unicode=True), "utf-8")
    app = wecom.world.corps[wecom.corp_id].apps[wecom.app.agentid]
    app.trusted_domains = [f"127.0.0.1:{port}"]
    app.sidebar_url = f"http://127.0.0.1:{port}/sidebar/"
    app.callback.url = f"http://127.0.0.1:{port}/callback/{APP}"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SCRM_")}
    environment |= secrets_of(wecom) | {"PYTHONPATH": str(Path.cwd()), "SCRM_LOG_LEVEL": "info"}
    crew = Processes(wecom, folder, port, environment)
    try:
        yield crew
    finally:
        crew.close()


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


def wait_for(condition: Any, *, seconds: float = 15, what: str = "condition") -> Any:
    """Poll something that another process brings about; fails loudly."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if value := condition():
            return value
        time.sleep(0.03)
    raise AssertionError(f"waited {seconds} s for {what}")


@contextmanager
def local_wecom(**options: Any) -> Iterator[SandboxServer]:
    """A local WeCom with the built-in company on a free port."""
    server = SandboxServer(Company.builtin())
    server.options.change(options)
    with server:
        yield server
