"""Commands that look after data: sync, replay, status, live codes, SOPs."""

import signal
import threading
from pathlib import Path
from typing import Any

import click
import yaml
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn
from rich.table import Table

from bot import bootstrap, qr
from bot.cli import settings_of
from bot.replaying import TABLES, replay_rows, table_of
from bot.sync import Syncer
from bot.wiring import House, build
from crm_core import contact_ways, sync_progress
from crm_core.contact_ways import ContactWayForm
from crm_core.errors import ScrmError
from crm_core.ids import AppKey, CorpId
from crm_core.lease import REPLAYABLE_STATES
from sop import service as sop_service
from sop.model import parse_plan

FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
ONE_CORP = "企业 ID；只有一个企业时可省略"
STAGE_NAMES = {
    "directory": "部门与成员",
    "tags": "标签库",
    "customers": "客户",
    "groups": "客户群",
    "customers.new": "新增客户",
    "groups.new": "新增客户群",
}


def open_house(ctx: click.Context) -> House:
    """The house of the configured installation, logs on; closed with the command."""
    bootstrap.configure_logs()
    house = build(settings_of(ctx))
    ctx.call_on_close(house.close)
    return house


def pick_corp(house: House, corp: str | None) -> CorpId:
    """The corp named by the option, or the only one."""
    corps = [part.corp_id for part in house.settings.corps]
    if corp is None and len(corps) == 1:
        return CorpId(corps[0])
    if corp is None or corp not in corps:
        raise click.ClickException(f"请用 --corp 指定企业：{'、'.join(corps) or '配置中还没有企业'}")
    return CorpId(corp)


