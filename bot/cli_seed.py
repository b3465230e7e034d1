"""``scrm seed``: a large invented company in an empty database."""

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from bot.cli import settings_of
from bot.cli_data import ONE_CORP, open_house, pick_corp
from bot.migrate import upgrade
from bot.seed import Size, fill
from crm_core.errors import ScrmError
from crm_core.ids import AppKey


@click.command()
@click.option("--customers", default=1_000_000, show_default=True, type=click.IntRange(1, 10_000_000), help="客户数")
@click.option("--staff", default=200, show_default=True, type=click.IntRange(1, 10_000), help="员工数")
@click.option("--corp", help=ONE_CORP)
@click.pass_context
def seed(ctx: click.Context, *, customers: int, staff: int, corp: str | None) -> None:
    """在空数据库里生成一家虚构的大企业，用于试用和压测；已有客户时拒绝执行。"""
    upgrade(settings_of(ctx).database.url)
    house = open_house(ctx)
    chosen = pick_corp(house, corp)
    part = house.settings.corp(chosen)
    columns = (TextColumn("写入客户"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns) as progress:
        bar = progress.add_task("", total=customers)
        try:
            fill(
                house.db,
                chosen,
                AppKey(part.contact_app if part else ""),
                Size(customers=customers, staff=staff),
                lambda done: progress.update(bar, completed=done),
            )
        except ScrmError as error:
            raise click.ClickException(error.message) from None
    click.echo(f"已生成 {customers:,} 位客户、{staff} 位员工")
