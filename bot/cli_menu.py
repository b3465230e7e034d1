"""``scrm menu``: the menu below the app's conversation in WeCom."""

import click

from bot.cli_data import ONE_CORP, open_house, pick_corp
from bot.staff_words import menu_buttons
from crm_core.errors import ScrmError


@click.group()
def menu() -> None:
    """员工机器人在企业微信里的菜单。"""


@menu.command()
@click.option("--corp", default=None, help=ONE_CORP)
@click.pass_context
def push(ctx: click.Context, corp: str | None) -> None:
    """把任务、数据、找客户、怎么说的菜单发布到客户联系应用，替换应用原来的菜单。"""
    house = open_house(ctx)
    try:
        gateway = house.gateways.of(pick_corp(house, corp))
        gateway.publish_menu(menu_buttons(house.settings.server.public_url))
    except ScrmError as error:
        raise click.ClickException(error.message) from None
    click.echo(f"菜单已发布到应用 {gateway.app_key}")
