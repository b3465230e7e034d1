"""Every command of ``scrm`` through its own door, against the local WeCom."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from bot import cli, qr
from bot.sandbox.server import SandboxServer
from crm_core import outbox
from tests.support.bench import Bench
from tests.support.product import free_port, raw_config, secrets_of

Scrm = Callable[..., Result]
STAFF = "zhang.san"


@pytest.fixture
def config(sandbox: SandboxServer, database_url: str, tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(raw_config(sandbox, database_url, port=free_port()), allow_unicode=True), "utf-8")
    return path


@pytest.fixture
def scrm(sandbox: SandboxServer, config: Path, product_logs: None) -> Iterator[Scrm]:
    """``scrm --config …`` in this process; answers exit code and output."""
    on_interrupt = signal.getsignal(signal.SIGINT)

    def run(*arguments: str, typed: str = "", environment: dict[str, str] | None = None) -> Result:
        runner = CliRunner(
            env=secrets_of(sandbox) | {"COLUMNS": "200", "SCRM_LOG_LEVEL": "error"} | (environment or {})
        )
        return runner.invoke(cli.main, ["--config", str(config), *arguments], input=typed)

    yield run
    signal.signal(signal.SIGINT, on_interrupt)


def fine(result: Result) -> str:
    assert result.exit_code == 0, result.output + repr(result.exception)
    return result.output


def test_help_names_every_command(scrm: Scrm) -> None:
    said = fine(scrm("--help"))
    for name in ("serve", "web", "worker", "scheduler", "migrate", "demo", "sync", "replay", "status", "contact-way",
                 "sop", "doctor"):  # fmt: skip
        assert f"  {name} " in said
        assert scrm(name, "--help").exit_code == 0
    assert scrm("no-such-command").exit_code == 2


def test_a_bad_configuration_prints_every_fault_and_starts_nothing(
    scrm: Scrm, config: Path, sandbox: SandboxServer
) -> None:
    raw = yaml.safe_load(config.read_text("utf-8"))
    raw["server"]["port"] = 0
    raw["server"]["prot"] = 1
    raw["secret_key"] = "in the file"
    raw["sop"] = {"tick_seconds": -1}
    config.write_text(yaml.safe_dump(raw), "utf-8")
    for command in ("status", "serve", "worker", "scheduler", "migrate", "doctor", "sync"):
        result = scrm(command)
        assert result.exit_code == 1
        for word in ("server.port", "server.prot：不认识的键", "secret_key：密钥只能来自环境变量", "sop.tick_seconds"):
            assert word in result.output
        assert "Traceback" not in result.output


def test_missing_secrets_are_all_named(scrm: Scrm) -> None:
    result = scrm("status", environment={"SCRM_SECRET_KEY": "short", "SCRM_MAIN_SECRET": "", "SCRM_MAIN_AES_KEY": "x"})
    assert result.exit_code == 1
    for name in ("SCRM_SECRET_KEY", "SCRM_MAIN_SECRET", "SCRM_MAIN_AES_KEY"):
        assert name in result.output


def test_sync_prints_what_it_did_and_fails_when_a_stage_did(scrm: Scrm, sandbox: SandboxServer) -> None:
    said = fine(scrm("sync", "--full"))
    assert "标签库：11 条" in said
    assert "客户群：2 条" in said
    assert "新增客户：0 条" in fine(scrm("sync"))
    assert "客户群" in fine(scrm("sync", "--corp", sandbox.corp_id))
    other = scrm("sync", "--corp", "ww_other")
    assert other.exit_code == 1
    assert "请用 --corp 指定企业" in other.output
    sandbox.world.faults.add({"match": "externalcontact/get_corp_tag_list", "kind": "errcode", "code": 48002})
    result = scrm("sync", "--full")
    assert result.exit_code == 1
    assert "48002" in result.output


def test_status_counts_rows_and_shows_the_sync(scrm: Scrm, bench: Bench) -> None:
    bench.put(outbox.FETCH_GROUP, {"chat": "wr1"})
    fine(scrm("sync", "--full"))
    said = fine(scrm("status"))
    assert "outbox" in said
    assert "ready" in said
    assert "部门与成员" in said
    assert "done" in said


def dead(bench: Bench, number: int, state: str = "dead") -> list[int]:
    ids = [bench.put(outbox.FETCH_GROUP, {"chat": f"wr-{state}-{each}"}) for each in range(number)]
    for row_id in ids:
        bench.change(bench.house.outbox, row_id, state=state)
    return ids


def states(bench: Bench) -> list[str]:
    return [row.state for row in bench.rows(bench.house.outbox)]


def test_replay_with_nothing_to_replay(scrm: Scrm) -> None:
    for table in ("inbox", "outbox", "jobs"):
        assert fine(scrm("replay", table)) == "没有可重放的行\n"
    assert scrm("replay", "secrets").exit_code == 2


def test_replay_asks_first_and_takes_no_for_an_answer(scrm: Scrm, bench: Bench) -> None:
    dead(bench, 2)
    said = fine(scrm("replay", "outbox", typed="n\n"))
    assert "dead 2 行" in said
    assert "确定重放" in said
    assert states(bench) == ["dead", "dead"]
    assert "已重新排队 2 行" in fine(scrm("replay", "outbox", typed="y\n"))
    assert states(bench) == ["ready", "ready"]


def test_replay_by_id_and_by_state(scrm: Scrm, bench: Bench) -> None:
    first, _ = dead(bench, 2)
    dead(bench, 1, "unknown")
    assert "已重新排队 1 行" in fine(scrm("replay", "outbox", "--id", str(first), "--yes"))
    assert states(bench) == ["ready", "dead", "unknown"]
    warned = fine(scrm("replay", "outbox", "--state", "unknown", typed="y\n"))
    assert "可能让客户收到两次" in warned
    assert states(bench) == ["ready", "dead", "ready"]
    assert scrm("replay", "outbox", "--state", "done").exit_code == 2


def test_a_live_code_from_the_command_line_to_the_picture(scrm: Scrm, bench: Bench, tmp_path: Path) -> None:
    attachments = tmp_path / "attachments.yaml"
    link = {"msgtype": "link", "link": {"title": "案例", "url": "https://yunfan.example.com"}}
    attachments.write_text(yaml.safe_dump([link], allow_unicode=True), "utf-8")
    said = fine(
        scrm("contact-way", "add", "--name", "门店码", "--staff", STAFF, "--staff", "LiNa", "--welcome", "{昵称}您好",
             "--attachments", str(attachments), "--remark", "{昵称}·门店", "--verify")
    )  # fmt: skip
    assert "活码 1 已登记" in said
    early = scrm("contact-way", "qr", "1", str(tmp_path / "early.png"))
    assert early.exit_code == 1
    assert "还没有二维码" in early.output
    bench.clock.moment = bench.clock.moment.replace(year=2030)  # whatever real time the command wrote is due
    bench.work()
    listed = fine(scrm("contact-way", "list", "--words", "门店"))
    assert "active" in listed
    assert "zhang.san、LiNa" in listed
    assert "门店码" not in fine(scrm("contact-way", "list", "--words", "没有"))
    for name in ("code.png", "code.svg"):
        assert "已写入" in fine(scrm("contact-way", "qr", "1", str(tmp_path / name)))
    (way,) = bench.wecom.world.corps[bench.corp].ways.values()
    assert way.state in said
    assert qr.decode((tmp_path / "code.png").read_bytes())
    assert (tmp_path / "code.svg").read_bytes().lstrip().startswith(b"<")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("add", "--name", " ", "--staff", STAFF), "请填写活码名称"),
        (("add", "--name", "码", "--staff", STAFF, "--remark", "长" * 30), "客户备注最多"),
        (("add", "--name", "码", "--staff", STAFF, "--corp", "ww_other"), "请用 --corp 指定企业"),
        (("qr", "99", "x.png"), "没有这个活码"),
        (("list", "--corp", "ww_other"), "请用 --corp 指定企业"),
    ],
)
def test_what_cannot_be_done_is_told_in_one_sentence(scrm: Scrm, arguments: tuple[str, ...], words: str) -> None:
    result = scrm("contact-way", *arguments)
    assert result.exit_code == 1
    assert words in result.output
    assert "Traceback" not in result.output


def test_a_picture_that_is_none_is_refused(scrm: Scrm, bench: Bench, tmp_path: Path) -> None:
    fine(scrm("contact-way", "add", "--name", "码", "--staff", STAFF))
    bench.clock.moment = bench.clock.moment.replace(year=2030)
    bench.work()
    nowhere = scrm("contact-way", "qr", "1", str(tmp_path / "no" / "folder" / "x.png"))
    assert nowhere.exit_code == 1
    assert "写不了" in nowhere.output
    (tmp_path / "logo.txt").write_text("no picture")
    result = scrm("contact-way", "qr", "1", str(tmp_path / "x.png"), "--logo", str(tmp_path / "logo.txt"))
    assert result.exit_code == 1
    assert "不是可识别的图片" in result.output


PLAN = {
    "key": "test_plan",
    "name": "测试计划",
    "trigger": "follow_started",
    "steps": [{"key": "one", "title": "第一步", "when": {"kind": "at_once"}, "message": {"text": "您好"}}],
}


def test_sop_import_keeps_versions(scrm: Scrm, tmp_path: Path) -> None:
    file = tmp_path / "plan.yaml"

    def write(plan: Any) -> None:
        file.write_text(yaml.safe_dump(plan, allow_unicode=True), "utf-8")

    write(PLAN)
    assert "测试计划 第 1 版已启用" in fine(scrm("sop", "import", str(file)))
    assert "第 1 版" in fine(scrm("sop", "import", str(file)))
    write(PLAN | {"name": "改过的计划"})
    assert "改过的计划 第 2 版已启用" in fine(scrm("sop", "import", str(file)))


@pytest.mark.parametrize(
    "text", ["key: [", "just words", "name: 没有步骤\n", "key: a\nname: b\ntrigger: x\nsteps: []\n"]
)
def test_a_plan_that_is_none_is_told_in_one_sentence(scrm: Scrm, tmp_path: Path, text: str) -> None:
    file = tmp_path / "plan.yaml"
    file.write_text(text, "utf-8")
    result = scrm("sop", "import", str(file))
    assert result.exit_code == 1
    assert result.output.startswith("Error: ")


@pytest.mark.parametrize("content", [b"key: [", b"\xff\xfe", b"just words", b"- 1", b"a: 1"])
def test_files_that_are_none_are_told_in_one_sentence(scrm: Scrm, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "file.yaml"
    file.write_bytes(content)
    for command in (
        ("contact-way", "add", "--name", "码", "--staff", STAFF, "--attachments", str(file)),
        ("sop", "import", str(file)),
    ):
        result = scrm(*command)
        assert (result.exit_code, result.output[:7]) == (1, "Error: "), (command, result.exception)
    assert scrm("sop", "import", str(tmp_path)).exit_code == 2


def test_migrate_and_its_check(scrm: Scrm, bench: Bench) -> None:
    assert fine(scrm("migrate")) == "数据库已是当前版本\n"
    assert fine(scrm("migrate", "--check")) == "一致\n"
    with bench.without_table("script_groups"):
        result = scrm("migrate", "--check")
    assert result.exit_code == 1
    assert "script_groups" in result.output


def test_role_makes_the_first_admin(scrm: Scrm) -> None:
    assert "没有这位成员" in scrm("role", "sun_hao", "admin").output
    scrm("sync")
    given = scrm("role", "sun_hao", "admin", "--scope", "corps")
    assert "sun_hao 现在是管理员，数据范围：全部企业" in given.output
    refused = scrm("role", "sun_hao", "staff")
    assert refused.exit_code == 1
    assert "最后一位管理员" in refused.output


def test_doctor_finds_what_is_wrong(scrm: Scrm, sandbox: SandboxServer) -> None:
    result = scrm("doctor")
    assert result.exit_code == 1  # nothing serves the callback URL here
    assert "✓ 数据库" in result.output
    assert "✗ 应用 main 回调" in result.output
    assert "Traceback" not in result.output
    assert sandbox.app.secret not in result.output


def test_demo_shows_its_callback_only_once_it_ran(scrm: Scrm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = scrm("demo", "--show-callback")
    assert result.exit_code == 1
    assert "还没有启动过" in result.output
    (tmp_path / "var" / "demo").mkdir(parents=True)
    (tmp_path / "var" / "demo" / "callback.env").write_text("CORP_ID=ww1\n")
    assert fine(scrm("demo", "--show-callback")) == "CORP_ID=ww1\n"


@pytest.mark.parametrize("command", ["worker", "scheduler"])
def test_long_running_commands_start_say_ready_and_end_on_sigterm(
    config: Path, sandbox: SandboxServer, command: str
) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SCRM_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "bot", "--config", str(config), command],
        env=environment | secrets_of(sandbox) | {"PYTHONPATH": str(Path.cwd())},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    with process:
        lines = iter(process.stderr.readline, "")
        assert any(line == "ready\n" for line in lines)
        process.send_signal(signal.SIGTERM)
        rest = process.stderr.read()
    assert process.returncode == 0
    assert "Traceback" not in rest
