"""``scrm doctor``: what is wrong, and where in WeCom's console to put it right."""

import click

from bot import bootstrap
from bot.checkup import examine
from bot.cli import settings_of
from bot.doctor import render
from bot.wiring import build, receive_ids


@click.command()
@click.pass_context
def doctor(ctx: click.Context) -> None:
    """检查密钥、可信 IP、回调、可信域名、客户联系权限与范围、时钟、数据库；指出在哪里修。"""
    bootstrap.configure_logs()
    settings = settings_of(ctx)
    house = build(settings)
    ctx.call_on_close(house.close)
    findings = list(examine(settings, house.db, house.gateways, receive_ids, house.meaning.ladder))
    click.echo(render(findings))
    if any(finding.level == "fail" for finding in findings):
        ctx.exit(1)
