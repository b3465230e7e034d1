"""``scrm``: every command of the product."""

import sys
from pathlib import Path

import click

from crm_core.config import Settings, load_settings
from crm_core.errors import ScrmError

LAZY = {
    "demo": "bot.demo:demo",
    "sync": "bot.cli_data:sync",
    "replay": "bot.cli_data:replay",
    "status": "bot.cli_data:status",
    "contact-way": "bot.cli_data:contact_way",
    "sop": "bot.cli_data:sop_commands",
    "doctor": "bot.cli_doctor:doctor",
    "keys": "bot.cli_keys:keys",
    "role": "bot.cli_role:role",
    "menu": "bot.cli_menu:menu",
    "seed": "bot.cli_seed:seed",
    "eval": "bot.cli_eval:evaluate",
}


class LazyGroup(click.Group):
    """Loads a command's module only when it is used, so that ``scrm --help`` and ``demo`` start at once."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names."""
        return sorted([*super().list_commands(ctx), *LAZY])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command by name."""
        place = LAZY.get(cmd_name)
        if place is None:
            return super().get_command(ctx, cmd_name)
        import importlib  # noqa: PLC0415 - part of being lazy

        module, _, name = place.partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command


@click.group(cls=LazyGroup)
@click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    default=Path("config.yaml"),
    envvar="SCRM_CONFIG_FILE",
    show_default=True,
    help="配置文件；密钥只从环境变量读取",
)
@click.pass_context
def main(ctx: click.Context, config_path: Path) -> None:
    """企业微信 SCRM：活码、One ID、侧边栏、SOP 与精简 CRM。"""
    ctx.obj = config_path


def settings_of(ctx: click.Context) -> Settings:
    """The settings, or a readable end of the command."""
    try:
        return load_settings(ctx.obj)
    except ScrmError as error:
        raise click.ClickException(error.message or str(error)) from None


@main.command()
@click.pass_context
def serve(ctx: click.Context) -> None:
    """启动全部：网页、回调入口、后台线程、时钟（单机默认方式）。"""
    _run_web(ctx, "serve")


@main.command()
@click.pass_context
def web(ctx: click.Context) -> None:
    """只启动网页与回调入口；后台工作由 scrm worker 完成。"""
    _run_web(ctx, "web")


def _run_web(ctx: click.Context, role: str) -> None:
    settings = settings_of(ctx)
    from bot.web_server import run_web  # noqa: PLC0415

    run_web(settings.server, ctx.obj, role=role)


@main.command()
@click.pass_context
def worker(ctx: click.Context) -> None:
    """启动一个后台工作进程（可启动任意多个）。"""
    from bot.processes import run_worker  # noqa: PLC0415

    _configure_logs()
    run_worker(settings_of(ctx))


@main.command()
@click.pass_context
def scheduler(ctx: click.Context) -> None:
    """启动时钟（可启动多个，同时只有一个生效）。"""
    from bot.processes import run_scheduler  # noqa: PLC0415

    _configure_logs()
    run_scheduler(settings_of(ctx))


def _configure_logs() -> None:
    from bot.bootstrap import configure_logs  # noqa: PLC0415

    configure_logs()


@main.command()
@click.option("--check", is_flag=True, help="只比较：表定义与数据库是否一致")
@click.pass_context
def migrate(ctx: click.Context, *, check: bool) -> None:
    """把数据库升级到当前版本。"""
    from bot import migrate as migrations  # noqa: PLC0415

    url = settings_of(ctx).database.url
    if not check:
        migrations.upgrade(url)
        click.echo("数据库已是当前版本")
        return
    found = migrations.drift(url)
    for item in found:
        click.echo(item)
    if found:
        sys.exit(1)
    click.echo("一致")
