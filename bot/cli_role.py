"""``scrm role``: who may do what in the console. The way to the first admin when there is no password."""

import click

from bot.cli_data import ONE_CORP, open_house, pick_corp
from crm_core import roles
from crm_core.errors import ScrmError
from crm_core.ids import StaffUserId
from crm_core.roles import ROLE_NAMES, SCOPE_NAMES, Role, Scope


@click.command()
@click.argument("userid")
@click.argument("role", type=click.Choice([one.value for one in Role]))
@click.option("--scope", type=click.Choice([one.value for one in Scope]), help="数据范围；默认是该角色通常的范围")
@click.option("--corp", default=None, help=ONE_CORP)
@click.pass_context
def role(ctx: click.Context, userid: str, role: str, *, scope: str | None, corp: str | None) -> None:
    """给一位成员分配控制台角色，例如第一位管理员。成员须已从企业微信同步（scrm sync）。"""
    house = open_house(ctx)
    try:
        with house.db.unit() as uow:
            given = roles.give(
                uow,
                pick_corp(house, corp),
                StaffUserId(userid),
                Role(role),
                Scope(scope) if scope else None,
                actor="cli",
            )
            uow.commit()
    except ScrmError as error:
        raise click.ClickException(error.message) from None
    click.echo(f"{userid} 现在是{ROLE_NAMES[given.role]}，数据范围：{SCOPE_NAMES[given.scope]}")