def read_yaml(file: Path) -> Any:
    """What a YAML file says, or a readable end of the command."""
    try:
        return yaml.safe_load(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise click.ClickException(f"{file.name}：不是可读的 YAML 文件（{error}）") from None


@click.command()
@click.option("--full", is_flag=True, help="全量：重新读取每一位客户与每一个群；默认只读新增")
@click.option("--corp", default=None, help="只同步这个企业")
@click.pass_context
def sync(ctx: click.Context, *, full: bool, corp: str | None) -> None:
    """与企业微信同步部门、成员、标签、客户、客户群；可随时中断，下次从断点继续。"""
    house = open_house(ctx)
    only = pick_corp(house, corp) if corp is not None else None
    stopping = threading.Event()
    signal.signal(signal.SIGINT, lambda *_: stopping.set())
    failed = False
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        tasks: dict[str, Any] = {}

        def report(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = progress.add_task(STAGE_NAMES.get(stage, stage), total=total or None)
            if total:
                progress.update(tasks[stage], completed=done, total=total)
            else:
                progress.advance(tasks[stage], done)

        for gateway in house.gateways:
            if only is not None and gateway.corp_id != only:
                continue
            syncer = Syncer(house.db, gateway, house.files, stopping=stopping, report=report)
            for result in syncer.run(full=full):
                failed = failed or bool(result.error)
                name = STAGE_NAMES.get(result.stage, result.stage)
                click.echo(f"{result.corp} {name}：{result.done} 条" + (f"，{result.error}" if result.error else ""))
    if failed:
        ctx.exit(1)


@click.command()
@click.argument("table", type=click.Choice(TABLES))
@click.option("--id", "ids", type=int, multiple=True, help="只重放这些行")
@click.option("--state", "states", type=click.Choice(REPLAYABLE_STATES), multiple=True, help="只重放这些状态")
@click.option("--yes", is_flag=True, help="不再询问")
@click.pass_context
def replay(ctx: click.Context, table: str, ids: tuple[int, ...], states: tuple[str, ...], *, yes: bool) -> None:
    """把放弃的收件、发件、内部任务重新排队。unknown 状态的发件可能已执行过，重放前请核对。"""
    house = open_house(ctx)
    with house.db.reading() as session:
        counts = table_of(house, table).counts(session)
    waiting = {state: counts.get(state, 0) for state in (states or REPLAYABLE_STATES) if counts.get(state)}
    if not waiting:
        click.echo("没有可重放的行")
        return
    click.echo(f"{table}：" + "，".join(f"{state} {count} 行" for state, count in waiting.items()))
    if table == "outbox" and "unknown" in waiting and not yes:
        click.echo("注意：unknown 的发件可能已在企业微信执行过，重放可能让客户收到两次。")
    if not yes and not click.confirm("确定重放？"):
        return
    with house.db.unit() as uow:
        count = replay_rows(uow, house, table, list(ids) or None, states=list(states) or None)
        uow.commit()
    click.echo(f"已重新排队 {count} 行")


@click.command()
@click.pass_context
def status(ctx: click.Context) -> None:
    """收件、发件、任务的数量与同步进度。"""
    house = open_house(ctx)
    console = Console()
    table = Table("表", "状态", "行数")
    with house.db.reading() as session:
        for name in TABLES:
            for state, count in sorted(table_of(house, name).counts(session).items()):
                table.add_row(name, state, str(count))
        console.print(table)
        for corp in house.settings.corps:
            stages = Table("企业", "同步", "状态", "已处理", "更新时间")
            for item in sync_progress.listing(session, CorpId(corp.corp_id)):
                name = STAGE_NAMES.get(item.stage, item.stage)
                stages.add_row(corp.corp_id, name, item.status, str(item.done_count), f"{item.changed_at:%F %T} UTC")
            console.print(stages)


@click.group(name="contact-way")
def contact_way() -> None:
    """渠道活码。"""


@contact_way.command("add")
@click.option("--corp", default=None, help=ONE_CORP)
@click.option("--name", required=True, help="活码名称")
@click.option("--staff", multiple=True, required=True, help="接待员工的 userid，可重复")
@click.option("--tag", "tags", multiple=True, help="标签 ID，可重复")
@click.option("--welcome", default="", help="欢迎语文字，可含 {昵称}")
@click.option("--attachments", type=FILE, help="YAML 文件：欢迎语附件列表")
@click.option("--remark", default="", help="给客户写的备注，可含 {昵称}")
@click.option("--verify", is_flag=True, help="添加时需要员工确认")
@click.pass_context
def add_contact_way(
    ctx: click.Context,
    *,
    corp: str | None,
    name: str,
    staff: tuple[str, ...],
    tags: tuple[str, ...],
    welcome: str,
    attachments: Path | None,
    remark: str,
    verify: bool,
) -> None:
    """新建活码；由后台向企业微信申请，随后可用 list 查看、用 qr 导出。"""
    house = open_house(ctx)
    corp_id = pick_corp(house, corp)
    part = house.settings.corp(corp_id)
    form = ContactWayForm(
        name=name,
        staff=staff,
        tag_ids=tags,
        customer_remark=remark,
        skip_verify=not verify,
        welcome={"text": welcome, "attachments": read_yaml(attachments) if attachments else []},
    )
    try:
        with house.db.unit() as uow:
            app = AppKey(part.contact_app if part else "")
            row = contact_ways.create(uow, corp=corp_id, app=app, form=form, created_by="cli")
            uow.commit()
    except ScrmError as error:
        raise click.ClickException(f"{error.field or ''} {error.message}".strip()) from None
    click.echo(f"活码 {row.id} 已登记，state={row.state}")


@contact_way.command("list")
@click.option("--corp", default=None, help=ONE_CORP)
@click.option("--words", default="", help="名称包含")
@click.pass_context
def list_contact_ways(ctx: click.Context, corp: str | None, words: str) -> None:
    """列出活码。"""
    house = open_house(ctx)
    corp_id = pick_corp(house, corp)
    table = Table("ID", "名称", "状态", "员工", "客户数", "state", "说明")
    with house.db.reading() as session:
        rows = contact_ways.listing(session, corp_id, words=words)
        counts = contact_ways.customer_counts(session, corp_id, [row.id or 0 for row in rows])
    for row in rows:
        people = "、".join(row.staff)
        table.add_row(
            str(row.id), row.name, row.status, people, str(counts.get(row.id or 0, 0)), row.state, row.last_error
        )
    Console().print(table)


@contact_way.command("qr")
@click.argument("contact_way_id", type=int)
@click.argument("target", type=click.Path(path_type=Path))
@click.option("--corp", default=None, help=ONE_CORP)
@click.option("--logo", type=FILE, help="放在中间的图片")
@click.option("--size", default=600, show_default=True, help="边长，像素（PNG）")
@click.pass_context
def export_qr(
    ctx: click.Context, contact_way_id: int, target: Path, *, corp: str | None, logo: Path | None, size: int
) -> None:
    """导出二维码，按扩展名输出 PNG 或 SVG。"""
    house = open_house(ctx)
    try:
        with house.db.reading() as session:
            row = contact_ways.get(session, pick_corp(house, corp), contact_way_id)
        content = qr.read_remote(row.qr_url)
        picture = logo.read_bytes() if logo else None
        target.write_bytes(qr.render(content, "svg" if target.suffix.lower() == ".svg" else "png", picture, size))
    except ScrmError as error:
        raise click.ClickException(error.message) from None
    except OSError as error:
        raise click.ClickException(f"写不了 {target}：{error.strerror}") from None
    click.echo(f"已写入 {target}")


@click.group(name="sop")
def sop_commands() -> None:
    """SOP 计划。"""


@sop_commands.command("import")
@click.argument("file", type=FILE)
@click.option("--corp", default=None, help=ONE_CORP)
@click.pass_context
def import_sop(ctx: click.Context, file: Path, corp: str | None) -> None:
    """导入一个 YAML 计划；内容有变则存为新版本，已在流程中的客户不受影响。"""
    house = open_house(ctx)
    raw = read_yaml(file)
    if not isinstance(raw, dict):
        raise click.ClickException(f"{file.name}：最外层应为键值")
    try:
        plan = parse_plan(raw)
    except ScrmError as error:
        raise click.ClickException(f"{error.field or file.name}：{error.message}") from None
    with house.db.unit() as uow:
        row = sop_service.install_plan(uow, pick_corp(house, corp), plan)
        uow.commit()
    click.echo(f"{row.name} 第 {row.version} 版已启用（{row.created_at:%F %T} UTC）")
